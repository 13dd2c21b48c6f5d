"""Shows: small graphs of steps for the lights, read from TOML or JSON, drawn, and played on asyncio.

They use no sockets, no store and no panel: the caller that plays a show gives it a `Stage`.
"""
