"""The files of the pages over HTTP: what browsers keep, what is compressed, and what a page costs."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.support.panel_process import ROOT, RunningPanel

MOST_BYTES = 85_500  # of a first visit to the lights; with the heads of the answers 90 KB (docs/screens.md)
MOST_REQUESTS = 15
FOR_GOOD = "public, max-age=31536000, immutable"
PAGES = ("/", "/plan", "/chat", "/watch", "/settings", "/settings/device", "/settings/system", "/access", "/lab",
         "/compare", "/docs", "/docs/sockets")  # fmt: skip
LATER = re.compile(r"'(/static/bundle/[^'?]+)'")
ADDRESS = re.compile(r'(?:href|src)="(/static/[^"]+)"')


def raw(panel: RunningPanel, path: str, encoding: str = "gzip", **headers: str) -> tuple[httpx.Response, bytes]:
    """The answer, and its body as it came over the wire."""
    with httpx.stream("GET", panel.url + path, headers={"Accept-Encoding": encoding, **headers}) as response:
        body = b"".join(response.iter_raw())
    return response, body


def test_a_first_visit_is_small(panel: RunningPanel) -> None:
    response, html = raw(panel, "/")
    addresses = ADDRESS.findall(httpx.get(panel.url + "/").text)
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(addresses) + 4 <= MOST_REQUESTS  # the page itself, who I am, the clock, the socket
    sizes = {address: len(raw(panel, address)[1]) for address in addresses if "apple" not in address}
    sizes = {address: size for address, size in sizes.items() if "icon-180" not in address}  # asked for by Apple only
    assert len(html) + sum(sizes.values()) <= MOST_BYTES, sizes


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_is_kept_for_good(panel: RunningPanel, page: str) -> None:
    """But for the manifest, which has no version: browsers ask for it at its own times."""
    addresses = [path for path in ADDRESS.findall(panel.get(page).text) if not path.endswith(".webmanifest")]
    assert sum(address.startswith("/static/bundle/") for address in addresses) == 2
    for address in addresses:
        answer = panel.get(address)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, FOR_GOOD), address
    assert panel.get(page).headers["Cache-Control"] == "no-cache"


def test_a_panel_knows_bundles_of_pages_that_it_has_not_sent(panel: RunningPanel, tmp_path: Path) -> None:
    """As after a restart below an open page, or behind a balancer before two fronts."""
    pages = [panel.get(page).text for page in PAGES] + [
        httpx.get(panel.url + "/nothing", headers={"Accept": "text/html"}).text
    ]
    bundles = {path for page in pages for path in ADDRESS.findall(page) if path.startswith("/static/bundle/")}
    assert len(bundles) > len(PAGES)
    bundles |= {path for bundle in bundles for path in LATER.findall(panel.get(bundle).text)}
    with RunningPanel(tmp_path) as fresh:
        for bundle in sorted(bundles):
            assert fresh.get(bundle).text == panel.get(bundle).text, bundle
        assert fresh.get("/static/bundle/0123456789ab.js").status_code == 404


@pytest.mark.parametrize(
    ("path", "encoding", "packed"),
    [
        ("/static/socket.io.js", "gzip", True),
        ("/static/socket.io.js", "gzip, deflate, br", True),
        ("/static/socket.io.js", "*", True),
        ("/static/socket.io.js", "identity", False),
        ("/static/socket.io.js", "br", False),
        ("/static/socket.io.js", "gzip;q=0", False),
        ("/static/socket.io.js", "", False),
        ("/static/icons/icon-180.png", "gzip", False),
        ("/static/vendor/geist/geist-latin-wght-normal.woff2", "gzip", False),
        ("/", "gzip", True),
        ("/", "identity", False),
    ],
)
def test_text_is_compressed_for_who_takes_it(panel: RunningPanel, path: str, encoding: str, packed: bool) -> None:
    response, body = raw(panel, path, encoding)
    assert response.headers.get("Content-Encoding") == ("gzip" if packed else None)
    assert int(response.headers["Content-Length"]) == len(body)
    assert ("Accept-Encoding" in response.headers.get("Vary", "")) == (path == "/" or path.endswith(".js"))
    assert httpx.get(panel.url + path).content == httpx.get(panel.url + path, headers={"Accept-Encoding": ""}).content


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize("path", ["/", "/static/socket.io.js", "/static/icons/icon-180.png"])
def test_what_has_not_changed_is_not_sent_again(panel: RunningPanel, path: str, encoding: str) -> None:
    first, _ = raw(panel, path, encoding)
    again, body = raw(panel, path, encoding, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, body) == (304, b"")
    other, _ = raw(panel, path, encoding, **{"If-None-Match": '"another"'})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "cache"),
    [
        ("/static/socket.io.js", 200, "no-cache"),
        ("/static/socket.io.js?v=000000000000", 200, "no-cache"),  # of another version of the panel
        ("/static/bundle/000000000000.js", 404, None),
        ("/static/bundle/", 404, None),
        ("/static/icons", 404, None),
        ("/static/../README.md", 404, None),
        ("/static/..%2fREADME.md", 404, None),
        ("/static/a%00b", 404, None),
    ],
)
def test_an_address_without_its_version(panel: RunningPanel, path: str, status: int, cache: str | None) -> None:
    answer = panel.get(path)
    assert answer.status_code == status
    if cache is not None:
        assert answer.headers["Cache-Control"] == cache


def test_a_part_of_a_file(panel: RunningPanel) -> None:
    whole, _ = raw(panel, "/static/icons/icon-180.png")
    part, body = raw(panel, "/static/icons/icon-180.png", Range="bytes=10-19")
    assert (part.status_code, len(body)) == (206, 10)
    assert part.headers["Content-Range"] == f"bytes 10-19/{whole.headers['Content-Length']}"


def test_icons_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "static" / "icons").iterdir()}
    assert max(sizes.values()) < 20_000, sizes
