"""Signals: each that ends the process does so by way of the exit levels. And output to a closed terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable

# signal(7): signals that do not end a process by default, or that nobody can catch; and those after which no handler of
# the loop would run, since the process is broken. systemd ends a loop that hangs with SIGABRT.
NOT_ENDING = {signal.SIGCHLD, signal.SIGCONT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGURG}
NOT_ENDING |= {signal.SIGWINCH, signal.SIGSTOP, signal.SIGKILL}
BROKEN = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP}
CHECK_SECONDS = 5.0  # between checks for a terminal
GONE = 2  # checks in a row without a terminal, until it has gone
ALWAYS = {signal.SIGTERM, signal.SIGINT}  # even if a shell had them ignored for a background job


def on_signals(loop: asyncio.AbstractEventLoop, end: Callable[[], None], renew: Callable[[], None] | None) -> None:
    """Have every signal that would end the process call `end` in the loop.

    A signal that was ignored when the process was started stays ignored (`nohup`), except SIGTERM and SIGINT. With
    `renew`, SIGHUP calls that instead, unless the terminal was closed.
    """
    for number in signal.valid_signals() - NOT_ENDING - BROKEN:
        if number in ALWAYS or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end)
    if renew is None:
        return
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    checks_without = 0 if not ignored and _has_terminal() else GONE

    def check() -> None:
        """Notice a terminal that went without a signal (`disown`): it has nothing to do with a later SIGHUP."""
        nonlocal checks_without
        checks_without = 0 if _has_terminal() else checks_without + 1
        if checks_without < GONE:
            loop.call_later(CHECK_SECONDS, check)

    def hung_up() -> None:
        if checks_without < GONE and not _has_terminal():
            end()
        else:
            renew()

    if checks_without < GONE:
        loop.call_later(CHECK_SECONDS, check)
    loop.add_signal_handler(signal.SIGHUP, hung_up)


def _has_terminal() -> bool:
    """Whether the process has a controlling terminal, whose end would end it (credentials(7))."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def let_go_of_closed_output() -> None:
    """Redirect stdout and stderr to /dev/null if their reader has gone: printing must not make the end fail."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed
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
    """Open /dev/null in place of a closed stdin, stdout or stderr (`>&-`): else a socket would get its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
