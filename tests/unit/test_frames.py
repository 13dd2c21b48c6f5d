"""What judges the frames of the tests sees what is wrong."""

from __future__ import annotations

import json

from tests.support.described import description
from tests.support.frames import NativeWitness, OldChatWitness, RawWitness, faults

LIGHT = description().document["components"]["messages"]["light_result"]["examples"][0]["payload"]
SET = '{"do": "set_light", "id": 7, "light": "desk", "level": 5}'
WRONG = '{"do": "set_light", "id": 7, "light": "desk", "level": 500}'
REFUSED = description().document["components"]["messages"]["refused"]["examples"][0]["payload"]


def judged(witness: NativeWitness | RawWitness | OldChatWitness, *frames: tuple[str, object]) -> list[str]:
    """What it finds wrong in these frames, each with `>` if a client sends it."""
    for way, frame in frames:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        (witness.sent if way == ">" else witness.received)(text)
    found, faults[:] = list(faults), []
    return [fault.split(": ")[0] for fault in found]


def test_of_the_native_protocol() -> None:
    assert judged(NativeWitness(), (">", SET), ("<", LIGHT), (">", WRONG), ("<", REFUSED)) == []
    for reply in (
        {**LIGHT, "light": {**LIGHT["light"], "colour": "red"}},
        {**LIGHT, "rev": "42"},
        {"reply": 7, "ok": True, "rev": 1},
        {**REFUSED, "problem": {}},
    ):
        assert judged(NativeWitness(), (">", SET), ("<", reply)) == ["ws /live"]
    assert judged(NativeWitness(), (">", WRONG), ("<", LIGHT)) == ["ws /live"]
    for event in ({"event": "light_went"}, {"event": "talk_deleted"}, {"event": "talk_deleted", "person": 5}):
        assert judged(NativeWitness(), ("<", {"epoch": "1", "events": [event]})) == ["ws /live"]
    assert judged(NativeWitness(), ("<", {"epoch": "1", "rev": 1, "state": {}})) == ["ws /live"]


def test_of_socketio() -> None:
    fits = ('42["led",{"level":7}]', '42["my_pong"]', '42/panel,["events",{"epoch":"1","events":[]}]', "40{}", "2")
    assert judged(RawWitness(), *(("<", frame) for frame in fits)) == []
    assert judged(RawWitness(), (">", '425["led",{"level":7}]'), ("<", "435[]")) == []
    assert judged(RawWitness(), ("<", '42["led",{"level":101}]')) == ["led on /"]
    assert judged(RawWitness(), ("<", '42["colour",{"level":1}]')) == ["colour on /"]
    assert judged(RawWitness(), ("<", '42/panel,["events",{"epoch":"1"}]')) == ["/panel"]
    assert judged(RawWitness(), (">", '425["led",{"level":"bright"}]'), ("<", "435[]")) == ["/"]
    assert judged(RawWitness(), (">", f'42/panel,5["ask",{WRONG}]'), ("<", f"43/panel,5[{json.dumps(LIGHT)}]")) == [
        "/panel"
    ]
    assert judged(RawWitness(), (">", '425["led",{"level":7}]'), ("<", '435[{"detail":"no"}]')) == ["ack on /"]


def test_of_the_old_chat() -> None:
    assert judged(OldChatWitness(), ("<", {"username": "Ada", "msg": [1]})) == []
    assert judged(OldChatWitness(), ("<", {"username": "Ada", "text": "hi"})) == ["ws /<username>"]
