"""Who leaves a Socket.IO namespace gets no answer there any more, and what still waited is not done."""

from __future__ import annotations

import json

import pytest

from tests.support.live_client import live
from tests.support.panel_process import RunningPanel
from tests.support.polling_session import PollingSession

LEAVE = "41/panel,"


def asking(command: dict[str, str]) -> str:
    """The event with this command, which wants an ack."""
    return f"42/panel,1{json.dumps(['ask', command])}"


@pytest.mark.parametrize("run", ["none", "long"])
def test_an_event_and_a_goodbye_in_one_body(panel: RunningPanel, run: str) -> None:
    panel.post("/runs", json={"id": "long", "name": "long"})
    with PollingSession(panel, "/", "/panel") as session:
        session.say(asking({"do": "signal_run", "run": run, "signal": "stop"}), LEAVE)
        assert [packet for packet in session.caught_up("/") if packet.startswith("43/panel")] == []
    assert panel.complaints() == []


async def test_a_goodbye_while_an_answer_is_awaited(panel: RunningPanel) -> None:
    async with live(panel) as producer:
        await producer.ask("start_run", run="asked", name="asked")
        with PollingSession(panel, "/", "/panel") as session:
            session.say(asking({"do": "signal_run", "run": "asked", "signal": "stop"}))
            signal = await producer.event("run_signal")
            session.say(LEAVE)
            await producer.ask("answer_run", signal_id=signal["signal_id"], answer="stopped")
            assert [packet for packet in session.caught_up("/") if packet.startswith("43/panel")] == []
    assert panel.complaints() == []
