"""The hardware: the pins, and the driver that writes them."""
