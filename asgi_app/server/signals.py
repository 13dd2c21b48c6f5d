"""The signals: each that would end the process ends it by the exit levels. And a terminal that has gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable

# signal(7): what does not end a process by default, what nobody can catch, and what says that the process itself is
# broken: after those no handler of the loop would ever run. SIGABRT is how systemd ends a loop that hangs.
NOT_ENDING = {signal.SIGCHLD, signal.SIGCONT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGURG}
NOT_ENDING |= {signal.SIGWINCH, signal.SIGSTOP, signal.SIGKILL}
BROKEN = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP}
LOOK_SECONDS = 5.0  # between looks whether there is a terminal
GONE = 2  # looks in a row at which there is none
ALWAYS = {signal.SIGTERM, signal.SIGINT}  # also where a shell has a background job ignore them


def on_signals(loop: asyncio.AbstractEventLoop, end: Callable[[], None], renew: Callable[[], None] | None) -> None:
    """Have every signal that would end the process call `end` in the loop.

    A signal that was ignored when the process was started stays ignored (`nohup`), but for SIGTERM and SIGINT. With
    `renew`, SIGHUP calls that instead, unless it comes because the terminal was closed.
    """
    for number in signal.valid_signals() - NOT_ENDING - BROKEN:
        if number in ALWAYS or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end)
    if renew is None:
        return
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    checks_without = 0 if not ignored and _has_terminal() else GONE

    def look() -> None:
        """A terminal that went without a signal (`disown`) has nothing to do with one that comes later."""
        nonlocal checks_without
        checks_without = 0 if _has_terminal() else checks_without + 1
        if checks_without < GONE:
            loop.call_later(LOOK_SECONDS, look)

    def hung_up() -> None:
        if checks_without < GONE and not _has_terminal():
            end()
        else:
            renew()

    if checks_without < GONE:
        loop.call_later(LOOK_SECONDS, look)
    loop.add_signal_handler(signal.SIGHUP, hung_up)


def _has_terminal() -> bool:
    """Whether a terminal controls this process: closing that would end it (credentials(7))."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def let_go_of_closed_output() -> None:
    """What nobody can read any more is written to nowhere: the end must not fail for its last words."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
            poll = select.poll()
            poll.register(descriptor, 0)
            if not any(events & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, events in poll.poll(0)):
                if stream is not None:
                    stream.flush()
                continue
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


def open_missing_descriptors() -> None:
    """Where stdin, stdout or stderr is closed (`>&-`), have it be /dev/null: else a socket would get its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
