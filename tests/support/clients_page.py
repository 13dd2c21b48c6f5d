"""The programs of docs/clients.md, as they are written there but for the address of the panel and the token."""

from __future__ import annotations

import re

from tests.support.panel_process import ROOT

TEXT = (ROOT / "docs" / "clients.md").read_text()
PROGRAM = re.compile(r"^#+ ([^\n]+)\n(?:(?!#)[^\n]*\n)*?```\w+\n(.*?)^```", re.M | re.S)
PROGRAMS: dict[str, str] = dict(PROGRAM.findall(TEXT))  # by their headings


def program(heading: str, port: int, token: str) -> str:
    """The program below a heading, for a panel on this machine."""
    text = re.sub(r"pi\.local\b(\W+)5000", rf"127.0.0.1\g<1>{port}", PROGRAMS[heading])
    return text.replace("plt_…", token)
