"""A real nginx in front of a panel, as docs/how-to/put-behind-a-proxy.md writes it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.panel_process import ROOT, RunningPanel, free_port

CONFIGURATION = """
daemon off;
master_process off;
pid {directory}/pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    {documented}
}}
"""


def blocks() -> tuple[str, str]:
    """The server of the page, and its `location` for a path."""
    server, location = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs/how-to/put-behind-a-proxy.md").read_text(), re.S)
    return server, location


class Nginx:
    """nginx on a free port of 127.0.0.1; a context manager."""

    path = ""  # below which it has the panel

    def __init__(self, panel: RunningPanel, directory: Path) -> None:
        self._panel = panel
        self._directory = directory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def _documented(self) -> str:
        """What the docs show."""
        return blocks()[0]

    def _configuration(self) -> str:
        """The same without its TLS, on our ports."""
        documented = self._documented().replace("listen 443 ssl;", f"listen 127.0.0.1:{self.port};")
        documented = re.sub(r"^ +ssl_certificate.*\n", "", documented, flags=re.M)
        documented = documented.replace("http://127.0.0.1:5000", self._panel.url)
        return CONFIGURATION.format(directory=self._directory, documented=documented)

    def __enter__(self) -> Self:
        self._directory.mkdir(exist_ok=True)
        file = self._directory / "nginx.conf"
        file.write_text(self._configuration())
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        self._process = subprocess.Popen([binary, "-p", str(self._directory), "-c", str(file)])
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert self._process.poll() is None, (self._directory / "error.log").read_text()
                assert time.monotonic() < end
                time.sleep(0.01)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)


class BelowPath(Nginx):
    """nginx that has the panel below `/light/`, and takes that off."""

    path = "/light"

    def _documented(self) -> str:
        server, location = blocks()
        below = re.sub(r"    location / \{.*?\n    \}\n", lambda _: location, server, flags=re.S)
        assert below != server
        return below


class BelowKeptPath(BelowPath):
    """The same, but it leaves the path on."""

    def _documented(self) -> str:
        below = super()._documented()
        kept = below.replace("proxy_pass http://127.0.0.1:5000/;", "proxy_pass http://127.0.0.1:5000;")
        assert kept != below
        return kept
