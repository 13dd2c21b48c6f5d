"""A service as systemd starts it, as far as its unit says: mounts, user, credentials, environment and command line.

Written from systemd.exec(5) and systemd.service(5), and not from what writes the unit.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

DYNAMIC_USER = 61184  # the first that systemd takes (systemd.exec(5), DynamicUser=)
HIDDEN = ("/home", "/root", "/run/user")


class Service:
    """The service of a unit file, started; a context manager. What it prints is its `log`."""

    def __init__(self, unit: str) -> None:
        self._said: dict[str, list[str]] = {}
        for name, value in re.findall(r"^(\w+)=(.*)$", unit, re.M):
            self._said.setdefault(name, []).append(value)
        self._folder = Path(tempfile.mkdtemp(prefix="pilotlight-test-", dir="/run"))
        self.state = self._folder / "state"
        self._credentials = self._folder / "credentials"
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        for folder in (self.state / self._said["StateDirectory"][0], self._credentials):
            folder.mkdir(parents=True)
            os.chown(folder, DYNAMIC_USER, DYNAMIC_USER)
            folder.chmod(0o700)
        self._folder.chmod(0o755)
        for value in self._said.get("LoadCredential", []):
            name, _, source = value.partition(":")
            shutil.copyfile(self._meant(source), self._credentials / name)
            os.chown(self._credentials / name, DYNAMIC_USER, DYNAMIC_USER)
            (self._credentials / name).chmod(0o400)
        self.process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-exc", "\n".join(self._script())],
            env={"PATH": os.defpath, "HOME": "/", **self._environment()},
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.communicate()
        shutil.rmtree(self._folder)

    def until(self, words: str) -> str:
        """What it prints until these words come. Fails where it ends before."""
        assert self.process is not None
        assert self.process.stdout is not None
        printed = ""
        for line in self.process.stdout:
            printed += line
            if words in line:
                return printed
        raise AssertionError(f"the service ended:\n{printed}")

    def _meant(self, text: str) -> str:
        """With the specifiers replaced (systemd.unit(5))."""
        known = {"%%": "%", "%S": str(self.state), "%d": str(self._credentials)}
        return re.sub("%.", lambda found: known[found[0]], text)

    def _environment(self) -> dict[str, str]:
        words = [word for value in self._said.get("Environment", []) for word in shlex.split(self._meant(value))]
        return dict(word.split("=", 1) for word in words)

    def _script(self) -> list[str]:
        binds = []
        for value in self._said.get("BindReadOnlyPaths", []):
            (paths,) = shlex.split(self._meant(value).replace('":"', "\0").replace(":", "\0"))
            source, _, path = paths.partition("\0")
            binds.append((source, path or source))
        lines = ["umask 022"]
        for number, (source, _) in enumerate(binds):
            kept = f"{self._folder}/{number}"
            lines += [f"mkdir {kept}" if Path(source).is_dir() else f": > {kept}"]
            lines += [f"mount --rbind {shlex.quote(source)} {kept}"]
        hidden = {"tmpfs": "0755", "yes": "0000"}[self._said["ProtectHome"][0]]
        lines += [f"mount -t tmpfs -o mode={hidden} tmpfs {folder}" for folder in HIDDEN if Path(folder).is_dir()]
        assert self._said["PrivateTmp"] == ["yes"]
        lines += [f"mount -t tmpfs -o mode=1777 tmpfs {folder}" for folder in ("/tmp", "/var/tmp")]
        for number, (source, path) in enumerate(binds):
            name = shlex.quote(path)
            lines += [f"mkdir -p {name}" if Path(source).is_dir() else f'mkdir -p "$(dirname {name})"; : > {name}']
            lines += [f"mount --rbind {self._folder}/{number} {name}", f"mount -o remount,bind,ro {name}"]
        command = shlex.split(self._meant(self._said["ExecStart"][0]).replace("$$", "$"))
        user = f"setpriv --reuid={DYNAMIC_USER} --regid={DYNAMIC_USER} --clear-groups --no-new-privs"
        lines += [f"cd {self._meant(self._said['WorkingDirectory'][0])}", f"exec {user} {shlex.join(command)}"]
        return lines
