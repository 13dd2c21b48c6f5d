"""The AsyncAPI document: what every socket of the panel takes and sends."""

from asgi_app.ws.asyncapi.document import document

__all__ = ["document"]
