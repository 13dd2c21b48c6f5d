"""TLS: every wire over https and wss, on both servers, with real clients; and files that are no good."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from websockets.asyncio.client import ClientConnection, connect

from asgi_app.errors import SetupError
from asgi_app.server.tls import server_context
from tests.conftest import SERVERS, each_of
from tests.support.certificates import AUTHORITY, issue, trusting
from tests.support.node_clients import NodeClients
from tests.support.panel_process import RunningPanel, eventually, run_pilotlight

server = each_of(*SERVERS, matters=True)


@pytest.fixture(scope="module")
def secure(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    directory = tmp_path_factory.mktemp("tls")
    cert, key = issue(directory)
    with RunningPanel(directory / "data", server=server, cert=cert, key=key) as panel:
        yield panel


def test_the_address_is_https_and_rest_works(secure: RunningPanel) -> None:
    assert secure.url.startswith("https://")
    assert f"is at {secure.url}/" in secure.log()
    with httpx.Client(verify=trusting(), timeout=30) as client:
        assert client.post(f"{secure.url}/led", json={"level": 17}).json() == {"level": 17}
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(secure.url, timeout=30)
        assert client.get(secure.url, headers={"Origin": secure.url}).status_code == 200
        own = client.post(f"{secure.url}/led", json={"level": 18}, headers={"Origin": secure.url})
        assert own.status_code == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_refused(secure: RunningPanel) -> None:
    context = trusting()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(httpx.ConnectError), httpx.Client(verify=context, timeout=30) as client:
        client.get(secure.url)


def test_plain_http_gets_nothing_and_harms_nobody(secure: RunningPanel) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(secure.url.replace("https", "http"), timeout=30)
    assert secure.level() >= 0


async def test_fan_out_over_wss_is_every_step_once_and_in_order(secure: RunningPanel) -> None:
    """Frames go straight to the transport, which is a TLS one here."""
    screens = [
        await connect(secure.socket_url("/live"), ssl=trusting(), compression=None, max_size=None) for _ in range(20)
    ]
    asker = await connect(secure.socket_url("/live"), ssl=trusting())
    for screen in (*screens, asker):
        assert "state" in json.loads(await screen.recv())
    levels = [level % 101 for level in range(1, 151)]
    for id, level in enumerate(levels):
        await asker.send(json.dumps({"do": "set_light", "id": id, "light": "led", "level": level}))
        while f'"reply":{id},' not in str(await asker.recv()):
            pass

    async def shown(screen: ClientConnection) -> list[int]:
        seen: list[tuple[int, int]] = []
        while not seen or seen[-1][1] != levels[-1] or len(seen) < len(levels):
            frame = json.loads(await asyncio.wait_for(screen.recv(), 30))
            seen += [(event["rev"], event["state"]["target"]) for event in frame["events"] if "state" in event]
        assert [rev for rev, _ in seen] == sorted({rev for rev, _ in seen})
        return [level for _, level in seen]

    for seen in await asyncio.gather(*(shown(screen) for screen in screens)):
        assert seen == levels
    for screen in (*screens, asker):
        await screen.close()


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_stock_socketio_page_over_tls(secure: RunningPanel, transport: str) -> None:
    async with NodeClients() as clients:
        page = await clients.connect(secure.url, transport=transport, rejectUnauthorized=False)
        await page.emit("led", {"level": 44})
        await page.next("led", lambda args: args[0] == {"level": 44})


async def test_echo_of_a_large_message(secure: RunningPanel) -> None:
    async with connect(secure.socket_url("/echo"), ssl=trusting(), max_size=None) as echo:
        sent = "x" * 700_000
        await echo.send(sent)
        assert await echo.recv() == sent


def test_a_renewed_certificate_is_taken_at_sighup(
    start_panel: Callable[..., RunningPanel], tmp_path: Path, server: str
) -> None:
    cert, key = issue(tmp_path)
    panel = start_panel(server=server, cert=cert, key=key)

    def serial() -> bytes:
        pem = ssl.get_server_certificate(("127.0.0.1", panel.port))
        return ssl.PEM_cert_to_DER_cert(pem)

    before = serial()
    cert.write_text("half a certi")
    panel.process.send_signal(signal.SIGHUP)
    eventually(lambda: "certificate_refused" in panel.log())
    assert serial() == before
    issue(tmp_path)
    panel.process.send_signal(signal.SIGHUP)
    eventually(lambda: "was read again" in panel.log())
    assert serial() != before


def _encrypt(key: Path) -> None:
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"secret")
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda cert, key: cert.unlink(), "Cannot read {cert} (setting cert): No such file"),
        (lambda cert, key: key.unlink(), "Cannot read {key} (setting key): No such file"),
        (lambda cert, key: cert.write_text("nothing"), "{cert} (setting cert) has no certificate"),
        (lambda cert, key: key.write_text("nothing"), "{key} (setting key) has no private key"),
        (
            lambda cert, key: AUTHORITY.issue_cert("x").private_key_pem.write_to_path(key),
            "The key in {key} does not belong",
        ),
        (lambda cert, key: _encrypt(key), "{key} (setting key) is encrypted"),
        (
            lambda cert, key: cert.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "Cannot use {cert}",
        ),
    ],
    ids=["no cert", "no key", "cert is no PEM", "key is no PEM", "another key", "encrypted", "broken"],
)
def test_files_that_are_no_good(tmp_path: Path, spoil: Callable[[Path, Path], object], says: str) -> None:
    cert, key = issue(tmp_path)
    spoil(cert, key)
    with pytest.raises(SetupError) as raised:
        server_context(cert, key)
    assert says.format(cert=cert, key=key) in raised.value.detail
    assert "\n" not in raised.value.detail


def test_the_key_may_be_in_the_file_of_the_certificate(tmp_path: Path) -> None:
    cert, key = issue(tmp_path)
    with pytest.raises(SetupError, match="--key"):
        server_context(cert, None)
    cert.write_text(cert.read_text() + key.read_text())
    server_context(cert, None)


def test_a_key_without_a_certificate_is_one_line(tmp_path: Path) -> None:
    done = run_pilotlight("serve", "--pins=mock", f"--data={tmp_path}", "--port=0", f"--key={tmp_path}/key.pem")
    assert done.returncode == 2
    assert "--cert" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_tls_handshake_that_does_not_come_is_given_up(
    start_panel: Callable[..., RunningPanel], tmp_path: Path, server: str
) -> None:
    cert, key = issue(tmp_path)
    panel = start_panel(server=server, cert=cert, key=key, request_timeout=0.5)
    with socket.create_connection(("127.0.0.1", panel.port), 30) as silent:
        assert silent.recv(100) == b""
