"""Tunnels through a whole instance on the lab that are quiet for a time, by CONNECT and SOCKS5; client and target each speak first afterwards.

python3 -m Tests.Benchmarks.quiet SECONDS [--build release]    says for each tunnel what came; ends with 1 where one did not last

Run by hand, with an engine (DOCKER_HOST): `make bench` has no hour for it.
"""

import argparse
import socket
import sys
import time

from ..Harness.http import PASSWORD, authorization
from ..Harness.programs import docker, until
from ..Harness.stand import Stand

USER, TARGET = "alice-country-us", "sallyport-lab-gb-1"
ECHO, LATE = 7001, 7002


def say(*words):
    print(time.strftime("%H:%M:%S"), *words, flush=True)


def exactly(connection, count):
    data = b""
    while len(data) < count and (piece := connection.recv(count - len(data))):
        data += piece
    return data


def by_connect(gateway, address, port):
    connection = socket.create_connection(("127.0.0.1", gateway), 20)
    connection.sendall(f"CONNECT {address}:{port} HTTP/1.1\r\nHost: {address}:{port}\r\n{authorization(USER)}\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += exactly(connection, 1) or sys.exit(f"the gateway broke off after {head}")
    if b" 200 " not in head.splitlines()[0]:
        raise ConnectionError(head)
    return connection


def by_socks5(gateway, address, port):
    connection = socket.create_connection(("127.0.0.1", gateway), 20)
    words = [word.encode() for word in (USER, PASSWORD)]
    login = b"\1" + b"".join(bytes([len(word)]) + word for word in words)
    place = b"\5\1\0\1" + socket.inet_aton(address) + port.to_bytes(2, "big")
    for sent, wanted in ((b"\5\1\2", b"\5\2"), (login, b"\1\0"), (place, b"\5\0\0\1\0\0\0\0\0\0")):
        connection.sendall(sent)
        came = exactly(connection, len(wanted))
        if came != wanted:
            raise ConnectionError(came)
    return connection


class Tunnel:
    def __init__(self, name, connection, hears):
        """`hears`: what its target says by itself after the quiet time."""
        self.name, self.connection, self.hears = name, connection, hears

    def lasted(self):
        """Says what comes now, and whether that is all that has to come."""
        came = []
        try:
            self.connection.settimeout(60)
            came.append(exactly(self.connection, len(self.hears)))
            self.connection.sendall(b"still here\n")
            came.append(exactly(self.connection, 11))
            self.connection.shutdown(socket.SHUT_WR)
            came.append(self.connection.recv(10))
        except OSError as error:
            came.append(error)
        say(self.name, *came)
        return came == [self.hears, b"still here\n", b""]


def listen(port, seconds):
    script = f"echo first; sleep {seconds}; echo late; exec busybox cat" if port == LATE else "echo first; exec busybox cat"
    docker("exec", "-d", TARGET, "busybox", "nc", "-ll", "-p", str(port), "-e", "busybox", "sh", "-c", script)


def open_tunnels(stand, address):
    for name, opened in (("CONNECT", by_connect), ("SOCKS5", by_socks5)):
        for port, hears in ((ECHO, b""), (LATE, b"late\n")):
            connection = opened(stand.gateway, address, port)
            say(name, "the target says", exactly(connection, 6))
            yield Tunnel(f"{name}, {'the target' if hears else 'the client'} speaks first:", connection, hears)


def main():
    parser = argparse.ArgumentParser(
        prog="python3 -m Tests.Benchmarks.quiet", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("seconds", type=int)
    parser.add_argument("--build", default="release")
    options = parser.parse_args()
    with Stand("sallyport-quiet", options.build, ["us"]) as stand:
        address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", TARGET).split()[0]
        for port in (ECHO, LATE):
            listen(port, options.seconds)
            until(
                "somebody listens",
                lambda port=port: f":{port:04X} " in docker("exec", TARGET, "busybox", "cat", "/proc/net/tcp", "/proc/net/tcp6"),
            )
        tunnels = list(open_tunnels(stand, address))
        say("quiet for", options.seconds, "s")
        time.sleep(options.seconds)
        lasted = [tunnel.lasted() for tunnel in tunnels]
    sys.exit(0 if all(lasted) else 1)


if __name__ == "__main__":
    main()
