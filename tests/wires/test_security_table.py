"""The table of docs/reference/access.md is complete and true: each line is asked from another host, by everybody."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator

import pytest

from asgi_app.access import permissions
from asgi_app.app import PanelApp
from asgi_app.models.access import Role
from asgi_app.models.wire import AnyCommand
from asgi_app.settings import Settings
from tests.support import security_table as table
from tests.support.network_namespace import Network
from tests.support.panel_process import RunningPanel, run_pilotlight
from tests.support.security_table import Asker, Row

ROLES = ("viewer", "operator", "admin")


class Exposed(RunningPanel):
    """A panel that another network can reach, with a token of each role, and tickets that are used up."""

    tokens: dict[str, str]
    spent: list[str]


@pytest.fixture(scope="module")
def exposed(server: str, network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exposed]:
    data = tmp_path_factory.mktemp("exposed") / "data"
    panel = Exposed(data, server=server, host="0.0.0.0", within=network.within, address=network.public, keep_runs=1)
    panel.tokens = {
        role: run_pilotlight("token", "add", role, f"--role={role}", f"--data={data}").stdout.strip() for role in ROLES
    }
    with panel:
        bearer = {"Authorization": f"Bearer {panel.tokens['admin']}"}
        made = [panel.post("/access/ticket", headers=bearer).json()["ticket"] for _ in range(2)]
        panel.spent = made
        with Asker(panel, network.away, ticket=made[0]).connected("/live") as socket:
            assert "epoch" in json.loads(socket.recv(5))
        yield panel


def asked(row: Row, panel: Exposed, network: Network) -> dict[str, str]:
    """The outcomes of a line, by column."""
    admin = Asker(panel, network.away, token=panel.tokens["admin"])
    askers = {
        "nobody": Asker(panel, network.away),
        **{role: Asker(panel, network.away, token=panel.tokens[role]) for role in ROLES},
        "wrong token": Asker(panel, network.another(), token="plt_wrong"),
        "expired ticket": Asker(panel, network.another(), ticket=panel.spent[0]),
        "foreign origin": admin._replace(origin=table.FOREIGN),
        "rebinding host": admin._replace(host=table.REBOUND),
    }
    return {column: askers[column].ask(row.what) if outcome != "–" else "–" for column, outcome in row.outcomes.items()}


@pytest.mark.parametrize("row", table.rows(), ids=lambda row: row.what)
def test_every_line_is_true(row: Row, exposed: Exposed, network: Network) -> None:
    assert asked(row, exposed, network) == row.outcomes


# --- that it is whole --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> PanelApp:
    house = PanelApp(Settings(pins="mock", data=tmp_path_factory.mktemp("house")))
    house.store.close()
    return house


def documented() -> set[str]:
    return {row.what for row in table.rows()}


def test_every_command_has_its_line_and_its_rule() -> None:
    commands = typing.get_args(AnyCommand)
    assert {kind.model_fields["do"].default for kind in commands} <= documented()
    assert set(commands) == set(permissions.COMMANDS)


def test_every_route_and_socket_has_its_line_and_its_rule(house: PanelApp) -> None:
    routes, sockets = set(), set()
    for rule in house.quart.url_map.iter_rules():
        if rule.rule.startswith(permissions.OPEN_FOLDERS):
            continue
        if rule.websocket:
            sockets.add(rule.rule)
        else:
            routes |= {f"{method} {rule.rule}" for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert routes == set(permissions.ROUTES)
    assert sockets == set(permissions.SOCKETS)
    assert routes | {f"ws {path}" for path in sockets} <= documented()


def test_every_event_has_its_line_and_its_rule(house: PanelApp) -> None:
    spaces = house.sockets.namespace_handlers
    events = {(name, event) for name, namespace in spaces.items() for event in namespace.handlers}
    assert events == set(permissions.EVENTS)
    assert {f"{name} {event}" for name, event in events} <= documented()


def test_the_table_has_no_other_lines() -> None:
    commands = {kind.model_fields["do"].default for kind in permissions.COMMANDS}
    sockets = {f"ws {path}" for path in permissions.SOCKETS}
    assert documented() == commands | sockets | set(permissions.ROUTES) | {
        " ".join(event) for event in permissions.EVENTS
    }


def test_a_route_that_is_not_in_the_table_is_for_admins() -> None:
    assert permissions.of_route("POST", "/new/thing") is Role.ADMIN
    assert permissions.of_route("GET", "/new/thing") is Role.ADMIN
