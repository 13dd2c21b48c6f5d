"""The QR code: on terminals that can show it."""

from __future__ import annotations

import socket

import pytest

from asgi_app.access.qr_code import qr_in_terminal
from asgi_app.cli.banner import banner
from asgi_app.settings import Settings


@pytest.mark.parametrize("encoding", ["utf-8", "cp437", "koi8-r", "gb18030", "utf-16"])
def test_where_there_are_blocks(encoding: str) -> None:
    assert "█" in qr_in_terminal("http://192.168.0.9:5000/", encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "iso8859-15", "no such encoding"])
def test_where_there_are_none(encoding: str) -> None:
    assert qr_in_terminal("http://192.168.0.9:5000/", encoding) == ""


def test_the_code_of_the_terminal_is_asked_for_only_where_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def code() -> str:
        made.append("a code")
        return "abcdefgh12345678"

    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert "QR" not in banner(listener, "12345678", code, Settings())
    with socket.create_server(("0.0.0.0", 0)) as listener:
        monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
        assert "12345678" not in banner(listener, "12345678", code, Settings())
    assert made == []


def test_what_no_qr_code_can_hold() -> None:
    assert qr_in_terminal("http://" + "a" * 5000) == ""
