"""What a connection leaves when it ends: nothing that only the garbage collector would find."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable, Iterator

import pytest
from engineio.packet import Packet

from asgi_app.hub import Closed, Coalescer, Feed, Message, Outbox
from asgi_app.ws.engineio.outbox import EngineOutbox
from tests.support.outbox_messages import packet


class Mark:
    """Something that a queue or its feed holds; a weak reference to it tells when that is freed."""

    def gap(self, since: int, upto: int) -> Message:
        return Message({"gap": (since, upto)})

    def snapshot(self) -> Message:
        return Message({})


class Page:
    """A client of a namespace, which follows a feed for its queue."""

    def __init__(self, queue: EngineOutbox, mark: Mark) -> None:
        self.queue = queue
        self.mark = mark

    def packets(self) -> list[Packet]:
        return [packet("one")]


def native(mark: Mark, coalescer: Coalescer) -> Outbox:
    """An outbox for which a feed of its own has more, as that of a person has."""
    outbox = Outbox(mark.snapshot, coalescer=coalescer)
    feed = Feed(mark.gap)
    cursor = feed.follow("private", outbox)
    feed.append(Message({"n": 1}))
    cursor.leave()
    return outbox


def engine(mark: Mark, coalescer: Coalescer) -> EngineOutbox:
    """A queue for which a namespace has more."""
    queue = EngineOutbox(8, coalescer)
    page = Page(queue, mark)
    queue.due(page, page.packets)
    return queue


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("made", [native, engine])
async def test_what_still_waits_for_a_connection_goes_with_it(
    made: Callable[[Mark, Coalescer], Outbox | EngineOutbox], deferred: bool
) -> None:
    coalescer, mark = Coalescer(), Mark()
    freed = weakref.ref(mark)
    if deferred:  # it comes after the end
        coalescer.defer(lambda: None)
    queue = made(mark, coalescer)
    if isinstance(queue, EngineOutbox):
        queue.release()
    queue.discard()
    coalescer.flush()
    del queue, mark
    assert freed() is None


async def test_a_closed_outbox_does_not_keep_whom_it_told() -> None:
    mark = Mark()
    freed = weakref.ref(mark)
    outbox = Outbox(mark.snapshot)
    outbox.close(1012, "restarting")
    with contextlib.suppress(Closed):
        outbox.take_now()
    del outbox, mark
    assert freed() is None
