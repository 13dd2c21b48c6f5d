"""`pilotlight doctor`'s look at the engine: whether it answers, and who shares it."""

from __future__ import annotations

import json
import time
from urllib.parse import urlsplit

import redis

from asgi_app.engine import scripts
from asgi_app.engine.link import ANSWER, lost
from asgi_app.errors import SetupError

OLDEST = (6, 2)


def look(url: str, password: str | None) -> str:
    """Return what the engine is and which nodes share it. Raises `SetupError` if it cannot be used."""
    parts = urlsplit(url)
    where = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
    options = {} if password is None else {"password": password}
    try:
        with redis.Redis.from_url(url, socket_timeout=ANSWER, socket_connect_timeout=ANSWER, **options) as client:
            version = str(client.info("server")["redis_version"])
            began = time.perf_counter()
            client.ping()
            took = time.perf_counter() - began
            owners = [json.loads(record) for record in client.hvals(scripts.OWNERS)]
            names = [name.decode() for name in client.hkeys(scripts.OWNERS)]
    except (redis.RedisError, OSError, ValueError) as error:
        raise SetupError(f"{where}: {lost(error)}") from None
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise SetupError(f"{where}: Redis {version} is too old, {OLDEST[0]}.{OLDEST[1]} is needed")
    nodes = [f"{name} ({owner['address']})" for name, owner in sorted(zip(names, owners, strict=False))]
    return f"Redis {version} at {where} answers in {took * 1000:.1f} ms; nodes: {', '.join(nodes) or 'none'}"
