"""Pilot Light: a live control panel server for a Raspberry Pi."""

__version__ = "0.2.0"
