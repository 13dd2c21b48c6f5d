"""The QR code of the panel's address, with a one-time code: for a terminal, and for a page."""

from __future__ import annotations

import io


def sign_in_link(url: str, code: str) -> str:
    """Return the address that opens the panel and signs in. Browsers send no server what is behind #."""
    return f"{url}#code={code}"


def qr_rows(text: str) -> list[str]:
    """Return the text as a QR code: a text for each row, 1 for a dark module. It has no quiet zone."""
    return ["".join("1" if module else "0" for module in row) for row in _made(text).matrix]


def qr_in_terminal(text: str, encoding: str = "utf-8") -> str:
    """Return the text as a QR code for a terminal.

    It is empty if the encoding has no block characters, or if the text is too long for a QR code.
    """
    code = io.StringIO()
    try:
        _made(text).terminal(out=code, compact=True)
        code.getvalue().encode(encoding)
    except (ValueError, LookupError):
        return ""
    return code.getvalue()


def _made(text: str):  # type: ignore[no-untyped-def]
    """The smallest QR code: on a screen nothing is torn off, so the least correction is enough."""
    import segno  # few starts need it

    return segno.make(text, error="l")
