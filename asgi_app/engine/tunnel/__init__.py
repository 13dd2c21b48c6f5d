"""Connections of clients that another process has taken, carried over Redis to the keeper as ASGI events.

A process without the shared database is a guest of the keeper. What is about chat, runs, shows and sign-in it passes on
as it came, and the keeper serves it as if the client had connected there: the same routes, rules and limits.
"""
