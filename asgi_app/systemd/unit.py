"""The systemd unit of `pilotlight service`, with as few rights as the panel needs.

The system's service runs as a user that systemd creates for it (`DynamicUser`). It sees only the pins, its data
directory and the network. A user's service runs with the rights of that user, minus those that a user's manager can
remove. systemd.exec(5) explains each line; docs/how-to/run-as-a-service.md gives the reasons.
"""

from __future__ import annotations

import grp
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from asgi_app.errors import SetupError
from asgi_app.systemd import SERVICE_UNIT
from asgi_app.systemd.sandbox import HOMES, Bind, binds, is_in, prove, search_path

NAME = "pilotlight"
SYSTEM_DIRECTORY = SERVICE_UNIT.parent
GROUPS = ("gpio",)  # may use /dev/gpiochip* on Raspberry Pi OS
WATCHDOG_SECONDS = 15
MEMORY_MIB = 256  # for the panel and what its clients have not read yet (docs/how-to/run-as-a-service.md)
CONNECTION_KIB = 64  # buffers of each connection, at most, on either server

# For both kinds of service: a user's manager has the rights to set each of these.
SANDBOX = """\
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
"""

SYSTEM_SANDBOX = """\
ProtectSystem=strict
PrivateTmp=yes
PrivateMounts=yes
DevicePolicy=closed
DeviceAllow=char-gpiochip rw
DeviceAllow=/dev/gpiomem rw
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
"""


class Unit(NamedTuple):
    """The unit: its flags of `serve`, and the settings that decide which rights it needs.

    systemd passes the files to the system's service as credentials, so root alone needs to be able to read them.
    """

    system: bool
    flags: list[str]
    port: int
    connections: int
    cert: Path | None = None
    key: Path | None = None
    config: Path | None = None
    shows: Path | None = None
    engine_password_file: Path | None = None
    mqtt_password_file: Path | None = None
    mqtt_ca: Path | None = None
    environment: dict[str, str] = {}  # noqa: RUF012  # never changed
    instance: str = ""  # of several panels on one machine

    @property
    def name(self) -> str:
        """The name of the unit, without its suffix: systemctl takes `pilotlight@*` for all instances."""
        return f"{NAME}@{self.instance}" if self.instance else NAME

    @property
    def own(self) -> str:
        """The name of its data directory, and of its user. Not below that of another unit, which has another user."""
        return f"{NAME}-{self.instance}" if self.instance else NAME

    @property
    def file(self) -> Path:
        """The path of the unit file."""
        if self.system:
            return SYSTEM_DIRECTORY / f"{self.name}.service"
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        return home / "systemd" / "user" / f"{self.name}.service"

    @property
    def credentials(self) -> dict[str, Path]:
        """The files that systemd passes to the system's service, by the names of their settings."""
        files = {"cert": self.cert, "key": self.key, "config": self.config}
        files["engine-password-file"] = self.engine_password_file
        files |= {"mqtt-password-file": self.mqtt_password_file, "mqtt-ca": self.mqtt_ca}
        return {name: Path(os.path.abspath(file)) for name, file in files.items() if file is not None and self.system}

    @property
    def own_flags(self) -> list[str]:
        """The flags for the directories that systemd gives the system's service: %S (state) and %d (credentials)."""
        return [f"--data=%S/{self.own}", *(f"--{name}=%d/{name}" for name in self.credentials)] if self.system else []

    def text(self) -> str:
        """Return the text of the unit file."""
        environment = [f"{name}={value}" for name, value in self._environment().items()]
        lines = [
            f"# Written by pilotlight service install. To remove it: pilotlight service uninstall{self._option}",
            "[Unit]",
            f"Description=Pilot Light{' ' + self.instance if self.instance else ''}, a live control panel for lights",
            "After=network-online.target pigpiod.service" if self.system else "After=network.target",
            *(["Wants=network-online.target"] if self.system else []),
            "StartLimitIntervalSec=60",
            "StartLimitBurst=10",
            "",
            "[Service]",
            "Type=notify",
            " ".join([f"ExecStart={_command('serve', self.flags)}", *self.own_flags]),
            " ".join([f"ExecStopPost=-{_command('exit-levels', self.flags)}", *self.own_flags]),
            *(f"Environment={_quoted(entry, variables=False)}" for entry in environment),
            *(f"LoadCredential={name}:{_percents(str(file))}" for name, file in self.credentials.items()),
            "Restart=always",
            "RestartSec=1",
            "RestartPreventExitStatus=2",  # a setting is wrong: the log says which
            f"WatchdogSec={WATCHDOG_SECONDS}",
            "TimeoutStartSec=60",
            "TimeoutStopSec=10",
            f"LimitNOFILE={self.connections + 256}",
            f"MemoryMax={MEMORY_MIB + self.connections * CONNECTION_KIB // 1024}M",
            *(self._own_user() if self.system else []),
            *SANDBOX.splitlines(),
            *(SYSTEM_SANDBOX.splitlines() if self.system else []),
            "",
            "[Install]",
            f"WantedBy={'multi-user' if self.system else 'default'}.target",
            "",
        ]
        return "\n".join(lines)

    @property
    def _option(self) -> str:
        return f"{' --system' if self.system else ''}{f' --instance {self.instance}' if self.instance else ''}"

    def _own_user(self) -> list[str]:
        bind = "CAP_NET_BIND_SERVICE" if 0 < self.port < 1024 else ""
        seen = binds(self.shows)
        return [
            "DynamicUser=yes",
            f"User={self.own}",
            *(f"SupplementaryGroups={name}" for name in GROUPS if _exists(name)),
            f"StateDirectory={self.own}",
            "StateDirectoryMode=0700",
            f"WorkingDirectory=%S/{self.own}",  # lgpio creates a pipe there, and may not in /
            f"CapabilityBoundingSet={bind}",
            f"AmbientCapabilities={bind}",
            "ProtectHome=tmpfs" if any(is_in(HOMES, one.path) for one in seen) else "ProtectHome=yes",
            *(f"BindReadOnlyPaths={_bind(one)}" for one in seen),
        ]

    def _environment(self) -> dict[str, str]:
        found = os.pathsep.join(search_path())
        return self.environment | ({"PYTHONPATH": found} if found else {})

    def prove(self, settings: str) -> list[str]:
        """Run `pilotlight service check` as the service would run, and return what to print.

        Raises `SetupError` if that fails, or if it finds other settings than these `settings` (JSON).
        """
        seen = binds(self.shows) if self.system else None
        found = prove([*self.flags, *self.own_flags], self._environment(), seen, self.credentials, self.own)
        if found is None:
            return ["could not test the service on this machine: read its log after you start it"]
        wanted, actual = json.loads(settings), json.loads(found)
        if wrong := [name for name in wanted if wanted[name] != actual.get(name)]:
            raise SetupError(
                f"The service would run with another {', another '.join(wrong)}. Write these into a settings file."
            )
        return ["tested the service: it finds its settings and its files"]


def install(unit: Unit, settings: str) -> list[str]:
    """Test the unit, write it, and have systemd read it. Return what to print. Raises `SetupError`.

    `settings` are those that the service must have, as the hidden `pilotlight service check` prints them.
    """
    if unit.system and os.geteuid() != 0:
        raise SetupError(f"Cannot write {unit.file}{_as_root(unit)}")
    tested = unit.prove(settings)
    try:
        unit.file.parent.mkdir(parents=True, exist_ok=True)
        unit.file.write_text(unit.text(), encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise SetupError(f"Cannot write {unit.file} ({error.strerror}){_as_root(unit)}") from None
    _systemctl(unit, "daemon-reload")
    flag = "" if unit.system else " --user"
    carried = [f"its settings file is {unit.config}"] if unit.config else []
    if unit.environment:
        carried.append(f"from the environment it takes {', '.join(unit.environment)}")
    start = f"to start it now and at every boot: systemctl{flag} enable --now {unit.name}"
    linger = [] if unit.system else ["to run it while you are not logged in: loginctl enable-linger"]
    return [*tested, *carried, f"wrote {unit.file}", start, *linger]


def uninstall(unit: Unit) -> list[str]:
    """Stop the service and remove its unit. Return what to print. Raises `SetupError`."""
    if not unit.file.exists():
        return [f"there is no {unit.file}"]
    _systemctl(unit, "disable", "--now", unit.file.name)
    try:
        unit.file.unlink()
    except OSError as error:
        raise SetupError(f"Cannot remove {unit.file} ({error.strerror}){_as_root(unit)}") from None
    _systemctl(unit, "daemon-reload")
    return [f"removed {unit.file}; the data directory is still there"]


def _command(name: str, flags: list[str]) -> str:
    """Return a command line for systemd (systemd.service(5), "Command lines")."""
    return " ".join(_quoted(word) for word in [sys.executable, "-m", "asgi_app", name, *flags])


def _quoted(word: str, *, variables: bool = True) -> str:
    """Quote a word, so that systemd takes it as it is (systemd.syntax(7), "Quoting").

    With `variables`, as in command lines, systemd replaces `$name`, so each `$` is doubled.
    """
    text = "".join(_ESCAPES.get(mark) or _bytes_of(mark) for mark in _percents(word))
    text = text.replace("$", "$$") if variables else text
    return f'"{text}"' if not text or text != word or any(mark in text for mark in " ';") else text


_ESCAPES = {"\\": "\\\\", '"': '\\"'}


def _bytes_of(mark: str) -> str:
    """Return a character, or the escape sequence of a control character or of a byte that is not UTF-8."""
    if mark.isprintable():
        return mark
    return "".join(f"\\x{byte:02x}" for byte in mark.encode("utf-8", "surrogateescape"))


def _percents(text: str) -> str:
    """Double each %, so that systemd sees no specifier."""
    return text.replace("%", "%%")


def _bind(bind: Bind) -> str:
    paths = [bind.path] if bind.source == bind.path else [bind.source, bind.path]
    return ":".join(_path(str(path)) for path in paths)


def _path(path: str) -> str:
    """Quote a path that has spaces, colons or the like: here systemd does not know `\\x20`."""
    text = _percents(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if any(mark in text for mark in " \t:'\\") else text


def _exists(group: str) -> bool:
    try:
        grp.getgrnam(group)
    except KeyError:
        return False
    return True


def _as_root(unit: Unit) -> str:
    return "; run it as root, with sudo" if unit.system and os.geteuid() != 0 else ""


def _systemctl(unit: Unit, *arguments: str) -> None:
    """Run systemctl, if there is one: a unit can be written where systemd is not running, such as in an image."""
    if (systemctl := shutil.which("systemctl")) is not None:
        scope = [] if unit.system else ["--user"]
        subprocess.run([systemctl, *scope, *arguments], check=False, capture_output=True, timeout=30)
