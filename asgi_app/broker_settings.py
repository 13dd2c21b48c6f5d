"""The settings of MQTT: which broker, how to sign in there, and under which topics."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

LEVEL = re.compile(r"[^\x00-\x20\x7f+#/]+")  # of a topic; + and # are filters


class BrokerSettings(BaseModel):
    """The MQTT broker through which Home Assistant has the lights. Without a host there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mqtt_host: str = Field(
        "", max_length=255, description="Host of the MQTT broker that Home Assistant uses. Empty: none."
    )
    mqtt_port: int = Field(1883, ge=1, le=65535, description="Port of the broker. With TLS it is often 8883.")
    mqtt_username: str = Field("", max_length=255, description="Name under which the panel signs in at the broker.")
    mqtt_password_file: Path | None = Field(None, description="File with the password there. Its first line counts.")
    mqtt_ca: Path | None = Field(
        None, description="Certificate authority of the broker, PEM. With it, the panel talks TLS. Without it, plainly."
    )
    mqtt_topic: str = Field("pilotlight", max_length=128, description="First part of the panel's own topics.")
    mqtt_discovery: str = Field("homeassistant", max_length=128, description="Discovery prefix of Home Assistant.")

    @field_validator("mqtt_host")
    @classmethod
    def _host_alone(cls, host: str) -> str:
        if re.search(r"[\s/]", host) or host.count(":") == 1:  # more colons: IPv6
            raise ValueError("this is no host. Write a name or an address alone, and the port into mqtt_port")
        return host

    @field_validator("mqtt_topic", "mqtt_discovery")
    @classmethod
    def _topic(cls, topic: str) -> str:
        if topic.startswith("$") or not all(LEVEL.fullmatch(level) for level in topic.split("/")):
            raise ValueError("this is no topic. Use levels without spaces, + and #, such as home/pilotlight")
        return topic
