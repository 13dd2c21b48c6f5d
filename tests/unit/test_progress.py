"""How far a command is, as its lines say it: what common tools write, and what only looks like it."""

from __future__ import annotations

import pytest

from asgi_app.runner.backlog import STDOUT
from asgi_app.runner.lines import Lines
from asgi_app.runner.progress import Progress, progress_of

SAID = {
    # HandBrake
    "Encoding: task 1 of 1, 5.31 % (12.34 fps, avg 13.00 fps, ETA 00h12m34s)": 5,
    "Encoding: task 2 of 2, 42.10 %": 42,
    "Scanning title 1 of 1, 42 %": 42,
    # curl
    " 54 28.6M   54 15.5M    0     0  11.9M      0  0:00:02  0:00:01  0:00:01 11.9M": 54,
    "100 28.6M  100 28.6M    0     0  12.9M      0  0:00:02  0:00:02 --:--:-- 12.9M": 100,
    "  4 4095M    4  200M    0     0  1024k      0  1d 03h  0:03:20  1d 03h 1024k": 4,
    "##########                                                           15.1%": 15,
    "#                                     1.4%": 1,
    "######################################################################## 100.0%": 100,
    # esptool 4 and 5, avrdude, dfu-util, stm32flash
    "Writing at 0x00010000... (42 %)": 42,
    "Writing at 0x0001a2f8 [=========>        ]  42.3% 131072/310000 bytes... ": 42,
    "Writing | ################                  | 32% 0.5s": 32,
    "Reading |                                  | 0% 0.00s": 0,
    "Download\t[=====      ]  42%    12345 bytes": 42,
    "Wrote address 0x08001000 (42.30%) ": None,
    # docker
    "[+] Pulling 3/5": 60,
    "[+] Running 2/3": 66,
    "[+] up 3/4": 75,
    "[+] Building 3.2s (5/12)": 41,
    "[+] Building 12.3s (12/12) FINISHED": 100,
    " ⠹ abc Downloading [====>      ]  12.3MB/45.6MB    1.2s": 26,
    " ⠿ Container web-1  Started                       0.5s": None,
    # apt, dpkg
    "Reading package lists... 42%": 42,
    "(Reading database ... 45%": 45,
    "42% [5 foo 1,234 kB/2,345 kB 53%]  1,200 kB/s 3s": 42,
    "Progress: [ 42%] [####.....] ": 42,
    # git
    "remote: Compressing objects:  42% (42/100)": 42,
    "Resolving deltas: 100% (5/5), done.": 100,
    "Updating files:  42% (10/24)": 42,
    # pip, rclone, restic, bazel, aria2, ddrescue, unrar, pv, youtube-dl
    "Progress 1024 of 2048": 50,
    "Transferred:   \t  1.2 GiB / 5 GiB, 24%, 10 MiB/s, ETA 5m": 24,
    "[0:05] 42.30%  10 files 1.2 GiB, total 5 files": 42,
    "[1,234 / 5,678] 10 actions running": 21,
    "[#2089b0 400.0KiB/33.2MiB(1%) CN:1 DL:115.7KiB ETA:4m51s]": 1,
    "pct rescued:   42.31%, read errors:        0": 42,
    "Extracting  a.txt                42%": 42,
    "1.20GiB 0:00:05 [ 245MiB/s] [====>     ] 42% ETA 0:00:07": 42,
    "[download] 100% of   10.00MiB in 00:00:05 at 2MiB/s": 100,
    # rsync
    "      3,276,800  10%    3.12MB/s    0:00:09": 10,
    "     32,768,000 100%    3.12MB/s    0:00:10 (xfr#1, to-chk=0/1)": 100,
    # by hand
    "Loading: 42%": 42,
    "Uploading... 42%": 42,
    "Job is 50% complete": 50,
    "Overall progress: 42%": 42,
    "Done: 42%": 42,
}

NONE = [
    "Score: 42%",
    "Score = 42%",
    "Score: 42.5 %",
    "x =42%",
    "Accuracy: 93.1%",
    "Training accuracy: 92%",
    "Rating: 42%",
    "Total: 97%",
    "Remaining: 42%",
    "CPU: 30%",
    "Battery level: 80%",
    "Interest rate: 5%",
    "VAT: 20%",
    "Opacity: 50%",
    "Temperature 42%",
    "Discount: 20% off",
    "Win rate 42%",
    "| name | 42% |",
    "| a | 42%| b",
    "80% tests passed, 2 tests failed out of 10",
    "Successfully processed 3/10 files",
    "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current",
    "  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0",
    "  0     0    0 12.1M    0     0  11.9M      0 --:--:--  0:00:01 --:--:-- 11.9M",
    "Wrote 310000 bytes (170000 compressed) at 0x00010000 in 4.2 seconds (590.1 kbit/s).",
    "9 of 10 dentists",
    "[2026/11/28 10:00:00] hello",
]


@pytest.mark.parametrize("line", SAID)
def test_progress_as_tools_say_it(line: str) -> None:
    assert progress_of(line) == SAID[line]


@pytest.mark.parametrize("line", NONE)
def test_what_is_no_progress(line: str) -> None:
    assert progress_of(line) is None


def test_ffmpeg_says_how_long_it_is_before_it_says_where_it_is() -> None:
    progress = Progress()
    position = "frame=  100 fps= 25 q=28.0 size=    1024kB time=00:00:42.00 bitrate=2097.2kbits/s speed=1.5x"
    assert progress.of(position) is None
    assert progress.of("  Duration: 00:01:40.00, start: 0.000000, bitrate: 1000 kb/s") is None
    assert progress.of(position) == 42
    assert progress.of(position.replace("00:00:42.00", "00:01:41.00")) == 100


DIGITS = "9" * 5000
LONG = {
    f"[{DIGITS}%]": None,
    f"[{DIGITS}/{DIGITS}]": None,
    f"{DIGITS}/{DIGITS}": None,
    "9" * 120 + "/" + "9" * 120: 100,
    f"[{'9' * 120}%]": 100,
    f"Duration: {DIGITS}:00:00": None,
    f"{'ab12' * 3000}: 42%|####      | 5/12": 42,
    f"42%|####      | {'ab12' * 3000}": 42,
    "doing-" * 2000 + ": 42%": 42,
}


@pytest.mark.parametrize(("line", "percent"), LONG.items(), ids=lambda value: str(value)[:20])
def test_a_long_line_is_read_at_its_ends(line: str, percent: int | None) -> None:
    assert Progress().of(line) == percent
    lines = Lines()
    final = lines.feed(STDOUT, f"before\n{line}\nafter\n".encode(), 1.0) + lines.flush()
    assert [one["msg"] for one in final if len(one["msg"]) < 10] == ["before", "after"]
