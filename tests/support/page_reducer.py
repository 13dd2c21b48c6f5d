"""The reducers of the pages, `apply(state, event)` of a module in static/js, run by one Node process."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from typing import Any

from tests.support.panel_process import ROOT

# A person, a room or a run may have the name of what every object in JavaScript has.
OF_EVERY_OBJECT = ("constructor", "toString", "valueOf", "hasOwnProperty", "__proto__")
RUNNER = ROOT / "tests" / "support" / "node" / "reducer.mjs"


@cache
def _node() -> subprocess.Popen[str]:
    """The process; it ends with this one, when its stdin does."""
    return subprocess.Popen(["node", RUNNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def reduced(module: str, view: str, events: list[Any], state: Any = None, language: str = "en") -> Any:
    """What `view`, a JavaScript function, says of the state after these events; `module` is below static/js."""
    node = _node()
    assert node.stdin is not None
    assert node.stdout is not None
    path = str(ROOT / "static" / "js" / module)
    asked = {"path": path, "view": view, "events": events, "state": state, "language": language}
    node.stdin.write(json.dumps(asked) + "\n")
    node.stdin.flush()
    said = json.loads(node.stdout.readline())
    assert "error" not in said, said["error"]
    return said
