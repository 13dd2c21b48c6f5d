"""Make `asgi_app/unicode/lookalikes.txt` anew from two files of Unicode: `make lookalikes FROM=<folder>`.

The folder has https://www.unicode.org/Public/security/latest/confusables.txt (UTS 39) and
https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt (UAX 44) in it, of the same version.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from campaigns.report import ROOT

TABLE = ROOT / "asgi_app" / "unicode" / "lookalikes.txt"
HEAD = """\
# Unicode {version}: what is not seen, and what looks like something else. Made by `make lookalikes` from
# DerivedCoreProperties.txt and confusables.txt; changed only in its form. © 2025 Unicode, Inc.; see LICENSE.txt.
# A line is a prototype and the characters that look like it. The first line, "unseen", has ranges.
"""


def fields_of(text: str) -> Iterator[list[str]]:
    """The fields of each line."""
    for line in text.splitlines():
        if content := line.partition("#")[0].strip("\ufeff \t"):
            yield [field.strip() for field in content.split(";")]


def version_of(text: str) -> str:
    """The version of Unicode that a file says it is of."""
    found = re.search(r"Version: (\d+\.\d+)|DerivedCoreProperties-(\d+\.\d+)", text)
    if found is None:
        raise SystemExit("this file does not say of which version of Unicode it is")
    return found[1] or found[2]


def unseen(properties: str) -> list[str]:
    """The ranges of Default_Ignorable_Code_Point, joined where they touch."""
    ranges: list[tuple[int, int]] = []
    for points, name, *_ in fields_of(properties):
        if name == "Default_Ignorable_Code_Point":
            first, _, last = points.partition("..")
            ranges.append((int(first, 16), int(last or first, 16)))
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first == joined[-1][1] + 1:
            joined[-1] = joined[-1][0], last
        else:
            joined.append((first, last))
    return [f"{first:04X}" if first == last else f"{first:04X}-{last:04X}" for first, last in joined]


def table(confusables: str, properties: str) -> str:
    """The text of the table."""
    version = version_of(confusables)
    if version != version_of(properties):
        raise SystemExit(f"confusables.txt is of Unicode {version}, and the properties of {version_of(properties)}")
    by_prototype: dict[str, list[str]] = {}
    for source, target, _ in fields_of(confusables):
        by_prototype.setdefault("+".join(target.split()), []).append(source)
    total = re.search(r"^# total: (\d+)", confusables, re.MULTILINE)
    if total is None or sum(map(len, by_prototype.values())) != int(total[1]):
        raise SystemExit("confusables.txt is not whole")
    lines = [f"{prototype} {' '.join(sources)}" for prototype, sources in by_prototype.items()]
    return HEAD.format(version=version) + "\n".join([f"unseen {' '.join(unseen(properties))}", *lines]) + "\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    TABLE.write_text(
        table(
            (folder / "confusables.txt").read_text("utf-8-sig"),
            (folder / "DerivedCoreProperties.txt").read_text("utf-8"),
        ),
        "utf-8",
    )
    print(f"{TABLE}: {TABLE.stat().st_size} bytes")
