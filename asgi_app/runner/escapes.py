"""What a terminal is sent, taken apart: text, control characters and sequences (ECMA-48; xterm's ctlseqs). No I/O."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

LONGEST = 256  # characters of a sequence that has not ended, of which 200 are parameters: more is none
LONGEST_STRING = 4 * 1024 * 1024  # characters of a control string, such as a picture, that has not ended

# Bytes that are no UTF-8 arrive as the surrogates U+DC80 to U+DCFF (PEP 383).
_PIECE = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    r"|(?:\x1b\[|[\x9b\udc9b])(?P<parameters>[0-?]{0,200})[ -/]*(?P<final>[@-~])"
    r"|\x1b(?P<string>[P\]X^_k])"
    r"|(?P<string8>[\x90\x98\x9d-\x9f])"
    r"|\x1b(?P<escape>[ -/]+[0-~]|[0-Z\\`-~])"
    r"|(?P<escape8>[\x80-\x8f\x91-\x97\x99\x9a\x9c])"
    # In other encodings than UTF-8 these bytes are letters: only a string that is whole, on one line, is one.
    r"|[\udc90\udc98\udc9d-\udc9f][ -~]*(?:\udc9c|\x1b\\|\x07)"
    r"|(?P<foreign>[\ud800-\udfff])"
)
_BEGUN = re.compile(  # the rest of it comes yet
    r"(?:(?:\x1b\[|[\x9b\udc9b])[0-?]{0,200}[ -/]*|\x1b[ -/]*|[\udc90\udc98\udc9d-\udc9f][ -~]*\x1b?)\Z"
)
_BROKEN = re.compile(r"(?:\x1b\[|\x9b)[0-?]{0,200}[ -/]*|\x1b[ -/]*")
_STRING_ENDS = re.compile(r"\x1b\\|[\x9c\udc9c\x07\x18\x1a\x1b\n]")
_PICTURE = "1337;"  # iTerm2's: an OSC string of many lines

Kind = Literal["text", "control", "csi", "escape"]


class Piece(NamedTuple):
    """Text, one control character, `CSI parameters final`, or what follows ESC."""

    kind: Kind
    text: str
    parameters: str = ""


class Pieces:
    """Bytes in, pieces out. Control strings (DCS, SOS, OSC, PM, APC, a title) are left out as a whole."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._rest = ""  # a sequence that was begun
        self._string: list[str] | None = None  # a control string that was begun; its first item says which
        self._size = 0
        self._lines = False  # whether that string has reached over lines

    @property
    def waits(self) -> bool:
        """Whether something was begun that is not text."""
        return bool(self._rest) or self._string is not None

    def decode(self, data: bytes) -> str:
        """The text of these bytes, after what was held of those before."""
        return self._decoder.decode(data)

    def flush(self) -> Iterator[Piece]:
        """There is no more: a string that never ended, over several lines, was text."""
        yield from self.of(self._decoder.decode(b"", final=True))
        if self._string is not None and self._lines:
            yield from self.of(self._give_up())
        self._rest, self._string = "", None

    def of(self, text: str) -> Iterator[Piece]:
        """The pieces of this text."""
        text, self._rest = self._rest + text, ""
        at = 0
        while at < len(text):
            if self._string is not None:
                again, at = self._on_string(text, at)
                text = again if again is not None else text
                continue
            found = _PIECE.match(text, at)
            if found is None or (found.lastgroup == "foreign" and _BEGUN.match(text, at)):
                if (begun := _BEGUN.match(text, at)) and begun.end() - at < LONGEST:
                    self._rest = text[at:]
                    return
                broken = _BROKEN.match(text, at)
                at = max(broken.end() if broken else 0, at + 1)
                continue
            at = found.end()
            piece = self._piece(found)
            if piece is not None:
                yield piece

    def _piece(self, found: re.Match[str]) -> Piece | None:
        match found.lastgroup:
            case "text" | "control" | "escape":
                return Piece(found.lastgroup, found[found.lastgroup])
            case "final":
                return Piece("csi", found["final"], found["parameters"])
            case "string" | "string8":
                introducer = found["string"] or chr(ord(found["string8"]) - 0x40)  # ECMA-48, 5.3: the 7-bit form
                self._string, self._size, self._lines = [introducer], 0, False
            case "escape8":
                return Piece("escape", chr(ord(found["escape8"]) - 0x40))
            case "foreign":
                return Piece("text", "�")
        return None

    # --- control strings

    def _on_string(self, text: str, at: int) -> tuple[str | None, int]:
        """Read on in the string; another text to go on with, if any, and where to go on."""
        assert self._string is not None
        end = _STRING_ENDS.search(text, at)
        self._string.append(text[at : end.start() if end else len(text)])
        self._size += len(self._string[-1])
        if self._size > LONGEST_STRING:
            return self._give_up() + text[end.start() if end else len(text) :], 0
        if end is None:
            return None, len(text)
        if end[0] == "\x1b" and end.end() == len(text):
            self._rest = "\x1b"
            return None, len(text)
        title = self._string[0] in "]k"
        if end[0] == "\n":
            if title and not "".join(self._string[1:]).startswith(
                _PICTURE
            ):  # it never ended: lines that follow are lines
                self._string = None
                return None, end.start()
            self._lines = True
            self._string.append("\n")
        elif end[0] != "\x07" or title:
            cut_short = end[0] in "\x1b\x18\x1a"
            if cut_short and self._lines:
                return self._give_up() + text[end.start() :], 0
            self._string = None
            if end[0] == "\x1b":  # another sequence begins
                return None, end.start()
        return None, end.end()

    def _give_up(self) -> str:
        """It was no string: its text."""
        assert self._string is not None
        text, self._string = "".join(self._string[1:]), None
        return text
