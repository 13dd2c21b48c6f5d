"""Shows: small graphs of steps over the lights, read from TOML or JSON, drawn, and played on asyncio.

They know nothing of sockets, stores or the panel: whoever plays one brings the stage.
"""

from asgi_app.shows.graph import graph_of
from asgi_app.shows.player import Player, Stage
from asgi_app.shows.show import Show, check, find_shows, parse_show, read_show

__all__ = ["Player", "Show", "Stage", "check", "find_shows", "graph_of", "parse_show", "read_show"]
