"""Under which names the panel answers, and what it tells a browser and a program that asks under another."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import httpx
import pytest

from asgi_app.net.hosts import Hosts
from asgi_app.settings import read_settings
from tests.conftest import SERVERS, each_of
from tests.support.panel_process import RunningPanel

server = each_of(*SERVERS, matters=True)

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
OURS = [
    "pi",
    "raspberrypi.local",
    "pi.lan",
    "PI.LAN.",
    "pi.home",
    "pi.corp",
    "pi.internal",
    "pi.home.arpa",
    "pi.localdomain",
    "pi.intranet",
    "pi.private",
    "pi.test",
    "pi.localhost",
    "a.b.lan",
    "pi.fritz.box",
    "10.0.0.7",
    "[fd00::7]",
]
FOREIGN = [
    "pi.example.com",
    "pi.lan.example.com",
    "lan.example.com",
    "pi.box",
    "box.pi.box",
    "evilfritz.box",
    "fritz.box.example.com",
    "pi.host",
    "pi.network",
    "pi.zone",
    "pi.myfritz.net",
    "notlan.dev",
    "10.0.0.7.example.com",
]


@pytest.fixture(scope="module")
def plain(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    """A panel where this machine has only the role viewer: strangers see no more on the page."""
    with RunningPanel(tmp_path_factory.mktemp("plain") / "data", server=server, role_loopback="viewer") as running:
        yield running


def asked(panel: RunningPanel, host: str, path: str = "/led", **headers: str) -> httpx.Response:
    return panel.get(path, headers={"Host": host, **headers})


def test_names_that_public_dns_cannot_have_are_taken(plain: RunningPanel) -> None:
    for host in OURS:
        assert asked(plain, host).status_code == 200, host
        assert asked(plain, f"{host}:{plain.port}").status_code == 200, host


@pytest.mark.parametrize("host", FOREIGN)
def test_a_browser_gets_a_page_with_the_line_and_a_program_json(plain: RunningPanel, host: str) -> None:
    page = asked(plain, f"{host.upper()}:{plain.port}", "/", **BROWSER)
    assert page.status_code == 421
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    line, flag = re.findall(r"<pre>(.*?)</pre>", page.text)
    assert (line.replace("&quot;", '"'), flag) == (f'hosts = ["{host}"]', f"--hosts {host}")

    answer = asked(plain, host)
    assert (answer.status_code, answer.headers["Content-Type"]) == (421, "application/problem+json")
    assert f"hosts = ['{host}']" in answer.json()["detail"]
    assert f"hosts = ['{host}'] would allow it" in plain.log()

    settings = read_settings(hosts=tomllib.loads(line.replace("&quot;", '"'))["hosts"])
    assert Hosts(settings.hosts).allows(host)
    assert Hosts(settings.hosts).allows(f"{host.upper()}.:5000")


@pytest.mark.parametrize(
    "host",
    ["<script>alert(1)</script>.example.com", 'a"b.example.com', "b\xfccher.example.com", "a..example.com", "x." * 300],
)
def test_what_is_no_host_name_is_only_text(host: str) -> None:
    refused = Hosts([]).refusal(host)
    assert (refused.line, refused.flag) == (None, None)
    assert "no host name" in refused.detail
    assert len(refused.detail) < 200


def test_a_page_for_a_strange_name_runs_nothing_of_it(plain: RunningPanel) -> None:
    page = asked(plain, "a&b.example.com", "/", **BROWSER)
    assert page.status_code == 400  # no host at all
    assert "a&amp;b.example.com" in page.text
    assert asked(plain, "evil.example.com", "/", Accept="application/json").headers["Content-Type"].endswith("+json")
    assert plain.post("/led", headers={"Host": "evil.example.com", **BROWSER}).json()["status"] == 421


def test_a_name_that_is_set_is_answered(server: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("named")
    with RunningPanel(directory / "data", server=server, lights='hosts = ["pi.example.com"]\n') as panel:
        assert asked(panel, "PI.example.com:80", "/", **BROWSER).status_code == 200
        asked(panel, "other.example.com")
        assert "hosts = ['other.example.com', 'pi.example.com'] would allow it" in panel.log()
