"""Flask-SocketIO on gevent (with gevent-websocket), doing what the panel does on the default namespace."""

from __future__ import annotations

import sys
from typing import Any

from gevent import monkey

monkey.patch_all()

from flask import Flask, request  # noqa: E402
from flask_socketio import SocketIO, emit  # noqa: E402

app = Flask(__name__)
socketio = SocketIO(app, async_mode="gevent")
counts: dict[str, int] = {}
started: list[object] = []


def heartbeat() -> None:
    count = 0
    while True:
        socketio.sleep(10)
        count += 1
        socketio.emit("my_response", {"data": "Server generated event", "count": count})


@socketio.on("connect")
def connect() -> None:
    counts[request.sid] = 0  # type: ignore[attr-defined]
    if not started:
        started.append(socketio.start_background_task(heartbeat))


@socketio.on("disconnect")
def disconnect() -> None:
    counts.pop(request.sid, None)  # type: ignore[attr-defined]


def counted(data: Any) -> dict[str, Any]:
    sid = request.sid  # type: ignore[attr-defined]
    counts[sid] = count = counts.get(sid, 0) + 1
    return {"data": data["data"], "count": count}


@socketio.on("led")
def led(data: Any) -> None:
    emit("led", {"level": min(max(int(data["level"]), 0), 100)}, broadcast=True)


@socketio.on("my_broadcast_event")
def my_broadcast_event(data: Any) -> None:
    emit("my_response", counted(data), broadcast=True)


@socketio.on("my_event")
def my_event(data: Any) -> None:
    emit("my_response", counted(data))


if __name__ == "__main__":
    socketio.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_output=False)
