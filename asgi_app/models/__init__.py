"""The words of the panel as pydantic models: one module a noun; `wire` has the native protocol as a whole."""
