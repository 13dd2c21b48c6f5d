"""Guessing from many addresses: slowed down, logged and counted, and the owner still comes in."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import httpx
import pytest

from asgi_app.access.login_throttle import SITE, STRANGERS
from tests.support.panel_process import NO_TLS, RunningPanel, eventually
from tests.support.signing_in import pin_of, slug, token_of

PASSWORD = "correct horse"
GUESSERS = itertools.count(1)
KINDS: dict[str, dict[str, Any]] = {
    "pin": {"json": {"pin": "no digits"}},
    "password": {"json": {"name": "Ada", "password": "wrong horse"}},
    "token": {"json": {"token": "plt_none"}},
    "a token in the header": {"headers": {"Authorization": "Bearer plt_none"}, "json": {"pin": "no digits"}},
}


class Siege(NamedTuple):
    """A panel that strangers have guessed at, what it answered them, and a phone that had signed in before."""

    panel: RunningPanel
    by_site: dict[str, list[httpx.Response]]
    by_strangers: list[httpx.Response]
    phone: dict[str, str]


def sign_in(client: httpx.Client, address: str, kind: str = "pin", **more: Any) -> httpx.Response:
    sent = {**KINDS[kind], **more}
    headers = {"X-Forwarded-For": address, **sent.pop("headers", {})}
    return client.post("/access/sign-in", headers=headers, **sent)


def cookies_of(answer: httpx.Response, part: str) -> str:
    found = [cookie.partition(";")[0] for cookie in answer.headers.get_list("Set-Cookie")]
    return "; ".join(cookie for cookie in found if part in cookie)


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    data = tmp_path_factory.mktemp("siege") / "data"
    with (
        RunningPanel(data, trusted_proxies="127.0.0.1", role_network="operator") as panel,
        httpx.Client(base_url=panel.url, timeout=30, verify=NO_TLS) as client,
    ):
        pin = pin_of(panel)
        claimed = sign_in(client, "192.168.0.9", json={"name": "Ada", "password": PASSWORD})
        assert claimed.status_code == 200, claimed.text
        client.cookies.clear()
        phone = cookies_of(sign_in(client, "203.0.113.1", json={"pin": pin}), "-device=")
        client.cookies.clear()

        def guess(number: int, kind: str) -> list[httpx.Response]:
            hosts = [f"2001:db8:{number}:{host:x}::1" for host in range(SITE.at_once * 2)]
            return [sign_in(client, host, kind) for host in hosts]

        with ThreadPoolExecutor(len(KINDS)) as sites:
            by_site = dict(zip(KINDS, sites.map(guess, itertools.count(1), KINDS), strict=True))
            strangers = [f"2a00:{number:x}::1" for number in range(STRANGERS.at_once + 20)]
            by_strangers = list(sites.map(partial(sign_in, client), strangers))
        yield Siege(panel, by_site, by_strangers, {"Cookie": phone})


@pytest.mark.parametrize("kind", KINDS)
def test_a_48_has_one_budget(siege: Siege, kind: str) -> None:
    answers = siege.by_site[kind]
    assert {answer.status_code for answer in answers[: SITE.at_once]} == {401}
    assert {answer.status_code for answer in answers[SITE.at_once :]} == {429}
    assert {slug(answer) for answer in answers[SITE.at_once :]} == {"too-many-tries"}
    number = list(KINDS).index(kind) + 1
    lines = siege.panel.log().count(f"client=2001:db8:{number}::/48 problem=too-many-tries")
    assert 1 <= lines < SITE.at_once  # one a minute


def test_all_strangers_have_one_budget(siege: Siege) -> None:
    statuses = [answer.status_code for answer in siege.by_strangers]
    assert statuses[-20:] == [429] * 20
    spent = SITE.at_once * 2  # on the PIN and on the password, by the /48 before
    assert statuses.count(401) in range(
        STRANGERS.at_once - spent, STRANGERS.at_once - spent + 5
    )  # it comes back slowly
    metrics = siege.panel.get("/metrics", headers={"X-Forwarded-For": "192.168.0.9"}).text
    refused = re.search(r'pilotlight_refused_total\{wire="sign-in"\} (\S+)', metrics)
    assert refused is not None
    assert float(refused[1]) >= SITE.at_once * len(KINDS) + 20


def test_the_answer_says_when_to_come_again(siege: Siege) -> None:
    refused = siege.by_strangers[-1]
    problem = refused.json()
    assert 1 <= problem["retry_after"] <= STRANGERS.seconds
    assert int(refused.headers["Retry-After"]) == math.ceil(problem["retry_after"])
    assert problem["message"] == problem["detail"]


@pytest.mark.parametrize(
    ("who", "address", "comes_in"),
    [
        ("a stranger", "203.0.113.7", False),
        ("a stranger, IPv6", "2400::1", False),
        ("at home", "192.168.0.9", True),
        ("at home, IPv6", "fd12:3456::1", True),
        ("at home, IPv4 as IPv6", "::ffff:192.168.0.10", True),
        ("a device that has signed in before", "203.0.113.7", True),
        ("a device that has signed in before, where they guess", "2001:db8:1:1::1", True),
    ],
)
@pytest.mark.parametrize("shown", ["pin", "password"])
def test_who_still_comes_in(siege: Siege, who: str, address: str, comes_in: bool, shown: str) -> None:
    headers = siege.phone if "device" in who else {}
    sent = {"pin": pin_of(siege.panel)} if shown == "pin" else {"name": "Ada", "password": PASSWORD}
    with httpx.Client(base_url=siege.panel.url, timeout=30, verify=NO_TLS) as client:
        eventually(lambda: strangers_wait(client))
        answer = sign_in(client, address, json=sent, headers=headers)
    assert answer.status_code == (200 if comes_in else 429), answer.text


def strangers_wait(client: httpx.Client) -> bool:
    """Whether they will for a while; one of them guesses, since their budget comes back slowly."""
    answer = sign_in(client, f"2a01:{next(GUESSERS):x}::1")
    return answer.status_code == 429 and answer.json()["retry_after"] > 10


def test_a_right_token_and_a_right_ticket_come_in(siege: Siege) -> None:
    headers = {"Authorization": f"Bearer {token_of(siege.panel, 'viewer')}", "X-Forwarded-For": "2001:db8:3::1"}
    assert siege.panel.get("/led", headers=headers).status_code == 200
    assert siege.panel.post("/access/ticket", headers=headers).status_code == 200


def test_the_cookie_of_a_device_lets_nobody_in(siege: Siege) -> None:
    headers = {**siege.phone, "X-Forwarded-For": "203.0.113.7"}
    assert siege.panel.get("/led", headers=headers).status_code == 401
    made_up = siege.phone["Cookie"][:-3] + "AAA"
    with httpx.Client(base_url=siege.panel.url, timeout=30, verify=NO_TLS) as client:
        refused = sign_in(client, "203.0.113.7", json={"pin": pin_of(siege.panel)}, headers={"Cookie": made_up})
    assert refused.status_code == 429


def test_a_known_device_is_slowed_down_by_its_own_guesses(siege: Siege) -> None:
    with httpx.Client(base_url=siege.panel.url, timeout=30, verify=NO_TLS) as client:
        answer = sign_in(client, "198.51.100.1", json={"pin": pin_of(siege.panel)}, headers=siege.phone)
        laptop = {"Cookie": cookies_of(sign_in(client, "192.168.0.11", json={"pin": pin_of(siege.panel)}), "-device=")}
        client.cookies.clear()
        statuses = [sign_in(client, "203.0.113.9", headers=laptop).status_code for _ in range(8)]
        assert statuses[:5] == [401] * 5
        assert 429 in statuses[5:]
        eventually(
            lambda: sign_in(client, "203.0.113.9", headers=laptop, json={"pin": pin_of(siege.panel)}).status_code == 200
        )
    assert answer.status_code == 200
