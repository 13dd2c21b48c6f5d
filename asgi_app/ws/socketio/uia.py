"""Socket.IO, `/uia`: old pages ask what a process controls, and its producer answers (contract, section C)."""

from __future__ import annotations

from typing import Any

from asgi_app.errors import BadCommand, PanelError
from asgi_app.service.live_run import LiveRun, Producer
from asgi_app.service.runs import Runs
from asgi_app.ws.socketio.namespace import Namespace, RecoverableHandlers
from asgi_app.ws.socketio.producers import OldProducer, ProcessEvents, ProducerRegistry, payload_of


class UiaEvents(ProcessEvents, RecoverableHandlers):
    """The events of `/uia`."""

    id = "process_id"

    def __init__(self, namespace: Namespace, runs: Runs, producers: ProducerRegistry) -> None:
        super().__init__(namespace, runs, producers)
        self.handlers = {"uia": self.uia, "subscribe": self.subscribe}

    def disconnected(self, sid: str) -> list[str]:
        """Return the processes that the client took signals for."""
        processes = self._producers.processes_of(sid)
        super().disconnected(sid)
        return processes

    def recovered(self, sid: str, kept: list[str]) -> None:
        """Take signals for the same processes again."""
        for process in kept:
            self._producers.add(process, OldProducer(self._namespace, sid))

    async def uia(self, sid: str, *arguments: Any) -> None:
        """Handle `get_uia` from a page, or an answer from a producer."""
        payload = payload_of(arguments, self.id)
        id = payload[self.id]
        if "message" in payload:
            said = {"topic": "uia", "process_id": id, "message": payload["message"]}
            await self._namespace.broadcast("uia", said)
            return
        if payload.get("msg") != "get_uia":
            raise BadCommand("The field msg is not get_uia. Send get_uia, or message with the answer.", field="msg")
        try:
            self._forward(sid, id, "get_uia", {"topic": "uia", "msg": "get_uia", "process_id": id})
        except PanelError as error:
            self._refused(sid, id, error)
            raise

    async def subscribe(self, sid: str, *arguments: Any) -> None:
        """Take the questions for a process (`*`: for each that has no other producer)."""
        process = payload_of(arguments, self.id, topic=False)[self.id]
        self._producers.add(process, OldProducer(self._namespace, sid))

    def _producer(self, process: str, live: LiveRun | None) -> Producer | None:
        """Prefer who subscribed here to an old producer that only published."""
        producer = live.producer if live is not None else None
        if producer is not None and not isinstance(producer, OldProducer):
            return producer
        namespace = self._namespace.namespace
        return self._producers.find(process, namespace, wildcard=False) or super()._producer(process, live)

    def _answered(self, sid: str, process: str, answer: Any) -> None:
        if answer is not None:
            self._enqueue(sid, process, answer)

    def _refused(self, sid: str, process: str, error: PanelError) -> None:
        self._enqueue(sid, process, {"error": error.detail})

    def _enqueue(self, sid: str, process: str, message: Any) -> None:
        self._namespace.enqueue(sid, "uia", {"topic": "uia", "process_id": process, "message": message})
