"""`pilotlight doctor`: what the panel would do on this machine, and what stands in its way."""

from __future__ import annotations

import errno
import http.client
import os
import shutil
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from asgi_app import __version__
from asgi_app.errors import SetupError
from asgi_app.hw.pins import Address, PinsError, board_model, choose
from asgi_app.hw.power import throttling
from asgi_app.server.fallbacks import IS_32_BIT, missing
from asgi_app.server.listen import ListenError, listen
from asgi_app.server.tls import days_left, server_context
from asgi_app.settings import MIB, Settings, config_in_use, default_config

SCARCE = 50  # MiB of disk
RENEW_DAYS = 14
DAY = 86_400  # seconds


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    good: bool
    what: str
    says: str
    fix: str | None = None


def report(settings: Settings, config: Path | None = None) -> Iterator[Finding]:
    """Look at the board, the pins and lights, and what the settings name. Reaches for the pins, and lets them go.

    A check that fails is a finding too. `config` is the settings file that was named, if one was.
    """
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "version": _version,
        "settings": partial(_settings_file, config),
        "pins": partial(_pins, settings),
        "power": _power,
        "lights": partial(_lights, settings),
        "data": partial(_data, settings.data),
        "port": partial(_port, settings),
        "certificate": partial(_certificate, settings.cert, settings.key),
        "proxies": partial(_proxies, settings),
        "clock": _clock,
    }
    for what, check in checks.items():
        try:
            yield from check()
        except Exception as error:
            says = f"this could not be looked at ({type(error).__name__}: {error})"
            yield Finding(False, what, says, "the other findings may say why; else report it as a fault of the panel's")


def _version() -> Iterator[Finding]:
    yield Finding(True, "version", f"{__version__} on Python {sys.version.split()[0]}")
    yield Finding(True, "board", board_model() or "not a Raspberry Pi")
    if absent := missing():
        names = ", ".join(part.library for part in absent)
        why = "not to be had for a 32-bit system" if IS_32_BIT else "not installed"
        fix = None if IS_32_BIT else f"pip install {' '.join(part.package for part in absent)}"
        instead = ", ".join(part.instead for part in absent)
        yield Finding(True, "libraries", f"{names}: {why}; it runs on {instead}, only slower", fix)


def _settings_file(config: Path | None) -> Iterator[Finding]:
    file = config_in_use(config)
    if file is not None:
        yield Finding(True, "settings", str(file))
    elif (closed := _closed_above(default_config())) is not None:
        fix = "HOME with a directory of yours, or --config with the settings file"
        yield Finding(False, "settings", f"{closed} cannot be looked into, so no settings file was read", fix)


def _pins(settings: Settings) -> Iterator[Finding]:
    pins, hardware = choose(settings.pins, Address(settings.pigpio_host, settings.pigpio_port))
    try:
        pins.connect()
    except PinsError as error:
        yield Finding(False, "pins", f"{hardware.pins}: {error}", hardware.fix)
    else:
        yield Finding(True, "pins", f"{hardware.pins}: {hardware.why}", hardware.fix)
        if pins.name == "mock":
            yield Finding(True, "light", "simulated: no LED will shine, everything else works")
    finally:
        pins.drop()


def _lights(settings: Settings) -> Iterator[Finding]:
    for id, spec in settings.lights.items():
        yield Finding(True, f"light {id}", f"GPIO {spec.pin}, {spec.frequency} Hz, gamma {spec.gamma:g}")


def _closed_above(path: Path) -> Path | None:
    """The directory above this path that one may not look into, if there is one."""
    for folder in reversed(path.absolute().parents):
        if folder.is_dir() and not os.access(folder, os.X_OK):
            return folder
    return None


def _data(data: Path) -> Iterator[Finding]:
    if (closed := _closed_above(data)) is not None:
        yield Finding(False, "data", f"{closed} cannot be looked into", "--data with a directory of yours")
        return
    folder = data.absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        yield Finding(False, "data", f"{folder} is no directory", "--data with a directory of yours")
        return
    if not os.access(folder, os.W_OK):
        fix = f"--data with a directory of yours, or chown {folder}"
        yield Finding(False, "data", f"{folder} cannot be written", fix)
        return
    free = shutil.disk_usage(folder).free // MIB
    if free < SCARCE:
        says, fix = f"{data}: {free} MiB are free", "make room; keep_lines and keep_messages say how much is kept"
        yield Finding(False, "data", says, fix)
        return
    yield Finding(True, "data", f"{data} ({free} MiB free)")


def _port(settings: Settings) -> Iterator[Finding]:
    where = f"{settings.host} port {settings.port}"
    try:
        listen(settings.host, settings.port).close()
    except ListenError as error:
        if error.errno == errno.EADDRINUSE and _is_a_panel(settings):
            yield Finding(True, "port", f"{where}: a panel is running there")
        else:
            yield Finding(False, "port", f"{where}: {error.strerror}", "another --port or --host")
    else:
        yield Finding(True, "port", where)


def _is_a_panel(settings: Settings) -> bool:
    """Whether what listens there answers as a panel does."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host
    connection = http.client.HTTPConnection(host, settings.port, timeout=2)
    if settings.cert is not None:
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE  # it is only asked whether it is one
        connection = http.client.HTTPSConnection(host, settings.port, timeout=2, context=trusting)
    try:
        connection.request("GET", "/health/live")
        return b'"ok":true' in connection.getresponse().read(1000)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _certificate(cert: Path | None, key: Path | None) -> Iterator[Finding]:
    if cert is None:
        return
    try:
        server_context(cert, key)
        days = days_left(cert, key)
    except SetupError as error:
        yield Finding(False, "certificate", error.detail)
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason
        yield Finding(False, "certificate", f"{cert}: {reason}", "a new certificate")
    else:
        if days < RENEW_DAYS:
            fix = "renew it, then send the panel SIGHUP"
            yield Finding(False, "certificate", f"{cert} ends in {days:.0f} days", fix)
        else:
            yield Finding(True, "certificate", f"{cert}, {days:.0f} days left")


def _proxies(settings: Settings) -> Iterator[Finding]:
    everybody = [name for name in settings.trusted_proxies if name.endswith("/0")]
    if everybody:
        says = f"{everybody[0]} is everybody: anyone can say to be anyone"
        yield Finding(False, "proxies", says, "name the proxy's own address in trusted_proxies")
    elif settings.trusted_proxies:
        yield Finding(True, "proxies", f"X-Forwarded-* is believed of {', '.join(settings.trusted_proxies)}")


def _power() -> Iterator[Finding]:
    conditions = throttling()
    if conditions is None:
        return
    now = [name for (name, when), holds in conditions.items() if holds and when == "now"]
    before = [name for (name, when), holds in conditions.items() if holds and when == "since_boot" and name not in now]
    fix = "a stronger power supply" if "under-voltage" in now + before else "cooling"
    if now:
        yield Finding(False, "power", f"now: {', '.join(now)}", fix)
    elif before:
        yield Finding(True, "power", f"well now; since the start there was {', '.join(before)}", fix)
    else:
        yield Finding(True, "power", "well")


def _clock() -> Iterator[Finding]:
    """A Raspberry Pi has no clock of its own: until the network tells it, it may be weeks behind."""
    built = Path(__file__).stat().st_mtime
    if time.time() < built - DAY:
        says = f"{time.ctime()} is before this program was installed"
        yield Finding(False, "clock", says, "timedatectl set-ntp true")
    else:
        yield Finding(True, "clock", time.ctime())
