"""What a line of a command's output says: how far the command is, and how bad the line is."""

from __future__ import annotations

import re

_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_NUMBER = r"(\d+(?:\.\d+)?)"
_SIZE = r"(\d+(?:[.,]\d+)?)\s?([kKMGT]?)i?B?"

# `[ 42%]` of cmake and pytest. The last one of a line counts: the id of a test may have brackets too.
_BOXED_PERCENT = re.compile(rf"\[\s*{_NUMBER}\s?%\s*\]")

# A percentage that belongs to a bar (tqdm, wget, cargo), or has a rate or a time to go beside it (rsync, scp, wget).
_BAR_PERCENT = re.compile(
    rf"(?:^|\s){_NUMBER}%\s?[\[|]"
    rf"|[\]>|#=█▉▊▋▌▍▎▏━╸]\s*{_NUMBER}%"
    rf"|(?:^|\s){_NUMBER}%(?=\s+\d+(?:[.,]\d+)?\s?(?:[kKMGT]i?B?|B)(?:/s|\s|$))"
    rf"|(?:^|\s){_NUMBER}%(?=.*\bETA\b)"
)

# A percentage that begins the line, or stands behind `Progress:` or `Receiving objects:`.
_SAID_PERCENT = re.compile(rf"(?:^\s*\(?|[:…]\s*|\.\.\.\s*){_NUMBER}\s?%")

# Percentages of other things than the work.
_OTHER_PERCENT = re.compile(
    r"(?i)%\s+(?:of|less|more|faster|slower|smaller|larger|packet)\b"
    r"|\b(?:coverage|cpu|usage|used|full|free|idle|loss|memory|disk|battery|similarity|humidity|volume|brightness)\b"
)

# `[3/10]` of ninja and docker, `[ 3 of 10]` of ghc.
_BOXED_COUNT = re.compile(r"\[\s*(\d+)\s*(?:/|of)\s*(\d+)\s*\]")
_COUNTS = re.compile(
    r"\(\s*(\d+) (?:of|out of) (\d+)\s*\)"
    r"|^\s*\(\s*(\d+)/(\d+)\s*\)"  # pacman
    r"|[\]|█━]\s*(\d+)/(\d+)(?![\d./])"  # behind a bar: cargo
    r"|(?i:\b(?:steps?|tasks?|files?|chunks?|epochs?|tests?|stages?|parts?|pages?|jobs?|batch|items?))"
    r"\s*:?\s*#?(\d+)\s*(?:/|of|out of)\s*(\d+)(?![\d./])"
    r"|^\s*(\d+)/(\d+)(?=[\s:]|$)(?!\s+\d{1,2}:\d\d)"  # no 3/10/2026, and no 11/21 03:50
)

# `3.1/10.5 MB` of pip, `512kB/10MB` of docker.
_SIZES = re.compile(rf"(?<![\d./]){_SIZE}\s?/\s?{_SIZE}(?<=B)(?!/|\w)")


def progress_of(line: str) -> int | None:
    """How far the command is, in percent from 0 to 100, or None where the line does not say."""
    if "%" in line:
        if boxed := _BOXED_PERCENT.findall(line):
            return _clamped(float(boxed[-1]))
        if bar := _BAR_PERCENT.search(line):
            return _clamped(_first(bar))
        if (said := _SAID_PERCENT.search(line)) and not _OTHER_PERCENT.search(line):
            return _clamped(_first(said))
    if counted := _BOXED_COUNT.search(line) or _COUNTS.search(line):
        done, total = (int(group) for group in counted.groups() if group is not None)
        return _share(done, total)
    if "/" in line and (sizes := _SIZES.search(line)):
        done_size, done_unit, total_size, total_unit = sizes.groups()
        total_scale = _UNITS[total_unit.lower()]
        done_scale = _UNITS[done_unit.lower()] if done_unit else total_scale
        return _share(_decimal(done_size) * done_scale, _decimal(total_size) * total_scale)
    return None


def _first(found: re.Match[str]) -> float:
    return float(next(group for group in found.groups() if group is not None))


def _decimal(text: str) -> float:
    return float(text.replace(",", "."))


def _clamped(percent: float) -> int:
    return max(0, min(100, int(percent)))


def _share(done: float, total: float) -> int | None:
    """Nothing of 0, and nothing where more is done than there is: that was no count of the work."""
    return int(100 * done / total) if 0 <= done <= total and total > 0 else None


_ERROR = re.compile(
    r"(?i:(?:^|[\s:(\[])(?:error|fatal|panic|critical)(?:\s?\[\w+\])?:)"  # gcc, rustc, git
    r"|^(?:ERROR|FATAL|CRITICAL|E:)\b"
    r"|^Traceback \(most recent call last\)"
    r"|^[\w.]*(?:Error|Exception)(?::|$)"  # the last line of a traceback
    r"|^\w*make(?:\[\d+\])?: \*\*\* "
)
_WARNING = re.compile(r"(?i:(?:^|[\s:(\[])warning:)|^(?:WARNING|WARN)\b|^W: ")


def level_of(line: str, *, stderr: bool) -> str:
    """The level of a line: `info`, and for a line of stderr that says so itself `error` or `warning`.

    Much of what goes to stderr is no complaint (the progress of git and curl, `set -x`), so stderr alone says nothing.
    """
    if not stderr:
        return "info"
    if _ERROR.search(line):
        return "error"
    return "warning" if _WARNING.search(line) else "info"
