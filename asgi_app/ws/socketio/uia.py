"""Socket.IO, `/uia`: what a process drives, asked by old pages, answered by its producer. The contract's section C."""

from __future__ import annotations

from typing import Any

from asgi_app.errors import BadCommand, PanelError
from asgi_app.service.runs import LiveRun, Producer, Runs
from asgi_app.ws.socketio.namespace import Handler, Namespace
from asgi_app.ws.socketio.producers import OldProducer, ProcessEvents, Workers, payload_of


class UiaEvents(ProcessEvents):
    """`/uia`: what a process drives, asked by pages and answered by whoever runs it."""

    id = "process_id"

    def __init__(self, namespace: Namespace, runs: Runs, workers: Workers) -> None:
        super().__init__(namespace, runs, workers)
        self.events: dict[str, Handler] = {"uia": self.uia, "subscribe": self.subscribe}

    def connected(self, sid: str, auth: Any) -> None:
        """Nothing is told before something is asked."""

    def gone(self, sid: str) -> list[str]:
        """What it took signals for."""
        taken = self._workers.taken_by(sid)
        super().gone(sid)
        return taken

    def recovered(self, sid: str, kept: list[str]) -> None:
        """It takes them again."""
        for process in kept:
            self._workers.add(process, OldProducer(self._namespace, sid))

    async def uia(self, sid: str, *arguments: Any) -> None:
        """`get_uia` from a page, or what a producer has to say."""
        payload = payload_of(arguments, self.id)
        id = payload[self.id]
        if "message" in payload:
            said = {"topic": "uia", "process_id": id, "message": payload["message"]}
            await self._namespace.emit("uia", said)
            return
        if payload.get("msg") != "get_uia":
            raise BadCommand("send msg: get_uia, or message with the answer", field="msg")
        try:
            self._hand(sid, id, "get_uia", {"topic": "uia", "msg": "get_uia", "process_id": id})
        except PanelError as error:
            self._refused(sid, id, error)
            raise

    async def subscribe(self, sid: str, *arguments: Any) -> None:
        """Be asked for a process (`*`: for every one that nobody else runs)."""
        process = payload_of(arguments, self.id, topic=False)[self.id]
        self._workers.add(process, OldProducer(self._namespace, sid))

    def _producer(self, process: str, live: LiveRun | None) -> Producer | None:
        """Whoever subscribed here comes before an old producer that only published."""
        producer = live.producer if live is not None else None
        if producer is not None and not isinstance(producer, OldProducer):
            return producer
        namespace = self._namespace.namespace
        return self._workers.of(process, namespace, anybody=False) or super()._producer(process, live)

    def _answered(self, sid: str, process: str, answer: Any) -> None:
        if answer is not None:
            self._tell(sid, process, answer)

    def _refused(self, sid: str, process: str, error: PanelError) -> None:
        self._tell(sid, process, {"error": error.detail})

    def _tell(self, sid: str, process: str, message: Any) -> None:
        self._namespace.tell(sid, "uia", {"topic": "uia", "process_id": process, "message": message})
