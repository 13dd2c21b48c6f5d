"""One-time codes: once, for ten minutes, one for each maker, and only hashes of them are kept."""

from __future__ import annotations

import pytest

from asgi_app.access.codes import CODE_SECONDS, CODES, Codes
from asgi_app.access.qr_code import qr_rows, sign_in_link
from asgi_app.access.secret_store import SecretStore
from asgi_app.errors import TooMany
from asgi_app.models.access import Credentials

PIN, ADA, BEN = Credentials(pin=1), Credentials(pin=1, session="ada"), Credentials(pin=1, session="ben")


@pytest.fixture
def codes() -> Codes:
    made = Codes(SecretStore(None), clock=lambda: made.now)  # type: ignore[attr-defined]
    made.now = 1000.0  # type: ignore[attr-defined]
    return made


def test_a_code_counts_once(codes: Codes) -> None:
    code = codes.make(PIN, ADA)
    assert codes.use(code) == PIN
    assert codes.use(code) is None
    assert codes.use("guessed") is None


@pytest.mark.parametrize(("after", "counts"), [(CODE_SECONDS - 1, True), (CODE_SECONDS, False)])
def test_a_code_counts_for_ten_minutes(codes: Codes, after: float, counts: bool) -> None:
    code = codes.make(PIN, ADA)
    codes.now += after  # type: ignore[attr-defined]
    assert (codes.use(code) is not None) is counts


def test_another_code_ends_the_last_one_of_its_maker_only(codes: Codes) -> None:
    first, of_ben = codes.make(PIN, ADA), codes.make(PIN, BEN)
    second = codes.make(PIN, ADA)
    assert [codes.use(code) for code in (first, second, of_ben)] == [None, PIN, PIN]


def test_there_is_an_end_of_codes(codes: Codes) -> None:
    for n in range(CODES):
        codes.make(PIN, Credentials(session=str(n)))
    with pytest.raises(TooMany):
        codes.make(PIN, ADA)
    codes.now += CODE_SECONDS  # type: ignore[attr-defined]
    assert codes.make(PIN, ADA)


def test_the_memory_has_no_code_in_it(codes: Codes) -> None:
    code = codes.make(PIN, ADA)
    assert code not in repr(vars(codes))


@pytest.mark.parametrize(
    ("url", "size"),
    [("http://192.168.178.123:5000/", 29), ("http://[fd00:1234:5678:9abc:def0:1234:5678:9abc]:5000/", 33)],
)
def test_the_qr_code_is_small(codes: Codes, url: str, size: int) -> None:
    rows = qr_rows(sign_in_link(url, codes.make(PIN, ADA)))
    assert {len(rows), *map(len, rows)} == {size}
    assert set("".join(rows)) == {"0", "1"}
