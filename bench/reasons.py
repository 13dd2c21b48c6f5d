"""Why a target is not met, where it is not: what profiles have shown."""

LONE = FANOUT = SETUP = CROWD = SLIDER = START = ""
