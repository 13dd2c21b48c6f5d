"""The PIN: a random one, and one as somebody typed it."""

from __future__ import annotations

import secrets
import unicodedata

PIN_DIGITS = 8
DASHES = "_.\N{MINUS SIGN}\N{KATAKANA-HIRAGANA PROLONGED SOUND MARK}"  # the last is the "-" of Japanese keyboards


def typed_pin(text: str) -> str:
    """Return the digits of a PIN as somebody typed it: in any script, with dashes, spaces or invisible characters."""
    digits = []
    for one in text:
        digit = unicodedata.digit(one, None)
        if digit is not None:
            digits.append(str(digit))
        elif not (one.isspace() or one in DASHES or unicodedata.category(one) in ("Pd", "Cf", "Zs")):
            digits.append(one)
    return "".join(digits)


def new_pin() -> str:
    """Return a random PIN."""
    return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"
