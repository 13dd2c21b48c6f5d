"""The audit log of the page Access: what the server can record, and the words that both languages have for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from asgi_app.access import permissions
from asgi_app.access.identity import Identities
from asgi_app.models.access import Identity, Role
from asgi_app.settings import Settings
from tests.support.page_reducer import reduced
from tests.support.panel_process import ROOT

LANGUAGES = ("en", "zh")
KNOWS = "(page, deeds) => deeds.filter((deed) => !page.knows(deed)).map(({ what }) => what)"
NAMELESS = "(page, hows) => hows.filter((how) => [how, `access_how_${how}`].includes(page.howInWords(how)))"
SENTENCE = """(page, { deed, names }) => {
  const kinds = Object.entries(names).map(([kind, found]) => [kind, new Map(Object.entries(found))]);
  return page.sentence(deed, page.nameOf(deed, Object.fromEntries(kinds)));
}"""

# --- what the server records -------------------------------------------------------------------------------

# Refusals whose name is made of something, and an example of each.
MADE = {
    "{} {}": "GET /audit",
    "Socket.IO {}": "Socket.IO /panel",
    "ws {}": "ws /<username>",
    "claiming the name {}": "claiming the name Ada",
}
# What records, and where the name of the deed is among what it is given. A name that is passed on is given elsewhere.
RECORDERS = {r"audit\.note": 1, r"self\._record": 1, r"(self|access)\.refused": 2, r"visitor\.require": 1}
PASSED_ON = {"what", "event", "str(command.do)"}


@cache
def every_call() -> list[ast.Call]:
    """The calls in the server."""
    files = sorted(Path(ROOT, "asgi_app").rglob("*.py"))
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text())))
    return [node for node in nodes if isinstance(node, ast.Call)]


def calls(of: str) -> Iterator[ast.Call]:
    """Those of a function, by the end of how it is called."""
    return (call for call in every_call() if re.search(f"{of}$", ast.unparse(call.func)))


def recorded() -> tuple[set[str], set[str]]:
    """The names of deeds that the source gives to the trail as they are, and those that it makes of something."""
    plain, made = set(), set()
    for recorder, at in RECORDERS.items():
        for given in (call.args[at] for call in calls(recorder) if len(call.args) > at):
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                plain.add(given.value)
            elif isinstance(given, ast.JoinedStr):
                made.add("".join(part.value if isinstance(part, ast.Constant) else "{}" for part in given.values))
            else:
                assert ast.unparse(given) in PASSED_ON, f"where does {ast.unparse(given)} come from?"
    return plain, made


def every_deed() -> list[dict[str, Any]]:
    plain, made = recorded()
    assert made == set(MADE)
    assert {"sign_in", "make_code", "end_session"} < plain
    rules = [(kind.model_fields["do"].default, rule) for kind, rule in permissions.COMMANDS.items()]
    events = [(event, rule) for (_, event), rule in permissions.EVENTS.items()]
    done = {name for name, rule in (*rules, *events) if rule.kept} | plain
    refused = {name for name, _ in rules} | plain | set(MADE.values())
    refused |= {f"{namespace} {event}" for namespace, event in permissions.EVENTS}
    refused |= {f"ws {route}" for route in permissions.SOCKETS} | set(permissions.ROUTES)
    return [{"what": what, "outcome": "done"} for what in sorted(done)] + [
        {"what": what, "outcome": "refused"} for what in sorted(refused)
    ]


def every_how() -> list[str]:
    """How somebody can be known: as the source says it, and by the address or what they have shown."""
    known = [Identity().how, "token hall switch", "name"]  # the last one is of a session in the list
    for call in calls("Identity"):
        for given in (word.value for word in call.keywords if word.arg == "how"):
            assert isinstance(given, ast.Constant), ast.unparse(given)
            known.append(given.value)
    known += Identities(Settings(), None, None)._roles  # type: ignore[arg-type]
    return sorted(set(known) - {"panel"})  # what the panel does by itself is not in the trail


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_deed_has_a_sentence(language: str) -> None:
    deeds = every_deed()
    assert len(deeds) > 100
    assert reduced("access/trail-words.js", KNOWS, [], deeds, language) == []
    assert reduced("access/trail-words.js", KNOWS, [], [{"what": "tea", "outcome": "done"}], language) == ["tea"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_way_to_be_known_has_words(language: str) -> None:
    hows = every_how()
    assert {"pin", "nobody", "mqtt", "another process"} < set(hows)
    assert reduced("access/words.js", NAMELESS, [], hows, language) == []
    assert reduced("access/words.js", NAMELESS, [], ["of a newer panel"], language) == ["of a newer panel"]


# --- what the page makes of it -----------------------------------------------------------------------------

NAMES = {
    "lights": {"desk": "Desk lamp", "all-in": "Everything"},
    "groups": {"desk": "Work", "all": "All lights"},
    "scenes": {"desk": "Reading"},
    "schedules": {"desk": "Wake up"},
    "shows": {"desk": "Candle evening"},
}


def deed(what: str, subject: str | None = None, *, refused: Role | None = None, **detail: Any) -> dict[str, Any]:
    if refused is not None:
        detail = {"needed": refused.word}
    outcome = "done" if refused is None else "refused"
    return {"what": what, "subject": subject, "who": "Ada", "outcome": outcome, "detail": detail}


SENTENCES = [
    (deed("set_light", "desk", level=40), "Ada set Desk lamp to 40 %", "Ada将Desk lamp设为40 %"),
    (deed("set_light", "desk", group="desk", level=40), "Ada set Work to 40 %", "Ada将Work设为40 %"),
    (deed("set_light", "all", group="all", on=False), "Ada switched all lights off", "Ada关闭了所有灯"),
    (deed("set_light", "all", on=False), "Ada switched all lights off", "Ada关闭了所有灯"),  # an older row
    (deed("set_light", lights=["desk"], on=True), "Ada switched lights on", "Ada打开了灯光"),
    (deed("undo_light", "desk"), "Ada undid the last change of Desk lamp", "Ada：撤销上次更改： Desk lamp"),
    (deed("undo_light", "desk", scene="desk"), "Ada undid the last change of Reading", "Ada：撤销上次更改： Reading"),
    (deed("undo_light", lights=["desk"]), "Ada undid the last change of lights", "Ada：撤销上次更改： 灯光"),
    (deed("save_scene", "desk", name="Dinner"), "Ada saved the scene Dinner", "Ada：保存场景 Dinner"),
    (deed("recall_scene", "desk"), "Ada recalled the scene Reading", "Ada：调用场景 Reading"),
    (deed("save_group", name="Hall"), "Ada saved the group Hall", "Ada：保存分组 Hall"),
    (deed("delete_group", "gone"), "Ada deleted the group gone", "Ada：删除分组 gone"),
    (deed("skip_schedule", "desk"), "Ada skipped a time of the schedule Wake up", "Ada：跳过一次定时 Wake up"),
    (deed("start_show", "desk"), "Ada started the show Candle evening", "Ada：启动灯光秀 Candle evening"),
    (deed("try_show", title="Storm"), "Ada tried the show Storm", "Ada：试播灯光秀 Storm"),
    (deed("remove_light", "desk"), "Ada removed the light Desk lamp", "Ada：移除灯 Desk lamp"),
    (deed("add_token", "desk", role="viewer"), "Ada created the token desk", "Ada：创建令牌 desk"),
    (deed("revoke_token", "all"), "Ada revoked the token all", "Ada：撤销令牌 all"),
    (deed("claim_name", "desk"), "Ada claimed the name desk", "Ada：注册名字 desk"),
    (deed("end_session", "desk"), "Ada ended the session of desk", "Ada：结束登录： desk"),
    (deed("delete_room", "desk"), "Ada deleted the room desk", "Ada：删除房间 desk"),
    (deed("delete_person", "all"), "Ada deleted the person all", "Ada：删除成员 all"),
    (deed("delete_run", "desk"), "Ada deleted the run desk", "Ada：删除任务 desk"),
    (deed("running_logger", "desk", msg="pause"), "Ada sent a signal to the run desk", "Ada：向任务发送信号 desk"),
    (deed("sign_in", "desk", role="admin"), "Ada signed in", "Ada：登录"),
    (deed("sign_in", refused=Role.ADMIN), "Ada failed to sign in", "Ada登录失败"),
    (deed("set_light", refused=Role.OPERATOR), "Ada was not allowed to set a light", "Ada无权设置灯"),
    (deed("undo_light", refused=Role.OPERATOR), "Ada was not allowed to undo a change", "Ada无权撤销上次更改"),
    (deed("delete_room", refused=Role.ADMIN), "Ada was not allowed to delete a room", "Ada无权删除房间"),
    (deed("say", refused=Role.OPERATOR), "Ada was not allowed to write a message", "Ada无权发送消息"),
    (deed("GET /audit", refused=Role.ADMIN), "Ada was not allowed to use GET /audit", "Ada无权使用 GET /audit"),
    (deed("/ led", refused=Role.OPERATOR), "Ada was not allowed to use / led", "Ada无权使用 / led"),
    (
        deed("claiming the name Bo/b", refused=Role.OPERATOR),
        "Ada was not allowed to claim the name Bo/b",
        "Ada无权注册名字 Bo/b",
    ),
]


@pytest.mark.parametrize(("deed", "english", "chinese"), SENTENCES, ids=[english for _, english, _ in SENTENCES])
def test_a_deed_as_a_sentence(deed: dict[str, Any], english: str, chinese: str) -> None:
    for language, words in zip(LANGUAGES, (english, chinese), strict=True):
        assert reduced("access/trail-words.js", SENTENCE, [], {"deed": deed, "names": NAMES}, language) == words
