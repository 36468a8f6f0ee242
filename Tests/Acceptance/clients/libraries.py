"""Python's libraries: requests, httpx, websocket-client."""

import json

from ...Harness.environment import PYTHON
from .checks import check, module_output


def library(stand, entry, what):
    """What `library_clients` prints."""
    words = {
        "proxy": entry.url(),
        "socks": entry.url("socks5h"),
        "ca": stand.certificate,
        "target_ca": f"{stand.folder}/lab.crt",
        "host": entry.host,
        "port": entry.port,
        "user": entry.user,
    }
    return module_output(PYTHON, "Tests.Acceptance.clients.library_clients", what, json.dumps(words))


def check_libraries(stand, entry, exit):
    check(f"{entry.name}: requests, http and https targets", f"{exit} {exit}", lambda: library(stand, entry, "requests"))
    check(f"{entry.name}: httpx, http and https targets, HTTP/2 inside", f"{exit} {exit} HTTP/2", lambda: library(stand, entry, "httpx"))
    if not entry.secure:
        check(f"{entry.name}: requests, socks5h", f"{exit} {exit}", lambda: library(stand, entry, "requests_by_socks"))
        check(f"{entry.name}: websocket-client, ws and wss", "through through", lambda: library(stand, entry, "websocket"))
