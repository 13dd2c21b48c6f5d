"""`python -m asgi_app` is the `pilotlight` command."""

from asgi_app.cli.main import main

main()
