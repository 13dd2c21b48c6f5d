"""The lights of the pages' tests, set from elsewhere."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.panel_process import NO_TLS, RunningPanel

CLIENT = httpx.Client(timeout=30, verify=NO_TLS)


TRANSPORTS = ("websocket", "socketio", "rest")


# Each state of the link from now on is in `window.links`.
NOTE_LINKS = """
  window.links = [];
  const note = () => window.links.push(document.body.dataset.link);
  new MutationObserver(note).observe(document.body, { attributeFilter: ['data-link'] });
"""
LIGHTS = """
[lights.desk]
pin = 12
name = "Desk"
[lights.shelf]
pin = 13
[lights.hall]
pin = 19
name = "Hall"
[lights.kitchen]
pin = 18
name = "Donaudampfschifffahrtsgesellschaftskapitänskajütenleuchte, links"
"""


def set_light(
    panel: RunningPanel, light: str = "desk", /, by: str = "Kitchen tablet", agent: str = "", **verbs: Any
) -> None:
    """Set a light from elsewhere: under this name, or by a program that has none and calls itself `agent`."""
    headers = {"User-Agent": agent} if agent else {"X-Client-Name": by}
    answer = CLIENT.patch(f"{panel.url}/lights/{light}", json=verbs, headers=headers)
    assert answer.status_code == 200, answer.text


def revision(panel: RunningPanel) -> int:
    """It rises with every change of any light."""
    rev: int = CLIENT.get(f"{panel.url}/lights").json()["rev"]
    return rev
