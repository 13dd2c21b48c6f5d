"""The lines of redis.conf that the docs show are enough for panels, and no more: a user of Redis, and TLS."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import redis
import trustme

from tests.support.certificates import AUTHORITY, issue
from tests.support.home import Home
from tests.support.panel_process import ROOT, eventually, free_port
from tests.support.signing_in import pin_of, sign_in

pytestmark = pytest.mark.slow

PASSWORD = "a-long-password"


def block(page: str, begins: str) -> str:
    """The code block of this page of the docs that begins so."""
    (found,) = re.findall(rf"```text\n( *{begins}.*?)```", (ROOT / "docs" / page).read_text(), re.S)
    return str(found)


def encrypted(folder: Path, port: int) -> str:
    """The lines for TLS, with our port and our files."""
    cert, key = issue(folder)
    AUTHORITY.cert_pem.write_to_path(folder / "home.pem")
    text = block("scale.md", "port 0").replace("port 0\n", "").replace("6379", str(port))
    for name, file in {"redis.pem": cert, "redis.key": key, "home.pem": folder / "home.pem"}.items():
        text = text.replace(f"/etc/redis/{name}", str(file))
    assert "/etc" not in text
    return text


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_user_of_redis_and_tls(tmp_path: Path, scheme: str) -> None:
    password = tmp_path / "engine-password"
    password.write_text(PASSWORD + "\n")
    home = Home(tmp_path)
    where = f"127.0.0.1:{home.redis.port}"
    home.redis.settings = block("how-to/join-several-panels.md", "user panel").strip() + "\n"
    if scheme == "rediss":
        port = free_port()
        home.redis.settings += encrypted(tmp_path, port)
        where = f"127.0.0.1:{port}?ssl_ca_certs={tmp_path}/home.pem"
    known = {"engine": f"{scheme}://panel@{where}", "engine_password_file": password}
    with home:
        hall, front = home.node("hall", "led", "shelf", keeper=True, **known), home.front("front", **known)
        eventually(lambda: front.get("/shows").status_code == 200)
        assert sign_in(front, pin=pin_of(hall)).status_code == 200
        for level in range(5):
            assert front.patch("/lights/hall.led", {"level": level}).json()["actual"] == level
        home.agree("hall.led", {"level": 4})
        hall._lights = "[lights.led]\npin = 5\n"  # the other one is no more
        hall.restart()
        eventually(lambda: set(front.get("/lights").json()["lights"]) == {"hall.led"})
        if scheme == "redis":
            hall.kill()
            eventually(lambda: front.light("hall.led")["away_since"])
        assert home.redis.do("ACL", "LOG") == []  # nothing was refused
        assert front.metrics()["pilotlight_engine_joins_total", ""] == 1
        with redis.Redis(port=home.redis.port, username="panel", password=PASSWORD) as other:
            for command in ("HGETALL other:key", "HSET other:key a b", "CONFIG GET *", "FLUSHALL", "PUBLISH other a"):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    other.execute_command(*command.split())


def test_a_redis_with_another_certificate_is_not_believed(tmp_path: Path) -> None:
    home, port = Home(tmp_path), free_port()
    home.redis.settings = encrypted(tmp_path, port)
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with home:
        hall = home.node("hall", "led", engine=f"rediss://127.0.0.1:{port}?ssl_ca_certs={tmp_path}/other.pem")
        assert "engine" in hall.get("/health/ready").json()["not_ready"]
        assert hall.metrics()["pilotlight_engine_joins_total", ""] == 0
        assert hall.patch("/lights/led", {"level": 7}).json()["actual"] == 7
