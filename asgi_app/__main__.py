"""`python -m asgi_app` is the `pilotlight` command."""

from asgi_app.cli import main

main()
