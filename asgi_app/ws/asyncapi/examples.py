"""Examples of commands, events and replies of the native protocol. Tests hold each against its schema."""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]

ADA = {"name": "Ada", "via": "live"}
SET = {"by": ADA, "at": 1795223272.68}
LIGHT: Example = {"id": "desk", "name": "Desk", "pin": 21, "level": 70, "on": True, "effect": None, "transition": None}
LIGHT |= {"actual": 70.0, "online": True, "reason": None, "away_since": None, **SET, "target": 70}
LIGHT |= {"undo": {"level": 20, "on": True, "effect": None}}
GROUP: Example = {"id": "kitchen", "name": "Kitchen", "lights": ["desk", "shelf"]}
SCENE: Example = {"id": "dinner", "name": "Dinner", "lights": {"desk": {"level": 40, "on": True, "effect": None}}}
SCHEDULE: Example = {"id": "morning", "name": "Morning", "when": {"at": "06:45", "days": ["mon"]}}
SCHEDULE |= {"do": {"do": "set_light", "light": "desk", "on": True}, "if_missed": "skip", "enabled": True}
SCHEDULE |= {"next": 1795240800.0, "why": None, "is_timer": False, "skips": False, "last": None, "by": ADA}
MESSAGE: Example = {"id": 117, "room": "lobby", "to": None, "n": 58, "from": "Ada", "msg": "The kettle is on"}
MESSAGE |= {"at": 1795223272.68, "client_id": "a1"}
THREAD: Example = {"room": "lobby", "with": None, "n": 58, "read": 57, "unread": 1, "last": MESSAGE}
THREAD |= {"marks": {"Ada": {"delivered": 58, "read": 57}}}
ROOM: Example = {"name": "lobby", "n": 58, "at": 1795223272.68}
RUN: Example = {"id": "build-7", "name": "make all", "kind": "command", "state": "running", "progress": 42.0}
RUN |= {"running_edge": ["e1"], "step": "linking", "lines": 1234, "started_at": 1795223272.68, "ended_at": None}
RUN |= {"exit_code": None, "outcome": None, "by": ADA, "producer": True}
SHOW: Example = {"name": "sunrise", "title": "Sunrise", "description": "Slowly brighter.", "translations": {}}
SHOW |= {"source": "built-in", "seconds": 1800.0, "endless": False}
STEPS = [{"fade": {"level": 40, "seconds": 2}}, {"wait": 5}]
LINE: Example = {"msg": "linking", "level": "info", "time": 1795223272.68}
LOG: Example = {"from": 1234, "next": 1235, "lines": [LINE]}
GRAPH: Example = {"nodes": [{"id": "n1", "type": "rect", "x": 100, "y": 80, "text": "Link"}], "edges": []}
PROBLEM: Example = {"type": "urn:pilotlight:problem:unknown-light", "title": "There is no such light", "status": 404}
PROBLEM |= {"detail": "There is no light 'sofa'. Use one of desk, shelf.", "errors": []}
SNAPSHOT: Example = {
    "epoch": "12b6a1d0c4f24a3f9d2b7c8e5f601a2b",
    "rev": 41,
    "state": {
        "lights": {"desk": LIGHT},
        "hardware": {"pins": "lgpio", "why": "this is a Raspberry Pi 5", "fix": None},
        "groups": {"kitchen": GROUP},
        "scenes": {"dinner": SCENE},
        "schedules": {"morning": SCHEDULE},
        "people": {
            "Ada": {"name": "Ada", "devices": [{"via": "live", "device": "Firefox on Linux", "at": 1795223000.0}]}
        },
        "rooms": {"lobby": ROOM},
        "runs": {"build-7": RUN},
        "shows": {"sunrise": SHOW},
        "nodes": [],
        "storage": {"kept": True, "reason": None},
    },
}

COMMANDS: dict[str, Example] = {
    "set_light": {"light": "desk", "level": 40, "transition": 2},
    "set_lights": {"group": "kitchen", "step": 10},
    "undo_light": {"light": "desk"},
    "undo_lights": {"group": "kitchen"},
    "get_history": {"light": "desk"},
    "add_light": {"light": "shelf", "pin": 20, "name": "Shelf", "gamma": 2.8},
    "change_light": {"light": "shelf", "gamma": 1.0},
    "remove_light": {"light": "shelf"},
    "order_lights": {"order": ["shelf", "desk"]},
    "get_state": {},
    "ping": {},
    "save_group": {"name": "Kitchen", "lights": ["desk", "shelf"]},
    "rename_group": {"group": "kitchen", "name": "Big kitchen"},
    "delete_group": {"group": "kitchen"},
    "order_groups": {"order": ["kitchen", "hall"]},
    "save_scene": {"name": "Dinner", "lights": {"desk": {"level": 40}}},
    "rename_scene": {"scene": "dinner", "name": "Late dinner"},
    "delete_scene": {"scene": "dinner"},
    "recall_scene": {"scene": "dinner", "transition": 2},
    "save_schedule": {
        "name": "Morning",
        "when": {"at": "06:45", "days": ["mon"]},
        "command": {"do": "set_light", "light": "desk", "on": True},
    },
    "change_schedule": {"schedule": "morning", "enabled": False},
    "skip_schedule": {"schedule": "morning"},
    "delete_schedule": {"schedule": "morning"},
    "say": {"room": "lobby", "msg": "The kettle is on", "client_id": "a1"},
    "edit_message": {"room": "lobby", "n": 58, "msg": "The kettle is off"},
    "delete_message": {"room": "lobby", "n": 58},
    "typing": {"room": "lobby", "typing": True},
    "mark": {"room": "lobby", "delivered": 58, "read": 58},
    "join_room": {"room": "lobby"},
    "leave_room": {"room": "lobby"},
    "get_messages": {"room": "lobby", "before": 58, "limit": 50},
    "get_threads": {},
    "search_messages": {"q": "kettle"},
    "delete_room": {"room": "old plans"},
    "delete_person": {"person": "Ada"},
    "start_run": {"run": "build-7", "name": "make all", "graph": GRAPH},
    "update_run": {"run": "build-7", "progress": 42, "running_edge": ["e1"]},
    "log_run": {"run": "build-7", "from": 1234, "lines": ["linking", {"msg": "no such file", "level": "error"}]},
    "end_run": {"run": "build-7", "exit_code": 0},
    "pin_run": {"run": "build-7", "pinned": True},
    "delete_run": {"run": "build-7"},
    "answer_run": {"signal_id": 5, "answer": "paused"},
    "watch_run": {"run": "build-7", "lines": 500},
    "unwatch_run": {"run": "build-7"},
    "get_log": {"run": "build-7", "from": 0, "limit": 1000},
    "search_log": {"run": "build-7", "q": "no such file", "level": "error"},
    "get_runs": {"before": "build-7"},
    "signal_run": {"run": "build-7", "signal": "stop"},
    "start_show": {"show": "sunrise"},
    "save_show": {"title": "Evening", "steps": STEPS},
    "delete_show": {"show": "evening"},
    "try_show": {"title": "Evening", "steps": STEPS},
}

EVENTS: dict[str, Example] = {
    "light_changed": {"light": "desk", **SET, "state": LIGHT},
    "light_actual": {"light": "desk", **SET, "actual": 35.5},
    "light_flashed": {"light": "desk", **SET, "times": 3},
    "light_removed": {"light": "shelf", **SET},
    "lights_ordered": {**SET, "order": ["shelf", "desk"]},
    "group_changed": {**SET, "group": "kitchen", "state": GROUP},
    "groups_ordered": {**SET, "order": ["kitchen", "hall"]},
    "scene_changed": {**SET, "scene": "dinner", "state": SCENE},
    "schedule_changed": {"schedule": "morning", **SET, "state": SCHEDULE},
    "show_changed": {"show": "sunrise", **SET, "state": SHOW},
    "person_changed": {"person": "Ada", "devices": [{"via": "live", "device": "Firefox on Linux", "at": 1795223000.0}]},
    "room_changed": {"room": "lobby", "state": ROOM},
    "run_changed": {"run": "build-7", "state": RUN},
    "run_removed": {"run": "build-7", **SET},
    "storage_changed": {"state": {"kept": False, "reason": "the disk is full"}},
    "clock_changed": {"at": 1795223272.68, "seconds": 3600.0},
    "talk_deleted": {"person": "Ada"},
    "message": {"message": MESSAGE},
    "message_changed": {"message": {**MESSAGE, "msg": "The kettle is off", "edited_at": 1795223300.0, "change": 1}},
    "typing": {"room": "lobby", "to": None, "person": "Ada", "typing": True},
    "marks_changed": {"room": "lobby", "to": None, "person": "Ada", "delivered": 58, "read": 58},
    "gap": {"of": "run", "run": "build-7", "from": 1200, "upto": 1234, "href": "/runs/build-7/log?from=1200&limit=34"},
    "run_log": {"run": "build-7", "from": 1234, "lines": [LINE]},
    "run_begun": {"run": "build-7", "lines": [LINE]},
    "run_graph": {"run": "build-7", "graph": GRAPH},
    "run_ended": {"run": "build-7", "exit_code": 0, "outcome": "done", "lines": 1235},
    "run_signal": {"run": "build-7", "signal": "stop", "signal_id": 5, "by": ADA},
}

REPLIES: dict[str, Example] = {
    "result": {},
    "light_result": {"light": LIGHT},
    "lights_result": {"lights": {"desk": LIGHT}, "refused": {"sofa": PROBLEM}},
    "history_result": {
        "light": "desk",
        "since": 1795136872.68,
        "until": 1795223272.68,
        "history": [{"at": 1795223200.0, "level": 70, "effect": None, "seconds": 2.0, "by": ADA}],
    },
    "state_result": {"snapshot": SNAPSHOT},
    "group_result": {"group": GROUP},
    "scene_result": {"scene": SCENE},
    "schedule_result": {"schedule": SCHEDULE},
    "message_result": {"message": MESSAGE},
    "messages_result": {"messages": [MESSAGE], "more": False},
    "room_result": {"room": ROOM},
    "threads_result": {"me": "Ada", "threads": [THREAD]},
    "found_messages": {"messages": [MESSAGE], "total": 1, "more": False, "cut": False},
    "run_result": {"run": RUN},
    "runs_result": {"runs": [RUN], "more": False},
    "lines_result": {"next": 1236},
    "log_result": {"log": LOG},
    "watch_result": {"run": RUN, "graph": GRAPH, "log": LOG},
    "found_result": {
        "found": {
            "from": 0,
            "next": 1235,
            "cut": False,
            "total": 41,
            "before": 2,
            "matches": [1200, 1207],
            "lines": None,
        }
    },
    "signal_result": {"answer": "paused"},
    "show_result": {"show": SHOW},
    "refused": {"reply": 7, "ok": False, "rev": 42, "problem": PROBLEM},
}
