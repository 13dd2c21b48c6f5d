"""Lines of a command's output as the panel takes them, from both streams, and the progress that they show."""

from __future__ import annotations

import time

from asgi_app.runner.backlog import BOTH, STDERR, STDOUT, Line
from asgi_app.runner.progress import Progress, level_of
from asgi_app.runner.rows import Row
from asgi_app.runner.screen import Screen

NAMES = {STDOUT: "stdout", STDERR: "stderr"}
OPEN_LINES, OPEN_CHARACTERS = 100, 1000  # open lines that are sent, and characters of each
SEARCHED_LINES = 50  # last lines of a chunk that are searched for progress


def _line(row: Row, stream: int) -> Line:
    text, spans = row.read()
    line = {"msg": text, "level": level_of(text, stderr=stream != STDOUT), "time": round(row.at, 3)}
    if stream in NAMES:
        line["stream"] = NAMES[stream]
    if spans:
        line["spans"] = spans
    return line


class Lines:
    """Splitter of a command's output into lines. It also finds the progress."""

    def __init__(self) -> None:
        self._screens = {stream: Screen() for stream in (BOTH, STDOUT, STDERR)}
        self._progress = Progress()
        self.progress: int | None = None  # percent

    def feed(self, stream: int, data: bytes, at: float) -> list[Line]:
        """Take output, written at `at` in seconds since the Unix epoch. Return the lines that are final by now."""
        screen = self._screens[stream]
        screen.feed(data, at)
        lines = [_line(row, stream) for row in screen.take(at)]
        self._look_for_progress([row.read()[0] for row in screen.open], [line["msg"] for line in lines])
        return lines

    def _look_for_progress(self, begun: list[str], final: list[str]) -> None:
        """Find the progress. Of several bars, the first unfinished one shows the whole (tqdm, docker)."""
        found = [far for text in begun if (far := self._progress.of(text)) is not None]
        if found:
            self.progress = next((far for far in found if far < 100), found[0])
            return
        for text in final[: -SEARCHED_LINES - 1 : -1]:
            if (far := self._progress.of(text)) is not None:
                self.progress = far
                return

    def settle(self) -> list[Line]:
        """Return the lines that are final because the command has not touched them for long enough."""
        now = time.time()
        return [_line(row, stream) for stream, screen in self._screens.items() for row in screen.take(now)]

    def flush(self) -> list[Line]:
        """Return all lines, because no more output follows."""
        lines = [_line(row, stream) for stream, screen in self._screens.items() for row in screen.flush()]
        self._screens = {stream: Screen() for stream in self._screens}
        return lines

    def settles_in(self) -> float | None:
        """Return the seconds until another line is final if the command writes nothing more; None: never."""
        now = time.time()
        waits = [screen.settles_in(now) for screen in self._screens.values()]
        return min((wait for wait in waits if wait is not None), default=None)

    def begun(self) -> list[Line]:
        """Return the lines that may still change."""
        lines = [_line(row, stream) for stream, screen in self._screens.items() for row in screen.open]
        for line in lines:
            if len(line["msg"]) > OPEN_CHARACTERS:
                line["msg"] = line["msg"][:OPEN_CHARACTERS] + "…"
                line.pop("spans", None)
        return lines[-OPEN_LINES:]
