"""The engine's API on its socket: a client program for each question would take more of a core than the question."""

import http.client
import json
import socket
import urllib.parse

from .programs import ENGINE


class Engine(http.client.HTTPConnection):
    """A connection to the engine's socket, for as many questions as are wanted."""

    def __init__(self, address=ENGINE):
        super().__init__("engine")
        self.path = address.removeprefix("unix://")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None):
        self.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"} if body else {})
        return self.getresponse().read()

    def running(self, owner):
        """The containers of this owner that run, as the engine lists them."""
        filters = urllib.parse.quote(json.dumps({"label": [f"io.sallyport.owner={owner}"]}))
        return json.loads(self.ask("GET", f"/containers/json?filters={filters}"))
