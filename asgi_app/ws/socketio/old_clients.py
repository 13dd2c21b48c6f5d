"""Socket.IO 1 and 2 (protocol 4) beside the present protocol 5: only CONNECT and its refusal differ.

A client of protocol 4 has no `auth`. Its query stands for it: that of the handshake, and that of the namespace in
`0/panel?name=Ann`. Its CONNECT packet has no content, and a refusal is any JSON.
"""

from __future__ import annotations

import json
import urllib.parse

from socketio.packet import CONNECT, CONNECT_ERROR

from asgi_app.ws.socketio.packets import StrictPacket

CONNECT_TYPE, CONNECT_ERROR_TYPE = str(CONNECT), str(CONNECT_ERROR)
# What does not stand for `auth`: a ticket counts once, with its handshake, and these clients do not resume sessions.
NOT_OF_HANDSHAKE = {"ticket"}
NEVER = {"pid", "offset"}
FIELDS = 100  # in the query of a namespace


def connect_text(text: str, handshake: str) -> str:
    """Return the client's CONNECT packet as one of protocol 5. `handshake` is the query string of its connection.

    Raises `ValueError` for a namespace with too many fields in its query.
    """
    path, _, query = text[1:].partition(",")[0].partition("?")
    namespace = f"{path}," if len(path) > 1 and path[0] == "/" else ""
    said = {name: value for name, value in urllib.parse.parse_qsl(handshake) if name not in NOT_OF_HANDSHAKE}
    said |= urllib.parse.parse_qsl(query, max_num_fields=FIELDS)
    auth = json.dumps({name: value for name, value in said.items() if name not in NEVER})
    return f"{CONNECT_TYPE}{namespace}{auth}"


def for_old(packet: StrictPacket) -> StrictPacket:
    """Change a packet of protocol 5 for the client. The text of a refusal takes the place of what has no problem."""
    if packet.packet_type == CONNECT:
        packet.data = None
    elif packet.packet_type == CONNECT_ERROR and isinstance(packet.data, dict):
        packet.data = packet.data.get("data", packet.data.get("message"))
    return packet


def text_for_old(text: str) -> str:
    """Do the same with the text of a packet."""
    if text[:1] not in (CONNECT_TYPE, CONNECT_ERROR_TYPE):
        return text
    return str(for_old(StrictPacket(encoded_packet=text)).encode())
