"""WebSocket frames and connections, below every protocol."""
