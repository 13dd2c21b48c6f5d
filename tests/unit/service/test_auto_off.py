"""A light that goes off by itself after its last change."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest

from asgi_app.models.lights import LightSpec
from tests.support.service_bench import Bench

SOON = 0.05  # seconds until it goes off


class Quick(Bench):
    specs: ClassVar = {
        "led": LightSpec.model_construct(**{**dict(LightSpec(pin=21)), "auto_off": SOON}),
        "desk": LightSpec(pin=12),
    }


class Patient(Bench):
    specs: ClassVar = {"led": LightSpec(pin=21, auto_off=3600)}


@pytest.fixture
async def quick() -> Quick:
    return Quick()


async def off(bench: Bench) -> None:
    async with asyncio.timeout(30):
        while bench.level > 0:
            await asyncio.sleep(0.005)


async def test_it_goes_off_and_says_by_whom(quick: Quick) -> None:
    await quick.ask(level=70)
    await off(quick)
    light = quick.panel.light("led")
    assert (light.on, light.level, light.by.name, light.by.via) == (False, 70, "Auto-off", "schedule")
    assert quick.panel.light("desk").on
    await quick.ask(on=True)
    await off(quick)


@pytest.mark.parametrize("change", [{"level": 71}, {"effect": "pulse"}, {"step": -5}])
async def test_a_change_begins_anew(change: dict[str, Any]) -> None:
    patient = Patient()
    await patient.ask(level=70)
    (_, first) = patient.lights._auto_off._timers["led"]
    await patient.ask(level=70)  # which is none
    assert patient.lights._auto_off._timers["led"][1] is first
    await patient.ask(**change)
    assert first.cancelled()
    (_, second) = patient.lights._auto_off._timers["led"]
    assert not second.cancelled()
    assert second.when() > first.when()


async def test_one_that_was_offline_begins_when_it_is_back(quick: Quick) -> None:
    quick.lights.light_offline("led", "no power")
    await asyncio.sleep(2 * SOON)
    assert quick.panel.light("led").on
    quick.lights.light_online("led")
    await off(quick)
