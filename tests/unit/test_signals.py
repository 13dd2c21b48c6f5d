"""Which signals end the panel in order: all of signal(7) that would end it anyway, but those that nobody can answer."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from asgi_app.server import signals
from asgi_app.server.signals import on_signals

ENDING = [
    "HUP",
    "INT",
    "QUIT",
    "TERM",
    "ALRM",
    "USR1",
    "USR2",
    "IO",
    "PROF",
    "VTALRM",
    "XCPU",
    "PWR",
    "STKFLT",
    "RTMIN",
    "RTMAX",
]
# A loop that hangs is ended by systemd with SIGABRT: there nobody could go by the exit levels.
NOT_OURS = ["CHLD", "CONT", "WINCH", "URG", "TSTP", "TTIN", "TTOU", "ABRT", "SEGV", "BUS", "FPE", "ILL", "SYS", "TRAP"]


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()
    for number, handler in before.items():
        if signal.getsignal(number) != handler:
            signal.signal(number, handler)


def number_of(name: str) -> signal.Signals:
    return signal.Signals[f"SIG{name}"]


async def heard(name: str, calls: list[str]) -> list[str]:
    os.kill(os.getpid(), number_of(name))
    async with asyncio.timeout(30):
        while not calls:
            await asyncio.sleep(0)
    return calls


@pytest.mark.parametrize("name", ENDING)
def test_it_ends_by_the_exit_levels(loop: asyncio.AbstractEventLoop, name: str) -> None:
    calls: list[str] = []
    on_signals(loop, lambda: calls.append("end"), None)
    assert loop.run_until_complete(heard(name, calls)) == ["end"]


def test_what_does_not_end_a_process_or_says_that_it_is_broken_is_as_ever(loop: asyncio.AbstractEventLoop) -> None:
    before = {name: signal.getsignal(number_of(name)) for name in NOT_OURS}
    on_signals(loop, lambda: None, None)
    assert {name: signal.getsignal(number_of(name)) for name in NOT_OURS} == before


@pytest.mark.parametrize("name", ["HUP", "QUIT", "USR1"])
def test_a_signal_that_is_ignored_stays_so(loop: asyncio.AbstractEventLoop, name: str) -> None:
    signal.signal(number_of(name), signal.SIG_IGN)
    on_signals(loop, lambda: None, None)
    assert signal.getsignal(number_of(name)) is signal.SIG_IGN


def test_with_a_certificate_hangup_renews_it(loop: asyncio.AbstractEventLoop) -> None:
    calls: list[str] = []
    on_signals(loop, lambda: calls.append("end"), lambda: calls.append("renew"))
    assert loop.run_until_complete(heard("HUP", calls)) == ["renew"]


@pytest.mark.parametrize(
    ("looks", "heard"),  # the terminal is there at start and gone at the signal; how often that was seen in between
    [(0, "end"), (1, "end"), (2, "renew")],
)
def test_a_hangup_ends_it_where_it_comes_with_the_end_of_the_terminal(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, looks: int, heard: str
) -> None:
    monkeypatch.setattr(signals, "CHECK_SECONDS", 0.001 if looks else 60)
    there = True
    left = looks

    def has_terminal() -> bool:
        nonlocal left
        if there:
            return True
        left -= 1
        if left == 0:
            monkeypatch.setattr(signals, "CHECK_SECONDS", 60)  # no more checks
        return False

    monkeypatch.setattr(signals, "_has_terminal", has_terminal)
    calls: list[str] = []
    on_signals(loop, lambda: calls.append("end"), lambda: calls.append("renew"))
    there = False

    async def until_then() -> list[str]:
        while left > 0 and looks:
            await asyncio.sleep(0.001)
        os.kill(os.getpid(), signal.SIGHUP)
        while not calls:
            await asyncio.sleep(0.001)
        return calls

    assert loop.run_until_complete(asyncio.wait_for(until_then(), 30)) == [heard]
