"""The bench: us and the peers side by side, on this machine, in one run. `python -m bench --help`."""
