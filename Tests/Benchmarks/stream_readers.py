"""Many readers of `/api/stream/events` in one thread, by epoll, and a caller of the API beside them."""

import json
import re
import select
import socket
import sys
import time

# Events that are made here have a number: that of the user, or what a pool's setting is now.
NUMBERED = re.compile(rb"^event: (?:user\.added|pool\.changed)\ndata: [^\n]*(?:\breader|rotate_every \d+ to )(\d+)", re.M)


class Reader:
    """One connection, and the numbers of the events that it got, each as often as it came."""

    def __init__(self, address, request, is_silent=False):
        self.socket, self.rest, self.numbers, self.place, self.ended, self.received = socket.socket(), b"", [], None, False, 0
        if is_silent:
            # Little room in both kernels: what waits there is not the controller's to drop.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.socket.connect(address)
        self.socket.sendall(request)
        self.socket.setblocking(False)

    def read(self):
        """Takes what there is; the numbers of the events in it."""
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return []
        self.received += len(data)
        if not data:
            self.ended = True
            return []
        text = self.rest + data
        whole = text.rfind(b"\n\n") + 2
        self.rest = text[whole:] if whole > 1 else text
        text = text[:whole] if whole > 1 else b""
        if self.place is None and (found := re.search(rb"^id: (\S+)", text, re.M)):
            self.place = found.group(1)
        new = [int(number) for number in NUMBERED.findall(text)]
        self.numbers += new
        return new


class Readers:
    """All of them, looked after by one epoll."""

    def __init__(self, stand, count, **options):
        self.poll, self.all = select.epoll(), {}
        for _ in range(count):
            reader = Reader(stand.address, stand.request, **options)
            self.all[reader.socket.fileno()] = reader
            self.poll.register(reader.socket.fileno(), select.EPOLLIN)

    def turn(self, seconds=0.0, also=None):
        """Reads wherever there is something; the events that came, each with the moment. `also` is called where its descriptor is ready."""
        came = []
        for descriptor, _ in self.poll.poll(seconds, 2048):
            reader = self.all.get(descriptor)
            if reader is None:
                also()
                continue
            numbers = reader.read()
            if numbers:
                now = time.monotonic()
                came += [(number, now) for number in numbers]
            if reader.ended:
                self.poll.unregister(descriptor)
        return came

    def spend(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.turn(left)

    def leave(self):
        self.poll.close()
        for reader in self.all.values():
            reader.socket.close()


class Caller:
    """Calls the API on a connection of its own, without keeping the readers waiting."""

    def __init__(self, stand):
        self.stand, self.socket, self.pending = stand, socket.create_connection(stand.address), b""

    def descriptor(self):
        return self.socket.fileno()

    def send(self, method, path, body):
        text = json.dumps(body).encode()
        self.socket.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.stand.key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n".encode()
            + text
        )

    def receive(self):
        """The status of one whole answer."""
        while b"\r\n\r\n" not in self.pending:
            self.more()
        head, self.pending = self.pending.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        while len(self.pending) < length:
            self.more()
        self.pending = self.pending[length:]
        return int(head.split()[1])

    def more(self):
        data = self.socket.recv(1 << 16)
        if not data:
            sys.exit("streams: the controller hung up")
        self.pending += data

    def expect(self, wanted, *words):
        self.send(*words)
        if (status := self.receive()) != wanted:
            sys.exit(f"streams: {words} answered {status}")
