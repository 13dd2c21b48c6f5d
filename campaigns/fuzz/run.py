"""The fuzz campaign: every target under atheris, two at a time, then the real sockets of both servers."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from campaigns.fuzz import KINDS, Kind
from campaigns.fuzz.wires import Wires
from campaigns.report import ROOT

SECONDS = 900.0  # for one target, whatever it got done in that time
AT_ONCE = 2
SOCKET_INPUTS = 10_000  # for each server
SEEDS = 64  # inputs to start from
SERVERS = ("uvicorn", "hypercorn")

Found = dict[str, Any]


def run(share: float, seed: int, only: set[str] | None) -> Found:
    """The whole campaign, or a part of it; what was found."""
    began = time.monotonic()
    kinds = [kind for kind in KINDS.values() if only is None or kind.name in only]
    targets = asyncio.run(_guided(kinds, share, seed))
    if only is None or "sockets" in only:
        for server in SERVERS:
            targets[f"sockets, {server}"] = over_sockets(server, int(SOCKET_INPUTS * share), seed)
    return {"seed": seed, "seconds": time.monotonic() - began, "targets": targets}


async def _guided(kinds: list[Kind], share: float, seed: int) -> dict[str, Found]:
    places = asyncio.Semaphore(AT_ONCE)
    found = await asyncio.gather(*(_one(kind, int(kind.inputs * share), seed, places) for kind in kinds))
    return {kind.name: result for kind, result in zip(kinds, found, strict=True)}


async def _one(kind: Kind, inputs: int, seed: int, places: asyncio.Semaphore) -> Found:
    """A target in a process of its own."""
    async with places:
        with tempfile.TemporaryDirectory(prefix="pilotlight-fuzz-") as directory:
            result, corpus = Path(directory, "result.json"), Path(directory, "corpus")
            _plant(corpus, seed, kind.longest)
            print(f"{kind.name}: {inputs:,} inputs", flush=True)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "campaigns.fuzz.guided", kind.name),
                *(f"--inputs={inputs}", f"--seconds={SECONDS}", f"--seed={seed}"),
                *(f"--result={result}", f"--corpus={corpus}"),
                cwd=ROOT,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            _, errors = await process.communicate()
            text = _read(result)
        if not text:
            end = errors.decode(errors="replace")[-4000:]
            return {"inputs": 0, "seconds": 0.0, "outcomes": {}, "finding": {"input": "", "what": end}}
        found: Found = json.loads(text)
        print(f"  {kind.name}: {found['inputs']:,} in {found['seconds']:.0f} s {found['outcomes']}", flush=True)
        return found


def _read(file: Path) -> str:
    return file.read_text() if file.is_file() else ""


def _plant(corpus: Path, seed: int, longest: int) -> None:
    """Inputs to start from: libFuzzer alone begins with an empty one."""
    chance = random.Random(seed)
    corpus.mkdir()
    for number in range(SEEDS):
        (corpus / str(number)).write_bytes(chance.randbytes(chance.randint(8, longest // 2)))


def over_sockets(server: str, inputs: int, seed: int) -> Found:
    """Random inputs at a panel that was started on this server."""
    chance = random.Random(seed)
    began = time.monotonic()
    outcomes: Counter[str] = Counter()
    found: Found = {}
    data = b""
    target = Wires(server)
    try:
        for _ in range(inputs):
            data = chance.randbytes(chance.choice((8, 32, 120, 400)))
            outcomes[target.check(data)] += 1
        target.look()
    except Exception as error:
        found = {"finding": {"input": data.hex(), "what": f"{type(error).__name__}: {error}"[-4000:]}}
    finally:
        target.close()
    took = time.monotonic() - began
    print(f"  sockets, {server}: {sum(outcomes.values()):,} in {took:.0f} s", flush=True)
    return {"inputs": sum(outcomes.values()), "seconds": took, "outcomes": dict(outcomes.most_common()), **found}
