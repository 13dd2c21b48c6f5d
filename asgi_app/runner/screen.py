"""A terminal screen: a command's output in, rows with colours out. No I/O.

A row is final once it cannot change any more. If a command only prints, that is at the end of the line. A command that
moves back (`\\r`, cursor up: tqdm, rich, docker) can overwrite rows above. Those stay *open* until it has not touched
them for a while, or cannot reach them any more.
"""

from __future__ import annotations

import re

from asgi_app.runner.colours import PLAIN, styled
from asgi_app.runner.escapes import Piece, Pieces
from asgi_app.runner.rows import LINE_BYTES, TAB, Row

HEIGHT = 100  # rows that the cursor can reach; more than terminals have
SETTLE_SECONDS = 0.5  # after which rows above the cursor are final, if the command moves back
HIDDEN_SECONDS = 5.0  # the same while the cursor is hidden: the command draws, perhaps slowly
BACK_SECONDS = 30.0  # after a command moved back, in which it may do so again

_SPECIAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_ALTERNATE = {"47", "1047", "1049"}
_PRIVATE = ("<", "=", ">", "?")
_MOVES = "ABCDEFGHae`fsu"  # the final characters of sequences that move the cursor
_ESCAPED_MOVES = {"7": "s", "8": "u", "M": "A"}  # ESC 7 is CSI s, and so on


class Screen:
    """The terminal that a command writes to."""

    def __init__(self) -> None:
        self._pieces = Pieces()
        self._rows = [Row()]
        self._x = self._y = 0
        self._style = PLAIN
        self._saved = (0, 0, PLAIN)
        self._elsewhere: Row | None = None  # a row that the cursor was moved to by coordinates, such as a status line
        self._hidden = self._alternate = False
        self._returned = False  # by \r, and nothing written since
        self._went_back = float("-inf")
        self._at = 0.0

    # --- in

    def feed(self, data: bytes, at: float) -> None:
        """Write output of the command, written at `at`, in seconds since the Unix epoch."""
        self._at = at
        text = self._pieces.decode(data)
        if "\r\n" in text:
            text = text.replace("\r\n", "\n")
        if self._only_appends() and not _SPECIAL.search(text):
            first, *others = text.split("\n")
            if first or others:
                self._rows[-1].append(first)
                self._rows[-1].at = at
            if others:
                self._rows.extend(Row(line, at) for line in others[:-1])
                self._rows.append(Row("", at))
                self._rows[-1].append(others[-1])
                self._y = len(self._rows) - 1
            self._x = self._rows[-1].width
            return
        for piece in self._pieces.of(text):
            self._on(piece)

    def _only_appends(self) -> bool:
        row = self._rows[-1]
        at_end = self._y == len(self._rows) - 1 and row.plain and self._x == row.width
        drawing = self._elsewhere is not None or self._alternate or self._returned or self._pieces.waits
        return at_end and not drawing and self._style is PLAIN

    def _on(self, piece: Piece) -> None:
        kind, text, parameters = piece
        if kind == "csi":
            if text == "m":
                if not parameters.strip("0123456789;:"):  # with < = > ? it is another sequence
                    self._style = styled(self._style, parameters)
            elif text in "hl":
                self._set_mode(parameters, text == "h")
            elif not self._alternate and not parameters.startswith(_PRIVATE):
                numbers = [int(part[:5]) if part.isdigit() else 0 for part in parameters.split(";")]
                if text in _MOVES:
                    self._move(text, numbers)
                else:
                    self._edit(text, numbers[0])
        elif self._alternate:
            return
        elif kind == "text":
            self._write(text)
        elif kind == "control":
            self._control(text)
        else:
            self._escape(text)

    def _write(self, text: str) -> None:
        row = self._elsewhere or self._rows[self._y]
        if self._x < row.width or self._returned:  # a command that starts with \r (tqdm) will overwrite
            self._went_back = self._at
        self._returned = False
        self._x = row.write(self._x, text, self._style)
        row.at = self._at

    def _control(self, character: str) -> None:
        if character in "\n\v\f":
            self._line_feed()
        elif character == "\r":
            self._x, self._returned = 0, True
        elif character == "\b":
            self._x = max(self._x - 1, 0)
        elif character == "\t":
            row = self._elsewhere or self._rows[self._y]
            if self._x >= row.width:
                self._write("\t")
            else:
                self._x = (self._x // TAB + 1) * TAB

    def _line_feed(self) -> None:
        self._x, self._returned = 0, False
        if self._elsewhere is not None:  # it prints there: these are ordinary rows
            self._forget_clients()
            self._rows[-1] = self._elsewhere
            self._elsewhere = None
        self._y += 1
        if self._y == len(self._rows):
            self._rows[-1].at = self._at
            self._rows.append(Row("", self._at))

    def _escape(self, text: str) -> None:
        if text in _ESCAPED_MOVES:
            self._move(_ESCAPED_MOVES[text], [0])
        elif text in ("D", "E"):
            self._line_feed()
        elif text == "c":
            self._forget_clients()
            self._style, self._hidden = PLAIN, False

    # --- sequences

    def _set_mode(self, parameters: str, on: bool) -> None:
        if not parameters.startswith("?"):
            return
        modes = set(parameters[1:].split(";"))
        if "25" in modes:
            self._hidden = not on
            self._went_back = self._at
        if modes & _ALTERNATE:
            self._alternate = on

    def _move(self, final: str, numbers: list[int]) -> None:
        """Move the cursor, or save its place, by the sequence `CSI numbers final`."""
        count = max(numbers[0], 1)
        match final:
            case "A" | "F":
                self._y = max(self._y - count, 0)
                self._went_back = self._at
            case "B" | "E" | "e":
                self._y = min(self._y + count, max(len(self._rows) - 1, HEIGHT))
                while self._y >= len(self._rows):
                    self._rows.append(Row("", self._at))
            case "C" | "a":
                self._x = min(self._x + count, LINE_BYTES)
            case "D":
                self._x = max(self._x - count, 0)
            case "G" | "`":
                self._x = min(count - 1, LINE_BYTES)
            case "H" | "f" if count == 1 and max(numbers[1:2], default=0) <= 1:  # it redraws the whole screen
                self._forget_clients()
            case "H" | "f":
                self._elsewhere = Row("", self._at)
            case "s":
                self._saved = self._x, self._y, self._style
            case "u":
                self._elsewhere = None
                self._x, self._y, self._style = self._saved
                self._y = min(self._y, len(self._rows) - 1)
        if final in "EFHf":
            self._x = 0

    def _edit(self, final: str, what: int) -> None:
        """Erase, insert or delete at the cursor, by the sequence `CSI what final`."""
        count = max(what, 1)
        row = self._elsewhere or self._rows[self._y]
        if final == "J" and what == 0:  # the rest of the screen
            del self._rows[self._y + 1 :]
            final = "K"
        match final:
            case "J" if what >= 2:
                self._forget_clients()
            case "K":
                row.at = self._at
                if what == 0:
                    row.erase(self._x)
                elif what == 1:
                    row.erase(0, self._x + 1)
                else:
                    row.clear()
            case "X":
                row.erase(self._x, self._x + count)
            case "@":
                row.shift(self._x, min(count, LINE_BYTES))
            case "P":
                row.shift(self._x, -count)
            case "L":
                self._rows[self._y : self._y] = [Row("", self._at) for _ in range(min(count, HEIGHT))]
            case "M":
                del self._rows[self._y : self._y + count]
                if self._y >= len(self._rows):
                    self._rows.append(Row("", self._at))
                    self._y = len(self._rows) - 1

    def _forget_clients(self) -> None:
        """Move to a new row after the last one; the rows above are final."""
        while len(self._rows) > 1 and self._rows[-1].blank:
            self._rows.pop()
        if not self._rows[-1].blank:
            self._rows.append(Row("", self._at))
        self._y, self._x = len(self._rows) - 1, 0
        for row in self._rows[:-1]:
            row.settled = True

    # --- out

    def take(self, now: float) -> list[Row]:
        """Remove and return the rows that are final by now."""
        hold = self._hold(now)
        final = 0
        out_of_reach = self._y - HEIGHT
        for row in self._rows[: self._y]:
            if final >= out_of_reach and not row.settled and abs(now - row.at) < hold:
                break
            final += 1
        return self._remove(final)

    def _hold(self, now: float) -> float:
        if self._hidden:
            return HIDDEN_SECONDS
        return SETTLE_SECONDS if now - self._went_back < BACK_SECONDS else 0.0

    def _remove(self, count: int) -> list[Row]:
        final = self._rows[:count]
        del self._rows[:count]
        self._y -= count
        self._saved = self._saved[0], max(self._saved[1] - count, 0), self._saved[2]
        return final

    def settles_in(self, now: float) -> float | None:
        """Return the seconds until another row is final if the command writes nothing more; None: never."""
        return max(self._rows[0].at + self._hold(now) - now, 0.0) if self._y else None

    def flush(self) -> list[Row]:
        """Remove and return all rows, at the end of the output."""
        for piece in self._pieces.flush():
            self._on(piece)
        if self._elsewhere is not None and not self._elsewhere.blank:
            self._line_feed()
        while self._rows and self._rows[-1].blank:
            if len(self._rows) <= self._y or (self._rows[-1].plain and self._rows[-1].width):
                break
            self._rows.pop()
        return self._remove(len(self._rows))

    @property
    def open(self) -> list[Row]:
        """The rows that may still change, without blank ones at the end."""
        rows = [*self._rows, *([self._elsewhere] if self._elsewhere else [])]
        while rows and rows[-1].blank:
            rows.pop()
        return rows
