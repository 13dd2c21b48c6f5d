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
import resource
import shlex
import signal
import time
from collections.abc import Callable, Sequence

from asgi_app.runner.backlog import STDERR, Backlog
from asgi_app.runner.child import ENDING, Child, clean
from asgi_app.runner.environment import hide, secrets_of, token_of
from asgi_app.runner.reporter import DEFAULT_PANEL, Reporter, socket_url, token

__all__ = ["DEFAULT_PANEL", "die", "run", "title_of"]

FIRST_SECONDS = 2  # for the first connection, once the command has ended
STALLED_SECONDS = 5  # for a panel that was there and takes nothing more; as long as it takes lines it is waited for
NOTED_SECONDS = 3  # of waiting after which a terminal is told what for
LEAVING_SECONDS = 2  # for the last lines and the end, where somebody does not want to wait
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


# What stays ours: what cannot be caught, what the kernel says of us (a fault, a child, our terminal), and SIGPIPE,
# which the command gets from its own writing.
OURS = {
    signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGTTIN, signal.SIGTTOU, signal.SIGSEGV,
    signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS, signal.SIGTRAP, signal.SIGXCPU, signal.SIGXFSZ,
}  # fmt: skip


async def run(
    command: Sequence[str],
    *,
    url: str = DEFAULT_PANEL,
    name: str | None = None,
    id: str | None = None,
    quiet: bool = False,
) -> int:
    """Run the command as a run of the panel at `url`, and return its exit code: -N where signal N ended it.

    `name` is what the run is called (the command line, where there is none), `id` names it for programs, `quiet`
    keeps its output from ours. Raises `SetupError` for a `url` that is none.
    """
    socket_url(url)
    hide(secrets_of(os.environ, token_of(url)))
    loop = asyncio.get_running_loop()
    wake = asyncio.Event()
    backlog = Backlog()
    early: list[int] = []
    on_signal: Callable[[int], object] = early.append

    def put(stream: int, data: bytes) -> None:
        backlog.put(stream, data, time.time())
        with contextlib.suppress(RuntimeError):  # the loop has ended; it is output of what the command left behind
            loop.call_soon_threadsafe(wake.set)

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it was ignored, nobody would learn the exit code

    def heard(number: int) -> None:
        on_signal(number)

    for number in _heard():
        loop.add_signal_handler(number, heard, number)
    try:
        child = Child(command, put, wake.set, echo=not quiet, token=token_of(url))
    except OSError as error:
        return _cannot_start(command[0], error)
    on_signal = child.pass_on
    for number in early:
        child.pass_on(number)
    title = clean(name)[:200] if name else title_of(command)
    reporter = Reporter(url, clean(id) if id else _new_id(command), title, backlog=backlog, child=child, wake=wake)
    reporting = asyncio.create_task(reporter.serve())
    code = await child.ended()
    leave = asyncio.Event()

    def leave_at(number: int) -> None:
        if number in ENDING:
            leave.set()

    on_signal = leave_at
    reporter.end(code)
    await _last_words(reporter, reporting, leave)
    return code


def _heard() -> list[int]:
    """The signals that the command gets from us: not those that whoever started us ignores (nohup; jobs with `&`)."""
    return [number for number in signal.valid_signals() - OURS if signal.getsignal(number) is not signal.SIG_IGN]


def die(number: int) -> None:
    """End this process by the signal that ended the command: so its parent sees what it would have seen of it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # there is one of its
    with contextlib.suppress(OSError):  # SIGKILL
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


async def _last_words(reporter: Reporter, reporting: asyncio.Task[None], leave: asyncio.Event) -> None:
    """Let the panel have the rest and the end, as long as it takes something or until somebody wants to leave."""
    leaving = asyncio.create_task(leave.wait())
    began = time.monotonic()
    await asyncio.wait({reporting, leaving}, timeout=FIRST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    while reporter.reached and not reporting.done() and not leaving.done():
        left = max(began, reporter.taken_at) + STALLED_SECONDS - time.monotonic()
        if left <= 0:
            break
        if time.monotonic() - began > NOTED_SECONDS:
            reporter.note_the_wait()
        await asyncio.wait({reporting, leaving}, timeout=min(left, 1), return_when=asyncio.FIRST_COMPLETED)
    if reporter.reached and leaving.done() and not reporting.done():
        leave.clear()
        leaving = asyncio.create_task(leave.wait())  # who asks again does not wait for this either
        reporter.keep_tail()
        await asyncio.wait({reporting, leaving}, timeout=LEAVING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    leaving.cancel()
    if reporter.reached and not reporting.done():
        reporter.complain_about_the_end()
    reporting.cancel()
    # Closing the connection is the panel's turn too: not longer than this.
    await asyncio.wait({reporting}, timeout=1)
