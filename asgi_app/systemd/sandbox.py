"""What a service sees of this machine: the folders that systemd hides from it, what it needs of them, and the proof.

The proof replays what the unit says about mounts, and runs the panel's own check in there, before anybody is told that
the service is installed (systemd.exec(5): ProtectHome, PrivateTmp, BindReadOnlyPaths, LoadCredential).
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
NOBODY = 65534  # who has no rights at all, as the user that systemd makes
PROOF_SECONDS = 60
MOUNTED = "the mounts are there"  # is printed before the check begins


class Bind(NamedTuple):
    """A path of this machine that the service sees, read-only, though systemd hides what is around it."""

    source: Path
    path: Path


def is_in(folders: Sequence[str], path: Path) -> bool:
    """Whether the path is one of these folders, or in it."""
    return any(path.is_relative_to(folder) for folder in folders)


def search_path() -> list[str]:
    """Where this program's modules are, that the interpreter would not look for by itself: a checkout, `pip --user`."""
    ask = [sys.executable, "-I", "-c", "import json, sys; print(json.dumps(sys.path))"]
    alone = json.loads(subprocess.run(ask, capture_output=True, text=True, check=True, timeout=PROOF_SECONDS).stdout)
    ours = [os.path.abspath(entry) for entry in sys.path]
    return list(dict.fromkeys(entry for entry in ours if entry not in alone and _has_modules(Path(entry))))


def _has_modules(folder: Path) -> bool:
    return (folder / "asgi_app").is_dir() or any(folder.glob("*.dist-info"))


def binds(*needed: Path) -> list[Bind]:
    """What the service has to see: the interpreter, the program, and what else is needed, where systemd hides it."""
    paths = {path for path in (*_interpreter(), *_program(), *needed) if path.exists()}
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
    """Where Python lives, and each link on the way to it: pyenv and uv have several."""
    found = [Path(sys.prefix), Path(sys.base_prefix)]
    link = Path(sys.executable)
    while link.is_symlink():
        link = Path(os.path.normpath(link.parent / link.readlink()))
        found.append(link.parent.parent)
    return found


def _program() -> list[Path]:
    """The package, its pages, and the directories of what it imports, in a checkout without what else is there."""
    package = Path(__file__).parent.parent
    found = [package, package.parent / "templates", package.parent / "static"]
    return found + [Path(entry) for entry in sys.path if entry and any(Path(entry).glob("*.dist-info"))]


def prove(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    seen: Sequence[Bind] | None = None,
    credentials: Mapping[str, Path] | None = None,
) -> str | None:
    """Run `pilotlight ARGUMENTS…` as the service would; what it prints, or None where this machine lets nobody try.

    With `seen` it runs as the system's service does: a user without rights, who sees this of what is hidden and has
    the `credentials`. In the arguments `%S` and `%d` are its directories, as in the unit. Raises `SetupError`.
    """
    command = [sys.executable, "-m", "asgi_app", *arguments]
    if seen is None:
        home = {name: os.environ[name] for name in ("HOME", "USER", "PATH", "XDG_RUNTIME_DIR") if name in os.environ}
        return _run(command, home | dict(environment), os.environ.get("HOME", "/"))
    with tempfile.TemporaryDirectory(prefix="pilotlight-", dir="/run") as stage:
        state, private = Path(stage, "state"), Path(stage, "credentials")
        (state / "pilotlight").mkdir(parents=True)
        private.mkdir()
        for name, file in (credentials or {}).items():
            shutil.copyfile(file, private / name)
        for path in (state / "pilotlight", private, *private.iterdir()):
            os.chown(path, NOBODY, NOBODY)
            path.chmod(0o500 if path == private else 0o400 if path.is_file() else 0o700)
        os.chmod(stage, 0o755)
        command = [word.replace("%S", str(state)).replace("%d", str(private)) for word in command]
        script = _script(Path(stage), seen, state / "pilotlight", command)
        environment = {"PATH": os.defpath, "HOME": "/", **environment}
        return _run(["unshare", "--mount", "sh", "-ec", script], environment, "/", MOUNTED)


def _script(stage: Path, seen: Sequence[Bind], folder: Path, command: Sequence[str]) -> str:
    """A shell script, as root in mounts of its own, that hides what systemd hides, and then runs the command."""
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
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=PROOF_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"the service was tried and did not start: {error}") from None
    if begins not in done.stderr:
        return None
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["it says nothing"])[-1].removeprefix("pilotlight: ")
        raise SetupError(f"the service was tried and would not start: {why}")
    return done.stdout
