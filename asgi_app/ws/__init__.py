"""The sockets: native WebSocket routes, one file a wire, and the Socket.IO server with its namespaces."""
