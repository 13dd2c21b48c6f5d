"""The systemd unit of the panel, and what the panel tells systemd."""
