"""A file of secrets that is damaged, emptied, deleted or unreadable: nobody is let in by it, and names stay closed."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.panel_process import NO_TLS, RunningPanel, eventually, run_pilotlight
from tests.support.signing_in import cookie_of, pin_of, sign_in, slug, token_of
from tests.support.slow_cases import slow

PASSWORD = "correct horse"
Start = Callable[..., RunningPanel]


def without(file: Path, key: str) -> None:
    known = json.loads(file.read_text())
    del known[key]
    file.write_text(json.dumps(known))


def changed(file: Path, **fields: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def until_closed(socket: ClientConnection) -> str:
    """What it says before it is closed."""
    said = ""
    with suppress(ConnectionClosed):
        while True:
            said += str(socket.recv(30))
    return said


HARMS: dict[str, Callable[[Path], object]] = {
    "damaged": lambda file: file.write_text(file.read_text()[:-40]),
    "emptied": lambda file: file.write_text(""),
    "an empty object": lambda file: file.write_text("{}"),
    "noise": lambda file: file.write_bytes(os.urandom(500)),
    "zeros": lambda file: file.write_bytes(bytes(4096)),
    "without names": lambda file: without(file, "names"),
    "without tokens": lambda file: without(file, "tokens"),
    "without a secret": lambda file: without(file, "secret"),
    "an empty PIN": lambda file: changed(file, pin=""),
    "an empty secret": lambda file: changed(file, secret=""),
    "names of another kind": lambda file: changed(file, names=[]),
    "deleted": lambda file: file.unlink(),
    "a directory": a_directory,
    "a pipe": a_pipe,
    "a link to nowhere": lambda file: (file.unlink(), file.symlink_to("nowhere")),
}


def harm(panel: RunningPanel, how: str) -> Path:
    """Harm the file; a copy of how it was."""
    file = panel.data / "access.json"
    copy = panel.data / "copy.json"
    shutil.copy2(file, copy)
    HARMS[how](file)
    return copy


def mend(copy: Path) -> None:
    file = copy.with_name("access.json")
    if file.is_dir():
        file.rmdir()
    os.replace(copy, file)


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPanel]:
    with RunningPanel(tmp_path_factory.mktemp("lost") / "data", role_loopback="viewer") as running:
        yield running


@pytest.fixture(scope="module")
def bearer(panel: RunningPanel) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(panel, 'operator')}"}


@pytest.fixture
def harmed(panel: RunningPanel) -> Iterator[Callable[[str], Path]]:
    """Harm its file, which is mended at the end of the test."""
    copies: list[Path] = []

    def one(how: str) -> Path:
        copies.append(harm(panel, how))
        return copies[-1]

    yield one
    for copy in copies:
        if copy.exists():
            mend(copy)


@pytest.mark.parametrize("how", HARMS)
def test_while_it_cannot_be_read_nobody_is_signed_in_and_names_stay_closed(
    panel: RunningPanel, bearer: dict[str, str], harmed: Callable[[str], Path], how: str
) -> None:
    pin = pin_of(panel)
    cookie = {"Cookie": cookie_of(sign_in(panel, pin=pin, name="Ada", password=PASSWORD))}
    assert panel.get("/access/me", headers=cookie).json()["name"] == "Ada"
    with connect(panel.socket_url("/live"), additional_headers=cookie) as socket:
        socket.recv(30)

        copy = harmed(how)

        for answer in (sign_in(panel, pin=pin), sign_in(panel, pin="00000000"), panel.get("/led", headers=bearer)):
            assert (answer.status_code, slug(answer)) == (503, "secrets-unreadable")
        assert slug(sign_in(panel, name="Ada", password=PASSWORD)) == "secrets-unreadable"
        assert panel.get("/access/me", headers=cookie).json() == panel.get("/access/me").json()
        assert slug(panel.get("/led", params={"name": "Ada"})) == "name-taken"
        assert panel.post("/led", json={"level": 1}, headers=cookie).status_code == 401
        until_closed(socket)
        assert socket.close_code == 4401
    assert "access.json" in panel.get("/health/ready").json()["not_ready"]["access"]
    assert panel.log().count("[secrets_unreadable") >= 1

    mend(copy)
    assert panel.get("/access/me", headers=cookie).json()["name"] == "Ada"  # also without waiting
    assert panel.get("/led", headers=bearer).status_code == 200
    assert sign_in(panel, pin=pin).status_code == 200
    eventually(lambda: panel.get("/health/ready").status_code == 200)


@pytest.mark.parametrize("how", ["deleted", *slow("damaged", "emptied", "an empty object", "a pipe")])
def test_a_start_without_it_keeps_names_closed(start_panel: Start, how: str) -> None:
    panel = start_panel()
    cookie = {"Cookie": cookie_of(sign_in(panel, name="Ada", password=PASSWORD))}
    eventually(lambda: panel.metrics()["pilotlight_store_commits_total", ""] >= 1)
    panel.stop()
    copy = harm(panel, how)

    panel.start()
    cookie["Cookie"] = cookie["Cookie"].replace("pilotlight-0=", f"pilotlight-{panel.port}=")  # named by the setting

    assert panel.get("/access/names").json()["names"] == [{"name": "Ada", "at": None, "lost": True}]
    assert panel.get("/access/me", headers=cookie).json()["name"] is None
    for name in ("Ada", "ADA", "Ａda", "\N{CYRILLIC CAPITAL LETTER A}da", "A\u034fda"):
        assert slug(panel.get("/led", params={"name": name})) == "name-taken"
        with connect(panel.socket_url(f"/{name}")) as socket:
            assert "name-taken" in until_closed(socket)
    signed_in = sign_in(panel, name="Ada", password=PASSWORD)
    assert slug(signed_in) == ("name-taken" if how == "deleted" else "secrets-unreadable")
    if how == "deleted":  # then it has a file of its own, and goes on
        assert sign_in(panel, pin=pin_of(panel)).status_code == 200
        assert panel.post("/access/names/Ada/release").status_code == 200
        assert panel.get("/access/names").json()["names"] == []
        panel.restart()
        assert sign_in(panel, name="Ada", password="another password").status_code == 200
    else:
        assert panel.get("/health/ready").status_code == 503
        done = run_pilotlight("pin", f"--data={panel.data}")
        assert done.returncode == 2
        assert "makes no sense" in done.stderr
        mend(copy)
        assert panel.get("/access/me", headers=cookie).json()["name"] == "Ada"
        assert [name["lost"] for name in panel.get("/access/names").json()["names"]] == [False]


def test_a_token_that_is_revoked_while_no_file_can_be_opened(start_panel: Start) -> None:
    panel = start_panel(role_loopback="viewer")
    token, other = token_of(panel, "operator"), token_of(panel, "operator")
    id = run_pilotlight("token", "list", f"--data={panel.data}").stdout.split()[0]
    with (
        httpx.Client(
            base_url=panel.url, headers={"Authorization": f"Bearer {token}"}, timeout=30, verify=NO_TLS
        ) as revoked,
        httpx.Client(
            base_url=panel.url, headers={"Authorization": f"Bearer {other}"}, timeout=30, verify=NO_TLS
        ) as kept,
    ):
        assert revoked.post("/led", json={"level": 5}).status_code == 200
        assert kept.post("/led", json={"level": 6}).status_code == 200
        process = psutil.Process(panel.process.pid)
        before = process.rlimit(psutil.RLIMIT_NOFILE)
        process.rlimit(psutil.RLIMIT_NOFILE, (3, before[1]))  # none that it does not have

        assert run_pilotlight("token", "revoke", id, f"--data={panel.data}").returncode == 0

        assert revoked.post("/led", json={"level": 7}).status_code == 503
        assert kept.post("/led", json={"level": 8}).status_code == 503  # it may be the one
        assert before[0] != resource.RLIM_INFINITY
        process.rlimit(psutil.RLIMIT_NOFILE, before)
        assert revoked.post("/led", json={"level": 7}).status_code == 401
        assert kept.post("/led", json={"level": 8}).status_code == 200


def test_a_name_that_is_released_is_free_also_after_the_file_is_lost(start_panel: Start) -> None:
    panel = start_panel()
    cookie_of(sign_in(panel, name="Bea", password=PASSWORD))
    assert panel.post("/access/names/Bea/release").status_code == 200
    panel.stop()
    (panel.data / "access.json").unlink()
    panel.start()
    assert panel.get("/access/names").json()["names"] == []
    assert panel.get("/led", params={"name": "Bea"}).status_code == 200
