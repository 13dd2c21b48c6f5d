"""Shows: graphs of steps for the lights, read from TOML or JSON, drawn, and played on the `Stage` of the caller."""
