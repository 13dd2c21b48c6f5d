"""Links in chat messages: `partsOf(text)` of static/js/chat/links.js, run by Node."""

from __future__ import annotations

import pytest

from tests.support.page_reducer import reduced

VIEW = "(page, text) => page.partsOf(text).map(({ text, href }) => [text, href])"


def parts(text: str) -> list[list[str | None]]:
    found: list[list[str | None]] = reduced("chat/links.js", VIEW, [], text)
    assert all(href is None or href.startswith(("http://", "https://")) for _, href in found)
    return found


LINKS = {
    "https://example.org": ("https://example.org", "https://example.org/"),
    "See http://192.168.0.9:8000/a?b=1#c.": ("http://192.168.0.9:8000/a?b=1#c", "http://192.168.0.9:8000/a?b=1#c"),
    "(at https://en.wikipedia.org/wiki/Lamp_(disambiguation))": (
        "https://en.wikipedia.org/wiki/Lamp_(disambiguation)",
        "https://en.wikipedia.org/wiki/Lamp_(disambiguation)",
    ),
    "HTTPS://Example.org/A": ("HTTPS://Example.org/A", "https://example.org/A"),
    "看https://example.org/路。好": ("https://example.org/路", "https://example.org/%E8%B7%AF"),
    "<https://example.org/>": ("https://example.org/", "https://example.org/"),
    # the Cyrillic а of аpple.com
    "https://аpple.com/sign-in": ("https://xn--pple-43d.com/sign-in", "https://xn--pple-43d.com/sign-in"),
    # what a person reads is not what a browser opens: full-width letters, and a host in another notation
    "https://\uff45xample.org/x": ("https://example.org/x", "https://example.org/x"),
    "http://2130706433/": ("http://127.0.0.1/", "http://127.0.0.1/"),
    "https://\uff41$&.org/x": ("https://a$&.org/x", "https://a$&.org/x"),
}


@pytest.mark.parametrize("text", LINKS)
def test_what_is_a_link(text: str) -> None:
    found = parts(text)
    assert [tuple(part) for part in found if part[1] is not None] == [LINKS[text]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no link",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "ftp://example.org",
        "www.example.org",
        "https://",
        "https://?",
        "http://[",
        "https://example.org@evil.example/",
        "https://user:secret@evil.example/",
        "https://example.org:99999/",
        "https:///evil.example",
        "https:////evil.example/x",
        "http:///",
        "https:///example.org@evil.example/",
        "https://\\evil.example/",
        "https:/\\/evil.example/",
        "https://evil.example\\.example.org/",
        "https://" + "a" * 3000 + ".org",
    ],
)
def test_what_stays_text(text: str) -> None:
    assert parts(text) == ([[text, None]] if text else [])


def test_the_text_around_links_stays() -> None:
    text = "a\n https://one.example/, <b>https://two.example</b>\u202e https://three.example\u202e/x"
    found = parts(text)
    assert "".join(part or "" for part, _ in found) == text
    assert [href for _, href in found if href] == [
        "https://one.example/",
        "https://two.example/",
        "https://three.example/",
    ]
