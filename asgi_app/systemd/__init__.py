"""The panel's systemd unit, its sandbox, and notifications to systemd."""

from pathlib import Path

SERVICE_UNIT = Path("/etc/systemd/system/pilotlight.service")  # of the whole machine
SERVICE_DATA = Path("/var/lib/pilotlight")
