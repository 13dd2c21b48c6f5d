"""Pilot Light from Python: the lights, groups, scenes, chat and runs of a panel, live and typed.

    async with pilotlight.connect("http://pi.local:5000", name="script") as panel:
        await panel.lights["desk"].set(40, transition=2)

`connect_sync` is the same for scripts without asyncio.
"""

import importlib
from typing import TYPE_CHECKING, Any

from pilotlight import errors as _errors
from pilotlight.errors import *  # noqa: F403

if TYPE_CHECKING:
    from pilotlight.events import (
        ClockChanged,
        Event,
        Events,
        GroupChanged,
        GroupsOrdered,
        LightActual,
        LightChanged,
        LightFlashed,
        LightRemoved,
        LightsOrdered,
        Lost,
        MarksChanged,
        MessageChanged,
        MessageSaid,
        PersonChanged,
        Resumed,
        Resynced,
        RoomChanged,
        RunChanged,
        RunRemoved,
        SceneChanged,
        ScheduleChanged,
        ShowChanged,
        StorageChanged,
        TalkDeleted,
        TypingChanged,
        Unknown,
    )
    from pilotlight.panel import (
        Panel,
        connect,
    )
    from pilotlight.report import (
        RunReport,
    )
    from pilotlight.sync import (
        SyncGroup,
        SyncLight,
        SyncPanel,
        SyncRoom,
        SyncRun,
        SyncRunReport,
        SyncScene,
        SyncShow,
        connect_sync,
    )
    from pilotlight.things import (
        Group,
        Light,
        Many,
        Room,
        Run,
        Scene,
        Show,
    )
    from pilotlight.values import (
        Actor,
        Device,
        Done,
        Hardware,
        LightSettings,
        LogLine,
        Marks,
        Message,
        Moment,
        Person,
        Schedule,
        ShowWords,
        Span,
        Storage,
        Thread,
        Transition,
    )

__all__ = [
    "Actor",
    "ClockChanged",
    "Device",
    "Done",
    "Event",
    "Events",
    "Group",
    "GroupChanged",
    "GroupsOrdered",
    "Hardware",
    "Light",
    "LightActual",
    "LightChanged",
    "LightFlashed",
    "LightRemoved",
    "LightSettings",
    "LightsOrdered",
    "LogLine",
    "Lost",
    "Many",
    "Marks",
    "MarksChanged",
    "Message",
    "MessageChanged",
    "MessageSaid",
    "Moment",
    "Panel",
    "Person",
    "PersonChanged",
    "Resumed",
    "Resynced",
    "Room",
    "RoomChanged",
    "Run",
    "RunChanged",
    "RunRemoved",
    "RunReport",
    "Scene",
    "SceneChanged",
    "Schedule",
    "ScheduleChanged",
    "Show",
    "ShowChanged",
    "ShowWords",
    "Span",
    "Storage",
    "StorageChanged",
    "SyncGroup",
    "SyncLight",
    "SyncPanel",
    "SyncRoom",
    "SyncRun",
    "SyncRunReport",
    "SyncScene",
    "SyncShow",
    "TalkDeleted",
    "Thread",
    "Transition",
    "TypingChanged",
    "Unknown",
    "connect",
    "connect_sync",
]
__all__ += _errors.__all__

if not TYPE_CHECKING:  # else every name would be one that it has

    def __getattr__(name: str) -> Any:
        """Load the client when it is first used: `pilotlight run` needs its connection alone."""
        if name in __all__:
            for module in ("values", "things", "events", "panel", "report", "sync"):
                found = vars(importlib.import_module(f"pilotlight.{module}"))
                if name in found:
                    return globals().setdefault(name, found[name])
        raise AttributeError(f"module 'pilotlight' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
