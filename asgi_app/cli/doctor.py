"""`pilotlight doctor`: checks of this machine, and what to do about what is missing."""

from __future__ import annotations

import errno
import http.client
import os
import shutil
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from asgi_app import __version__
from asgi_app.errors import SetupError
from asgi_app.hw.pins import Address, PinsError, board_model, choose
from asgi_app.hw.power import throttling
from asgi_app.server.fallbacks import IS_32_BIT, missing
from asgi_app.server.interfaces import own_addresses
from asgi_app.server.listen import EVERY, ListenError, listen, url_of
from asgi_app.server.tls import days_left, server_context
from asgi_app.settings import MIB, Settings
from asgi_app.settings_file import config_in_use, default_config, read_secret
from asgi_app.systemd import SERVICE_DATA, SERVICE_UNIT

LEAST_DISK = 50  # MiB
RENEW_DAYS = 14
DAY = 86_400  # seconds


class Finding(NamedTuple):
    """The result of one check: whether it is good, what it is about, what was found, and how to fix it."""

    good: bool
    what: str
    says: str
    fix: str | None = None


def report(settings: Settings, config: Path | None = None) -> Iterator[Finding]:
    """Check the board, the pins, the lights and what the settings name. Claims the pins for a moment.

    A check that raises an error is a finding too. `config` is the settings file that the user named, if any.
    """
    checks = {
        "version": _version(),
        "settings": _settings_file(config),
        "pins": _pins(settings),
        "power": _power(),
        "lights": _lights(settings),
        "data": _data(settings.data),
        "port": _port(settings),
        "service": _service(),
        "certificate": _certificate(settings.cert, settings.key),
        "proxies": _proxies(settings),
        "engine": _engine(settings),
        "mqtt": _mqtt(settings),
        "clock": _clock(),
    }
    for what, findings in checks.items():
        try:
            yield from findings
        except Exception as error:
            says = f"the check failed ({type(error).__name__}: {error})"
            yield Finding(False, what, says, "the other findings may say why; if not, please report this as a bug")


def _version() -> Iterator[Finding]:
    yield Finding(True, "version", f"{__version__} on Python {sys.version.split()[0]}")
    yield Finding(True, "board", board_model() or "not a Raspberry Pi")
    if absent := missing():
        names = ", ".join(part.library for part in absent)
        why = "not available for 32-bit systems" if IS_32_BIT else "not installed"
        fix = None if IS_32_BIT else f"pip install {' '.join(part.package for part in absent)}"
        instead = ", ".join(part.instead for part in absent)
        yield Finding(True, "libraries", f"{names}: {why}; the panel uses {instead}, which is slower", fix)


def _settings_file(config: Path | None) -> Iterator[Finding]:
    file = config_in_use(config)
    if file is not None:
        yield Finding(True, "settings", str(file))
    elif (closed := _closed_above(default_config())) is not None:
        fix = "set HOME to a directory of yours, or name the settings file with --config"
        yield Finding(False, "settings", f"no permission to look into {closed}, so no settings file was read", fix)


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
    """Return the first directory above this path that we have no permission to look into, if any."""
    for folder in reversed(path.absolute().parents):
        if folder.is_dir() and not os.access(folder, os.X_OK):
            return folder
    return None


def _data(data: Path) -> Iterator[Finding]:
    above = (data.absolute(), *data.absolute().parents)
    yours = "name a directory of yours with --data"
    if (closed := _closed_above(data)) is not None:
        yield Finding(False, "data", f"no permission to look into {closed}", yours)
    elif not (folder := next(one for one in above if one.exists())).is_dir():
        yield Finding(False, "data", f"{folder} is not a directory", "name a directory with --data")
    elif not os.access(folder, os.W_OK):
        yield Finding(False, "data", f"{folder} is not writable", f"{yours}, or chown {folder}")
    elif (free := shutil.disk_usage(folder).free // MIB) < LEAST_DISK:
        fix = "free some space; keep_lines, keep_messages and keep_message_bytes limit what is kept"
        yield Finding(False, "data", f"{data}: only {free} MiB free", fix)
    else:
        yield Finding(True, "data", f"{data} ({free} MiB free)")


def _port(settings: Settings) -> Iterator[Finding]:
    where = f"{settings.host} port {settings.port}"
    try:
        listen(settings.host, settings.port).close()
    except ListenError as error:
        if error.errno == errno.EADDRINUSE and _is_a_panel(settings):
            tls, root = settings.cert is not None, settings.root_path
            others = [
                url_of(one, settings.port, tls=tls, root=root) for one in own_addresses() if _is_a_panel(settings, one)
            ]
            says = f", for others at {' and '.join(others)}" if others else ""
            yield Finding(True, "port", f"{where}: a panel is running there{says}")
        else:
            yield Finding(False, "port", f"{where}: {error.strerror}", "choose another --port or --host")
    else:
        yield Finding(True, "port", where)


def _service() -> Iterator[Finding]:
    if SERVICE_UNIT.exists():
        says = f"that of the machine, with its data in {SERVICE_DATA} and its log in journalctl -u pilotlight"
        yield Finding(True, "service", says)


def _is_a_panel(settings: Settings, at: str = "") -> bool:
    """Return whether the program that listens there, or at this address, answers like a panel."""
    host = at or ("127.0.0.1" if settings.host in (*EVERY, "") else settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=2)
    if settings.cert is not None:
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE  # nothing secret is sent
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
        yield Finding(False, "certificate", f"{cert}: {reason}", "get another certificate")
    else:
        if days < RENEW_DAYS:
            fix = "renew it, then send the panel SIGHUP"
            yield Finding(False, "certificate", f"{cert} expires in {days:.0f} days", fix)
        else:
            yield Finding(True, "certificate", f"{cert}, {days:.0f} days left")


def _proxies(settings: Settings) -> Iterator[Finding]:
    everyone = [name for name in settings.trusted_proxies if name.endswith("/0")]
    if everyone:
        says = f"{everyone[0]} trusts every client, so addresses can be forged"
        yield Finding(False, "proxies", says, "put only the proxy's address into trusted_proxies")
    elif settings.trusted_proxies:
        yield Finding(True, "proxies", f"X-Forwarded-* is trusted from {', '.join(settings.trusted_proxies)}")


def _engine(settings: Settings) -> Iterator[Finding]:
    if settings.engine is None:
        return
    try:
        from asgi_app.engine import look
    except ImportError:
        yield Finding(False, "engine", "the package redis is not installed", "pip install 'pilotlight[redis]'")
        return
    try:
        password = read_secret(settings.engine_password_file, "engine_password_file")
        yield Finding(True, "engine", look(settings.engine, password))
    except SetupError as error:
        yield Finding(
            False, "engine", error.detail, "start Redis, or correct the settings engine and engine_password_file"
        )


def _mqtt(settings: Settings) -> Iterator[Finding]:
    if not settings.mqtt_host:
        return
    try:
        from asgi_app.mqtt.look import look
    except ImportError as error:
        yield Finding(False, "mqtt", f"the package {error.name} is not installed", "pip install 'pilotlight[mqtt]'")
        return
    try:
        yield Finding(True, "mqtt", look(settings))
    except SetupError as error:
        fix = "start the broker, or correct the settings that begin with mqtt_"
        yield Finding(False, "mqtt", error.detail, fix)


def _power() -> Iterator[Finding]:
    conditions = throttling()
    if conditions is None:
        return
    now = [name for (name, when), holds in conditions.items() if holds and when == "now"]
    before = [name for (name, when), holds in conditions.items() if holds and when == "since_boot" and name not in now]
    fix = "use a stronger power supply" if "under-voltage" in now + before else "cool the board"
    if now:
        yield Finding(False, "power", f"now: {', '.join(now)}", fix)
    elif before:
        yield Finding(True, "power", f"good now; since boot there was {', '.join(before)}", fix)
    else:
        yield Finding(True, "power", "good")


def _clock() -> Iterator[Finding]:
    """Check the date: a Raspberry Pi has no battery-backed clock, so without a network it may be weeks behind."""
    good = time.time() >= Path(__file__).stat().st_mtime - DAY
    says = time.ctime() if good else f"{time.ctime()} is before this program was installed"
    yield Finding(good, "clock", says, None if good else "timedatectl set-ntp true")
