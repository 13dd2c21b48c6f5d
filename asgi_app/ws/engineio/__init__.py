"""Engine.IO: sessions, polling, WebSocket, upgrades."""
