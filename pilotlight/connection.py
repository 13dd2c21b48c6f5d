"""The connection to `ws /live`, kept for ever by one task: commands and their replies, and frames to hand on."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import json
import logging
import random
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pilotlight.address import shown, socket_url
from pilotlight.encode import encode
from pilotlight.errors import PanelError, TooLarge, Unanswered, Unreachable, error_of, may_pass

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

log = logging.getLogger("pilotlight.client")

PAUSES = (0.1, 5.0)  # seconds; the first and the longest pause before another attempt, of which a random part is waited
HURRIED = 0.4  # seconds; the longest pause once there is no time
OPEN_SECONDS = 5.0
PING_SECONDS = 10.0
LARGEST = 64 * 1024 * 1024  # bytes of a frame: the first one has the whole state of the panel
TOO_BIG = 1009  # the close code for a frame over the panel's limit (RFC 6455, 7.4.1)
SILENT = logging.Logger("pilotlight.client.library", logging.CRITICAL + 1)  # what it would say, we say

Frame = dict[str, Any]


async def _nothing() -> None:
    pass


class Connection:
    """One client of one panel. `open` gets the first frame of each connection, `take` every other one but replies.

    `where` returns the epoch and rev to resume at. On each new connection `again` runs before any command of others is
    sent, and with `ask_now` alone; and then `after`, beside them. `failed` gets why an attempt to connect failed. It is
    tried again, unless the panel refuses us; with `patient` also then. With `only`, frames without any of these texts
    are not read: they are about other things.
    """

    def __init__(
        self,
        url: str,
        *,
        open: Callable[[Frame], None],
        take: Callable[[Frame], None],
        timeout: float,
        token: str | None = None,
        query: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        where: Callable[[], tuple[str | None, int]] = lambda: (None, 0),
        again: Callable[[], Coroutine[Any, Any, None]] = _nothing,
        after: Callable[[], Coroutine[Any, Any, None]] = _nothing,
        lost: Callable[[], None] = lambda: None,
        failed: Callable[[PanelError], None] = lambda error: None,
        ended: Callable[[BaseException | None], None] = lambda error: None,
        only: Sequence[str] = (),
        patient: bool = False,
        agent: str = "pilotlight",
    ) -> None:
        self.timeout = timeout
        self._url, self._token, self._query, self._tls = url, token, dict(query or {}), tls
        self._where, self._open, self._take = where, open, take
        self._again, self._after, self._lost, self._ended = again, after, lost, ended
        self._failed, self._only, self._patient, self._agent = failed, only, patient, agent
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Frame]] = {}
        self._largest = (0, 0)  # bytes and id of the largest command that was sent on this connection
        self._until: float | None = None  # by the loop's clock: when to give up, as long as there was no connection
        self._was_here = False
        self._hurried = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._here = asyncio.Event()  # there is a connection, or never will be again
        self._error: PanelError | None = None  # why there never will be
        self._task: asyncio.Task[None] | None = None
        self._aside: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._socket is not None

    @property
    def is_over(self) -> bool:
        """Whether there will never be a connection again."""
        return self._error is not None

    async def start(self, wait: float | None) -> None:
        """Connect, trying for `wait` seconds; None: for ever. Raises `Unreachable`, or why the panel refuses us."""
        self._until = None if wait is None else asyncio.get_running_loop().time() + wait
        self._task = asyncio.create_task(self._live(), name="pilotlight")
        try:
            await self._here.wait()
            if self._error is not None:
                raise self._error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the connection. A command that waits gets `Unanswered`, and a second call does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def hurry(self) -> None:
        """Try at once, and after short pauses: there is little time. Without a connection so far, only once more."""
        if self._until is None and not self._was_here:
            self._until = asyncio.get_running_loop().time()
        self._hurried.set()

    async def until_connected(self) -> None:
        """Wait for a connection. Raises why there will never be one."""
        while self._socket is None or not self._here.is_set():
            if self._error is not None:
                raise self._error
            if self._task is None:
                raise Unreachable("There is no connection. Write `async with pilotlight.connect(…) as panel:`.")
            await self._here.wait()

    async def ask(self, do: str, **fields: Any) -> Frame:
        """Send a command and return its reply. Raises the class of the problem, `Unreachable`, `Unanswered`."""
        return await self._ask(do, fields, now=False)

    async def ask_now(self, do: str, **fields: Any) -> Frame:
        """Send a command on the connection that there is, before those of others are sent."""
        return await self._ask(do, fields, now=True)

    async def _ask(self, do: str, fields: dict[str, Any], *, now: bool) -> Frame:
        id, sent = next(self._ids), False
        text = encode({"do": do, "id": id, **fields})
        reply: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self.timeout):
                if not now:
                    await self.until_connected()
                if self._socket is None:
                    raise Unanswered(f"The connection was cut before {do} was sent.")
                self._replies[id], sent = reply, True
                self._largest = max(self._largest, (len(text), id))
                with contextlib.suppress(OSError):
                    await self._send(self._socket, text)
                frame = await reply
        except TimeoutError:
            if sent:
                raise Unanswered(f"The panel did not answer {do} within {self.timeout:g} s.") from None
            raise self._unreachable() from None
        finally:
            self._replies.pop(id, None)
        if not frame:
            raise Unanswered(f"The connection was cut before the panel answered {do}.")
        if not frame.get("ok"):
            raise error_of(frame.get("problem") or {})
        return frame

    def aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something on this connection while its frames are read. It ends with the connection."""

        async def whole() -> None:
            try:
                await work
            except (Unanswered, Unreachable):
                pass  # the next connection does it
            except PanelError as error:
                log.warning("The panel refused what the client needs: %s", error)

        task = asyncio.create_task(whole())
        self._aside.add(task)
        task.add_done_callback(lambda _: work.close())  # if it was cancelled before it began
        task.add_done_callback(self._aside.discard)

    @staticmethod
    async def _send(socket: ClientConnection, text: bytes) -> None:
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):  # the reader says so, to all that wait
            await socket.send(text, text=True)

    # --- the one task

    async def _live(self) -> None:
        error: BaseException | None = None
        try:
            library = await asyncio.to_thread(importlib.import_module, "websockets.asyncio.client")
            pause, longest = PAUSES
            while True:
                began = asyncio.get_running_loop().time()
                try:
                    await self._session(library.connect)
                    if asyncio.get_running_loop().time() - began > pause:  # else it may be cut again at once
                        pause = PAUSES[0]
                except Exception as failure:
                    log.debug("no connection to %s", shown(self._url), exc_info=True)
                    refusal = failure if isinstance(failure, PanelError) else self._unreachable(f": {_why(failure)}")
                    self._failed(refusal)
                    if not (self._patient or may_pass(refusal)) or self._is_late():
                        raise refusal from None
                    pause = max(pause, min(refusal.retry_after or 0, longest))
                await self._pause(random.uniform(0, pause))
                pause = min(2 * pause, longest)
        except PanelError as refusal:
            error = self._error = refusal
        except asyncio.CancelledError:
            self._error = Unreachable("The connection was closed.")
        finally:
            self._cut()
            self._here.set()
            self._ended(error)

    def _unreachable(self, why: str = "") -> Unreachable:
        return Unreachable(f"The panel at {shown(self._url)} cannot be reached{why or '.'}")

    def _is_late(self) -> bool:
        """Whether no connection was made yet, and none came in time."""
        return self._until is not None and asyncio.get_running_loop().time() >= self._until

    async def _pause(self, seconds: float) -> None:
        if self._hurried.is_set():
            await asyncio.sleep(min(seconds, HURRIED))
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurried.wait(), seconds)

    async def _session(self, connect: Any) -> None:
        """Be connected once, until a cut. Raises why the panel refuses us, or what the library raises."""
        from websockets.exceptions import ConnectionClosed, InvalidStatus

        epoch, rev = self._where()
        url = socket_url(self._url, self._query | ({"epoch": epoch, "rev": str(rev)} if epoch else {}))
        options = {"ssl": self._tls} if self._tls is not None else {}
        try:
            async with connect(
                url,
                additional_headers=await self._headers(),
                open_timeout=OPEN_SECONDS,
                close_timeout=1,
                ping_interval=PING_SECONDS,
                ping_timeout=PING_SECONDS,
                max_size=LARGEST,
                compression=None,
                proxy=None,
                user_agent_header=self._agent,
                logger=SILENT,
                **options,
            ) as socket:
                try:
                    opening = json.loads(await asyncio.wait_for(socket.recv(), OPEN_SECONDS))
                    if "problem" in opening:
                        raise error_of(opening["problem"])
                    self._open(opening)
                    self._socket, self._largest = socket, (0, 0)
                    self.aside(self._begin())
                    with contextlib.suppress(ConnectionClosed):
                        async for text in socket:
                            if not self._only or any(word in text for word in self._only):
                                self._frame(json.loads(text))
                except asyncio.CancelledError:
                    await socket.close()  # the library would say that it is an internal error
                    raise
                if socket.close_code == TOO_BIG:
                    self._refuse_the_largest()
                if not self._here.is_set():
                    raise ConnectionError(socket.close_reason or "it ends the connection at once")
        except InvalidStatus as error:
            raise _refusal(error) from None
        finally:
            await self._forget()

    async def _begin(self) -> None:
        """Follow on this connection what was followed before; then it is there for commands."""
        try:
            await self._again()
        finally:
            if self._socket is not None:  # it was not cut meanwhile
                self._was_here, self._until = True, None
                self._here.set()
        await self._after()

    async def _headers(self) -> dict[str, str]:
        """Return who we are: the token, or the key that the panel gives to programs of its own machine."""
        from asgi_app.net.machine_key import headers_for

        if self._token is not None:
            return {"Authorization": f"Bearer {self._token}"}
        return await asyncio.to_thread(headers_for, self._url)

    def _frame(self, frame: Frame) -> None:
        if "reply" not in frame:
            self._take(frame)
            return
        waiting = self._replies.get(frame["reply"])
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)

    def _refuse_the_largest(self) -> None:
        """The panel takes no frame of the size of the largest one. The others may have been done."""
        size, id = self._largest
        error = TooLarge(f"The panel takes no command of {size} bytes. Send less at once.")
        self._frame({"reply": id, "problem": error.problem()})

    def _cut(self) -> None:
        """Tell those that wait for a reply that none will come."""
        for waiting in self._replies.values():
            if not waiting.done():
                waiting.set_result({})  # not an exception: nobody may wait for it

    async def _forget(self) -> None:
        if self._socket is None:
            return
        self._socket = None
        self._here.clear()
        self._cut()
        for task in tuple(self._aside):
            task.cancel()
        if self._task is not None:  # it was cut, not closed
            self._lost()
        if self._aside:
            await asyncio.wait(self._aside)


def _refusal(error: Any) -> PanelError:
    """Return why the panel refused the handshake."""
    response = error.response
    try:
        problem = json.loads(response.body or b"")
        if isinstance(problem, dict) and "type" in problem:
            return error_of(problem)
    except ValueError:
        pass
    return Unreachable(  # something else answered, or a server that is stopping
        f"The panel answered with HTTP {response.status_code}."
    )


def _why(failure: Exception) -> str:
    if isinstance(failure, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(failure, TimeoutError):
        return "it does not answer"
    return str(getattr(failure, "strerror", None) or failure) or type(failure).__name__
