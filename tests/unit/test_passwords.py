"""How passwords are kept, with and without argon2."""

from __future__ import annotations

import pytest

from asgi_app.access import passwords
from asgi_app.access.passwords import hash_password, verify_password
from asgi_app.errors import SignInFailed

# RFC 7914, section 12, the second vector (dkLen 64): "password" with "NaCl", N = 1024, r = 8, p = 16.
VECTOR = "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA"  # noqa: E501


@pytest.fixture
def without_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_library", lambda: None)


def test_with_argon2() -> None:
    hash = hash_password("secret")
    assert hash.startswith("$argon2id$")
    assert (verify_password(hash, "secret"), verify_password(hash, "Secret")) == (True, False)


@pytest.mark.slow
@pytest.mark.usefixtures("without_argon2")
def test_without_argon2() -> None:
    hash = hash_password("sécret")
    assert hash.startswith("$scrypt$ln=15,r=8,p=3$")
    assert hash != hash_password("sécret")
    assert (verify_password(hash, "sécret"), verify_password(hash, "secret")) == (True, False)


@pytest.mark.parametrize("there_is_argon2", [True, False])
def test_scrypt_is_read_everywhere(monkeypatch: pytest.MonkeyPatch, there_is_argon2: bool) -> None:
    if not there_is_argon2:
        monkeypatch.setattr(passwords, "_library", lambda: None)
    assert verify_password(VECTOR, "password")
    assert not verify_password(VECTOR, "Password")


def test_argon2_is_not_read_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    hash = hash_password("secret")
    monkeypatch.setattr(passwords, "_library", lambda: None)
    with pytest.raises(SignInFailed, match="set on another machine"):
        verify_password(hash, "secret")


@pytest.mark.parametrize(
    "hash",
    [
        "",
        "secret",
        "$scrypt$",
        "$scrypt$ln=99,r=8,p=1$TmFDbA$TmFDbA",
        "$argon2id$broken",
        "$scrypt$ln=30,r=8,p=1$TmFDbA$TmFDbA",
    ],
)
def test_what_is_no_hash_is_nobodys_password(hash: str) -> None:
    assert verify_password(hash, "secret") is False
