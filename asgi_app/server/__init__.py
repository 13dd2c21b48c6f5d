"""Run the panel on uvicorn or hypercorn: sockets, TLS, signals, and the protocols of both servers."""
