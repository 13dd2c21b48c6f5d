"""The settings of the web: whose pages, names and proxies the panel trusts, and which pages may embed its own."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator

from asgi_app.core.chat import RESERVED
from asgi_app.net.origins import canonical
from asgi_app.net.proxies import networks

SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")  # of a path: what is never percent-encoded (RFC 3986, 2.3)
# What browsers take as a host in a Content-Security-Policy (CSP 3, 2.3.1): no IPv6 address.
FRAME_ANCESTOR = re.compile(r"https?://[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]+)?")


class WebSettings(BaseModel):
    """What of the web the panel trusts: origins, proxies, names and pages around its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cors_origins: list[str] = Field(
        default_factory=list,
        description="Other origins whose pages may use the panel, such as https://my.page. null: pages opened from a "
        "file; *: every origin. Empty: only the pages of the panel. Applies to REST, WebSocket and Socket.IO.",
    )
    trusted_proxies: list[str] = Field(
        default_factory=list,
        description="Addresses or networks of your reverse proxies, such as 127.0.0.1. The panel believes their "
        "X-Forwarded-For, -Proto and -Host. Empty: it believes nobody.",
    )
    hosts: list[str] = Field(
        default_factory=list,
        description="More accepted values of the Host header. Addresses, the name of this machine and names of the "
        "local network are always accepted. *: any name.",
    )
    frame_ancestors: list[str] = Field(
        default_factory=list,
        description="Origins whose pages may embed those of the panel, such as https://ha.local:8123. self: the "
        "panel's own. Empty: none.",
    )

    root_path: str = Field(
        "",
        max_length=128,
        description="Path of the panel at the proxy, such as /light for https://home.example/light/. Empty: the top.",
    )

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if origin != "*" and (canonical(origin) is None or origin.count("/") > 2):
                raise ValueError(
                    f"{origin!r} is not an origin. Write https://my.page, http://192.168.0.9:8080, file:// or null"
                )
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, names: list[str]) -> list[str]:
        networks(names)
        return names

    @field_validator("frame_ancestors")
    @classmethod
    def _ancestors(cls, origins: list[str]) -> list[str]:
        """Return them as the Content-Security-Policy has them."""
        found = []
        for origin in origins:
            ancestor = "'self'" if origin in ("self", "'self'") else canonical(origin) or ""
            if ancestor != "'self'" and not FRAME_ANCESTOR.fullmatch(ancestor):
                raise ValueError(
                    f"{origin!r} is not an origin that can embed pages. Write https://ha.local:8123, or self for the "
                    "panel's own. Browsers take no IPv6 address here: use a name"
                )
            found.append(ancestor)
        return found

    @field_validator("root_path")
    @classmethod
    def _path(cls, path: str) -> str:
        """Return it without a slash at its end."""
        path = path.rstrip("/")
        empty, *segments = path.split("/")
        if empty or not all(SEGMENT.fullmatch(segment) for segment in segments):
            raise ValueError(
                "this is not a path. Write it as /light or /home/light, with letters, digits, and - . _ ~ inside a name"
            )
        if segments and segments[0] in RESERVED:  # a proxy may take the path off, or leave it
            raise ValueError(f"/{segments[0]} is an address of the panel's own. Use another path, such as /light")
        return path
