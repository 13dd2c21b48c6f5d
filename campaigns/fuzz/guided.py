"""One target under atheris: inputs led by what they reach in the code. libFuzzer ends the process."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import atheris

from campaigns.fuzz import KINDS, Kind, Target


class Guided:
    """Counts what becomes of the inputs, and writes that at the end: after so many, after so long, or at a finding."""

    def __init__(self, kind: Kind, target: Target, inputs: int, seconds: float, result: Path) -> None:
        self._kind = kind
        self._target = target
        self._inputs = inputs
        self._result = result
        self._began = time.monotonic()
        self._end = self._began + seconds
        self._outcomes: Counter[str] = Counter()
        self._done = 0

    def one(self, data: bytes) -> None:
        """What atheris calls."""
        try:
            self._outcomes[self._target.check(data)] += 1
        except BaseException:
            self.write(finding={"input": data.hex(), "what": traceback.format_exc()[-4000:]})
        self._done += 1
        if self._done >= self._inputs or (self._done % 100 == 0 and time.monotonic() > self._end):
            self.write()

    def write(self, **found: Any) -> None:
        """The end: libFuzzer knows no other."""
        took = time.monotonic() - self._began
        outcomes = dict(self._outcomes.most_common())
        self._result.write_text(json.dumps({"inputs": self._done, "seconds": took, "outcomes": outcomes, **found}))
        sys.stdout.flush()
        os._exit(0)


def main() -> None:
    """`python -m campaigns.fuzz.guided TARGET --inputs N --seconds S --seed N --result FILE --corpus DIRECTORY`."""
    parser = argparse.ArgumentParser(prog="campaigns.fuzz.guided")
    parser.add_argument("target", choices=list(KINDS))
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True, help="directory of inputs to start from")
    options = parser.parse_args()
    kind = KINDS[options.target]
    with atheris.instrument_imports(include=list(kind.modules)):
        target = kind.make()
    guided = Guided(kind, target, options.inputs, options.seconds, options.result)
    # 0 means: no limit of its own, no look at memory every now and then. Whole inputs from the first one on.
    flags = [f"-max_len={kind.longest}", "-len_control=0", f"-seed={options.seed}", "-rss_limit_mb=0", "-timeout=60"]
    atheris.Setup([sys.argv[0], *flags, "-verbosity=0", str(options.corpus)], guided.one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
