"""`pilotlight service`: the systemd unit that runs the panel for good, with as few rights as it needs.

The system's unit has a user of its own that systemd makes for it (`DynamicUser`) and sees nothing of the machine but
the pins, its data directory and the network. The one of a user runs with that user's rights, less what a user's manager
can take away. Each line is explained in systemd.exec(5); docs/operating.md says what was chosen and why.
"""

from __future__ import annotations

import grp
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from asgi_app.errors import SetupError

NAME = "pilotlight.service"
SYSTEM_DIRECTORY = Path("/etc/systemd/system")
GROUPS = ("gpio",)  # who may use /dev/gpiochip* on Raspberry Pi OS
WATCHDOG_SECONDS = 15
MEMORY_MIB = 256  # of the panel itself, with all that its clients have not read (docs/operating.md)
CONNECTION_KIB = 64  # of each connection, at most: its own buffers, on either server
HOMES = ("/home", "/root", "/run/user")

# Of the system and of a user alike: nothing here needs a right that a user's manager has not.
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
    """What the unit runs: flags of `serve`, and the settings that decide what it may do."""

    system: bool
    flags: list[str]
    port: int
    connections: int
    cert: Path | None = None
    key: Path | None = None

    @property
    def file(self) -> Path:
        """Where it belongs."""
        if self.system:
            return SYSTEM_DIRECTORY / NAME
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        return home / "systemd" / "user" / NAME

    def text(self) -> str:
        """The unit file."""
        files = {"cert": self.cert, "key": self.key} if self.system else {}
        credentials = {name: file for name, file in files.items() if file is not None}
        own = ["--data=%S/pilotlight", *(f"--{name}=%d/{name}" for name in credentials)] if self.system else []
        service = [
            "Type=notify",
            " ".join([f"ExecStart={_command('serve', self.flags)}", *own]),
            " ".join([f"ExecStopPost=-{_command('exit-levels', self.flags)}", *own]),
            *(f"LoadCredential={name}:{_escaped(str(file.resolve()))}" for name, file in credentials.items()),
            "Restart=always",
            "RestartSec=1",
            "RestartPreventExitStatus=2",  # the settings are wrong: the log says which
            f"WatchdogSec={WATCHDOG_SECONDS}",
            "TimeoutStartSec=60",
            "TimeoutStopSec=10",
            f"LimitNOFILE={self.connections + 256}",
            f"MemoryMax={MEMORY_MIB + self.connections * CONNECTION_KIB // 1024}M",
            *(self._own_user() if self.system else []),
            *SANDBOX.splitlines(),
            *(SYSTEM_SANDBOX.splitlines() if self.system else []),
        ]
        return "\n".join(
            [
                "# Written by pilotlight service install; pilotlight service uninstall takes it away.",
                "[Unit]",
                "Description=Pilot Light, a live control panel for lights",
                "After=network-online.target pigpiod.service" if self.system else "After=network.target",
                *(["Wants=network-online.target"] if self.system else []),
                "StartLimitIntervalSec=60",
                "StartLimitBurst=10",
                "",
                "[Service]",
                *service,
                "",
                "[Install]",
                f"WantedBy={'multi-user' if self.system else 'default'}.target",
                "",
            ]
        )

    def _own_user(self) -> list[str]:
        bind = "CAP_NET_BIND_SERVICE" if 0 < self.port < 1024 else ""
        code = sorted({prefix for prefix in (sys.prefix, sys.base_prefix) if prefix.startswith(HOMES)})
        groups = [name for name in GROUPS if _there_is(name)]
        return [
            "DynamicUser=yes",
            "User=pilotlight",
            *(f"SupplementaryGroups={name}" for name in groups),
            "StateDirectory=pilotlight",
            "StateDirectoryMode=0700",
            "WorkingDirectory=%S/pilotlight",  # lgpio makes a pipe there: in / it may not
            f"CapabilityBoundingSet={bind}",
            f"AmbientCapabilities={bind}",
            "ProtectHome=tmpfs" if code else "ProtectHome=yes",
            *(f"BindReadOnlyPaths={_escaped(path)}" for path in code),
        ]


def install(unit: Unit) -> list[str]:
    """Write the unit and have systemd look at it; what to do next. Raises `SetupError`."""
    try:
        unit.file.parent.mkdir(parents=True, exist_ok=True)
        unit.file.write_text(unit.text())
    except OSError as error:
        raise SetupError(f"cannot write {unit.file} ({error.strerror}){_as_root(unit)}") from None
    _systemctl(unit, "daemon-reload")
    flag = "" if unit.system else " --user"
    next_steps = [f"wrote {unit.file}", f"start it, now and always: systemctl{flag} enable --now pilotlight"]
    if not unit.system:
        next_steps.append("also while you are not logged in: loginctl enable-linger")
    return next_steps


def uninstall(unit: Unit) -> list[str]:
    """Stop it and take the unit away; what was done. Raises `SetupError`."""
    if not unit.file.exists():
        return [f"there is no {unit.file}"]
    _systemctl(unit, "disable", "--now", NAME)
    try:
        unit.file.unlink()
    except OSError as error:
        raise SetupError(f"cannot remove {unit.file} ({error.strerror}){_as_root(unit)}") from None
    _systemctl(unit, "daemon-reload")
    return [f"removed {unit.file}; what the panel remembers is still there"]


def _command(name: str, flags: list[str]) -> str:
    """A command line as systemd reads it (systemd.service(5), "Command lines")."""
    parts = [sys.executable, "-m", "asgi_app", name]
    return " ".join(_quoted(word) for word in [*parts, *flags])


def _quoted(word: str) -> str:
    """The word as one, with nothing in it that systemd would replace."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("%", "%%")
    return f'"{text}"' if not text or any(mark in text for mark in " \t'\";") else text


def _escaped(path: str) -> str:
    return path.replace("%", "%%").replace(" ", "\\x20").replace(":", "\\:")


def _there_is(group: str) -> bool:
    try:
        grp.getgrnam(group)
    except KeyError:
        return False
    return True


def _as_root(unit: Unit) -> str:
    return "; run it as root, with sudo" if unit.system and os.geteuid() != 0 else ""


def _systemctl(unit: Unit, *arguments: str) -> None:
    """As far as there is one: a unit is also written where systemd is not running, such as in an image."""
    if (systemctl := shutil.which("systemctl")) is not None:
        scope = [] if unit.system else ["--user"]
        subprocess.run([systemctl, *scope, *arguments], check=False, capture_output=True, timeout=30)
