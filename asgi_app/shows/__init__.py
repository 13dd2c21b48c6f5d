"""Shows: small graphs of steps for the lights, read from TOML or JSON, drawn, and played on asyncio.

They use no sockets, no store and no panel: the caller that plays a show gives it a `Stage`.
"""

from asgi_app.shows.graph import graph_of
from asgi_app.shows.player import Player, Stage
from asgi_app.shows.reader import find_shows, parse_show, read_show
from asgi_app.shows.show import Show, check

__all__ = ["Player", "Show", "Stage", "check", "find_shows", "graph_of", "parse_show", "read_show"]
