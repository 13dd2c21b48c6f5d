"""Names that look alike are one name where somebody has claimed it, and all other names stay free."""

from __future__ import annotations

import itertools
import subprocess
import sys
import unicodedata

import pytest

from asgi_app.access.secret_store import Claim, Secrets, name_key
from asgi_app.core.chat import name_of, person_of
from asgi_app.errors import BadName, NameTaken
from asgi_app.models.base import Actor
from asgi_app.unicode import lookalikes
from asgi_app.unicode.lookalikes import forms, is_unseen, looks_like

UNSEEN = [0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x180B, 0x180F, 0x200B, 0x200D, 0x202E, 0x2060, 0x2065, 0x2069]
UNSEEN += [0x206F, 0x2800, 0x3164, 0xFE00, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF8, 0xFFF9, 0x1BCA0, 0x1D173, 0xE0001, 0xE0100]
UNSEEN += [0xE01EF, 0xE0FFF]

LIKE = {
    "Eva": [
        *(f"{chr(point)}Eva" for point in UNSEEN),
        *(f"Ev{chr(point)}a" for point in UNSEEN if point != 0x2800),  # that one is a blank
        *(f"Eva{chr(point) * 3}" for point in UNSEEN),
        "eva",
        "EVA",
        " Eva ",
        "Ｅｖａ",
        "𝐄𝐯𝐚",
        "𝓔𝓿𝓪",
        "Ⓔⓥⓐ",
        "Ev\u0430",  # Cyrillic
        "\u0415v\u0430",
        "\u0415V\u0410",
        "\u0395v\u03b1",  # Greek
        "E\u03bda",
        "E\u2174a",  # a Roman numeral
        "E\u1d20a",
        "\u13acva",  # Cherokee
        "\ua4f0va",  # Lisu
        "E\u0475a",
    ],
    "Bill": ["BiIl", "Bi1l", "Bi|l", "B\u0456ll", "\u0412ill", "Bil\u217c", "\u13f4ill", "Bi\u01c0\u01c0"],
    "Bob": ["B0b", "B\u043eb", "\u0412\u041e\u0412", "B\u03bfb", "B\u0585b", "BOB"],
    "Tim": ["Tirn", "\u0422im", "T\u0456rn"],
    "Ева": ["Eвa", "Е\u0432\u0430", "Eв\u0430"],
    "Νίκος": ["Nίκος", "Νίκοϲ"],
    "José": ["Jos\u0065\u0301", "J\u03bfs\u00e9", "\u0408osé"],
    "Ada L": ["Ada  L", "Ada\u00a0L", "Ada\u3000L", "Ada\u2800L", "Ada I"],
}
DIFFERENT = [
    "Eva",
    "Eve",
    "Ewa",
    "Éva",
    "Ева",
    "Иван",
    "Ivan",
    "Νίκος",
    "Nikos",
    "李雷",
    "李蕾",
    "さくら",
    "サクラ",
    "지민",
]
DIFFERENT += ["محمد", "דוד", "José", "Jose", "Ngô", "❤️", "👩‍🚀", "👨‍🚀", "🇫🇷", "🇩🇪", "葛󠄀", "Ada", "Ada 2", "Ada 3"]


@pytest.mark.parametrize(("name", "other"), [(name, other) for name, others in LIKE.items() for other in others])
def test_what_looks_like_a_claimed_name_belongs_to_somebody(name: str, other: str) -> None:
    secrets = Secrets()
    secrets.claim(name, "")
    assert secrets.owner(other) == name
    with pytest.raises(NameTaken):
        secrets.claim(other, "")
    mirrored = Secrets()
    mirrored.claim(other, "")
    assert mirrored.owner(name) == other


def test_other_names_stay_free() -> None:
    for one, other in itertools.permutations(DIFFERENT, 2):
        assert looks_like(other, [one]) is None, (one, other)
    secrets = Secrets()
    for name in DIFFERENT:
        assert name_of(name, 64, field="name") == unicodedata.normalize("NFC", name)
        secrets.claim(name, "")
    assert [secrets.owner(name) for name in DIFFERENT] == DIFFERENT


def test_names_that_look_alike_and_were_both_claimed_stay_their_owners() -> None:
    secrets = Secrets()
    for number, name in enumerate(("Eva", "Ev\u0430", "Eva\u3164"), 1):
        secrets.names[name_key(name)] = Claim(name=name, password="", generation=number, at=0)
    assert [secrets.owner(name) for name in ("Eva", "Ev\u0430", "Eva\u3164")] == ["Eva", "Ev\u0430", "Eva\u3164"]
    assert secrets.claim_for_programs("Ev\u0430") == 2
    assert secrets.owner("\u0415va") == "Eva"  # the first that it looks like


def test_a_program_gets_no_name_that_looks_like_a_claimed_one() -> None:
    secrets = Secrets()
    assert secrets.claim_for_programs("Eva") == secrets.claim_for_programs("eva")
    with pytest.raises(NameTaken, match="looks like Eva"):
        secrets.claim_for_programs("Ev\u0430")


@pytest.mark.parametrize("name", ["server", "ѕerver", "ser\u034fver", "SERVER", "server\u3164", "ｓｅｒｖｅｒ"])
def test_nobody_looks_like_the_panel_itself(name: str) -> None:
    with pytest.raises(BadName, match="a reserved name"):
        person_of(Actor(name=name, via="chat", given=name), 64)


@pytest.mark.parametrize("point", UNSEEN)
def test_a_name_has_something_to_see(point: int) -> None:
    assert is_unseen(chr(point))
    with pytest.raises(BadName):
        name_of(chr(point) * 3, 64, field="name")


def test_the_table_is_whole_and_each_prototype_is_its_own() -> None:
    unseen, prototypes = lookalikes._tables()
    assert len(prototypes) == 6565  # as confusables.txt of Unicode 17 says itself
    assert len(unseen) == 4174  # as DerivedCoreProperties.txt says
    for prototype in set(prototypes.values()):
        if not any(one in unseen for one in prototype):
            assert forms(prototype), prototype
            skeleton = lookalikes._skeleton(prototype)
            assert lookalikes._skeleton(skeleton) == skeleton


def test_the_table_is_read_when_it_is_needed() -> None:
    code = "import asgi_app.app, asgi_app.unicode.lookalikes as it; print(it._tables.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"0\n"
