"""A tab of a browser that is not Chromium: what a person does in it, and what its console says."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.panel_process import SOON, eventually

FRAME = 16  # ms between two moves of a pointer
# What a browser says of a panel that is away; of an icon, a manifest or a request that was under way as its page was
# left; WebKitGTK of a part of the Content-Security-Policy that it was built without, and of a hint for Android; and
# of a font that a slow machine has not drawn with some seconds after the page was loaded.
HARMLESS = re.compile(
    r"establish a connection|/static/(icons/|manifest)\S+ A ServiceWorker intercepted"
    r"|'manifest-src'|\"interactive-widget\"|not used within a few seconds"
)
# The events of a finger, for a driver that has none. No pointer of the browser is down, so none can be captured.
TOUCH = """
  const target = [...document.querySelectorAll(selector)].find((each) => each.checkVisibility());
  const finger = { pointerType: 'touch', pointerId: 77, bubbles: true, cancelable: true };
  const { setPointerCapture } = Element.prototype;
  Element.prototype.setPointerCapture = () => {};
  const tell = (type, [clientX, clientY], buttons = 1) =>
    target.dispatchEvent(
      new PointerEvent(type, { ...finger, clientX, clientY, buttons }),
    );
  tell('pointerdown', places[0]);
  for (const place of places) {
    tell('pointermove', place);
    await new Promise(requestAnimationFrame);
  }
  tell('pointerup', places.at(-1), 0);
  Element.prototype.setPointerCapture = setPointerCapture;
"""


def complaints_in(said: list[str]) -> list[str]:
    """What is wrong with a page, of what its console says."""
    return [line for line in said if not HARMLESS.search(line)]


class Tab:
    """A page of a browser."""

    def __init__(self, browser: OtherBrowser, handle: str) -> None:
        self.browser = browser
        self.handle = handle
        self.is_closed = False

    def open(self, url: str) -> None:
        self.browser.navigate(self.handle, url)

    def run(self, script: str, **values: Any) -> Any:
        """The result of the body of an async function that has these values."""
        names = ", ".join(values)
        text = self.browser.run(
            self.handle,
            f"const {{ {names} }} = {json.dumps(values)};\n"
            f"const result = await (async () => {{ {script} }})();\nreturn JSON.stringify(result ?? null);",
        )
        return json.loads(text)

    def until(self, expression: str, timeout: float = SOON, **values: Any) -> Any:
        """Wait until this expression is true, and return it."""
        try:
            return eventually(lambda: self.run(f"return document.body && ({expression});", **values), timeout)
        except AssertionError:
            where = self.run("return [location.pathname, document.body.dataset.link, document.body.innerText];")
            raise AssertionError(f"never came true: {expression} with {values}, on {where}") from None

    def is_live(self, timeout: float = SOON) -> None:
        """Wait until the page has its connection."""
        self.until("document.body.dataset.link === 'live'", timeout)

    def is_lost(self) -> None:
        """Wait until the page knows that it has none."""
        self.until("['reconnecting', 'offline'].includes(document.body.dataset.link)")

    def says(self, selector: str, text: str) -> None:
        """Wait until an element has this text in it."""
        found = "[...document.querySelectorAll(selector)].some((one) => one.textContent.includes(text))"
        self.until(found, selector=selector, text=text)

    def box(self, selector: str) -> dict[str, float]:
        """Where on the screen the first visible element is, once it has come to rest."""
        return self.until(  # type: ignore[no-any-return]
            """await (async () => {
              const one = [...document.querySelectorAll(selector)].find((each) => each.checkVisibility());
              if (!one) return null;
              one.scrollIntoView({ block: 'nearest' });
              const now = () => JSON.stringify(one.getBoundingClientRect());
              const before = now();
              await new Promise(requestAnimationFrame);
              await new Promise(requestAnimationFrame);
              return before === now() && JSON.parse(before);
            })()""",
            selector=selector,
        )

    def press(self, selector: str) -> None:
        """Click in the middle of an element."""
        box = self.box(selector)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self._point("mouse", [(x, y)])

    def drag(self, selector: str, start: float, end: float, *, by: str = "mouse") -> None:
        """Put a mouse or a finger (`touch`) on an element, move it sideways, and let it go. Shares are of its width."""
        box, moves = self.box(selector), 12
        shares = [start + (end - start) * move / moves for move in range(moves + 1)]
        places = [(box["x"] + box["width"] * share, box["y"] + box["height"] / 2) for share in shares]
        if by == "touch" and not self.browser.has_fingers:
            self.run(TOUCH, selector=selector, places=places)
        else:
            self._point(by, places)

    def type(self, selector: str, text: str) -> None:
        """Press a field, and type in it."""
        self.press(selector)
        self.until("document.activeElement.matches(selector)", selector=selector)
        keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self.browser.perform(self.handle, [{"type": "key", "id": "keys", "actions": keys}])

    def _point(self, kind: str, places: Sequence[tuple[float, float]]) -> None:
        moves = [
            {"type": "pointerMove", "x": round(x), "y": round(y), "duration": FRAME, "origin": "viewport"}
            for x, y in places
        ]
        down, up = ({"type": name, "button": 0} for name in ("pointerDown", "pointerUp"))
        actions = [moves[0], down, *moves[1:], up]
        source = {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": actions}
        self.browser.perform(self.handle, [source])


class OtherBrowser(ABC):
    """A running browser with an empty profile. `said` is what its consoles have said: errors and warnings."""

    has_fingers = can_go_offline = True
    keeps_pages = False  # one with an open WebSocket, for the button Back

    def __init__(self) -> None:
        self.said: list[str] = []

    @property
    def complaints(self) -> list[str]:
        """What is wrong with the pages, as the consoles have it."""
        return complaints_in(self.said)

    @abstractmethod
    def new_window(self) -> Tab:
        """Open a window, which is seen together with the others."""

    @abstractmethod
    def new_tab(self) -> Tab:
        """Open a tab that is hidden behind another one."""

    @abstractmethod
    def bring_forth(self, hidden: Tab, front: Tab) -> None:
        """Bring a hidden tab to the front, in the place of another one."""

    @abstractmethod
    def close(self, tab: Tab) -> None: ...

    @abstractmethod
    def resize(self, tab: Tab, width: int, height: int) -> None:
        """Give the page this size, in px."""

    @abstractmethod
    def navigate(self, handle: str, url: str) -> None: ...

    @abstractmethod
    def back(self, tab: Tab) -> None:
        """Press the button Back."""

    @abstractmethod
    def run(self, handle: str, body: str) -> str: ...

    @abstractmethod
    def perform(self, handle: str, actions: Sequence[Mapping[str, Any]]) -> None: ...

    @abstractmethod
    def screenshot(self, tab: Tab, to: Path) -> None: ...
