"""Logs, counters, clock, background tasks, and the lag of the event loop."""
