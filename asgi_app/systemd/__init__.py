"""The panel's systemd unit, its sandbox, and notifications to systemd."""
