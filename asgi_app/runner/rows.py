"""A row of a terminal: characters in columns, each with its style."""

from __future__ import annotations

import unicodedata
from typing import Any

from asgi_app.runner.colours import PLAIN, Style

LINE_BYTES = 8 * 1024  # columns of a row, at most; of the rest the panel gets the number of bytes
MOST_SPANS = 200
TAB = 8


def _width(character: str) -> int:
    """Return the columns that a character takes (UAX 11); combining marks take none."""
    if character.isascii():
        return 1
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _columns(text: str, at: int) -> int:
    """Return the column after the text that begins in column `at`."""
    if text.isascii() and "\t" not in text:
        return at + len(text)
    for character in text:
        at = (at // TAB + 1) * TAB if character == "\t" else at + _width(character)
    return at


class Row:
    """A row: plain text, or one cell for each column once it has colours or was overwritten."""

    __slots__ = ("_cells", "_styles", "_text", "at", "cut", "settled", "width")

    def __init__(self, text: str = "", at: float = 0.0) -> None:
        self._cells: list[str] | None = None  # "" for a column that the character before it takes too
        self._styles: list[Style] = []
        self._text = text
        self.at = at  # time of the last write
        self.settled = False  # whether it is final
        self.cut = 0  # bytes beyond LINE_BYTES
        self.width = 0  # columns; not kept up to date in a row that is final
        if len(text) > LINE_BYTES:
            self._cut(text[LINE_BYTES:])
            self._text = text[:LINE_BYTES]

    def _cut(self, text: str) -> None:
        self.cut += len(text.encode("utf-8", "replace"))

    def append(self, text: str) -> None:
        """Append plain text to a plain row."""
        room = LINE_BYTES - len(self._text)
        self._text += text[:room]
        if len(text) > room:
            self._cut(text[room:])
        self.width = _columns(text, self.width)

    @property
    def plain(self) -> bool:
        return self._cells is None

    def clear(self) -> None:
        self._cells, self._styles, self._text, self.cut, self.width = None, [], "", 0, 0

    def write(self, x: int, text: str, style: Style) -> int:
        """Write the text at column `x`. Return the column after it."""
        if self.cut and x < self.width:  # a row that was cut cannot be overwritten: start again
            self.clear()
        if style is PLAIN and self._cells is None and x == self.width:
            self.append(text)
            return self.width
        cells, styles = self._explode()
        new = _cells_of(text, x)
        if new and new[0][:1] and _width(new[0][0]) == 0 and x and x <= len(cells):  # a combining mark
            cells[x - 1] += new.pop(0)
        if x + len(new) > LINE_BYTES:
            self._cut("".join(new[max(LINE_BYTES - x, 0) :]))
            new = new[: max(LINE_BYTES - x, 0)]
        if new:
            missing = max(x - len(cells), 0)
            cells.extend(" " * missing)
            styles.extend([PLAIN] * missing)
            end = x + len(new)
            self._split(x)
            self._split(end)
            cells[x:end] = new
            styles[x:end] = [style] * len(new)
        self.width = len(cells)
        return x + len(new)

    def erase(self, begin: int, end: int | None = None) -> None:
        """Blank the columns from `begin` up to `end`, or to the end of the row."""
        cells, styles = self._explode()
        self._split(begin)
        if end is None or end >= len(cells):
            del cells[begin:], styles[begin:]
            self.cut = 0
        else:
            self._split(end)
            cells[begin:end] = [" "] * (end - begin)
            styles[begin:end] = [PLAIN] * (end - begin)
        self.width = len(cells)

    def shift(self, x: int, count: int) -> None:
        """Insert `count` blanks at column `x`, or remove that many columns if it is negative."""
        cells, styles = self._explode()
        self._split(x)
        if count < 0:
            del cells[x : x - count], styles[x : x - count]
        elif x < len(cells):
            cells[x:x] = [" "] * count
            styles[x:x] = [PLAIN] * count
            del cells[LINE_BYTES:], styles[LINE_BYTES:]
        self.width = len(cells)

    def _explode(self) -> tuple[list[str], list[Style]]:
        if self._cells is None:
            self._cells = _cells_of(self._text, 0)
            self._styles = [PLAIN] * len(self._cells)
            self._text = ""
        return self._cells, self._styles

    def _split(self, x: int) -> None:
        """Blank a character of several columns that covers column `x` but begins before it."""
        cells, _ = self._explode()
        if x >= len(cells) or cells[x]:
            return
        begin = next((at for at in range(x - 1, -1, -1) if cells[at]), 0)
        end = next((at for at in range(x, len(cells)) if cells[at]), len(cells))
        cells[begin:end] = " " * (end - begin)

    @property
    def blank(self) -> bool:
        return not self._text.strip() if self._cells is None else not "".join(self._cells).strip()

    def read(self) -> tuple[str, list[dict[str, Any]]]:
        """Return the text and its spans that are not plain. Offsets are in code points."""
        note = f" … ({self.cut} bytes cut)" if self.cut else ""
        if self._cells is None:
            return self._text + note, []
        cells, styles = self._cells, self._styles
        end = len(cells)
        while end and cells[end - 1] == " " and not (styles[end - 1].bg or styles[end - 1].attributes):
            end -= 1
        spans: list[dict[str, Any]] = []
        at = begun = 0
        for column in range(end + 1):
            style = styles[column] if column < end else PLAIN
            before = styles[column - 1] if column else PLAIN
            if style != before:
                if before != PLAIN and at > begun and len(spans) < MOST_SPANS:
                    spans.append(before.as_span(begun, at))
                begun = at
            if column < end:
                at += len(cells[column])
        return "".join(cells[:end]) + note, spans


def _cells_of(text: str, x: int) -> list[str]:
    """Return one cell for each column of a text that begins in column `x`."""
    if text.isascii() and "\t" not in text:
        return list(text)
    cells: list[str] = []
    for character in text:
        width = TAB - (x + len(cells)) % TAB if character == "\t" else _width(character)
        if width == 0 and cells:
            at = next(at for at in range(len(cells) - 1, -1, -1) if cells[at])
            cells[at] += character
        else:
            cells.append(character)
            cells.extend([""] * (width - 1))
    return cells
