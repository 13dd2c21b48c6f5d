"""The rules, pure: no I/O, no clock, no await. The caller brings the time, drives the pins and stores what was said."""
