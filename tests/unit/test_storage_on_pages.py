"""The pages' reducers learn that nothing is kept now, or is again, without a new snapshot."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.page_reducer import reduced

FULL = {"kept": False, "reason": "pilotlight.db cannot be written (database or disk is full)"}
KEPT = {"kept": True, "reason": None}


@pytest.mark.parametrize("page", ["chat/state.js", "watch/state.js"])
def test_the_page_knows_what_the_panel_said_last(page: str) -> None:
    told: dict[str, Any] = {"lights": {}, "people": {}, "rooms": {}, "runs": {}, "shows": {}, "storage": KEPT}
    snapshot = {"event": "snapshot", "epoch": "first", "rev": 5, "state": told}
    for rev, storage in ((6, FULL), (7, KEPT)):
        changed = {"event": "storage_changed", "rev": rev, "state": storage}
        view = "(page, state) => ({ storage: state.storage, rev: state.rev })"
        assert reduced(page, view, [snapshot, changed]) == {"storage": storage, "rev": rev}
