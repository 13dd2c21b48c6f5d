"""The rules of runs: their start, progress and end, and the format of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asgi_app.errors import BadCommand, RunEnded, RunGoesOn, TooLarge, TooMany
from asgi_app.models.json_text import sent_size
from asgi_app.models.run_commands import RunChange
from asgi_app.models.runs import Outcome, Run

RECENT = 10  # ended runs in the state, beside those that are pinned; the store has more
PINNED = 50  # runs
GRAPH_BYTES = 256 * 1024


def recent(runs: Mapping[str, Run]) -> dict[str, Run]:
    """Return the runs that go on, those that are pinned, and the last that ended, by their order here.

    The clock may step, so it does not count.
    """
    over = [id for id, run in runs.items() if run.ended_at is not None and not run.pinned]
    old = set(over[:-RECENT])
    return {id: run for id, run in runs.items() if id not in old}


def followed(runs: Mapping[str, Run], run: Run) -> dict[str, Run]:
    """Return the runs after this one has changed. A run that ends goes behind those that ended before."""
    before = runs.get(run.id)
    if run.ended_at is not None and (before is None or before.ended_at is None):
        runs = {id: other for id, other in runs.items() if id != run.id}
    return recent({**runs, run.id: run})


def changed(run: Run, change: RunChange) -> Run:
    """Return the run after a change by its producer. Raises `RunEnded`."""
    going(run)
    fields = change.model_dump(include={"name", "progress", "running_edge", "step", "state"}, exclude_none=True)
    if "running_edge" in fields:
        fields["running_edge"] = tuple(fields["running_edge"])
    return run.model_copy(update=fields)


def require_ended(run: Run) -> None:
    """Raise `RunGoesOn` if the run has not ended."""
    if run.state != "ended":
        raise RunGoesOn(f"{run.name} has not ended. Stop it first, then delete it.", field="run")


def require_a_place(runs: Mapping[str, Run]) -> None:
    """Raise `TooMany` if no more of these runs may be pinned."""
    if sum(run.pinned for run in runs.values()) >= PINNED:
        raise TooMany(f"{PINNED} runs are pinned, which is the limit. Unpin one first.", field="pinned")


def going(run: Run) -> Run:
    """Return the run itself. Raises `RunEnded`."""
    if run.state == "ended":
        raise ended_error(run.id)
    return run


def ended_error(run: str) -> RunEnded:
    """Return the error for a command to a run that has ended."""
    return RunEnded(f"Run {run} has ended. Start another.", field="run")


def ended(run: Run, exit_code: int | None, outcome: Outcome, at: float, signal: str | None = None) -> Run:
    """Return the run in its final state."""
    progress = 100.0 if outcome == "done" and run.progress is not None else run.progress
    return run.model_copy(
        update={
            "state": "ended",
            "ended_at": at,
            "exit_code": exit_code,
            "signal": signal or signal_of(exit_code),
            "outcome": outcome,
            "running_edge": (),
            "step": None,
            "progress": progress,
            "producer": False,
            "silent_since": None,
        }
    )


STOPPING = {"SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"}  # signals by which people and systems ask a process to end
BY_SIGNAL = {130: "SIGINT", 137: "SIGKILL", 143: "SIGTERM"}  # 128 + N, as shells report it


def signal_of(exit_code: int | None) -> str | None:
    """Return the signal that an exit code stands for. Other codes over 128 may be a program's own."""
    return BY_SIGNAL.get(exit_code) if exit_code is not None else None


def outcome_of(exit_code: int | None, signal: str | None = None) -> Outcome:
    """Return the outcome: stopped or killed by a signal; else done for 0 and None, failed for the rest."""
    if by := signal or signal_of(exit_code):
        return "stopped" if by in STOPPING else "killed"
    return "failed" if exit_code else "done"


def graph_of(value: dict[str, Any]) -> dict[str, Any]:
    """Return the graph `{"nodes", "edges"}`, which may be in `{"graphData": …}`. Raises `BadCommand`, `TooLarge`."""
    graph = value["graphData"] if isinstance(value.get("graphData"), dict) else value
    for part in ("nodes", "edges"):
        if not isinstance(graph.get(part), list) or not all(isinstance(item, dict) for item in graph[part]):
            raise BadCommand(f"{part} is no list of objects. A graph is {{nodes: [...], edges: [...]}}.", field="graph")
    size = sent_size(graph, "the graph", field="graph")
    if size > GRAPH_BYTES:
        raise TooLarge(f"The graph has {size} bytes. The limit is {GRAPH_BYTES}.", field="graph")
    return graph
