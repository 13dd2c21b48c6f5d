"""`/health/ready` names broken parts to everybody, and the reasons to viewers only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.panel_process import RunningPanel

PROXY = {"X-Forwarded-For": "203.0.113.9"}  # by a proxy that nobody named: a stranger


def test_a_stranger_learns_no_path(start_panel: Callable[..., RunningPanel], tmp_path: Path, server: str) -> None:
    (tmp_path / "in the way").write_text("a file where the directory should be")
    panel = start_panel(server=server, data=tmp_path / "in the way" / "data")
    here, stranger = panel.get("/health/ready"), panel.get("/health/ready", headers=PROXY)
    wrong = panel.get("/health/ready", headers={"Authorization": "Bearer plt_wrong"})
    assert here.status_code == stranger.status_code == wrong.status_code == 503
    assert str(tmp_path) in here.json()["not_ready"]["store"]
    for answer in (stranger, wrong):
        assert answer.json()["not_ready"].keys() == here.json()["not_ready"].keys()
        assert set(answer.json()["not_ready"].values()) == {"It does not work. The panel's log says why."}
        assert str(tmp_path) not in answer.text
