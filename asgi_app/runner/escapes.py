"""Parser of terminal output: text, control characters and sequences (ECMA-48; xterm's ctlseqs). No I/O."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

LONGEST = 256  # characters of an unfinished sequence, 200 of them parameters: a longer one is not a sequence
LONGEST_STRING = 4 * 1024 * 1024  # characters of an unfinished control string, such as a picture

# Bytes that are not UTF-8 arrive as the surrogates U+DC80 to U+DCFF (PEP 383).
_PIECE = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    r"|(?:\x1b\[|[\x9b\udc9b])(?P<parameters>[0-?]{0,200})[ -/]*(?P<final>[@-~])"
    r"|\x1b(?P<string>[P\]X^_k])"
    r"|(?P<string8>[\x90\x98\x9d-\x9f])"
    r"|\x1b(?P<escape>[ -/]+[0-~]|[0-Z\\`-~])"
    r"|(?P<escape8>[\x80-\x8f\x91-\x97\x99\x9a\x9c])"
    # In other encodings these bytes are letters: only a whole string on one line counts as a control string.
    r"|[\udc90\udc98\udc9d-\udc9f][ -~]*(?:\udc9c|\x1b\\|\x07)"
    r"|(?P<foreign>[\ud800-\udfff])"
)
_UNFINISHED = re.compile(  # the rest has not come yet
    r"(?:(?:\x1b\[|[\x9b\udc9b])[0-?]{0,200}[ -/]*|\x1b[ -/]*|[\udc90\udc98\udc9d-\udc9f][ -~]*\x1b?)\Z"
)
_BROKEN = re.compile(r"(?:\x1b\[|\x9b)[0-?]{0,200}[ -/]*|\x1b[ -/]*")
_STRING_ENDS = re.compile(r"\x1b\\|[\x9c\udc9c\x07\x18\x1a\x1b\n]")
_PICTURE = "1337;"  # iTerm2: an OSC string of many lines

Kind = Literal["text", "control", "csi", "escape"]


class Piece(NamedTuple):
    """Text, one control character, `CSI parameters final`, or what follows ESC."""

    kind: Kind
    text: str
    parameters: str = ""


class Pieces:
    """Parser: bytes in, pieces out. It drops control strings (DCS, SOS, OSC, PM, APC, titles)."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._rest = ""  # an unfinished sequence
        self._string: list[str] | None = None  # an unfinished control string; its first item is the introducer
        self._size = 0
        self._lines = False  # whether that string has several lines

    @property
    def waits(self) -> bool:
        """Whether a sequence or a control string is unfinished."""
        return bool(self._rest) or self._string is not None

    def decode(self, data: bytes) -> str:
        """Decode the bytes, after those that were left of the last ones."""
        return self._decoder.decode(data)

    def flush(self) -> Iterator[Piece]:
        """Return what is left at the end: an unfinished control string of several lines was text."""
        yield from self.of(self._decoder.decode(b"", final=True))
        if self._string is not None and self._lines:
            yield from self.of(self._give_up())
        self._rest, self._string = "", None

    def of(self, text: str) -> Iterator[Piece]:
        """Split the text into pieces."""
        text, self._rest = self._rest + text, ""
        at = 0
        while at < len(text):
            if self._string is not None:
                again, at = self._on_string(text, at)
                text = again if again is not None else text
                continue
            found = _PIECE.match(text, at)
            if found is None or (found.lastgroup == "foreign" and _UNFINISHED.match(text, at)):
                if (unfinished := _UNFINISHED.match(text, at)) and unfinished.end() - at < LONGEST:
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
        """Read on in a control string. Return another text to continue with, if any, and the index to continue at."""
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
            if title and not "".join(self._string[1:]).startswith(_PICTURE):  # a title never has a second line
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
        """Return the text of a string that turned out to be none."""
        assert self._string is not None
        text, self._string = "".join(self._string[1:]), None
        return text
