"""`/led` on Flask-RESTful, for gunicorn's gevent worker."""

from __future__ import annotations

from flask import Flask
from flask_restful import Api, Resource, reqparse

app = Flask(__name__)
api = Api(app)
light = {"level": 0}
parser = reqparse.RequestParser()
parser.add_argument("level", type=int, required=True, help="Set LED brightness level {error_msg}")


class Led(Resource):
    def get(self) -> dict[str, int]:
        return light

    def post(self) -> dict[str, int]:
        light["level"] = min(max(parser.parse_args()["level"], 0), 100)
        return light


api.add_resource(Led, "/led")
