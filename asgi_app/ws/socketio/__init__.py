"""Socket.IO: the server, its namespaces, and their events."""
