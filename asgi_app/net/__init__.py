"""Addresses, proxies, origins, host names, and limits of connections."""
