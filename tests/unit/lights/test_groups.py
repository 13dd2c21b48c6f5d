"""The rules of groups: proportions, ids and limits."""

from __future__ import annotations

import pytest

from asgi_app.core import groups as rules
from asgi_app.errors import NameInUse, TooMany
from asgi_app.models.groups import Group


@pytest.mark.parametrize(
    ("levels", "to", "then"),
    [
        ({"a": 80, "b": 40}, 40, {"a": 40, "b": 20}),
        ({"a": 80, "b": 40}, 100, {"a": 100, "b": 50}),
        ({"a": 80, "b": 40}, 1, {"a": 1, "b": 1}),  # nothing goes off that shone
        ({"a": 100, "b": 1}, 50, {"a": 50, "b": 1}),
        ({"a": 80, "b": 0}, 40, {"a": 40, "b": 0}),
        ({"a": 80, "b": 40}, 0, {"a": 0, "b": 0}),
        ({"a": 0, "b": 0}, 30, {"a": 30, "b": 30}),
        ({}, 30, {}),
    ],
)
def test_a_group_keeps_its_proportions(levels: dict[str, int], to: int, then: dict[str, int]) -> None:
    assert rules.scaled(levels, to) == then


@pytest.mark.parametrize(
    ("name", "taken", "id"),
    [
        ("Living room", [], "living-room"),
        ("Living room", ["living-room", "living-room-2"], "living-room-3"),
        ("  ÉTAGE 2 ", [], "etage-2"),
        ("Küche links", ["kuche"], "kuche-links"),
        ("All", [], "all-2"),
        ("客厅", [], "group"),
        ("客厅", ["group"], "group-2"),
        ("2nd floor", [], "group-2nd-floor"),
        ("x" * 64, [], "x" * 24),
    ],
)
def test_an_id_comes_from_the_name(name: str, taken: list[str], id: str) -> None:
    assert rules.new_id(name, taken, "group") == id


def test_two_groups_cannot_have_one_name() -> None:
    groups = {"a": Group(id="a", name="Kitchen", lights=("x",))}
    with pytest.raises(NameInUse):
        rules.named("KITCHEN ", groups)
    assert rules.named("KITCHEN", groups, "a") == "KITCHEN"


def test_there_is_a_limit_of_groups_and_of_their_lights() -> None:
    many = {f"g{n}": Group(id=f"g{n}", name=f"{n}", lights=("x",)) for n in range(rules.MOST)}
    with pytest.raises(TooMany):
        rules.check_room(many, Group(id="new", name="new", lights=("x",)))
    rules.check_room(many, many["g1"])
    lights = tuple(f"l{n}" for n in range(rules.MOST_LIGHTS))
    with pytest.raises(TooMany):
        rules.check_room({"a": many["g1"]}, Group(id="new", name="new", lights=lights))
