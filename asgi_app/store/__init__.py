"""What outlives the process: one SQLite file (WAL) in the data directory, which `Store` owns; one SQL file a noun."""

from asgi_app.store.database import Store
from asgi_app.store.retention import Retention
from asgi_app.store.schema import SCHEMA_VERSION

__all__ = ["SCHEMA_VERSION", "Retention", "Store"]
