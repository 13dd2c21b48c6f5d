"""Slow readers and fast writers: the panel's memory stays flat, and every reader ends on the right level."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
import socketio
import websockets
from websockets.sync.client import connect

from asgi_app.service.panel import HISTORY
from tests.support.panel_process import RunningPanel, eventually
from tests.support.raw_sockets import never_reading

pytestmark = pytest.mark.for_real

DRAGGERS = 20
DRAG_SECONDS = 10
MIB = 1024 * 1024


async def drag(panel: RunningPanel, number: int, until: float) -> list[str | bytes]:
    """Set levels at 20 a second over `/live` until the loop's clock says so; the refusals."""
    loop = asyncio.get_running_loop()
    refusals: list[str | bytes] = []
    async with websockets.connect(panel.socket_url(f"/live?name={f'hand{number}-':x<60}"), max_size=None) as connection:
        await connection.recv()
        level = number
        while loop.time() < until:
            level = (level + 7) % 101
            await connection.send(json.dumps({"do": "set_light", "id": level, "light": "led", "level": level}))
            while not (text := await connection.recv()).startswith('{"reply"'):
                pass
            if '"ok":true' not in text:
                refusals.append(text)
            await asyncio.sleep(0.05)
    return refusals


async def fill_history(panel: RunningPanel) -> None:
    """Change a light until the panel keeps as many events as it ever will: they are some MiB."""
    async with websockets.connect(panel.socket_url("/live"), max_size=None) as hand:
        rev = 0
        while rev <= HISTORY:
            await hand.send(json.dumps({"do": "set_light", "id": rev, "light": "led", "level": rev % 101}))
            while "reply" not in (frame := json.loads(await hand.recv())):
                pass
            assert frame["ok"]
            rev = frame["rev"]


async def test_dragging_with_readers_that_never_read(start_panel, server):
    # given screens on every wire, three clients that never read, and 20 hands on the slider
    panel: RunningPanel = start_panel(server=server, slow_reader=5)  # a reader that reads, on a busy machine
    idle = [
        never_reading(panel.port, "/live", []),
        never_reading(panel.port, "/socket.io/?EIO=4&transport=websocket", ["40"]),
        never_reading(panel.port, "/socket.io/?EIO=4&transport=websocket", ["40/panel,"]),
    ]
    page, shown = socketio.AsyncClient(), []
    page.on("led", lambda data: shown.append(data["level"]))
    await page.connect(panel.url, transports=["websocket"], wait_timeout=30)
    screen = await websockets.connect(panel.socket_url("/live"), max_size=None)
    seen: dict[str, int] = {}

    async def watch() -> None:
        async for text in screen:
            frame = json.loads(text)
            for event in frame.get("events", []):
                if event["event"] == "light_changed":
                    seen["light_changed"] = event["state"]["target"]

    watching = asyncio.create_task(watch())
    await fill_history(panel)
    until = asyncio.get_running_loop().time() + DRAG_SECONDS
    hands = [asyncio.create_task(drag(panel, number, until)) for number in range(DRAGGERS)]
    await asyncio.sleep(DRAG_SECONDS / 4)
    early = panel.process.memory_info().rss

    # when they drag for ten seconds and a last level is set
    refusals = await asyncio.gather(*hands)
    late = panel.process.memory_info().rss
    assert panel.patch("/lights/led", {"level": 42}).status_code == 200

    # then all that read end on it, nothing was refused, memory is flat, and who never read was cut
    await asyncio.to_thread(eventually, lambda: seen.get("light_changed") == 42 and shown and shown[-1] == 42)
    assert panel.level() == 42
    assert refusals == [[]] * DRAGGERS
    assert late - early < 3 * MIB

    # (the old page's wire is so terse that ten seconds of it fit into the kernel's buffers, and on a machine so slow
    # that not even the others were full, a few more changes fill them.)
    ports = {connection.getsockname()[1] for connection in (idle[0], idle[2])}

    def more_changes_until_they_are_cut() -> bool:
        panel.patch("/lights/led", {"level": 42})
        open_ports = {connection.raddr.port for connection in panel.process.net_connections() if connection.raddr}
        return not ports & open_ports

    await asyncio.to_thread(eventually, more_changes_until_they_are_cut, 60, 0)
    assert 2 <= panel.log().count("[client_cut ") <= len(idle)  # each told once, whether by us or by the kernel
    assert "Traceback" not in panel.log()
    watching.cancel()
    await screen.close()
    await page.disconnect()
    for connection in idle:
        connection.close()


def test_who_takes_nothing_is_cut_also_where_little_is_sent(start_panel, server):
    # given a client that never reads, with more sent to it than it has room for, and room left here
    panel: RunningPanel = start_panel(server=server, slow_reader=0.5)
    idle = never_reading(panel.port, "/live", [])
    for level in range(40):
        assert panel.patch("/lights/led", {"level": level}).status_code == 200

    # when the kernel gives it up, then the log says so, once, and it is counted
    eventually(lambda: "[client_cut " in panel.log())
    idle.close()
    assert panel.metrics()["pilotlight_connections_cut_total", "connection"] == 1
    assert panel.log().count("[client_cut wire=connection client=127.0.0.1 reason=timed_out]") == 1
    assert panel.log().count("[client_cut ") == 1
    assert panel.complaints() == []


def test_a_poller_that_is_too_far_behind_is_told_by_an_error(start_panel, server):
    # given one that does not poll, while more is said to all than is kept for it
    panel: RunningPanel = start_panel(server=server, outbox=8)
    path = "/socket.io/?EIO=4&transport=polling"
    path += f"&sid={json.loads(panel.get(path).text[1:])['sid']}"
    assert panel.post(path, content="40").text == "ok"
    assert "40{" in panel.get(path).text
    with connect(panel.socket_url("/socket.io/?EIO=4&transport=websocket")) as page:
        page.send("40")
        for number in range(100):
            page.send(f'421["my_broadcast_event",{{"data":{number}}}]')
            while not str(page.recv(timeout=30)).startswith("431"):
                pass

    # when it polls again, then that fails, so that it comes back, and a part of it all is not taken for the whole
    assert panel.get(path).status_code == 400
    assert "Invalid session" in panel.get(path).text
    assert panel.metrics()["pilotlight_connections_cut_total", "socketio"] == 1
    assert panel.log().count("[client_cut wire=socketio client=127.0.0.1 reason=far_behind]") == 1
    assert panel.complaints() == []


async def test_a_reader_that_wakes_up_gets_a_snapshot(start_panel, server):
    # given a client that stops reading while thousands of events pass
    panel: RunningPanel = start_panel(server=server, outbox=16, lights="[lights.led]\npin = 21\n")
    sleeper = never_reading(panel.port, "/live", [])
    async with websockets.connect(panel.socket_url("/live"), max_size=None) as hand:
        await hand.recv()
        for step in range(1500):
            await hand.send(json.dumps({"do": "set_light", "light": "led", "level": step % 50, "flash": None}))
            while "reply" not in json.loads(await hand.recv()):
                pass
        await hand.send(json.dumps({"do": "set_light", "light": "led", "level": 88}))
        while "reply" not in json.loads(await hand.recv()):
            pass
    # when it reads again, then the last thing it is told is the level that holds
    sleeper.settimeout(30)
    received = bytearray()
    while b'"level":88' not in received and (part := sleeper.recv(65536)):
        received += part
    sleeper.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while part := sleeper.recv(65536):
            received += part
    sleeper.close()
    assert received.rfind(b'"level":88') > received.rfind(b'"level":43') > 0


@pytest.mark.parametrize("wire", ["/live", "/panel"])
async def test_a_flood_is_answered_and_nobody_else_waits(start_panel, server, wire):
    # given one client that sends as fast as it can, without reading
    panel: RunningPanel = start_panel(server=server)
    if wire == "/live":
        flood = never_reading(panel.port, "/live", [])
        text = '{"do":"ping","id":"%s"}' % ("x" * 80)
    else:
        flood = never_reading(panel.port, "/socket.io/?EIO=4&transport=websocket", ["40/panel,"])
        text = '42/panel,7["ask",{"do":"ping","id":"%s"}]' % ("x" * 80)
    frame = bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode()
    before = panel.process.memory_info().rss

    def send_much() -> int:
        flood.settimeout(1)
        sent = 0
        with contextlib.suppress(TimeoutError, OSError):
            for _ in range(400):
                flood.sendall(frame * 500)
                sent += 500
        return sent

    # when it sends, then it is stopped by TCP, and another client is served meanwhile
    sending = asyncio.create_task(asyncio.to_thread(send_much))
    async with websockets.connect(panel.socket_url("/live")) as other:
        await other.recv()
        for id in range(20):
            await other.send(json.dumps({"do": "ping", "id": id}))
            assert json.loads(await asyncio.wait_for(other.recv(), 15)) == {"reply": id, "ok": True, "rev": 1}
    assert await sending < 200_000
    assert panel.process.memory_info().rss - before < 12 * MIB
    flood.close()
