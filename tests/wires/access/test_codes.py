"""One-time codes on a running panel: who may make one, what it gives, and that it counts once."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.network_namespace import Network
from tests.support.panel_process import RunningPanel, eventually, run_pilotlight
from tests.support.signing_in import cookie_of, pin_of, sign_in, slug, token_of


def make(panel: RunningPanel, headers: dict[str, str] | None = None, **body: str) -> httpx.Response:
    return panel.post("/access/codes", json=body, headers=headers or {})


def code_in(answer: httpx.Response) -> str:
    """The code, as a page finds it in its address."""
    assert answer.status_code == 201, answer.text
    name, _, code = urlsplit(answer.json()["url"]).fragment.partition("=")
    assert name == "code"
    return code


def bearer(panel: RunningPanel, role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(panel, role)}"}


def role_of(panel: RunningPanel, answer: httpx.Response) -> str:
    role: str = panel.get("/access/me", headers={"Cookie": cookie_of(answer)}).json()["role"]
    return role


def test_a_phone_is_let_in_with_the_code_of_another(home: RunningPanel) -> None:
    cookie = {"Cookie": cookie_of(sign_in(home, pin=pin_of(home)))}
    made = make(home, cookie)
    code = code_in(made)
    told = made.json()
    assert (told["role"], told["expires_in"]) == ("operator", 600)
    assert told["url"].startswith(home.url)
    assert made.headers["Cache-Control"] == "no-store"

    let_in = sign_in(home, code=code)
    assert let_in.json()["role"] == "operator"
    assert home.post("/led", json={"level": 12}, headers={"Cookie": cookie_of(let_in)}).status_code == 200

    again = sign_in(home, code=code)
    assert (again.status_code, slug(again)) == (401, "sign-in-failed")
    assert again.json()["errors"][0]["field"] == "code"
    assert "Set-Cookie" not in again.headers
    older = code_in(make(home, cookie))
    make(home, cookie)
    assert "was replaced by a newer one" in sign_in(home, code=older).json()["detail"]


def test_only_who_has_signed_in_lets_others_in(home: RunningPanel) -> None:
    refused = make(home)
    assert (refused.status_code, slug(refused)) == (401, "sign-in-needed")


@pytest.mark.parametrize(
    ("own", "asked", "gets"),
    [
        ("viewer", None, "viewer"),
        ("operator", None, "operator"),
        ("admin", None, "operator"),
        ("admin", "admin", "admin"),
        ("viewer", "operator", None),
        ("operator", "admin", None),
        ("admin", "viewer", None),
    ],
)
def test_a_code_gives_at_most_the_role_of_its_maker(
    home: RunningPanel, own: str, asked: str | None, gets: str | None
) -> None:
    answer = make(home, bearer(home, own), **({"role": asked} if asked else {}))
    if gets is None:
        assert (answer.status_code, slug(answer)) == (403, "not-allowed")
        assert "You can give: " in answer.json()["detail"]
    else:
        assert answer.json()["role"] == gets
        assert role_of(home, sign_in(home, code=code_in(answer))) == gets


def test_what_was_revoked_gives_nothing(home: RunningPanel) -> None:
    of_token = code_in(make(home, bearer(home, "operator")))
    admin = bearer(home, "admin")
    for token in home.get("/access/tokens", headers=admin).json()["tokens"]:
        if token["role"] == "operator":
            httpx.delete(f"{home.url}/access/tokens/{token['id']}", headers=admin)
    assert sign_in(home, code=of_token).status_code == 401

    of_pin = code_in(make(home, {"Cookie": cookie_of(sign_in(home, pin=pin_of(home)))}))
    before = pin_of(home)
    run_pilotlight("pin", "--new", f"--data={home.data}")
    eventually(lambda: pin_of(home) != before)
    assert sign_in(home, code=of_pin).status_code == 401


@pytest.mark.parametrize("ended", ["session", "token"])
def test_a_code_goes_with_what_its_maker_signed_in_by(home: RunningPanel, ended: str) -> None:
    shown = {"pin": pin_of(home)} if ended == "session" else {"token": token_of(home, "admin")}
    maker = {"Cookie": cookie_of(sign_in(home, **shown))}
    code = code_in(make(home, maker))  # of an admin's token, it gives what the PIN gives

    if ended == "session":
        assert home.post("/access/sign-out", headers=maker).status_code == 200
    else:
        newest = home.get("/access/tokens", headers=maker).json()["tokens"][-1]["id"]
        assert httpx.delete(f"{home.url}/access/tokens/{newest}", headers=maker).status_code == 200

    refused = sign_in(home, code=code)
    assert (refused.status_code, slug(refused)) == (401, "sign-in-failed")


def test_a_browser_keeps_what_is_worth_more_than_the_code(home: RunningPanel) -> None:
    admin = cookie_of(sign_in(home, token=token_of(home, "admin")))
    code = code_in(make(home, {"Cookie": admin}))
    assert role_of(home, sign_in(home, cookie=admin, code=code)) == "admin"
    assert sign_in(home, code=code).status_code == 401  # it is used all the same


def test_codes_are_in_no_log_and_in_no_file(home: RunningPanel) -> None:
    code = code_in(make(home, bearer(home, "operator")))
    sign_in(home, code=code)
    sign_in(home, code=code)
    assert code not in home.log()
    assert not [file for file in home.data.iterdir() if file.is_file() and code.encode() in file.read_bytes()]
    trail = home.get("/audit?limit=20", headers=bearer(home, "admin")).json()["audit"]
    assert {"make_code", "sign_in"} <= {deed["what"] for deed in trail}
    assert code not in str(trail)


def test_guessing_is_slowed_down_and_a_right_code_counts_all_the_same(home: RunningPanel, network: Network) -> None:
    guesser = network.another()
    right = code_in(make(home, bearer(home, "operator")))
    with httpx.Client(
        base_url=home.url, transport=httpx.HTTPTransport(local_address=guesser), headers={"Host": f"{home.address}"}
    ) as stranger:
        answers = [stranger.post("/access/sign-in", json={"code": f"guess {n}"}) for n in range(8)]
        assert 429 in [answer.status_code for answer in answers]
        assert "Retry-After" in next(answer for answer in answers if answer.status_code == 429).headers
        assert stranger.post("/access/sign-in", json={"code": right}).json()["role"] == "operator"


def test_this_machine_makes_one_for_the_address_that_others_can_open(panel: RunningPanel) -> None:
    answer = make(panel)
    assert answer.json()["role"] == "operator"  # what the PIN gives; this machine has no credential to give
    assert answer.json()["url"].startswith(panel.url)  # it listens here only


def test_a_right_code_needs_nothing_else_of_the_request(home: RunningPanel) -> None:
    for body in ({"code": ""}, {"code": 7}, {"code": "x" * 65}):
        answer = home.post("/access/sign-in", json=body)
        assert answer.status_code in (400, 401, 413, 422), answer.text
