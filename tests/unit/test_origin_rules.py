"""The rule of `cors_origins`: what an origin is, which of them are one, and what the log advises."""

from __future__ import annotations

import re

import pytest

from asgi_app.errors import SetupError
from asgi_app.net.origins import Origins, canonical
from asgi_app.settings import read_settings

# Everything that clients are known to send, and what they might.
SENT = [
    "null",
    "NULL",
    "file://",
    "file:///",
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
    "app://.",
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    "moz-extension://0a1b2c3d-0000-4000-8000-000000000000",
    "vscode-webview://1id3f5",
    "ws://192.168.4.1:81",
    "https://My.Page",
    "https://my.page:443",
    "http://[fd00::7]:8080",
    "http://xn--bcher-kva.example",
    # none of these is an origin, and programs send them all the same
    "my.page",
    "192.168.4.1",
    "about:blank",
    "https://my.page/path",
    "https://my.page, https://other.page",
    "https://it's.page",
    'https://quo"te',
    "https://back\\slash",
    "https://b\xfccher.example",
    "x" * 5000,
    " ",
    "*",
]


@pytest.mark.parametrize("origin", SENT, ids=lambda origin: origin[:40])
@pytest.mark.parametrize("before", [[], ["https://another.page"]])
def test_what_the_log_advises_is_taken_and_allows_it(
    origin: str, before: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    asked = {"scheme": "http", "host": "pi:5000"}
    assert not Origins(before).allows(origin, **asked)
    (line,) = caplog.messages
    advised = re.search(r"cors_origins = \[(.*?)\] would allow it", line)
    assert advised
    names = [name.strip("'") for name in advised[1].split(", ")]
    assert set(before) <= set(names) or names == ["*"]
    settings = read_settings(cors_origins=names)
    assert Origins(settings.cors_origins).allows(origin, **asked)
    assert len(line) < 500


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://127.0.0.1:5000", "localhost:5000", True),
        ("http://localhost:5000", "127.0.0.1:5000", True),
        ("http://[::1]:5000", "LOCALHOST:5000", True),
        ("http://localhost:5000", "[::1]:5000", True),
        ("http://localhost", "127.0.0.1:80", True),
        ("http://localhost:80", "[::1]", True),
        ("http://pi.local:5000", "PI.local.:5000", True),
        ("http://localhost:5001", "127.0.0.1:5000", False),
        ("https://localhost:5000", "127.0.0.1:5000", False),
        ("http://localhost:5000", "192.168.0.9:5000", False),
        ("http://192.168.0.9:5000", "localhost:5000", False),
        ("http://localhost.evil.page:5000", "localhost:5000", False),
        ("http://127.0.0.1.evil.page:5000", "127.0.0.1:5000", False),
        ("http://127.0.0.2:5000", "127.0.0.1:5000", False),
        ("http://[::1]evil:5000", "[::1]:5000", False),
        ("http://pi:5000@evil.page", "pi:5000", False),
        ("null", "localhost:5000", False),
        ("null", "null", False),
        ("http://", None, False),
        ("http://", "", False),
        ("file://localhost:5000", "localhost:5000", False),
    ],
)
def test_the_names_of_this_machine_with_one_port_are_one_origin(origin: str, host: str | None, own: bool) -> None:
    assert Origins([]).is_own(origin, scheme="http", host=host) is own
    assert Origins([]).is_own(origin, scheme="ws", host=host) is own


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://my.page", "https://my.page:443"),
        ("http://my.page:80", "HTTP://My.Page"),
        ("file://", "file:///"),
        ("https://my.page", "https://my.page."),
    ],
)
def test_two_ways_to_write_an_origin(one: str, other: str) -> None:
    assert canonical(one) == canonical(other) is not None


@pytest.mark.parametrize(
    "name", ["my.page", "https://my.page/", "https://my.page/a", "", "nil", "https:/my.page", "//a"]
)
def test_a_setting_that_is_no_origin(name: str) -> None:
    with pytest.raises(SetupError, match=r"not an origin. Write https://my.page.*null"):
        read_settings(cors_origins=[name])
