"""The order in which a command wrote to its two pipes, from inotify(7): the pipes themselves do not show it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import select
import struct
from collections.abc import Mapping, Sequence

_IN_MODIFY = 0x2  # inotify(7)
_EVENT = struct.Struct("iIII")
_LINES = re.compile(rb"[^\n]*\n|[^\n]+")
_MOST = 64 * 1024  # bytes of events to read at once


class Order:
    """The order of writes to several pipes. Successive writes to one pipe count as one, without their size.

    Raises `OSError` if the kernel cannot watch them (another system, too many watches).
    """

    def __init__(self, pipes: Sequence[int]) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        try:
            self._notes = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except AttributeError:
            raise OSError("This system has no inotify") from None
        if self._notes < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._pipes: dict[int, int] = {}
        for pipe in pipes:
            watch = library.inotify_add_watch(self._notes, b"/proc/self/fd/%d" % pipe, _IN_MODIFY)
            if watch < 0:
                os.close(self._notes)
                raise OSError(ctypes.get_errno(), "inotify_add_watch")
            self._pipes[watch] = pipe

    def take(self) -> list[int]:
        """Return the pipes in the order in which they were written to since the last call."""
        noted: list[int] = []
        with contextlib.suppress(BlockingIOError):
            events = os.read(self._notes, _MOST)
            for at in range(0, len(events), _EVENT.size):  # events about pipes have no name
                pipe = self._pipes.get(_EVENT.unpack_from(events, at)[0])
                if pipe is not None and noted[-1:] != [pipe]:
                    noted.append(pipe)
        return noted

    def wait(self, seconds: float) -> bool:
        """Wait for the next note; return whether there is one.

        A write can be read before the kernel notes it, as it wakes the reader first. That is always the last write.
        """
        poll = select.poll()
        poll.register(self._notes, select.POLLIN)
        return seconds > 0 and bool(poll.poll(seconds * 1000))

    @staticmethod
    def arrange(read: Mapping[int, bytes], noted: Sequence[int]) -> list[tuple[int, bytes]]:
        """Return what was read from each pipe, in pieces of whole lines, in the order of the notes.

        A note stands for one line; the first of a pipe stands for all lines that are left. Count from the end: the
        first notes may be about data that was read before.
        """
        lines = {pipe: _LINES.findall(data) for pipe, data in read.items()}
        pieces: list[tuple[int, bytes]] = []
        for at in range(len(noted) - 1, -1, -1):
            pipe = noted[at]
            if lines.get(pipe):
                first = pipe not in noted[:at]
                count = len(lines[pipe]) if first else 1
                pieces.append((pipe, b"".join(lines[pipe][-count:])))
                del lines[pipe][-count:]
        left = [(pipe, b"".join(rest)) for pipe, rest in lines.items() if rest]  # without notes
        return [*left, *reversed(pieces)]

    def close(self) -> None:
        os.close(self._notes)
