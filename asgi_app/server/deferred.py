"""Stand-ins for modules that a running panel never uses, though its libraries import them.

Quart imports hypercorn, to run itself. python-socketio imports its clients and its managers for message brokers, and
with them aiohttp, requests and redis, where those are installed. That takes a sixth of a start. uvicorn imports its
reloader, and Quart the debugger by way of click's tests: half a megabyte that only developers use. A stand-in has the
names that the library imports from the module. It imports the real module when one is used, or another name is asked
for: so a new release that uses more of the module works too, but starts more slowly.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

# The modules, and the names that libraries import from each.
DEFERRED = {
    "hypercorn.asyncio": "serve",
    "uvicorn.supervisors": "ChangeReload Multiprocess",
    "pdb": "",
    "engineio.client": "Client",
    "engineio.async_client": "AsyncClient",
    "socketio.client": "Client",
    "socketio.simple_client": "SimpleClient",
    "socketio.async_client": "AsyncClient",
    "socketio.async_simple_client": "AsyncSimpleClient",
    "socketio.kombu_manager": "KombuManager",
    "socketio.redis_manager": "RedisManager",
    "socketio.kafka_manager": "KafkaManager",
    "socketio.zmq_manager": "ZmqManager",
    "socketio.async_redis_manager": "AsyncRedisManager",
    "socketio.async_aiopika_manager": "AsyncAioPikaManager",
}


class Later:
    """Stand-in for a class or function of a module that is not imported yet. Its first use imports the module."""

    def __init__(self, module: StandIn, name: str) -> None:
        self._module, self._name = module, name

    def _real(self) -> Any:
        return getattr(self._module.real(), self._name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._real()(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._real(),)


class StandIn(ModuleType):
    """A module with a few names, which imports the real module when that is needed."""

    def __init__(self, module: str, names: str) -> None:
        super().__init__(module)
        for name in names.split():
            setattr(self, name, Later(self, name))

    def real(self) -> ModuleType:
        """Import the real module."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return importlib.import_module(self.__name__)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks for what a module may lack
            raise AttributeError(name)
        return getattr(self.real(), name)


def defer(server: str) -> None:
    """Put stand-ins in the places of modules that are not imported yet, except those of the server that runs."""
    for module, names in DEFERRED.items():
        if module not in sys.modules and module != f"{server}.asyncio":
            sys.modules[module] = StandIn(module, names)
