"""`pilotlight run`: runs a command and reports it to the panel as a run. The command's output passes through unchanged.

Three parts. `child` is the command: threads copy its output at once, so neither the panel nor our event loop can delay
it. `backlog` holds what the panel does not have yet, without I/O. `reporter` sends that over the connection of the
Python client.
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
from collections.abc import Sequence

from asgi_app.runner.backlog import Backlog
from asgi_app.runner.child import ENDING, Child, clean
from asgi_app.runner.environment import hide, secrets_of, token_of
from asgi_app.runner.reporter import Reporter, print_note, token
from pilotlight.address import url_of

FIRST_SECONDS = 2  # for the first connection, once the command has ended
STALLED_SECONDS = 5  # without progress, after which we stop waiting for a connected panel
NOTED_SECONDS = 3  # of waiting, after which we say on a terminal why
LEAVING_SECONDS = 2  # for the last lines and the end, once the user wants to leave
LONGEST_LINE = 2000  # characters of a command line
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # POSIX, XCU 2.8.2


def title_of(command: Sequence[str]) -> str:
    """Return the command as typed in a shell, on one line of at most 200 characters: the panel's limit."""
    text = " ".join(clean(shlex.join(command)).split())
    return text if len(text) <= 200 else text[:199] + "…"


def line_of(command: Sequence[str]) -> str | None:
    """Return the command as typed in a shell, to start it again; None if the panel takes no line of that length."""
    text = clean(shlex.join(command))
    return text if len(text) <= LONGEST_LINE else None


def _new_id(command: Sequence[str]) -> str:
    """Return a unique id that begins with the command."""
    words = [os.path.basename(command[0]), *command[1:]]
    slug = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")[:32].strip("-")
    return f"{slug or 'run'}-{token()}"


def _cannot_start(command: str, error: OSError) -> int:
    """Print why the command cannot start, and return the exit code of a shell."""
    missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
    reason = "command not found" if missing and "/" not in command else error.strerror or str(error)
    print_note(f"{command}: {reason}")
    return NOT_FOUND if missing else NOT_EXECUTABLE


# Signals that are not passed on: those nobody can catch, those about this process itself (a fault, a child, our
# terminal), and SIGPIPE, which the command gets when it writes.
NOT_PASSED_ON = {
    signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGTTIN, signal.SIGTTOU, signal.SIGSEGV,
    signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS, signal.SIGTRAP, signal.SIGXCPU, signal.SIGXFSZ,
}  # fmt: skip


async def run(
    command: Sequence[str],
    *,
    url: str | None = None,
    name: str | None = None,
    id: str | None = None,
    quiet: bool = False,
) -> int:
    """Run the command, report it to the panel at `url`, and return its exit code: -N if signal N ended it.

    `name` is the title of the run (default: the command line), `id` its id for programs. With `quiet`, the output is
    not printed. Without `url` it is that of `PILOTLIGHT_PANEL`, or this machine's. Raises `ValueError` for a wrong URL.
    """
    url = url_of(url)
    hide(secrets_of(os.environ, token_of(url)))
    loop = asyncio.get_running_loop()
    wake = asyncio.Event()
    backlog = Backlog()
    early: list[int] = []
    child: Child | None = None
    code: int | None = None
    leave = asyncio.Event()

    def put(stream: int, data: bytes) -> None:
        backlog.put(stream, data, time.time())
        with contextlib.suppress(RuntimeError):  # the loop has ended: output of processes that the command left behind
            loop.call_soon_threadsafe(wake.set)

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # while it is ignored, there is no exit code

    def on_signal(number: int) -> None:
        if child is None:
            early.append(number)
        elif code is None:
            child.pass_on(number)
            if child.state == "ended" and number in ENDING:
                child.hurry()
        elif number in ENDING:
            leave.set()

    for sent in signal.valid_signals() - NOT_PASSED_ON:
        if signal.getsignal(sent) is not signal.SIG_IGN:  # as with nohup, and in jobs with `&`
            loop.add_signal_handler(sent, on_signal, sent)
    try:
        child = Child(command, put, wake.set, echo=not quiet, token=token_of(url))
    except OSError as error:
        return _cannot_start(command[0], error)
    for number in early:
        child.pass_on(number)
    title = clean(name)[:200] if name else title_of(command)
    of_run = clean(id) if id else _new_id(command)
    reporter = Reporter(url, of_run, title, line_of(command), backlog=backlog, child=child, wake=wake)
    reporting = asyncio.create_task(reporter.serve())
    code = await child.ended()
    reporter.end(code)
    await _report_the_rest(reporter, reporting, leave)
    return code


def die(number: int) -> None:
    """End this process by the signal that ended the command, so that our parent sees the same end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # no second core dump
    with contextlib.suppress(OSError):  # SIGKILL
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


async def _report_the_rest(reporter: Reporter, reporting: asyncio.Task[None], leave: asyncio.Event) -> None:
    """Wait until the panel has the rest, as long as it takes lines, or until a signal asks us to leave."""
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
        leaving = asyncio.create_task(leave.wait())  # a second signal ends this wait too
        reporter.keep_tail()
        await asyncio.wait({reporting, leaving}, timeout=LEAVING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    leaving.cancel()
    if reporter.reached and not reporting.done():
        reporter.warn_about_the_end()
    reporting.cancel()
    # The panel has its part in closing the connection: wait no longer than this.
    await asyncio.wait({reporting}, timeout=1)
