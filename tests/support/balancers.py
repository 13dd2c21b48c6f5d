"""Real balancers in front of the fronts of a home, as docs/scale.md writes them: HAProxy and nginx."""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.nginx import CONFIGURATION
from tests.support.panel_process import ROOT, RunningPanel, free_port

FRONTS = ("192.168.0.11:5000", "192.168.0.12:5000")  # those of the page, in its order
CERTIFICATE = "ssl crt /etc/haproxy/light.pem"


def documented(language: str) -> str:
    """The code block of docs/scale.md in this language."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs/scale.md").read_text(), re.S)
    return str(block)


class Balancer:
    """A balancer on a free port of 127.0.0.1 before servers at these ports; a context manager.

    `panel` is never started: it is how a client sees the home, at the address of the balancer.
    """

    def __init__(self, directory: Path, ports: Sequence[int], certificate: Path | None = None) -> None:
        self.directory = directory
        self.ports = dict(zip(FRONTS, ports, strict=True))
        self.certificate = certificate
        secure = {} if certificate is None else {"cert": certificate}
        self.panel = RunningPanel(directory, port=free_port(), **secure)
        self._process: subprocess.Popen[bytes] | None = None

    def configuration(self) -> str:
        """What the page shows, with our addresses."""
        raise NotImplementedError

    def command(self, file: Path) -> list[str]:
        """How it starts with this file."""
        raise NotImplementedError

    def _at_our_ports(self, text: str) -> str:
        for server, port in self.ports.items():
            assert server in text
            text = text.replace(server, f"127.0.0.1:{port}")
        assert "192.168" not in text
        return text

    def __enter__(self) -> Self:
        self.directory.mkdir(exist_ok=True)
        file = self.directory / "balancer.conf"
        file.write_text(self.configuration())
        self._process = subprocess.Popen(self.command(file))
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.panel.port), 1).close()
                return self
            except OSError:
                assert self._process.poll() is None, "it did not start"
                assert time.monotonic() < end
                time.sleep(0.01)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)


class HAProxy(Balancer):
    """HAProxy; with a `certificate` it has TLS, as on the page."""

    def configuration(self) -> str:
        text = documented("haproxy")
        assert f"bind :443 {CERTIFICATE}" in text
        secure = "" if self.certificate is None else f" ssl crt {self.certificate}"
        text = text.replace(f"bind :443 {CERTIFICATE}", f"bind 127.0.0.1:{self.panel.port}{secure}")
        text = text.replace("maxconn 60000", "maxconn 1000")  # it asks for twice as many files at once
        if os.geteuid() != 0:  # only root can become another user
            text = re.sub(r"^ +(user|group) haproxy\n", "", text, flags=re.M)
        text = text.replace("global\n", f"global\n    stats socket {self.directory}/stats\n")
        return self._at_our_ports(text)

    def is_down(self, server: str) -> bool:
        """Whether it has taken this front out of the backend `fronts`."""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(f"{self.directory}/stats")
            control.sendall(b"show stat\n")
            text = b"".join(iter(lambda: control.recv(65536), b"")).decode()
        rows = csv.DictReader(text.removeprefix("# ").splitlines())
        (status,) = [row["status"] for row in rows if (row["pxname"], row["svname"]) == ("fronts", server)]
        return status == "DOWN"

    def command(self, file: Path) -> list[str]:
        return [shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-q", "-f", str(file)]


class BalancingNginx(Balancer):
    """nginx, without the TLS of the page."""

    def configuration(self) -> str:
        text = documented("nginx")
        assert "listen 443 ssl;" in text
        text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{self.panel.port};")
        text = re.sub(r"^ +ssl_certificate.*\n", "", text, flags=re.M)
        return CONFIGURATION.format(directory=self.directory, documented=self._at_our_ports(text))

    def command(self, file: Path) -> list[str]:
        return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(self.directory), "-c", str(file)]


BALANCERS: dict[str, type[Balancer]] = {"haproxy": HAProxy, "nginx": BalancingNginx}
