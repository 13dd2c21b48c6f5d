"""The rules of the panel, pure: no I/O, no clock, no await.

`lights`, `chat` and `runs` have the rules of their noun, `state` applies what happened. The caller brings the time,
drives the pins and stores what was said.
"""
