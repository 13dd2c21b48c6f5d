"""A PIN is read as people type and copy it."""

from __future__ import annotations

import pytest

from asgi_app.access import SecretStore


@pytest.mark.parametrize(
    "typed",
    [
        "12345678",
        "1234 5678",
        " 12 34 56 78\n",
        "1234-5678",
        "1234\u20105678",
        "1234\u20135678",
        "1234\u20145678",
        "1234\u22125678",
        "1234_5678",
        "1234.5678",
        "1234\u00a05678",
        "1234\u202f5678",
        "1234\u30005678",
        "12345678\u200b",
        "\ufeff12345678",
        "\u206612345678\u2069",
        "1234\u00ad5678",
        "１２３４５６７８",
        "１２３４－５６７８",
        "１２３４ー５６７８",
        "١٢٣٤٥٦٧٨",
        "۱۲۳۴۵۶۷۸",
        "१२३४५६७८",
        "๑๒๓๔๕๖๗๘",
        "𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖",
        "①②③④⑤⑥⑦⑧",
        "1２٣४5６٧८",
    ],
)
def test_it_is_the_pin(typed: str) -> None:
    keys = SecretStore(None)
    keys.secrets.pin = "12345678"
    assert keys.is_pin(typed)


@pytest.mark.parametrize(
    "typed", ["", "-", "1234567", "123456789", "1234567a", "12345678 ok", "+12345678", "1234/5678", "\ud800", "²345678"]
)
def test_it_is_not(typed: str) -> None:
    keys = SecretStore(None)
    keys.secrets.pin = "12345678"
    assert not keys.is_pin(typed)
