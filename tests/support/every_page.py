"""Every page, in every state: the panels that they are pages of, and what opens over them. All browsers share this."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.panel_process import RunningPanel

QUICK = ("/", "/access")
PAGES = (
    *QUICK, "/plan", "/watch", "/chat", "/settings", "/settings/device", "/settings/lights", "/settings/system",
    "/lab", "/compare", "/docs", "/docs/sockets", "/watch#run=build", "/chat#room=lobby", "/nothing-here",
)  # fmt: skip
# What a button opens: the page, and the name of the button.
SHEETS = [
    ("/", "Connection: Live. More about it"), ("/", "More of Desk lamp"), ("/", "New group"), ("/", "New scene"),
    ("/", "Menu of the scene Dinner"), ("/", "Menu of Upstairs"), ("/plan", "New schedule"), ("/plan", "Delete Night"),
    ("/plan", "New show"), ("/plan", "More about Sunrise"), ("/chat", "Search messages"),
    ("/chat#room=lobby", "More about lobby"), ("/settings/lights", "Add a light"),
    ("/settings/lights", "Change Stairs"), ("/settings/lights", "Order"),
]  # fmt: skip
LIGHTS = """
[lights.desk]
pin = 12
name = "Desk lamp"
[lights.shelf]
pin = 13
name = "Bookshelf"
[lights.hall]
pin = 19
name = "Hallway"
"""
ONE = '[lights.desk]\npin = 12\nname = "Desk lamp"\n'
KINDS: dict[str, dict[str, Any]] = {
    "full": {"lights": LIGHTS}, "one": {"lights": ONE}, "empty": {},
    "viewer": {"lights": LIGHTS, "role_loopback": "viewer"}, "nobody": {"role_loopback": "nobody"},
}  # fmt: skip
# Whether a page says all that it will.
READY = """(() => {
  const { role } = document.body?.dataset ?? {};
  const there = (part) => document.querySelector(part) !== null;
  const mark = document.querySelector('#mark');
  const reads = role === 'viewer'; // others are asked for their name before the chat loads
  const loads = reads && [...document.querySelectorAll('.waiting')].some((part) => part.checkVisibility());
  const read = !loads && (!there('#viewer') || there('.opblock-summary')) && (!there('#channels') || there('#objects'));
  return role === 'nobody' || Boolean(role && (!mark || mark.dataset.status === 'live') && read);
})()"""
NAME = "localStorage['pilotlight.name'] = '\"Ada\"';"  # the chat asks who has none
SHEET = "dialog[open], [role=menu]:popover-open"
OPEN = f"document.querySelector('{SHEET}') !== null"


def furnish(panel: RunningPanel) -> None:
    """Put something on every page."""
    panel.patch("/lights/desk", {"level": 100})
    panel.patch("/lights/shelf", {"level": 3})
    panel.post("/lights", json={"id": "stairs", "pin": 26, "name": "Stairs"})
    panel.post("/groups", json={"name": "Upstairs", "lights": ["desk", "hall"]})
    panel.post("/scenes", json={"name": "Dinner"})
    panel.post("/schedules", json={"name": "Night", "when": {"at": "23:30"},
                                   "do": {"do": "set_light", "group": "all", "on": False}})  # fmt: skip
    panel.post("/chat/rooms/lobby/messages", json={"msg": "Hello"}, headers={"X-Client-Name": "Ada"})
    panel.post("/runs", json={"id": "build", "name": "make all"})
    panel.post("/runs/build/log", json={"lines": [{"level": "error", "msg": "no rule to make target"}, {"msg": "ok"}]})
    panel.post("/access/tokens", json={"label": "Hall switch", "role": "viewer"})


@contextmanager
def panel_in_each_state(folder: Callable[[str], Path]) -> Iterator[dict[str, RunningPanel]]:
    """A panel in each state: full, with one light, with none, and where this machine may look, or not even that."""
    with ExitStack() as stack:
        running = {
            kind: stack.enter_context(RunningPanel(folder(kind) / "data", **settings))
            for kind, settings in KINDS.items()
        }
        furnish(running["full"])
        yield running
