"""Names that look alike: the skeletons of UTS 39, and characters that are not seen (Default_Ignorable_Code_Point).

Two names look alike where they have a form in common. A form is the skeleton of the name with its case folded, since
case is no difference here; and the skeleton of the name as it is written, since `I` looks like `l` and `i` does not.
The table is Unicode's (`unicode/lookalikes.txt`), and is read when the first name is compared.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path

TABLE = Path(__file__).parent / "lookalikes.txt"
BLANK = "\u2800"  # a Braille pattern without dots: the table has nothing for it


def forms(name: str) -> frozenset[str]:
    """What the name looks like. Names that look alike share one of these."""
    return _forms(unicodedata.normalize("NFKC", name))


def looks_like(name: str, names: Iterable[str]) -> str | None:
    """The first of these names that this one looks like."""
    index = _index(tuple(names))
    return next((index[form] for form in sorted(forms(name)) if form in index), None)


def same_looks(name: str, names: Iterable[str]) -> str | None:
    """The first of these names that looks like this one as it is written: another case looks different."""
    looks = _looks(unicodedata.normalize("NFKC", name))
    return next((other for other in names if _looks(unicodedata.normalize("NFKC", other)) == looks), None)


def is_unseen(character: str) -> bool:
    """Whether nothing is seen where this character stands: white space, and what is not shown at all."""
    if character.isascii():
        return not character.isprintable() or character == " "
    return (
        character.isspace()
        or character == BLANK
        or unicodedata.category(character) == "Cf"
        or character in _tables()[0]
    )


@lru_cache(maxsize=4096)
def _forms(name: str) -> frozenset[str]:
    return frozenset({_looks(name.casefold()), _looks(name).casefold()})


@lru_cache(maxsize=4096)
def _looks(name: str) -> str:
    return _plain(_skeleton(name))


@lru_cache(maxsize=8)
def _index(names: tuple[str, ...]) -> Mapping[str, str]:
    """Whose form it is, by form; that of the first, where several have it."""
    return {form: name for name in reversed(names) for form in forms(name)}


def _skeleton(text: str) -> str:
    """UTS 39, 4: the prototypes of all characters that are seen."""
    unseen, prototypes = _tables()
    seen = (one for one in unicodedata.normalize("NFD", text) if one not in unseen)
    return unicodedata.normalize("NFD", "".join(prototypes.get(one, one) for one in seen))


def _plain(text: str) -> str:
    """Without format characters, and with single spaces."""
    spaced = text.replace(BLANK, " ")
    return " ".join("".join(one for one in spaced if unicodedata.category(one) != "Cf").split())


@cache
def _tables() -> tuple[frozenset[str], Mapping[str, str]]:
    """The characters that are not seen, and the prototype of each that looks like another."""
    lines = TABLE.read_text("utf-8").splitlines()
    unseen, prototypes = set(), {}
    for first, *others in (line.split() for line in lines if not line.startswith("#")):
        if first == "unseen":
            unseen = {chr(point) for span in others for point in _range(span)}
        else:
            prototype = "".join(chr(int(point, 16)) for point in first.split("+"))
            prototypes.update({chr(int(point, 16)): prototype for point in others})
    return frozenset(unseen), prototypes


def _range(span: str) -> range:
    first, _, last = span.partition("-")
    return range(int(first, 16), int(last or first, 16) + 1)
