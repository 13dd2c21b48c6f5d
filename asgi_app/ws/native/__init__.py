"""The panel's own protocol over a plain WebSocket."""
