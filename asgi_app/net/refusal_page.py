"""The page of a refusal that is made before any route: it has no other file, since the panel may refuse that one too.

Refusals by routes have a page of the panel (`templates/problem.html`).
"""

from __future__ import annotations

import base64
import hashlib
import html
import math
import re
from typing import Any

from asgi_app.errors import PanelError, WrongHost
from asgi_app.net.problem_response import Written, as_response

STYLE = (
    ":root{color-scheme:dark;--bg:#100e0c;--well:#25201b;--text:#f6f0e7;--soft:#ada294;--accent:#ffb24d}"
    "@media(prefers-color-scheme:light){:root{color-scheme:light;--bg:#f4f0ea;--well:#e8dfd2;--text:#241c13;"
    "--soft:#6e6356;--accent:#b45f06}}"
    "body{margin:0;background:var(--bg);color:var(--text);font:17px/1.5 system-ui,sans-serif}"
    "main{max-width:640px;margin:0 auto;padding:12vh 20px 40px;overflow-wrap:anywhere}"
    "svg{width:56px;height:56px;fill:var(--accent)}h1{font-size:28px;line-height:1.2;margin:16px 0 8px}"
    "p{margin:0 0 16px}"
    "pre{padding:14px 16px;overflow:auto;background:var(--well);border-radius:12px;margin:0 0 16px}"
    ".small{color:var(--soft);font-size:14px}"
)
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()  # CSP 3, 2.3.1
POLICY = f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'"
LONGEST_WAIT = 30  # seconds; after a shorter one the page asks again by itself
PAGE = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
{again}<title>{title}</title><style>{style}</style></head>
<body><main>
<svg viewBox="0 0 24 24"><path d="M12.6 1.6c.5 3.3-.7 5-2.5 7C8 10.9 5.5 12.8 5.5 16a6.5 6.5 0 0 0 13 \
0c0-2.3-1-4.3-2.3-6-.3 1.5-1 2.5-2.1 3.2.5-4.2-.1-8.7-1.5-11.6Z"/></svg>
<h1>{title}</h1>
{what}
<p class="small">{status} · Pilot Light</p>
</main></body>
</html>
"""
WRONG_HOST = """<p>You asked for <b>{name}</b>. The panel answers only to names that its owner has allowed, so that no
other website can pretend to be it.</p>
"""
ALLOW = """<p>If it is your panel, add this line to its settings file, <code>pilotlight.toml</code>:</p>
<pre>{line}</pre>
<p>or this to its command, and start it again:</p>
<pre>{flag}</pre>
<p>If the file has <code>hosts</code> already, add the name to that line. Or open the panel by its address.</p>"""
NEVER = "<p>This is no host name, so no setting can allow it. Open the panel by its address.</p>"
# A wrong name is what people meet; of all other refusals here the page asks again by itself.
TITLE_ZH = "面板不使用这个名称"
WRONG_HOST_ZH = """<p>你访问的是 <b>{name}</b>。面板只回应主人允许的名称，以免别的网站冒充它。</p>
"""
ALLOW_ZH = """<p>如果这是你的面板，请在它的设置文件 <code>pilotlight.toml</code> 中加入这一行：</p>
<pre>{line}</pre>
<p>或在启动命令中加入这一项，然后重新启动：</p>
<pre>{flag}</pre>
<p>如果文件中已有 <code>hosts</code>，请把名称加到那一行。也可以用面板的地址打开它。</p>"""
NEVER_ZH = "<p>这不是主机名，没有设置可以允许它。请用面板的地址打开。</p>"


def wants_page(scope: Any) -> bool:
    """Whether somebody opens this address in a browser. Programs get JSON (RFC 9110, 12.5.1)."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept").lower()
    return scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and b"text/html" in accepted


def refusal_of(scope: Any, error: PanelError) -> Written:
    """Return the response of a refusal: a page for a browser, and the problem object for a program."""
    written = as_response(error.problem())
    if not wants_page(scope):
        return written
    wait = error.problem().get("retry_after", math.inf)
    again = f'<meta http-equiv="refresh" content="{math.ceil(wait)}">' if wait <= LONGEST_WAIT else ""
    lang, title, what = _in_words(scope, error)
    page = PAGE.format(again=again, style=STYLE, lang=lang, title=html.escape(title), status=error.status, what=what)
    headers = [(name, value) for name, value in written.headers if name != "Content-Type"]
    headers += [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", POLICY),
        ("Cache-Control", "no-store"),
    ]
    return Written(error.status, headers, page.encode(errors="replace"))


def _in_words(scope: Any, error: PanelError) -> tuple[str, str, str]:
    """Return the language, the title, and what happened as HTML."""
    if not isinstance(error, WrongHost):
        return "en", error.title, f"<p>{html.escape(error.detail)}</p>"
    words = ("en", error.title, WRONG_HOST, ALLOW, NEVER)
    if _reads_chinese(scope):
        words = ("zh", TITLE_ZH, WRONG_HOST_ZH, ALLOW_ZH, NEVER_ZH)
    lang, title, what, allow, never = words
    what = what.format(name=html.escape(error.host))
    if error.line is None or error.flag is None:
        return lang, title, what + never
    return lang, title, what + allow.format(line=html.escape(error.line), flag=html.escape(error.flag))


def _reads_chinese(scope: Any) -> bool:
    """Whether the browser prefers Chinese to English (RFC 9110, 12.5.4). Browsers sort their languages."""
    languages = b",".join(value for name, value in scope["headers"] if name == b"accept-language").lower()
    return re.findall(rb"\b(?:zh|en)\b", languages)[:1] == [b"zh"]
