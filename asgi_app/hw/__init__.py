"""The hardware: which pins there are, and the one driver that writes them."""
