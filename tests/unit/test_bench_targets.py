"""The targets of the bench: each once, and what the table says of them."""

from __future__ import annotations

import pytest

from bench.report import TITLES, table
from bench.run import Figures
from bench.targets import HOUSEHOLD, OTHERS, Target

NODE = Target("p99 / Node", "slider", "p99_ms", "ours", "node", 0.6)
SLIDER = Target("p99", "slider", "p99_ms", "ours", None, 50, " ms", beside="node", otherwise=NODE)


def slider(ours: float, node: float) -> dict[str, dict[str, list[Figures]]]:
    """Return the results of a run with one round."""
    return {"slider": {"ours": [{"p99_ms": ours}], "node": [{"p99_ms": node}]}}


def test_each_target_is_there_once_and_belongs_to_a_scenario() -> None:
    measured = [(t.scenario, t.figure, t.ours, t.peer) for t in (*HOUSEHOLD, *OTHERS)]
    assert len(measured) == len(set(measured))
    assert {scenario for scenario, *_ in measured} <= TITLES.keys()


@pytest.mark.parametrize(
    ("ours", "node", "expected"),
    [
        (40, 50, "| p99 | ≤ 50 ms | 40 ms | | 40 / 50 ms = 0.8 | met |"),
        (80, 400, "| p99 | ≤ 50 ms | 80 ms | | 80 / 400 ms = 0.2 | met by the next row |"),
        (80, 100, "| p99 | ≤ 50 ms | 80 ms | | 80 / 100 ms = 0.8 | **not met** |"),
    ],
)
def test_a_goal_of_two_is_met_by_one(monkeypatch: pytest.MonkeyPatch, ours: float, node: float, expected: str) -> None:
    monkeypatch.setattr("bench.report.HOUSEHOLD", (SLIDER, NODE))
    assert expected in table({"results": slider(ours, node)}).replace("|  |", "| |").splitlines()


def test_a_goal_is_that_of_the_median_of_the_pairs() -> None:
    rounds = {"ours": [1.0, 4.0, 9.0], "node": [2.0, 4.0, 3.0]}
    results = {"slider": {kind: [{"p99_ms": value} for value in values] for kind, values in rounds.items()}}
    assert NODE.measured(results) == [0.5, 1.0, 3.0]
    assert not NODE.met(results)
    assert not NODE.met({})
