"""The search of the stored messages: what matches, and a slice at a time."""

from __future__ import annotations

from functools import partial

import pytest

from asgi_app.store import Store, chat_search
from asgi_app.store import chat as stored
from tests.support.stored_messages import LOBBY, draft

SAID = ['say "hi"', "two\nlines", "back\\slash", "Straße ÄÖ", "看灯", "\u200d\U0001f525", "50% _x"]


@pytest.mark.parametrize(
    ("q", "matches"),
    [
        ('"HI"', [0]),
        ("two\nLINES", [1]),
        ("nlines", []),  # the JSON has it
        ("k\\s", [2]),
        ("\\\\", []),
        ("STRASSE äö", [3]),
        ("灯", [4]),
        ("\U0001f525", [5]),
        ("%", [6]),
        ("_", [6]),
        ("s", [0, 1, 2, 3]),
        ("u200d", []),
    ],
)
async def test_what_a_text_matches(store: Store, q: str, matches: list[int]) -> None:
    for number, text in enumerate(SAID):
        await store.do(partial(stored.say, draft=draft(number)._replace(msg=text)))
    for thread in (None, LOBBY.key):
        part = await store.do(
            partial(chat_search.matches, before=2**62, wanted=chat_search.Wanted(q.casefold(), thread, None))
        )
        assert [id - 1 for id in reversed(part.matches)] == matches


@pytest.mark.parametrize("thread", [None, LOBBY.key])
async def test_a_long_history_is_searched_in_slices(
    store: Store, monkeypatch: pytest.MonkeyPatch, thread: str | None
) -> None:
    monkeypatch.setattr(chat_search, "ROWS", 7)
    for number in range(50):
        await store.do(partial(stored.say, draft=draft(number)._replace(msg=f"line {number}")))
    wanted, start, ids, slices = chat_search.Wanted("line", thread, None), 2**62, [], 0
    while (part := await store.do(partial(chat_search.matches, before=start, wanted=wanted))).start is not None:
        start, slices = part.start, slices + 1
        ids += part.matches
    assert (ids, slices) == (list(range(50, 0, -1)), 8)
