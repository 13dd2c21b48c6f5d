"""Requests for the light into `routes/plain.py`; the oracle is Quart, which has the same views."""

from __future__ import annotations

import re
from typing import Any

from asgi_app.access import SCOPE
from asgi_app.models.access import PANEL
from asgi_app.models.base import actor
from asgi_app.models.lights import SetLight
from campaigns.fuzz.choices import Choices
from campaigns.fuzz.house import Inside, request

BEFORE = 42
PATHS = ("/led", "/led", "/lights/led", "/lights/nothing", "/lights", "/groups", "/lights/led/", "/lights//led")
WHEN = re.compile(rb'"(at|rev)":[0-9.]+')  # two answers do not have the same
TYPES = (
    b"application/json", b"application/json", b"application/json", b"application/json; charset=utf-8", b"text/plain",
    b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"application/problem+json", b"",
    b"APPLICATION/JSON", b"application/json;", b"application/json\xff",
)  # fmt: skip
HEADERS = (
    (b"x-client-name", b"Ada"), (b"x-client-name", b"\xc3\x85sa"), (b"x-client-name", b"\xe5"),
    (b"user-agent", b"curl/8"),
    (b"origin", b"https://evil.page"), (b"origin", b"http://127.0.0.1"), (b"origin", b"null"),
    (b"transfer-encoding", b"chunked"), (b"expect", b"100-continue"), (b"content-encoding", b"gzip"),
)  # fmt: skip
QUERIES = (b"", b"", b"", b"level=7", b"level=", b"level=101", b"x=1", b"name=Bob", b"level=%ff", b"level=7&level=8")


def body(choices: Choices) -> bytes:
    """A body that is right, or nearly."""
    kind = choices.below(10)
    if kind == 0:
        return choices.rest()
    if kind == 1:
        return b"level=" + choices.text().encode("utf-8", "replace")
    level = choices.pick((30, "40", 0, 100, 101, -1)) if choices.one_in(2) else choices.value()
    sent = {"level": level} if kind < 8 else choices.spoiled_fields({"level": level})
    text = choices.written(sent)
    padding = b" " * choices.pick((0, 0, 0, 0, 1000, 1100, 2000))
    return padding + text.encode()


class Led:
    """The target."""

    def __init__(self) -> None:
        self._inside = Inside()
        self._quick = self._inside.house.app.inner
        self._quart = self._inside.house.quart
        self._hand = actor("hand", None, "rest", PANEL)

    def check(self, data: bytes) -> str:
        """The same answer, byte for byte, and the same light after it."""
        choices = Choices(data)
        path = choices.pick(PATHS)
        changes = "POST" if path == "/led" else "PATCH"
        method = choices.pick((changes, changes, changes, changes, "GET", "HEAD", "PUT", "OPTIONS"))
        sent = body(choices) if method in (changes, "PUT") or choices.one_in(8) else b""
        headers = [(b"host", b"127.0.0.1")]
        if sent or method == changes:
            headers += [(b"content-type", choices.pick(TYPES)), (b"content-length", b"%d" % len(sent))]
        for _ in range(choices.pick((0, 0, 1, 2))):
            headers.append(choices.pick(HEADERS))
        at = choices.below(len(sent) + 1) if choices.one_in(4) else len(sent)
        pieces = [sent[:at], sent[at:]] if at < len(sent) else [sent]
        scope = self._scope(method, path, headers, choices.pick(QUERIES))
        quick = self._inside.run(self._ask(self._quick, scope, pieces))
        quart = self._inside.run(self._ask(self._quart, scope, pieces))
        self._inside.settle()
        assert quick == quart, (scope, pieces, quick, quart)
        assert quick[0][0] < 500, quick
        if quick[0][0] != 200 or method != changes:
            assert quick[1][0] == BEFORE, "the light was moved by what was refused"
        return "set" if quick[0][0] == 200 and method == changes else "refused" if method == changes else "others"

    def _scope(self, method: str, path: str, headers: list[tuple[bytes, bytes]], query: bytes) -> dict[str, Any]:
        return {
            "type": "http",
            SCOPE: self._inside.house.access,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 5000),
            "extensions": {},
        }

    async def _ask(self, app: Any, scope: dict[str, Any], pieces: list[bytes]) -> tuple[Any, Any]:
        """The answer, and what the light is then, and by whom."""
        panel = self._inside.panel
        if panel.light("led").target != BEFORE or panel.light("led").by.name != "hand":
            await panel.ask(self._hand, SetLight(light="led", level=BEFORE))
        status, headers, answer = await request(app, {**scope, "headers": list(scope["headers"])}, pieces)
        length = [len(value) for name, value in headers if name == b"content-length"]
        others = [header for header in headers if header[0] != b"content-length"]
        answered = status, others, WHEN.sub(b"", answer), length
        light = panel.light("led")
        return answered, (light.target, light.by.name, light.by.via)

    def close(self) -> None:
        """End the panel."""
        self._inside.close()
