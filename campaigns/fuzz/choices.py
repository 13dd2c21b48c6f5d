"""Bytes as a row of choices, and what is composed of them: numbers, texts, JSON, commands that are nearly right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from asgi_app.models.json_text import DEPTH

T = TypeVar("T")

NUMBERS: tuple[Any, ...] = (0, 1, -1, 50, 100, 101, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, 50.0, -0.0, 1e308)
# What JSON cannot say, and what Python's reader takes all the same; a lone half of a character.
TEXTS = (
    "", " ", "50", " 5 ", "+5", "-1", "1_0", "²", "٣", "abc", "led", "lobby", "Ada", "fuzz", "id", "do", "\x00",
    "\ud800", "é", "😀", "a" * 65, "__proto__", "constructor", "NaN", "null", "..", "/", "<b>", "\u202e", "\r\n",
    "9" * 400,
)  # fmt: skip
RAW = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "01", "+1", "1.", ".5", "'x'", "undefined", "", "{", "[", '"')


class Choices:
    """Bytes that decide; when they are used up every choice is the first one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def more(self) -> bool:
        """Whether there is anything left to decide with."""
        return self._at < len(self._data)

    def byte(self) -> int:
        """0 to 255."""
        if self._at >= len(self._data):
            return 0
        self._at += 1
        return self._data[self._at - 1]

    def below(self, end: int) -> int:
        """0 to end - 1."""
        number = self.byte()
        if end > 256:
            number = number << 8 | self.byte()
        return number % end

    def one_in(self, chances: int) -> bool:
        """True now and then."""
        return self.below(chances) == 1

    def pick(self, options: Sequence[T]) -> T:
        """One of them."""
        return options[self.below(len(options))]

    def chunk(self, most: int) -> bytes:
        """Up to so many bytes as they are."""
        size = self.below(most + 1)
        self._at += size
        return self._data[self._at - size : self._at]

    def rest(self) -> bytes:
        """All that is left."""
        left, self._at = self._data[self._at :], len(self._data)
        return left

    # --- JSON ----------------------------------------------------------------------------------------------

    def text(self) -> str:
        """Some text."""
        if self.one_in(4):
            return self.chunk(12).decode("utf-8", "replace")
        return self.pick(TEXTS)

    def value(self, depth: int = 3) -> Any:
        """Any JSON value."""
        kind = self.below(10 if depth else 7)
        if kind < 2:
            return self.pick(NUMBERS)
        if kind < 4:
            return self.text()
        if kind < 7:
            return (None, True, False)[kind - 4]
        if kind == 7:
            return [self.value(depth - 1) for _ in range(self.below(4))]
        if kind == 8:
            return {self.text(): self.value(depth - 1) for _ in range(self.below(4))}
        nested: Any = self.pick(NUMBERS)
        in_arrays = self.one_in(2)
        for _ in range(self.pick((50, DEPTH - 6, DEPTH - 1, DEPTH, DEPTH + 1, 250, 990, 1200))):
            nested = [nested] if in_arrays else {"n": nested}
        return nested

    def spoiled(self, value: Any) -> Any:
        """The value, or now and then another one."""
        return self.value() if self.one_in(6) else value

    def spoiled_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The object with a field changed, missing, renamed or too many; now and then as it is."""
        made = {name: self.spoiled(value) for name, value in fields.items() if not self.one_in(12)}
        if self.one_in(8):
            made[self.text()] = self.value()
        return made

    def written(self, value: Any) -> str:
        """The value as JSON text; now and then with something in it that is none."""
        try:
            text = json.dumps(value, ensure_ascii=self.one_in(2))
        except (ValueError, RecursionError):
            text = "[" * 2000
        if self.one_in(12):
            at = self.below(len(text) + 1)
            text = text[:at] + self.pick(RAW) + text[at + self.below(3) :]
        if self.one_in(24):
            text = text[: self.below(len(text) + 1)]
        return text.encode("utf-8", "replace").decode()  # what comes over a socket has no half characters
