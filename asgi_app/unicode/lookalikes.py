"""Names that look alike: the skeletons of UTS 39, and invisible characters (Default_Ignorable_Code_Point).

Two names look alike if they share a form. A name has two: the skeleton of the case-folded name, because case does not
distinguish names here; and the skeleton of the name as written, because `I` looks like `l` and `i` does not.
Unicode's table is in `unicode/lookalikes.txt`. It is read when the first name is compared.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path

TABLE = Path(__file__).parent / "lookalikes.txt"
BLANK = "\u2800"  # the Braille pattern without dots, which the table does not have


def forms(name: str) -> frozenset[str]:
    """Return the forms of the name. Names that look alike share one."""
    return _forms(unicodedata.normalize("NFKC", name))


def looks_like(name: str, names: Iterable[str]) -> str | None:
    """Return the first of these names that looks like this one."""
    index = _index(tuple(names))
    return next((index[form] for form in sorted(forms(name)) if form in index), None)


def same_looks(name: str, names: Iterable[str]) -> str | None:
    """Return the first of these names that looks like this one as written: another case looks different."""
    looks = _looks(unicodedata.normalize("NFKC", name))
    return next((other for other in names if _looks(unicodedata.normalize("NFKC", other)) == looks), None)


def is_unseen(character: str) -> bool:
    """Return whether the character is invisible: white space, or never shown."""
    if character.isascii():
        return not character.isprintable() or character == " "
    if character.isspace() or character == BLANK or unicodedata.category(character) == "Cf":
        return True
    return character in _tables()[0]


@lru_cache(maxsize=4096)
def _forms(name: str) -> frozenset[str]:
    return frozenset({_looks(name.casefold()), _looks(name).casefold()})


@lru_cache(maxsize=4096)
def _looks(name: str) -> str:
    """Return the skeleton without format characters, and with single spaces."""
    spaced = _skeleton(name).replace(BLANK, " ")
    return " ".join("".join(one for one in spaced if unicodedata.category(one) != "Cf").split())


@lru_cache(maxsize=8)
def _index(names: tuple[str, ...]) -> Mapping[str, str]:
    """Map each form to its name; to the first, if several names have it."""
    return {form: name for name in reversed(names) for form in forms(name)}


def _skeleton(text: str) -> str:
    """Replace each visible character by its prototype (UTS 39, 4)."""
    unseen, prototypes = _tables()
    seen = (one for one in unicodedata.normalize("NFD", text) if one not in unseen)
    return unicodedata.normalize("NFD", "".join(prototypes.get(one, one) for one in seen))


@cache
def _tables() -> tuple[frozenset[str], Mapping[str, str]]:
    """Return the invisible characters, and the prototype of each character that looks like another."""
    lines = TABLE.read_text("utf-8").splitlines()
    unseen, prototypes = set(), {}
    for first, *others in (line.split() for line in lines if not line.startswith("#")):
        if first == "unseen":
            unseen = {chr(point) for span in others for point in _range(span)}
        else:
            prototype = "".join(chr(int(point, 16)) for point in first.split("+"))
            prototypes.update({chr(int(point, 16)): prototype for point in others})
    return frozenset(unseen), prototypes


def _range(span: str) -> range:
    first, _, last = span.partition("-")
    return range(int(first, 16), int(last or first, 16) + 1)
