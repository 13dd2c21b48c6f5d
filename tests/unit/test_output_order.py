"""The order of what a command wrote to two pipes, from the kernel's notes of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from asgi_app.runner.order import Order
from asgi_app.runner.pump import Flow, Pump


@pytest.mark.parametrize(
    ("out", "err", "noted", "pieces"),
    [
        (b"a\nc\n", b"b\nd\n", "oeoe", [("o", b"a\n"), ("e", b"b\n"), ("o", b"c\n"), ("e", b"d\n")]),
        (b"a\nb\n", b"c\n", "oe", [("o", b"a\nb\n"), ("e", b"c\n")]),
        (b"a\nb\n", b"c\n", "eo", [("e", b"c\n"), ("o", b"a\nb\n")]),
        (b"a\nb\nd\n", b"c\n", "oeo", [("o", b"a\nb\n"), ("e", b"c\n"), ("o", b"d\n")]),
        (b"a\n", b"prompt", "oe", [("o", b"a\n"), ("e", b"prompt")]),
        (b"a\r\nc", b"\n\n", "oeoe", [("o", b"a\r\n"), ("e", b"\n"), ("o", b"c"), ("e", b"\n")]),
        (b"c\n", b"d\n", "oeoeoe", [("o", b"c\n"), ("e", b"d\n")]),  # notes of what was read before
        (b"c\n", b"d\n", "o", [("e", b"d\n"), ("o", b"c\n")]),
        (b"c\n", b"d\n", "", [("o", b"c\n"), ("e", b"d\n")]),
    ],
)
def test_lines_follow_the_notes(out: bytes, err: bytes, noted: str, pieces: list[tuple[str, bytes]]) -> None:
    pipes = {"o": 5, "e": 7}
    got = Order.arrange({5: out, 7: err}, [pipes[note] for note in noted])
    assert got == [(pipes[pipe], data) for pipe, data in pieces]


@pytest.fixture
def two_pipes() -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    pipes = os.pipe(), os.pipe()
    yield pipes
    for ends in pipes:
        for end in ends:
            os.close(end)


def test_the_kernel_notes_who_was_written_to(two_pipes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    (out, to_out), (err, to_err) = two_pipes
    order = Order([out, err])
    assert order.take() == []
    for end in (to_out, to_out, to_err, to_out, to_err):
        os.write(end, b"x")
    assert order.take() == [out, err, out, err]
    assert order.take() == []
    order.close()


class LateOrder(Order):
    """The kernel, which lets a write be read before it notes it: the last note comes once it is waited for."""

    late: int | None = None
    waited = 0

    def take(self) -> list[int]:
        noted = super().take()
        if self.waited:
            return noted if self.late is None else [*noted, self.late]
        self.late = noted.pop()
        return noted

    def wait(self, seconds: float) -> bool:
        self.waited += 1
        return self.waited == 1


def test_the_note_of_the_last_write_is_waited_for(two_pipes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    (out, to_out), (err, to_err) = two_pipes
    got: list[bytes] = []
    three = threading.Event()

    def put(stream: int, data: bytes) -> None:
        got.append(data)
        if b"".join(got).count(b"\n") == 3:
            three.set()

    pump = Pump([Flow(1, os.dup(out), None), Flow(2, os.dup(err), None)], put, lambda: None)
    assert pump._order is not None
    pump._order.close()
    pump._order = LateOrder([flow.source for flow in pump._flows])
    for end, line in ((to_out, b"a\n"), (to_err, b"b\n"), (to_out, b"c\n")):
        os.write(end, line)
    pump.start()
    assert three.wait(30)  # nothing has ended yet
    assert got == [b"a\n", b"b\n", b"c\n"]
    for end in (to_out, to_err):
        os.dup2(null := os.open(os.devnull, os.O_WRONLY), end)
        os.close(null)
    pump.join(30)
    assert not pump.is_alive()


def test_a_stream_that_was_just_written_on_keeps_its_place(
    two_pipes: tuple[tuple[int, int], tuple[int, int]], tmp_path: Path
) -> None:
    (out, to_out), (err, to_err) = two_pipes
    got: list[bytes] = []
    all_there = threading.Event()

    def put(stream: int, data: bytes) -> None:
        got.append(data)
        if got == [b"0\n"]:  # it is held for its sink now, and all of this comes before the next look
            for number in range(1, 8):
                os.write(to_err if number % 2 else to_out, b"%d\n" % number)
        if b"".join(got).count(b"\n") == 8:
            all_there.set()

    sinks = [os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT) for name in ("out", "err")]
    pump = Pump([Flow(1, os.dup(out), sinks[0]), Flow(2, os.dup(err), sinks[1])], put, lambda: None)
    os.write(to_out, b"0\n")
    pump.start()
    assert all_there.wait(30)
    assert b"".join(got).split() == [b"%d" % number for number in range(8)]
    for end in (to_out, to_err):
        os.dup2(null := os.open(os.devnull, os.O_WRONLY), end)
        os.close(null)
    pump.join(30)
    assert [(tmp_path / name).read_bytes().split() for name in ("out", "err")] == [
        [b"0", b"2", b"4", b"6"],
        [b"1", b"3", b"5", b"7"],
    ]
    for sink in sinks:
        os.close(sink)
