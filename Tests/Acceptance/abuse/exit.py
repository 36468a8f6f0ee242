"""The exit behind the gateway: what comes through is judged, and followed where it leads."""

import asyncio
import base64
import json
import re

from .forbidden import OWN, is_forbidden
from .payloads import PASSWORD

# By which a CONNECT takes what was prepared for it.
TICKET = 4711

# Header fields that the gateway takes away.
REMOVED = ("proxy-authorization", "proxy-connection", "via", "forwarded", "x-real-ip")


def wrongs(head):
    """What is wrong with a request's head, as sentences."""
    lines = head.split("\r\n")
    match = re.fullmatch(r"(CONNECT|PREPARE|GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\S+) HTTP/1\.[01]", lines[0])
    if not match:
        yield "a request line"
        return
    target = match[2] if match[1] in ("CONNECT", "PREPARE") else (match[2].split("/") + ["", "", ""])[2]
    host, port = parts_of(target)
    if is_forbidden(host):
        yield "a forbidden target"
    if port == "25":
        yield "a closed port"
    if "@" in target or not host:
        yield "a target that can be read in two ways"
    yield from wrong_fields([line.split(":")[0].lower() for line in lines[1:] if line and not is_ours(match[1], line)])
    if re.search(r"[\0\r\n]", head.replace("\r\n", "")):
        yield "a control character that ends a line for somebody"
    if PASSWORD in head or base64.b64encode(PASSWORD.encode()).decode()[:12] in head:
        yield "the password"


def is_ours(method, line):
    """Whether the gateway itself has written a header field: what has been prepared has a ticket."""
    if method == "PREPARE":
        return re.fullmatch(r"x-sallyport-silence: \d+", line, re.I)
    return line.lower() == f"x-sallyport-ticket: {TICKET}"


def wrong_fields(names):
    """The same of the names of header fields."""
    for name in names:
        if name in REMOVED or name.startswith(("x-forwarded-", "x-sallyport-")):
            yield f"the header {name}"
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]+", name):
            yield "a header's name"
    if names.count("host") > 1 or names.count("content-length") > 1 or {"content-length", "transfer-encoding"} <= set(names):
        yield "a head that can be read in two ways"


def parts_of(target):
    """Host and port; 80 where none is said."""
    host, _, port = target.rpartition(":") if re.search(r":\d+$", target) else (target, "", "80")
    return host, port


class Exit:
    """A proxy that judges each head, and counts the visitors of its canaries."""

    def __init__(self):
        self.requests = 0
        self.wrong = []
        self.canaries = 0

    async def canary(self, reader, writer):
        self.canaries += 1
        writer.close()

    async def proxy(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.requests += 1
                self.judge(head)
                method, url = head.split(" ")[:2]
                if method == "PREPARE":
                    writer.write(f"HTTP/1.1 200 {TICKET}\r\n\r\n".encode())
                    await writer.drain()
                    return
                if method == "CONNECT":
                    await self.try_target(url)
                    writer.write(b"HTTP/1.1 200 Established\r\n\r\n")
                    await writer.drain()
                    # What comes inside the tunnel is nobody's business; an answer, so that good clients see one.
                    if await reader.read(65536):
                        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ngood")
                        await writer.drain()
                    return
                await self.try_target(url.split("/")[2])
                length = re.search(r"\r\ncontent-length: *(\d+)", head, re.I)
                if length:
                    await reader.readexactly(int(length[1]))
                elif re.search(r"\r\ntransfer-encoding:", head, re.I):
                    while int((await reader.readline()).split(b";")[0], 16):
                        await reader.readline()
                    await reader.readline()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nVia: 1.1 exit\r\nX-Sallyport-Reason: forged\r\n\r\ngood")
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError, IndexError):
            pass
        finally:
            writer.close()

    def judge(self, head):
        """What may never come as far as an exit."""
        for why in wrongs(head):
            if len(self.wrong) < 20:
                self.wrong.append(f"{why}: {head[:300]!r}")

    async def try_target(self, target):
        """Goes where the request leads, if that is somewhere near."""
        host, port = parts_of(target)
        if is_forbidden(host):
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), int(port)), 1)
                writer.close()
            except (OSError, TimeoutError, ValueError):
                pass


def port_of(server):
    return server.sockets[0].getsockname()[1]


async def serve():
    exit_, servers, canaries = Exit(), [], []
    for address in ["127.0.0.1", "::1", *OWN]:
        try:
            server = await asyncio.start_server(exit_.canary, address, 0)
        except OSError:
            continue
        servers.append(server)
        canaries.append([address, port_of(server)])
    proxy = await asyncio.start_server(exit_.proxy, "127.0.0.1", 0, limit=1 << 20)

    async def report(reader, writer):
        body = json.dumps({"requests": exit_.requests, "canaries": exit_.canaries, "wrong": exit_.wrong}).encode()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    reporter = await asyncio.start_server(report, "127.0.0.1", 0)
    print(json.dumps({"exit": port_of(proxy), "report": port_of(reporter), "canaries": canaries}), flush=True)
    await asyncio.Event().wait()
