"""Progress and level of a line of a command's output."""

from __future__ import annotations

import re

SEARCHED = 150  # characters at each end of a line: what is longer is no progress, and would take long to search
_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_NUMBER = r"(\d+(?:\.\d+)?)"
_SIZE = r"(\d+(?:[.,]\d+)?)\s?([kKMGT]?)i?B?"

# `[ 42%]` of cmake and pytest. The last one in a line counts: a test's id may have brackets too.
_BOXED_PERCENT = re.compile(rf"\[\s*{_NUMBER}\s?%\s*\]")

_BAR = r"#=█▉▊▋▌▍▎▏━╸⣿⣀"
# A percentage of a progress bar (tqdm, wget, cargo), or with a rate or a remaining time (rsync, scp, wget).
_BAR_PERCENT = re.compile(
    rf"(?:^\s*|:\s*){_NUMBER}%\|"  # tqdm
    rf"|(?:^|\s){_NUMBER}%\s?\["  # wget, apt
    rf"|(?:\]|[{_BAR}>]{{2}}|-->|^#|[#█]\s*\||\|\s{{4,}}\|)\s*{_NUMBER}\s?%"  # cargo, esptool, curl -#, avrdude
    rf"|(?:^|\s){_NUMBER}%(?=\s+\d+(?:[.,]\d+)?\s?(?:[kKMGT]i?B?|B)(?:/s|\s|$))"
    rf"|(?:^|\s){_NUMBER}\s?%(?=.*\bETA\b)"  # scp, HandBrake
)

# A percentage with a word for work: `Progress: 42%`, `Receiving objects: 42%`, `Writing at 0x10000... (42 %)`.
_WORK = r"(?:[a-z]+ing(?!\s*%)|progress|complete|completed|done|rescued)"
_SAID_PERCENT = re.compile(
    rf"(?i:^\s*\(?{_NUMBER}\s?%"
    rf"|\b{_WORK}(?:[ -][\w/-]{{1,40}}){{0,2}}\s*:\s*\(?{_NUMBER}\s?%"
    rf"|(?:…|\.\.\.?)\s*\(?{_NUMBER}\s?%"
    rf"|^\W*[a-z]+ing\b[^%]*[\s,(]{_NUMBER}\s?%\)?\s*$"  # unrar, stm32flash
    rf"|^[a-z]+ing\b[^%]*\b(?:task|pass|file|step|part)\b[^%]*,\s*{_NUMBER}\s?%"  # HandBrake without a remaining time
    rf"|^\[(?:download|\d+:[\d:]+)\]\s+{_NUMBER}%"  # youtube-dl, restic
    rf"|\s{_NUMBER}\s?%\s(?:complete|completed|done|finished|downloaded|uploaded|copied|transferred)\b)"
)

# Percentages of other things.
_OTHER_PERCENT = re.compile(
    r"(?i)%\s+(?:of|less|more|faster|slower|smaller|larger|packet|tests|passed|humidity|chance|off|sure)\b"
    r"|\b(?:coverage|cpu|gpu|usage|used|full|free|idle|loss|memory|disk|battery|charging|similarity|humidity|volume"
    r"|brightness|score|accuracy|acc|rating|precision|recall|success|confidence|ratio|compression|quality|signal"
    r"|savings?|discount|remaining|missing|pending|failing|passing|left)\b"
)

# curl's table: percent, size, percent received, …, and three times.
_CURL = re.compile(
    r"^\s*(\d{1,3})\s+([\d.]+[kMGTP]?)(?:\s+[\d.]+[kMGTP]?){6}(?:\s+(?:--:--:--|\d+:\d\d:\d\d|\d+d \d+h)){3}\s+\S+\s*$"
)

# `[3/10]` of ninja and docker, `[ 3 of 10]` of ghc, `[1,234 / 5,678]` of bazel.
_BOXED_COUNT = re.compile(r"\[\s*([\d,]+)\s*(?:/|of)\s*([\d,]+)\s*(?:files|steps|tasks)?\]")
_DOCKER = re.compile(r"^\s*\[\+\]\s+(?:[A-Za-z]\w*\s+(\d+)/(\d+)|Building\s+[\d.]+s\s+\((\d+)/(\d+)\))")
_COUNTS = re.compile(
    r"\(\s*(\d+) (?:of|out of) (\d+)\s*\)"
    r"|^\s*\(\s*(\d+)/(\d+)\s*\)"  # pacman
    r"|^Progress (\d+) of (\d+)$"  # pip --progress-bar=raw
    r"|[\]|█━]\s*(\d+)/(\d+)(?![\d./])"  # after a bar: cargo
    r"|(?i:\b(?:steps?|tasks?|files?|chunks?|epochs?|tests?|stages?|parts?|pages?|jobs?|batch|items?))"
    r"\s*:?\s*#?(\d+)\s*(?:/|of|out of)\s*(\d+)(?![\d./])"
    r"|^\s*(\d+)/(\d+)(?=[\s:]|$)(?!\s+\d{1,2}:\d\d)"  # not 3/10/2026, and not 11/21 03:50
)

# `3.1/10.5 MB` of pip, `512kB/10MB` of docker.
_SIZES = re.compile(rf"(?<![\d./]){_SIZE}\s?/\s?{_SIZE}(?<=B)(?!/|\w)")

_TIME = r"(\d+):(\d\d):(\d\d(?:\.\d+)?)"
_DURATION = re.compile(rf"^\s*Duration: {_TIME}")
_POSITION = re.compile(rf"\btime=\s*{_TIME}")


class Progress:
    """Reader of a command's progress from its lines. ffmpeg needs two lines: the duration, and the position in it."""

    def __init__(self) -> None:
        self._duration = 0.0

    def of(self, line: str) -> int | None:
        """Return the progress from 0 to 100 percent, or None if the line has none."""
        if len(line) > 2 * SEARCHED:
            line = f"{line[:SEARCHED]}\n{line[-SEARCHED:]}"
        if "Duration: " in line and (found := _DURATION.search(line)):
            self._duration = max(self._duration, _seconds(found))
        elif self._duration and "time=" in line and (found := _POSITION.search(line)):
            return _clamped(100 * _seconds(found) / self._duration)
        return progress_of(line)


def progress_of(line: str) -> int | None:
    """Return the progress from 0 to 100 percent, or None if the line has none."""
    if not _MAY_SAY.search(line):
        return None
    if "%" in line:
        if boxed := _BOXED_PERCENT.findall(line):
            return _clamped(float(boxed[-1]))
        if bar := _BAR_PERCENT.search(line):
            return _clamped(_first(bar))
        if (said := _SAID_PERCENT.search(line)) and not _OTHER_PERCENT.search(line):
            return _clamped(_first(said))
    if ":" in line and (curl := _CURL.match(line)):
        return _clamped(float(curl[1])) if curl[2] != "0" else None
    if counted := _DOCKER.search(line) or _BOXED_COUNT.search(line) or _COUNTS.search(line):
        done, total = (int(group.replace(",", "") or 0) for group in counted.groups() if group is not None)
        return _share(done, total)
    if "/" in line and (sizes := _SIZES.search(line)):
        done_size, done_unit, total_size, total_unit = sizes.groups()
        total_scale = _UNITS[total_unit.lower()]
        done_scale = _UNITS[done_unit.lower()] if done_unit else total_scale
        return _share(_decimal(done_size) * done_scale, _decimal(total_size) * total_scale)
    return None


# A quick test that most lines fail.
_MAY_SAY = re.compile(r"\d\s?%|\d[\w.]{0,20}\s?/\s?\d|\d\s+(?:of|out of)\s+\d|:\d\d:\d\d|--:--")


def _seconds(found: re.Match[str]) -> float:
    hours, minutes, seconds = found.groups()
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def _first(found: re.Match[str]) -> float:
    return float(next(group for group in found.groups() if group is not None))


def _decimal(text: str) -> float:
    return float(text.replace(",", "."))


def _clamped(percent: float) -> int:
    return max(0, min(100, int(percent)))


def _share(done: float, total: float) -> int | None:
    """Return the percentage; None if the total is 0 or less than what is done."""
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
    """Return the level: `info`, or `error` or `warning` for a line of stderr that says so.

    stderr alone does not mean trouble: git and curl write their progress there, and `set -x` its commands.
    """
    if not stderr:
        return "info"
    if _ERROR.search(line):
        return "error"
    return "warning" if _WARNING.search(line) else "info"
