"""Terminal colours as data: Select Graphic Rendition (ECMA-48, 8.3.117; xterm's 256 and direct colours)."""

from __future__ import annotations

from typing import Any, NamedTuple

NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
PALETTE = (*NAMES, *(f"bright-{name}" for name in NAMES))
LEVELS = (0, 95, 135, 175, 215, 255)  # xterm's colour cube

_ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 8: "hidden", 9: "strike", 21: "underline"}
_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 28: ("hidden",), 29: ("strike",)}


class Style(NamedTuple):
    """Colours and attributes of a character. `fg` and `bg` are a name of the palette, or #rrggbb."""

    fg: str | None = None
    bg: str | None = None
    attributes: frozenset[str] = frozenset()

    def as_span(self, start: int, end: int) -> dict[str, Any]:
        """Return the span for the characters from `start` up to `end`, as the panel takes it."""
        span: dict[str, Any] = {"start": start, "end": end}
        if self.fg:
            span["fg"] = self.fg
        if self.bg:
            span["bg"] = self.bg
        return span | dict.fromkeys(sorted(self.attributes), True)


PLAIN = Style()


def styled(style: Style, parameters: str) -> Style:
    """Return the style after `CSI parameters m`."""
    codes = [part.split(":") for part in parameters.split(";")]
    at = 0
    while at < len(codes):
        code = _number(codes[at][0])
        if code in (38, 48, 58):
            colour, at = _extended(codes, at)
            if code == 38:
                style = style._replace(fg=colour)
            elif code == 48:
                style = style._replace(bg=colour)
        elif code == 4 and codes[at][1:2] == ["0"]:
            style = style._replace(attributes=style.attributes - {"underline"})
        else:
            style = _simple(style, code)
        at += 1
    return style if style != PLAIN else PLAIN


def _simple(style: Style, code: int) -> Style:
    if code == 0:
        return PLAIN
    if code in _ON:
        return style._replace(attributes=style.attributes | {_ON[code]})
    if code in _OFF:
        return style._replace(attributes=style.attributes.difference(_OFF[code]))
    if 30 <= code <= 37 or 90 <= code <= 97:
        return style._replace(fg=PALETTE[code - 30 if code < 90 else code - 82])
    if 40 <= code <= 47 or 100 <= code <= 107:
        return style._replace(bg=PALETTE[code - 40 if code < 100 else code - 92])
    if code in (39, 49):
        return style._replace(fg=None) if code == 39 else style._replace(bg=None)
    return style


def _extended(codes: list[list[str]], at: int) -> tuple[str | None, int]:
    """Return the colour of code 38, 48 or 58, with colons (ITU T.416) or semicolons, and the index of its last code."""
    if len(codes[at]) > 1:
        _, kind, *values = (_number(part) for part in codes[at])
        values = values[-3:] if kind == 2 else values
    else:
        kind = _number(codes[at + 1][0]) if at + 1 < len(codes) else 0
        count = {2: 3, 5: 1}.get(kind, 0)
        values = [_number(part[0]) for part in codes[at + 2 : at + 2 + count]]
        at += 1 + count
    if kind == 5 and values:
        return _of_palette(values[0]), at
    if kind == 2 and len(values) == 3 and all(value < 256 for value in values):
        return "#{:02x}{:02x}{:02x}".format(*values), at
    return None, at


def _of_palette(number: int) -> str | None:
    if number < 16:
        return PALETTE[number]
    if number < 232:
        red, green, blue = (LEVELS[(number - 16) // step % 6] for step in (36, 6, 1))
        return f"#{red:02x}{green:02x}{blue:02x}"
    if number < 256:
        return "#" + 3 * f"{8 + 10 * (number - 232):02x}"
    return None


def _number(text: str) -> int:
    return int(text[:6]) if text.isascii() and text.isdigit() else 0
