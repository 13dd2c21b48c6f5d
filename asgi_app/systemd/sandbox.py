"""The file system that a service sees: the directories that systemd hides, the paths it needs from them, and a test.

The test mounts what the unit says and runs the panel's own check there, before the service is installed
(systemd.exec(5): ProtectHome, PrivateTmp, BindReadOnlyPaths, LoadCredential).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from asgi_app.errors import SetupError

HOMES = ("/home", "/root", "/run/user")
TEMPORARY = ("/tmp", "/var/tmp")
HIDDEN = (*HOMES, *TEMPORARY)
NOBODY = 65534  # a user without rights, like the one that systemd creates
TEST_SECONDS = 60
MOUNTED = "the mounts are there"  # printed before the check begins


class Bind(NamedTuple):
    """A path that the service can read, though systemd hides the directories above it."""

    source: Path
    path: Path


def is_in(folders: Sequence[str], path: Path) -> bool:
    """Return whether the path is one of these directories, or below one."""
    return any(path.is_relative_to(folder) for folder in folders)


def search_path() -> list[str]:
    """Return the directories with our modules that a plain interpreter does not search: a checkout, `pip --user`."""
    ask = [sys.executable, "-I", "-c", "import json, sys; print(json.dumps(sys.path))"]
    plain = json.loads(subprocess.run(ask, capture_output=True, text=True, check=True, timeout=TEST_SECONDS).stdout)
    ours = [os.path.abspath(entry) for entry in sys.path]
    more = [Path(entry) for entry in dict.fromkeys(ours) if entry not in plain]
    return [str(one) for one in more if (one / "asgi_app").is_dir() or any(one.glob("*.dist-info"))]


def binds(shows: Path | None) -> list[Bind]:
    """Return the hidden paths that the service must see: the interpreter, the program, and the shows."""
    paths = {path for path in (*_interpreter(), *_program(), shows) if path is not None and path.exists()}
    found = {Bind(path.resolve(), path) for path in paths if is_in(HIDDEN, path)}
    found |= {Bind(path.resolve(), path.resolve()) for path in paths if is_in(HIDDEN, path.resolve())}
    return sorted((one for one in found if not _is_covered(one, found)), key=lambda one: one.path)


def _is_covered(one: Bind, all_of_them: set[Bind]) -> bool:
    return any(
        other != one
        and one.path.is_relative_to(other.path)
        and one.source.is_relative_to(other.source)
        and one.path.relative_to(other.path) == one.source.relative_to(other.source)
        for other in all_of_them
    )


def _interpreter() -> list[Path]:
    """Return the directories of Python, and of each link that leads to it: pyenv and uv have several."""
    found = [Path(sys.prefix), Path(sys.base_prefix)]
    link = Path(sys.executable)
    while link.is_symlink():
        link = Path(os.path.normpath(link.parent / link.readlink()))
        found.append(link.parent.parent)
    return found


def _program() -> list[Path]:
    """Return the paths of the package, its pages, and the packages that it imports. Of a checkout, no more."""
    package = Path(__file__).parent.parent
    found = [package, package.parent / "templates", package.parent / "static"]
    return found + [Path(entry) for entry in sys.path if entry and any(Path(entry).glob("*.dist-info"))]


def prove(
    flags: list[str],
    environment: Mapping[str, str],
    seen: Sequence[Bind] | None,
    credentials: Mapping[str, Path],
    directory: str,
) -> str | None:
    """Run `pilotlight service check` as the service would. Return what it prints; None if this machine forbids that.

    With `seen`, run it like the system's service: as a user without rights who sees those hidden paths, and has the
    `credentials` and this data directory. `%S` and `%d` in the flags stand for its directories, as in the unit. Raises
    `SetupError`.
    """
    command = [sys.executable, "-m", "asgi_app", "service", "check", *flags]
    if seen is None:
        home = {name: os.environ[name] for name in ("HOME", "USER", "PATH", "XDG_RUNTIME_DIR") if name in os.environ}
        return _run(command, home | dict(environment), os.environ.get("HOME", "/"))
    with tempfile.TemporaryDirectory(prefix="pilotlight-", dir="/run") as stage:
        state, private = Path(stage, "state"), Path(stage, "credentials")
        data = state / directory
        data.mkdir(parents=True)
        private.mkdir()
        for name, file in credentials.items():
            shutil.copyfile(file, private / name)
        for path in (data, private, *private.iterdir()):
            os.chown(path, NOBODY, NOBODY)
            path.chmod(0o500 if path == private else 0o400 if path.is_file() else 0o700)
        os.chmod(stage, 0o755)
        command = [word.replace("%S", str(state)).replace("%d", str(private)) for word in command]
        script = _script(Path(stage), seen, data, command)
        environment = {"PATH": os.defpath, "HOME": "/", **environment}
        return _run(["unshare", "--mount", "sh", "-ec", script], environment, "/", MOUNTED)


def _script(stage: Path, seen: Sequence[Bind], folder: Path, command: Sequence[str]) -> str:
    """Return a shell script for root in a mount namespace: it hides what systemd hides, then runs the command."""
    lines = ["umask 022"]
    for number, bind in enumerate(seen):
        kept = shlex.quote(str(stage / str(number)))
        lines += [f"mkdir {kept}" if bind.source.is_dir() else f": > {kept}"]
        lines += [f"mount --rbind {shlex.quote(str(bind.source))} {kept}"]
    for hidden in HIDDEN:
        if Path(hidden).is_dir():
            lines.append(f"mount -t tmpfs -o mode={'1777' if hidden in TEMPORARY else '0755'} tmpfs {hidden}")
    for number, bind in enumerate(seen):
        kept, path = shlex.quote(str(stage / str(number))), shlex.quote(str(bind.path))
        lines.append(f"mkdir -p {path}" if bind.source.is_dir() else f'mkdir -p "$(dirname {path})"; : > {path}')
        lines += [f"mount --rbind {kept} {path}", f"mount -o remount,bind,ro {path}"]
    lines += [f"cd {shlex.quote(str(folder))}", f"echo {MOUNTED} >&2"]
    user = f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups --no-new-privs"
    return "\n".join([*lines, f"exec {user} {shlex.join(command)}"])


def _run(command: Sequence[str], environment: Mapping[str, str], folder: str, begins: str = "") -> str | None:
    try:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=TEST_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"A test of the service did not start: {error}") from None
    if begins not in done.stderr:
        return None
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1].removeprefix("pilotlight: ")
        raise SetupError(f"The service would not start: {why}")
    return done.stdout
