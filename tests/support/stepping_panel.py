"""A panel whose wall clock the test sets."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.panel_process import RunningPanel, eventually


class SteppingPanel(RunningPanel):
    """A panel whose wall clock can be set."""

    for_real = True  # what was imported before has taken the clock of the machine

    @property
    def offset(self) -> Path:
        return self.data.parent / "offset"

    def program(self) -> Sequence[str]:
        return (sys.executable, "-m", "tests.support.stepping_clock", str(self.offset))

    def set_clock(self, seconds: float) -> None:
        """Let its wall clock be off by so much from now on, at once."""
        new = self.offset.with_name("new")
        new.write_text(str(seconds))
        new.replace(self.offset)


def shows(panel: SteppingPanel, offset: float) -> None:
    """Wait until the panel has seen that its clock is off by so much."""
    panel.set_clock(offset)
    eventually(lambda: abs(panel.light()["at"] - time.time() - offset) < 300)
