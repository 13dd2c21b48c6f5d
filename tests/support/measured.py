"""`python -m tests.support.measured COMMAND…`: run a command, then print what it and all its children cost.

A child that outlives its parent comes to this process (PR_SET_CHILD_SUBREAPER), so that it is counted as well.
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
import time
from contextlib import suppress

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
LINGER = 10  # seconds for what the command left behind to end


def main() -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # The byte code of the tests is written once and read by every worker.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.monotonic()
    code = subprocess.run(sys.argv[1:], env=environment, check=False).returncode
    took = time.monotonic() - began
    deadline = time.monotonic() + LINGER
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.05)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"user + sys: {used.ru_utime + used.ru_stime:.0f} CPU seconds of all processes; wall: {took:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
