"""The WebSocket routes of the old pages: chat and echo."""
