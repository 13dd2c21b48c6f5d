"""The browser of the tests: Debian's Chromium, headless, and nothing but the page under test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from playwright.async_api import Browser, Playwright

ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The same engine without the browser around it comes first: a page costs half the CPU.
SHELL = ("chromium-headless-shell",)
WHOLE = ("chromium", "google-chrome")


async def launch(playwright: Playwright, *, whole: bool = False, flags: Sequence[str] = ()) -> Browser:
    """A new headless browser with a profile of its own; `whole`: the one that people have; `flags` of the command."""
    programs = (shutil.which(name) for name in ((*WHOLE, *SHELL) if whole else (*SHELL, *WHOLE)))
    path = next((program for program in programs if program), None)
    assert path, "Chromium is not installed. `make test` installs it."
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to run as root
    return await playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *sandbox, *flags])
