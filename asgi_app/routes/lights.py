"""`/lights`: all lights and their commands."""

from __future__ import annotations

from pydantic import Field
from quart import Blueprint, Response

from asgi_app.models.base import Frozen, Result
from asgi_app.models.groups import LightOrder, OrderLights
from asgi_app.models.history import GetHistory, HistoryResult
from asgi_app.models.light_setup import AddLight, ChangeLight, LightSetup, LightSetupChange, NewLight, RemoveLight
from asgi_app.models.lights import Hardware, Light, LightChange, SetLight, UndoLight
from asgi_app.models.wire import parse_body
from asgi_app.routes.auth import current_actor
from asgi_app.routes.json_io import json_answer, json_body, require_json
from asgi_app.routes.openapi import documented
from asgi_app.routes.plain import plain
from asgi_app.service import Panel
from asgi_app.service.light_setup import LightSetups


class Lights(Frozen):
    """All lights, at one revision."""

    epoch: str = Field(description="New at each start of the panel.")
    rev: int = Field(description="Rises with every event.")
    lights: dict[str, Light]
    hardware: Hardware


class Setup(Frozen):
    """The lights of this panel as they are set up, and the pins that no light has."""

    lights: list[LightSetup]
    free_pins: list[int]


def lights(panel: Panel, setups: LightSetups) -> Blueprint:
    """Return the routes of `/lights`."""
    routes = Blueprint("lights", __name__)

    @routes.get("/lights")
    @documented("Lights", Lights)
    @plain
    async def get_lights() -> Response:
        """Get all lights."""
        return json_answer(Lights(epoch=panel.epoch, rev=panel.rev, **dict(panel.state)))

    @routes.post("/lights")
    @documented("Lights", Light, 201, body=NewLight, refusals=(409, 507))
    @plain
    async def post_light() -> Response:
        """Add a light to this panel."""
        said = dict(parse_body(NewLight, await json_body()))
        command = AddLight(light=said.pop("id"), **said)
        return json_answer((await panel.perform(current_actor(), command)).light, 201)

    @routes.post("/lights/order")
    @documented("Lights", Lights, body=LightOrder, refusals=(404, 507))
    @plain
    async def post_order() -> Response:
        """Change the order of the lights."""
        order = parse_body(LightOrder, await json_body())
        await panel.perform(current_actor(), OrderLights(order=order.order))
        return await get_lights()

    @routes.get("/setup")
    @documented("Lights", Setup)
    @plain
    async def get_setup() -> Response:
        """Get how the lights of this panel are set up, and the pins that are free."""
        return json_answer(Setup(lights=setups.all(), free_pins=setups.free_pins()), fresh=True)

    @routes.patch("/lights/<light>/setup")
    @documented("Lights", LightSetup, body=LightSetupChange, refusals=(404, 409, 507))
    @plain
    async def patch_setup(light: str) -> Response:
        """Change how a light is set up."""
        change = parse_body(ChangeLight, await json_body(), light=light)
        await panel.perform(current_actor(), change)
        return json_answer(setups.setup(light))

    @routes.delete("/lights/<light>")
    @documented("Lights", Result, refusals=(404, 409, 507))
    @plain
    async def delete_light(light: str) -> Response:
        """Remove a light from this panel."""
        return json_answer(await panel.perform(current_actor(), RemoveLight(light=light)))

    @routes.get("/lights/<light>")
    @documented("Lights", Light, refusals=(404,))
    @plain
    async def get_light(light: str) -> Response:
        """Get one light."""
        return json_answer(panel.light(light))

    @routes.get("/lights/<light>/history")
    @documented("Lights", HistoryResult, refusals=(404, 503, 507))
    @plain
    async def get_history(light: str) -> Response:
        """Get the changes of a light in the last 24 hours."""
        return json_answer(await panel.perform(current_actor(), GetHistory(light=light)), fresh=True)

    @routes.patch("/lights/<light>")
    @documented("Lights", Light, body=LightChange, refusals=(404, 503))
    @plain
    async def patch_light(light: str) -> Response:
        """Change a light. Returns once the hardware has this change or a newer one."""
        require_json()
        panel.light(light)
        change = parse_body(SetLight, await json_body(), light=light)
        return json_answer((await panel.perform(current_actor(), change)).light)

    @routes.post("/lights/<light>/undo")
    @documented("Lights", Light, refusals=(404, 409, 503))
    @plain
    async def undo_light(light: str) -> Response:
        """Undo the last change of a light."""
        return json_answer((await panel.perform(current_actor(), UndoLight(light=light))).light)

    return routes
