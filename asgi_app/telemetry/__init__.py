"""Logs, counters, and the lag of the event loop."""
