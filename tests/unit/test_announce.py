"""The QR code: on terminals that can show it."""

from __future__ import annotations

import pytest

from asgi_app.cli.banner import qr_code


@pytest.mark.parametrize("encoding", ["utf-8", "cp437", "koi8-r", "gb18030", "utf-16"])
def test_where_there_are_blocks(encoding: str) -> None:
    assert "█" in qr_code("http://192.168.0.9:5000/", encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "iso8859-15", "no such encoding"])
def test_where_there_are_none(encoding: str) -> None:
    assert qr_code("http://192.168.0.9:5000/", encoding) == ""


def test_what_no_qr_code_can_hold() -> None:
    assert qr_code("http://" + "a" * 5000) == ""
