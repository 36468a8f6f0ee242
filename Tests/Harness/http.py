"""HTTP: calls of the API, over Unix sockets, and through the proxies."""

import base64
import json
import socket
import urllib.error
import urllib.request

PASSWORD = "a-password-of-the-tests"
# Pages of the lab's internet: the caller's address, and 256 MB.
ECHO, BIG = "http://198.18.0.80/ip", "http://198.18.0.80/big"


def call(base, method, path, key, body=None, timeout=60, headers=None):
    """Status and answer, JSON read; status 0 where nobody answers."""
    headers = {"Content-Type": "application/json", **({"X-API-Key": key} if key else {}), **(headers or {})}
    data = json.dumps(body).encode() if body is not None else None
    try:
        request = urllib.request.Request(f"{base}{path}", method=method, headers=headers, data=data)
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            text, is_json = answer.read(), "json" in answer.headers.get("Content-Type", "")
            return answer.status, (json.loads(text) if is_json else text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def whole_answer(connection):
    """All that comes until the other side ends."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def over_unix_socket(path, method, target, body=""):
    """The status of an answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(path)
        head = f"{method} {target} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall((head + body).encode())
        return int(connection.recv(4096).split()[1])


def haproxy(path, command):
    """What HAProxy answers to a command on its runtime socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(command.encode() + b"\n")
        return whole_answer(connection).decode()


def authorization(user, password=PASSWORD):
    """The header field for a proxy; `user` may be `name:password`."""
    pair = user if ":" in user else f"{user}:{password}"
    return f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"


def proxied(port, user, host="127.0.0.1", timeout=2, password=PASSWORD):
    """One request through an HTTP proxy: true when its answer is 200."""
    try:
        with socket.create_connection((host, port), timeout) as connection:
            head = f"GET {ECHO} HTTP/1.1\r\nHost: 198.18.0.80\r\n{authorization(user, password)}Connection: close\r\n\r\n"
            connection.sendall(head.encode())
            return connection.recv(64).startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
    except OSError:
        return False
