"""Trust in proxies: a malformed header makes the client a stranger, never this machine."""

from __future__ import annotations

import pytest

from asgi_app.access import permissions
from asgi_app.net.proxies import FORWARDED, PROXIED, Proxies, address_of

LOCAL = "127.0.0.1"
ClientSays = list[tuple[str, str]]


def place(trusted: list[str], peer: str, *headers: tuple[str, str]) -> str:
    sent = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    seen = Proxies(trusted).seen_through({"type": "http", "client": (peer, 5), "scheme": "http", "headers": sent})
    return permissions.place_of(address_of(seen), proxied=bool(seen.get(PROXIED)))


def xff(*values: str) -> ClientSays:
    return [("X-Forwarded-For", value) for value in values]


def rfc7239(*values: str) -> ClientSays:
    return [("Forwarded", value) for value in values]


MALFORMED: list[ClientSays] = [
    [],
    *map(
        xff,
        [
            "",
            " ",
            ",",
            "unknown",
            "unknown, 127.0.0.1",
            "127.0.0.1, unknown",
            "127.0.0.1,",
            ",127.0.0.1",
            "203.0.113.9,, 127.0.0.1",
            "_hidden, 127.0.0.1",
            "localhost",
            "localhost, 127.0.0.1",
            "127.1",
            "127.0.0.1.evil.example",
            "127.0.0.1:http",
            "127.0.0.1:",
            "127.0.0.1:123456",
            "127.0.0.1 evil",
            "127.000.000.001",
            "2130706433",
            "0x7f000001",
            "[127.0.0.1",
            "[::1",
            "[::1]evil.com",
            "[::1]:",
            "::1%lo",
            "::1%25lo",
            "[::1%lo]",
            "::1]",
            '"127.0.0.1"',
            "127.0.0.1;",
            "\xa0127.0.0.1",
            "12\xb9.0.0.1",
            "for=127.0.0.1",
        ],
    ),
    xff("unknown", "127.0.0.1"),
    xff("127.0.0.1", ""),
    *map(
        rfc7239,
        [
            "",
            "for=unknown",
            "for=_secret",
            "for=unknown, for=127.0.0.1",
            "for=127.0.0.1, for=unknown",
            "for=127.0.0.1, ",
            "for=",
            "for=[::1]",  # with brackets it must be quoted (RFC 7239, 6)
            'for="[::1"',
            'for="::1%lo"',
            'for="127.0.0.1',
            "for=127.0.0.1;for=127.0.0.1",
            "for=203.0.113.9;for=127.0.0.1",
            "for =127.0.0.1",
            "by=127.0.0.1",
            "127.0.0.1",
            "for=localhost",
            "for=127.0.0.1 evil",
            "secret=x;proto=https",
        ],
    ),
    # Two proxies in a row, of which one passes on what its client wrote.
    [*xff("127.0.0.1"), *rfc7239("for=203.0.113.9")],
    [*xff("127.0.0.1"), *rfc7239("for=unknown")],
    [*xff("unknown"), *rfc7239("for=127.0.0.1")],
    [*xff("127.0.0.1"), ("X-Real-IP", "203.0.113.9")],
    [*xff("127.0.0.1"), ("X-Real-IP", "bogus")],
    [*xff("127.0.0.1"), ("CF-Connecting-IP", "203.0.113.9")],
    [*xff("127.0.0.1"), ("True-Client-IP", "203.0.113.9")],
    [*xff("127.0.0.1"), ("Via", "1.1 somewhere")],
    [("X-Real-IP", "127.0.0.1")],
    [("X-Forwarded-Proto", "https")],
]


@pytest.mark.parametrize("said", MALFORMED, ids=repr)
@pytest.mark.parametrize("peer", [LOCAL, "::1", "::ffff:127.0.0.1"])
def test_what_a_named_proxy_does_not_say_clearly_is_a_strangers(said: ClientSays, peer: str) -> None:
    assert place([LOCAL, "::1"], peer, *said) == "elsewhere"
    assert place([LOCAL if peer != "::1" else "::1"], peer, *said) == "elsewhere"


@pytest.mark.parametrize(
    ("trusted", "peer", "said", "where"),
    [
        ([LOCAL], LOCAL, xff("203.0.113.9"), "elsewhere"),
        ([LOCAL], LOCAL, xff("127.0.0.1, 203.0.113.9"), "elsewhere"),
        ([LOCAL], LOCAL, xff("127.0.0.1", "203.0.113.9"), "elsewhere"),
        ([LOCAL], LOCAL, xff("192.168.1.7"), "network"),
        ([LOCAL], LOCAL, xff("192.168.1.7:4711"), "network"),
        ([LOCAL], LOCAL, xff("fd00::7"), "network"),
        ([LOCAL], LOCAL, xff("[fd00::7]:4711"), "network"),
        ([LOCAL], LOCAL, xff("127.0.0.1"), "loopback"),
        ([LOCAL], LOCAL, [*xff("127.0.0.1"), ("X-Real-IP", "127.0.0.1")], "loopback"),
        ([LOCAL], LOCAL, rfc7239("for=192.168.1.7"), "network"),
        ([LOCAL], LOCAL, rfc7239('For="[fd00::7]:4711";proto=https;by=203.0.113.43'), "network"),
        ([LOCAL], LOCAL, rfc7239("for=192.168.1.7, for=203.0.113.9"), "elsewhere"),
        ([LOCAL], LOCAL, rfc7239("for=127.0.0.1"), "loopback"),
        ([LOCAL], LOCAL, [*xff("192.168.1.7"), *rfc7239("for=192.168.1.7;host=pi")], "network"),
        # The loopback of another machine, wherever in the chain that is.
        (["10.0.0.7"], "10.0.0.7", xff("127.0.0.1"), "elsewhere"),
        (["10.0.0.7"], "10.0.0.7", xff("::1"), "elsewhere"),
        ([LOCAL, "10.0.0.7"], LOCAL, xff("127.0.0.1, 10.0.0.7"), "elsewhere"),
        ([LOCAL, "10.0.0.7"], LOCAL, rfc7239("for=127.0.0.1, for=10.0.0.7"), "elsewhere"),
        (["0.0.0.0/0"], "203.0.113.9", xff("127.0.0.1"), "elsewhere"),
        (["10.0.0.7"], "10.0.0.7", [], "elsewhere"),
        (["fe80::/10"], "fe80::1%eth0", xff("192.168.1.7"), "network"),
    ],
)
def test_what_a_named_proxy_says(trusted: list[str], peer: str, said: ClientSays, where: str) -> None:
    assert place(trusted, peer, *said) == where


SIGNS = [
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-Prefix",
    "X-Forwarded",
    "Forwarded",
    "Forwarded-For",
    "Via",
    "X-Real-IP",
    "CF-Connecting-IP",
    "CF-Ray",
    "CDN-Loop",
    "True-Client-IP",
    "Client-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Original-Forwarded-For",
    "X-Original-URL",
    "X-Envoy-External-Address",
    "Fly-Client-IP",
    "Fastly-Client-IP",
    "DO-Connecting-IP",
    "Tailscale-User-Login",
    "X-Azure-ClientIP",
    "X-Vercel-Forwarded-For",
    "X-Varnish",
]


@pytest.mark.parametrize("value", ["", "127.0.0.1", "x"])
@pytest.mark.parametrize("sign", SIGNS)
def test_loopback_with_any_sign_of_a_proxy_is_a_stranger(sign: str, value: str) -> None:
    for trusted in ([], ["10.0.0.7"]):
        assert place(trusted, LOCAL, (sign, value)) == "elsewhere"
        assert place(trusted, "::1", (sign, value)) == "elsewhere"


def test_loopback_without_a_sign_is_this_machine_unless_a_proxy_is_named_there() -> None:
    assert place([], LOCAL) == place(["10.0.0.7"], LOCAL) == place(["::1"], LOCAL) == "loopback"
    assert place([LOCAL], LOCAL) == place(["127.0.0.0/8"], LOCAL) == place(["::/0"], "::1") == "elsewhere"


def test_strangers_behind_a_proxy_share_its_limits() -> None:
    headers = [(b"host", b"pi")]
    for proxies, signs in ((Proxies([LOCAL]), []), (Proxies([]), [(b"via", b"x")])):
        scope = {"type": "http", "client": (LOCAL, 5), "scheme": "http", "headers": headers + signs}
        seen = proxies.seen_through(scope)
        assert address_of(seen) == "behind 127.0.0.1"
        assert FORWARDED not in seen


def test_where_the_machines_own_programs_need_a_key() -> None:
    named = [Proxies([text]).on_loopback for text in (LOCAL, "127.0.0.0/8", "::1", "::/0", "0.0.0.0/0")]
    assert all(named)
    assert not Proxies(["10.0.0.0/8", "fd00::1"]).on_loopback
    assert not Proxies([]).on_loopback
