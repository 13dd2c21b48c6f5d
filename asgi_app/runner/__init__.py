"""`pilotlight run`: any command as a run of the panel; its output passes through, and the panel is told on the side.

Three parts: `child` is the command, whose output threads copy to ours the moment it comes, so that neither the panel
nor this process's event loop can hold it up; `backlog` is what the panel does not have yet, without I/O; `reporter`
sends it over `ws /live`, and comes back when the panel does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
import time
from collections.abc import Sequence

from asgi_app.runner.backlog import STDERR, Backlog
from asgi_app.runner.child import Child, clean
from asgi_app.runner.reporter import DEFAULT_PANEL, Reporter, socket_url, token

__all__ = ["DEFAULT_PANEL", "run", "title_of"]

END_SECONDS = 5  # for the tail and the end to reach a panel that was there, once the command has ended
TAIL_SECONDS = 3.5  # after these, only the last lines go, so that they and the end still arrive
FIRST_SECONDS = 2  # for the first connection, once the command has ended
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # POSIX, XCU 2.8.2


def title_of(command: Sequence[str]) -> str:
    """The command as one would type it, on one line; up to 200 characters, which is what the panel takes."""
    text = " ".join(clean(shlex.join(command)).split())
    return text if len(text) <= 200 else text[:199] + "…"


def _new_id(command: Sequence[str]) -> str:
    """An id that says what it is of and that no other run has."""
    words = [os.path.basename(command[0]), *command[1:]]
    slug = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")[:32].strip("-")
    return f"{slug or 'run'}-{token()}"


def _cannot_start(command: str, error: OSError) -> int:
    """One line, and the exit code a shell would have."""
    missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
    reason = "command not found" if missing and "/" not in command else error.strerror or str(error)
    with contextlib.suppress(OSError):
        os.write(STDERR, f"pilotlight: {command}: {reason}\n".encode(errors="replace"))
    return NOT_FOUND if missing else NOT_EXECUTABLE


PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH)


async def run(
    command: Sequence[str],
    *,
    url: str = DEFAULT_PANEL,
    name: str | None = None,
    id: str | None = None,
    quiet: bool = False,
) -> int:
    """Run the command as a run of the panel at `url`, and return its exit code: 128 + N where signal N ended it.

    `name` is what the run is called (the command line, where there is none), `id` names it for programs, `quiet`
    keeps its output from ours. Raises `SetupError` for a `url` that is none.
    """
    socket_url(url)
    loop = asyncio.get_running_loop()
    wake = asyncio.Event()
    backlog = Backlog()

    def put(stream: int, data: bytes) -> None:
        backlog.put(stream, data, time.time())
        with contextlib.suppress(RuntimeError):  # the loop has ended; it is output of what the command left behind
            loop.call_soon_threadsafe(wake.set)

    def on_signal(number: int) -> None:
        child.pass_on(number)

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it was ignored, nobody would learn the exit code
    heard = [number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN]  # nohup; jobs with &
    for number in heard:
        loop.add_signal_handler(number, on_signal, number)
    try:
        child = Child(command, put, wake.set, echo=not quiet)
    except OSError as error:
        return _cannot_start(command[0], error)
    title = clean(name)[:200] if name else title_of(command)
    reporter = Reporter(url, clean(id) if id else _new_id(command), title, backlog=backlog, child=child, wake=wake)
    reporting = asyncio.create_task(reporter.serve())
    code = await child.ended()
    for number in heard:
        if number not in (signal.SIGTSTP, signal.SIGWINCH):
            loop.add_signal_handler(number, reporting.cancel)
    reporter.end(code)
    await _last_words(reporter, reporting, backlog)
    return code


async def _last_words(reporter: Reporter, reporting: asyncio.Task[None], backlog: Backlog) -> None:
    """Let the panel have the tail and the end, within bounds."""
    began = time.monotonic()
    await asyncio.wait({reporting}, timeout=FIRST_SECONDS)
    if reporter.reached:
        await asyncio.wait({reporting}, timeout=TAIL_SECONDS - FIRST_SECONDS)
        if not reporting.done():
            backlog.keep_tail()
            await asyncio.wait({reporting}, timeout=began + END_SECONDS - time.monotonic())
        if not reporting.done() or reporting.cancelled():
            reporter.complain_about_the_end()
    reporting.cancel()
    # Closing the connection is the panel's turn too: not longer than this.
    await asyncio.wait({reporting}, timeout=1)
