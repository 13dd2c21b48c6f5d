"""The page for a wrong host name: it shows the setting that would allow the name."""

from __future__ import annotations

import base64
import hashlib
import html
from typing import Any

from asgi_app.errors import WrongHost
from asgi_app.net.problem_response import Written, send_response

STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#222}"
    "pre{padding:.8rem;overflow:auto;background:#eee;border-radius:.5rem}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}pre{background:#2a2a2a}}"
)
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()  # CSP 3, 2.3.1
POLICY = f"default-src 'none'; frame-ancestors 'none'; style-src 'sha256-{STYLE_HASH}'"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Pilot Light does not know this name</title><style>{style}</style></head>
<body><h1>Pilot Light does not know this name</h1>
<p>You asked for <b>{name}</b>. The panel answers only to names that its owner has allowed, so that no other website can
pretend to be it.</p>
{what}
</body></html>
"""
ALLOW = """<p>If it is your panel, add this line to its settings file, <code>pilotlight.toml</code>:</p>
<pre>{line}</pre>
<p>or this to its command, and start it again:</p>
<pre>{flag}</pre>
<p>If the file has <code>hosts</code> already, add the name to that line. Or open the panel by its address.</p>"""
NEVER = "<p>This is no host name, so no setting can allow it. Open the panel by its address.</p>"


def wants_page(scope: Any) -> bool:
    """Whether the client is a browser. Programs get JSON (RFC 9110, 12.5.1)."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept").lower()
    return scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and b"text/html" in accepted


async def send_page(scope: Any, send: Any, error: WrongHost) -> None:
    """Send the page with the status of the error (421)."""
    what = NEVER
    if error.line is not None and error.flag is not None:
        what = ALLOW.format(line=html.escape(error.line), flag=html.escape(error.flag))
    body = PAGE.format(style=STYLE, name=html.escape(error.host), what=what).encode(errors="replace")
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", POLICY),
        ("Cache-Control", "no-store"),
    ]
    await send_response(scope, send, Written(error.status, headers, body), [(b"connection", b"close")])
