"""Fades, flashes and effects over time: within bounds, without jumps, ending where they should."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_app.core.lights import Drive
from asgi_app.hw.motion import BLINK_SECONDS, FLASH_SECONDS, PULSE_FLOOR, PULSE_SECONDS, Motion, effect, fade, flash
from asgi_app.models.lights import Effect

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a loaded machine is no fault
LEVELS = st.floats(0, 100)
ELAPSED = st.floats(0, 1e6)
EFFECTS: list[Effect] = ["pulse", "blink", "candle"]
TINY = 1e-6  # percent: what floats may be off


@STEADY
@given(LEVELS, LEVELS, st.floats(0.001, 3600), ELAPSED)
def test_a_fade_stays_between_its_ends(start: float, end: float, seconds: float, elapsed: float) -> None:
    low, high = sorted((start, end))
    assert low - TINY <= fade(start, end, seconds, elapsed) <= high + TINY


@STEADY
@given(LEVELS, LEVELS, st.floats(0, 3600))
def test_a_fade_begins_at_its_start_and_ends_exactly(start: float, end: float, seconds: float) -> None:
    assert fade(start, end, seconds, seconds) == end
    if seconds > 0:
        assert fade(start, end, seconds, 0) == start
        assert fade(start, end, seconds, -1) == start


@STEADY
@given(LEVELS, LEVELS, st.floats(0.1, 3600), st.floats(0, 1), st.floats(0, 1))
def test_a_fade_has_one_speed_and_no_jump(start: float, end: float, seconds: float, one: float, other: float) -> None:
    went = fade(start, end, seconds, seconds * other) - fade(start, end, seconds, seconds * one)
    assert went == pytest.approx((end - start) * (other - one), abs=TINY)


@pytest.mark.parametrize("name", EFFECTS)
@STEADY
@given(level=LEVELS, elapsed=ELAPSED)
def test_an_effect_is_never_above_the_level_nor_below_zero(name: Effect, level: float, elapsed: float) -> None:
    assert 0 <= effect(name, level, elapsed) <= level + TINY


@pytest.mark.parametrize(
    ("name", "elapsed", "share"),
    [
        ("pulse", 0, PULSE_FLOOR),
        ("pulse", PULSE_SECONDS / 2, 1.0),
        ("pulse", PULSE_SECONDS, PULSE_FLOOR),
        ("blink", 0, 1.0),
        ("blink", BLINK_SECONDS / 2, 0.0),
        ("blink", BLINK_SECONDS, 1.0),
    ],
)
def test_an_effect_at_a_moment(name: Effect, elapsed: float, share: float) -> None:
    assert effect(name, 80, elapsed) == pytest.approx(80 * share)


@pytest.mark.parametrize("name", ["pulse", "candle"])
@STEADY
@given(elapsed=st.floats(0, 1000))
def test_a_soft_effect_does_not_jump(name: Effect, elapsed: float) -> None:
    assert abs(effect(name, 100, elapsed + 0.032) - effect(name, 100, elapsed)) < 10


def test_a_candle_flickers_and_never_goes_out() -> None:
    levels = [effect("candle", 100, n * 0.032) for n in range(2000)]
    assert min(levels) >= 35
    assert max(levels) - min(levels) > 20
    assert len({round(level) for level in levels}) > 10


@STEADY
@given(LEVELS)
def test_a_flash_shows_on_a_dark_and_on_a_bright_light(level: float) -> None:
    bright, dark = flash(level, 0), flash(level, FLASH_SECONDS / 2)
    assert 0 <= dark < bright <= 100
    assert bright - dark >= 40


# --- a light's motion: flashes, then the fade, then the target ---------------------------------------------


@pytest.mark.parametrize(
    ("drive", "now", "level", "moves"),
    [
        (Drive(80), 10, 80, False),
        (Drive(80, 2.0), 10, 20, True),
        (Drive(80, 2.0), 11, 50, True),
        (Drive(80, 2.0), 12, 80, False),
        (Drive(80, 2.0), 99, 80, False),
        (Drive(80, flash=2), 10, 100, True),
        (Drive(80, flash=2), 10 + FLASH_SECONDS * 0.6, 20, True),
        (Drive(80, flash=2), 10.1 + FLASH_SECONDS * 2, 80, False),
        (Drive(80, 2.0, flash=1), 11 + FLASH_SECONDS, 50, True),
        (Drive(80, effect="pulse"), 10 + PULSE_SECONDS / 2, 80, True),
        (Drive(80, effect="blink"), 1010, 80, True),
    ],
)
def test_a_motion_from_20_percent_at_second_10(drive: Drive, now: float, level: float, moves: bool) -> None:
    motion = Motion(drive, start=20, began=10)
    assert motion.level(now) == pytest.approx(level)
    assert motion.moves(now) is moves


DRIVES = st.builds(
    Drive,
    level=st.integers(0, 100),
    seconds=st.floats(0, 60),
    effect=st.none() | st.sampled_from(EFFECTS),
    flash=st.integers(0, 20),
)


@STEADY
@given(DRIVES, LEVELS, st.floats(0, 1000))
def test_a_motion_never_leaves_the_scale(drive: Drive, start: float, elapsed: float) -> None:
    assert -TINY <= Motion(drive, start, 5.0).level(5.0 + elapsed) <= 100 + TINY


@STEADY
@given(DRIVES, LEVELS)
def test_a_motion_that_moves_no_more_is_at_its_target(drive: Drive, start: float) -> None:
    motion = Motion(drive, start, 5.0)
    over = 5.0 + 60 + 20 * FLASH_SECONDS + 1
    assert motion.moves(over) is (drive.effect is not None)
    assert drive.effect is not None or motion.level(over) == drive.level


def test_a_light_that_comes_back_goes_straight_to_its_target() -> None:
    motion = Motion(Drive(80, 60.0, flash=3), 20, 5.0).ended()
    assert (motion.level(5.0), motion.moves(5.0)) == (80, False)


@pytest.mark.parametrize(
    ("level", "seconds", "flash", "effect", "pause"),
    [
        (100, 0.5, 0, None, 0.016),
        (100, 30, 0, None, 0.016),
        (100, 600, 0, None, 0.3),
        (1, 600, 0, None, 1.0),
        (100, 86_400, 0, None, 1.0),
        (100, 86_400, 2, None, 0.016),
        (100, 86_400, 0, "candle", 0.032),
        (0, 600, 0, None, 0.016),
    ],
)
def test_a_long_fade_is_written_as_seldom_as_the_eye_allows(
    level: int, seconds: float, flash: int, effect: Effect | None, pause: float
) -> None:
    motion = Motion(Drive(level, seconds, effect, flash), 0.0, 1000.0)
    assert motion.until_next(1000.1) == pytest.approx(pause, rel=1e-3)


def test_a_long_fade_ends_on_time() -> None:
    motion = Motion(Drive(100, 86_400), 0.0, 1000.0)
    assert motion.until_next(1000.0 + 86_399.5) == pytest.approx(0.5)
