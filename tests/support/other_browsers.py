"""Firefox and WebKit, as Debian has them: what a person does in a page, and what its console says.

Firefox is driven by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which it speaks itself. WebKitGTK has a
driver that speaks WebDriver (https://www.w3.org/TR/webdriver2/), and needs a screen: Xvfb gives it one.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from glob import glob
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.support.other_tabs import OtherBrowser, Tab, complaints_in
from tests.support.panel_process import NO_TLS, eventually, free_port

PHONE = (390, 844)
DESKTOP = (1280, 800)
LONG = 60  # seconds for the start of a browser
ENTER = "\ue007"  # https://www.w3.org/TR/webdriver2/#keyboard-actions
BROWSERS = ("firefox", "webkit")
OF_A_PAGE = re.compile(r"CONSOLE.* (WARN|ERROR) ")  # WebKit writes other things to its terminal, too


class Firefox(OtherBrowser):
    def __init__(self, socket: ClientConnection) -> None:
        super().__init__()
        self._socket = socket
        self._last = 0
        self._ask("session.new", capabilities={})
        self._ask("session.subscribe", events=["log.entryAdded"])

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            frame = json.loads(self._socket.recv(LONG))
            if frame.get("method") == "log.entryAdded":
                entry = frame["params"]
                if entry["level"] in ("warn", "error"):
                    self.said.append(f"{entry['level']}: {entry['text']}")
            elif frame.get("id") == self._last:
                assert frame["type"] == "success", f"{method}: {frame['message']}"
                return frame["result"]

    def new_window(self) -> Tab:
        return Tab(self, self._ask("browsingContext.create", type="window")["context"])

    def new_tab(self) -> Tab:
        return Tab(self, self._ask("browsingContext.create", type="tab", background=True)["context"])

    def bring_forth(self, hidden: Tab, front: Tab) -> None:
        self._ask("browsingContext.activate", context=hidden.handle)

    def close(self, tab: Tab) -> None:
        tab.is_closed = True
        self._ask("browsingContext.close", context=tab.handle)

    def resize(self, tab: Tab, width: int, height: int) -> None:
        self._ask("browsingContext.setViewport", context=tab.handle, viewport={"width": width, "height": height})

    def navigate(self, handle: str, url: str) -> None:
        self._ask("browsingContext.navigate", context=handle, url=url, wait="complete")

    def back(self, tab: Tab) -> None:
        self._ask("browsingContext.traverseHistory", context=tab.handle, delta=-1)

    def run(self, handle: str, body: str) -> str:
        expression = f"(async () => {{ {body} }})()"
        reply = self._ask("script.evaluate", expression=expression, target={"context": handle}, awaitPromise=True)
        assert reply["type"] == "success", reply["exceptionDetails"]["text"]
        text: str = reply["result"]["value"]
        return text

    def perform(self, handle: str, actions: Sequence[Mapping[str, Any]]) -> None:
        self._ask("input.performActions", context=handle, actions=actions)

    def screenshot(self, tab: Tab, to: Path) -> None:
        to.write_bytes(base64.b64decode(self._ask("browsingContext.captureScreenshot", context=tab.handle)["data"]))

    def offline(self, tab: Tab, offline: bool) -> None:
        """Take the network from a tab, or give it back."""
        conditions = {"type": "offline"} if offline else None
        self._ask("emulation.setNetworkConditions", contexts=[tab.handle], networkConditions=conditions)


class WebKit(OtherBrowser):
    has_fingers = can_go_offline = False
    keeps_pages = True

    def __init__(self, http: httpx.Client, program: str) -> None:
        super().__init__()
        self._http = http
        options = {"binary": program, "args": ["--automation"]}
        wanted = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}
        self._session = self._ask("/session", **wanted)["sessionId"]
        self._http.base_url = self._http.base_url.join(f"/session/{self._session}/")
        self._now: str = self._ask("window", method="GET")  # the tab that hears what is asked

    def _ask(self, path: str, method: str = "POST", **body: Any) -> Any:
        answer = self._http.request(method, path, json=body if method == "POST" else None).json()["value"]
        assert not (isinstance(answer, dict) and "error" in answer), f"{path}: {answer}"
        return answer

    def _in(self, handle: str) -> None:
        if handle != self._now:
            self._ask("window", handle=handle)
            self._now = handle

    def new_window(self) -> Tab:
        return Tab(self, self._ask("window/new", type="window")["handle"])

    def new_tab(self) -> Tab:
        return Tab(self, self._ask("window/new", type="tab")["handle"])

    def bring_forth(self, hidden: Tab, front: Tab) -> None:
        self.close(front)  # no command brings a tab to the front, but the one behind comes forth

    def close(self, tab: Tab) -> None:
        tab.is_closed = True
        self._in(tab.handle)
        left = self._ask("window", method="DELETE")
        self._in(left[0])  # the one that it began with, which nobody closes

    def resize(self, tab: Tab, width: int, height: int) -> None:
        self._in(tab.handle)
        for _ in range(2):  # the window has a bar above the page
            inner = json.loads(self.run(tab.handle, "return JSON.stringify([innerWidth, innerHeight]);"))
            outer = self._ask("window/rect", method="GET")
            more = {"width": width - inner[0], "height": height - inner[1]}
            self._ask("window/rect", **{side: outer[side] + more[side] for side in more})

    def navigate(self, handle: str, url: str) -> None:
        self._in(handle)
        self._ask("url", url=url)

    def back(self, tab: Tab) -> None:
        self._in(tab.handle)
        self._ask("back")

    def run(self, handle: str, body: str) -> str:
        self._in(handle)
        script = f"const done = arguments[0]; (async () => {{ {body} }})().then(done, (e) => done('!' + e));"
        text: str = self._ask("execute/async", script=script, args=[])
        assert not text.startswith("!"), text
        return text

    def perform(self, handle: str, actions: Sequence[Mapping[str, Any]]) -> None:
        self._in(handle)
        self._ask("actions", actions=actions)

    def screenshot(self, tab: Tab, to: Path) -> None:
        self._in(tab.handle)
        to.write_bytes(base64.b64decode(self._ask("screenshot", method="GET")))


@contextmanager
def running(name: str) -> Iterator[OtherBrowser]:
    """A browser of `BROWSERS`, until the end of the block."""
    with ExitStack() as stack:
        yield (_firefox if name == "firefox" else _webkit)(stack, _home(stack))


def _home(stack: ExitStack) -> dict[str, str]:
    """The environment with a home of its own."""
    home = stack.enter_context(tempfile.TemporaryDirectory(prefix="pilotlight-browser-", ignore_cleanup_errors=True))
    return {
        **os.environ,
        "HOME": home,
        "XDG_RUNTIME_DIR": home,
        "LANG": "en_GB.UTF-8",
        "LANGUAGE": "en_GB",
        "NO_AT_BRIDGE": "1",
    }


def _screen(stack: ExitStack, environment: dict[str, str]) -> dict[str, str]:
    """The environment with a screen of its own."""
    reading, writing = os.pipe()
    size = ["-screen", "0", "1600x1200x24"]
    _start(stack, [_found("Xvfb"), "-displayfd", str(writing), "-nolisten", "tcp", *size], environment, writing)
    os.close(writing)
    with os.fdopen(reading) as told:
        return {**environment, "DISPLAY": f":{told.readline().strip()}"}


def _mini_browser() -> str:
    return _found(*sorted(glob("/usr/lib/*/webkit2gtk-4.*/MiniBrowser"), reverse=True))


def _firefox(stack: ExitStack, environment: dict[str, str]) -> Firefox:
    home = Path(environment["HOME"])
    arguments = ["--headless", "--no-remote", "--profile", str(home), "--remote-debugging-port=0"]
    process = _start(stack, [_found("firefox-esr", "firefox"), *arguments], environment)
    told: list[str] = []
    threading.Thread(target=lambda: told.extend(process.stdout), daemon=True).start()
    pattern = re.compile(r"listening on (ws://\S+)")
    address = eventually(lambda: next((found[1] for line in [*told] if (found := pattern.search(line))), None), LONG)
    return Firefox(stack.enter_context(connect(f"{address}/session", max_size=None)))


def _webkit(stack: ExitStack, environment: dict[str, str]) -> WebKit:
    environment = _screen(stack, environment)
    port = free_port()
    _start(stack, [_found("WebKitWebDriver"), f"--port={port}"], environment)
    http = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", verify=NO_TLS, timeout=LONG))
    eventually(lambda: _answers(http), LONG)
    stack.callback(http.delete, "")
    return WebKit(http, _mini_browser())


def complaints_of_webkit(url: str, is_there: Callable[[], object] | None = None) -> list[str]:
    """Errors and warnings on the console of this page, until `is_there`; without it, until the page has loaded.

    Under the driver WebKit keeps them to itself. So nobody drives this one.
    """
    with ExitStack() as stack:
        environment = _screen(stack, _home(stack))
        ours, theirs = os.openpty()  # what is written to a terminal comes at once
        flags = ["--enable-write-console-messages-to-stdout=true", *([] if is_there else ["--exit-after-load"])]
        process = _start(stack, [_mini_browser(), *flags, url], environment, out=theirs)
        os.close(theirs)
        told: list[str] = []
        reading = threading.Thread(target=_read_lines, args=(ours, told), daemon=True)
        reading.start()
        if is_there:
            eventually(is_there, LONG)
            said = [*told]  # as its processes end, the page's complains of the one for the network, which has gone
        else:
            process.wait(LONG)
            reading.join(LONG)
            said = told
        return complaints_in([line.strip() for line in said if OF_A_PAGE.search(line)])


def _read_lines(file: int, told: list[str]) -> None:
    with suppress(OSError), os.fdopen(file, errors="replace") as lines:  # EIO: all that wrote to it have ended
        told.extend(lines)


def _start(
    stack: ExitStack, command: list[str], environment: dict[str, str], *passed: int, out: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command, env=environment, stdout=out, stderr=subprocess.STDOUT, text=True, pass_fds=passed
    )

    def end() -> None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()

    stack.callback(end)
    return process


def _answers(http: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return http.get("/status").is_success
    return False


def _found(*programs: str) -> str:
    path = next((found for program in programs if (found := shutil.which(program))), None)
    assert path, f"{programs} not installed: `bash tests/packages.sh browsers`"
    return path
