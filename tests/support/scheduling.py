"""Which worker runs which test: each takes a file at a time, and two of them take all pages.

Not by pytest-xdist's groups: it writes them into the ids of the tests, where pytest 9.2 does not keep them. Then
every test goes to any worker, and each worker starts the panel of each file.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling

BROWSERS = 2


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """The scheduler. The pages go to two workers: each that has pages starts a browser."""

    def __init__(self, config: Any, log: Any) -> None:
        super().__init__(config, log)
        self._pages: dict[str, int] = {}

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith("tests/pages/"):
            return f"pages {self._pages.setdefault(file, len(self._pages)) % BROWSERS}"
        return file
