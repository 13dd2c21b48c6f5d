"""The browser of the tests: Debian's chromium, headless, and nothing but the page under test."""

from __future__ import annotations

import os
import shutil

from playwright.async_api import Browser, Playwright

ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


async def launch(playwright: Playwright) -> Browser:
    """A new headless browser with a profile of its own."""
    path = shutil.which("chromium-headless-shell")
    assert path, "chromium is not installed; `make test` installs it"
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to run as root
    return await playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *sandbox])
