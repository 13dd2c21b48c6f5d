"""The stored data: `Store` owns one SQLite file (WAL). Each noun has a module with its SQL."""

from asgi_app.store.database import Retention, Store
from asgi_app.store.schema import SCHEMA_VERSION

__all__ = ["SCHEMA_VERSION", "Retention", "Store"]
