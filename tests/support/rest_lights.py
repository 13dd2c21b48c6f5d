"""The lights of the REST tests, and the shape of a problem."""

from __future__ import annotations

import itertools
from typing import Any

import httpx

BEFORE = {"level": 40, "on": True, "effect": "none"}


LIGHTS = """
[lights.led]
pin = 21
[lights.desk]
pin = 12
name = "Desk lamp"
[lights.never-touched]
pin = 13
"""


class Lights:
    """The REST face as a script sees it; each change by a name of its own, so that each is one step of undo."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self._names = (f"script {number}" for number in itertools.count(1))

    def get(self, light: str = "led") -> dict[str, Any]:
        answer = self.http.get(f"/lights/{light}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def patch(self, light: str = "led", *, by: str | None = None, **change: Any) -> dict[str, Any]:
        """Make a change that is taken; the light in the answer."""
        answer = self.http.patch(f"/lights/{light}", json=change, headers={"X-Client-Name": by or next(self._names)})
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        changed: dict[str, Any] = answer.json()
        return changed

    def undo(self, light: str = "led") -> httpx.Response:
        return self.http.post(f"/lights/{light}/undo", headers={"X-Client-Name": next(self._names)})


def assert_problem(answer: httpx.Response, status: int, slug: str) -> None:
    """The answer is this problem of RFC 9457."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == (f"urn:pilotlight:problem:{slug}", status)
    assert problem["title"]
    assert problem["message"] == problem["detail"] != ""
    assert isinstance(problem["errors"], list)
