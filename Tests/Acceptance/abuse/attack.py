"""Sends what `payloads` makes, over every entry, many at once."""

import asyncio
import json
import ssl
import time

from ...Harness.http import authorization
from .payloads import PASSWORD, Payloads


class Attack:
    def __init__(self, options):
        self.options = options
        self.entries = [("gateway", options.gateway), ("country", options.country), ("tls", options.tls)]
        self.entries = [entry for entry in self.entries if entry[1]]
        self.payloads = Payloads(options.seed, [tuple(canary.rsplit(",", 1)) for canary in options.canary])
        self.answers, self.wrong, self.good = {}, [], 0
        self.context = ssl._create_unverified_context()

    async def connect(self, entry):
        name, port = entry
        tls = {}
        if name == "tls":
            tls = {"ssl": self.context, "server_hostname": "proxy-us.lab.test"}
        return await asyncio.open_connection("127.0.0.1", port, **tls)

    async def one(self, entry, kind, payload, rude, pieces):
        """One connection; what came of it is counted."""
        try:
            reader, writer = await asyncio.wait_for(self.connect(entry), 10)
        except (OSError, TimeoutError):
            return self.note(entry, "not connected")
        try:
            if kind == "socks":
                outcome = await send_parts(reader, writer, payload, 0.2 if rude else 2)
            else:
                outcome = await self.send(reader, writer, payload, rude, pieces)
        except TimeoutError:
            outcome = "silent"
        except (OSError, asyncio.IncompleteReadError):
            outcome = "reset"
        finally:
            writer.close()
        return self.note(entry, outcome)

    async def send(self, reader, writer, payload, rude, pieces):
        """Whoever is rude leaves without an answer."""
        step = max(1, len(payload) // pieces)
        for start in range(0, len(payload), step):
            writer.write(payload[start : start + step])
            await writer.drain()
        if rude:
            return "left"
        if writer.can_write_eof():
            writer.write_eof()
        answer = await asyncio.wait_for(reader.read(4096), 3)
        head = answer.split(b"\r\n\r\n")[0].decode("latin-1")
        # An exit's own words about us must not come through.
        if "forged" in head:
            self.wrong.append(f"a forged reason: {head[:200]!r}")
        return head[9:12] if head.startswith("HTTP/1.") else ("closed" if not answer else "bytes")

    def note(self, entry, outcome):
        key = f"{entry[0]} {outcome}"
        self.answers[key] = self.answers.get(key, 0) + 1

    async def check_good(self):
        """Somebody with every right is served, on each entry, by HTTP, CONNECT and SOCKS5."""
        fields = authorization("alice-country-us", PASSWORD)
        lines = ["GET http://www.lab.test/ HTTP/1.1\r\nHost: www.lab.test", "CONNECT www.lab.test:443 HTTP/1.1\r\nHost: www.lab.test:443"]
        for entry in self.entries:
            for line in lines:
                reader, writer = await asyncio.wait_for(self.connect(entry), 20)
                writer.write(f"{line}\r\n{fields}\r\n".encode())
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                writer.close()
                if b" 200 " not in head.split(b"\r\n")[0] + b" ":
                    self.wrong.append(f"a good request is refused: {head[:200]!r}")
                self.good += 1
            await self.check_good_socks(entry)

    async def check_good_socks(self, entry):
        reader, writer = await asyncio.wait_for(self.connect(entry), 20)
        word = PASSWORD.encode()
        writer.write(b"\x05\x01\x02")
        await asyncio.wait_for(reader.readexactly(2), 20)
        writer.write(b"\x01\x10alice-country-us" + bytes([len(word)]) + word)
        await asyncio.wait_for(reader.readexactly(2), 20)
        writer.write(b"\x05\x01\x00\x03\x0cwww.lab.test\x00\x50")
        reply = await asyncio.wait_for(reader.readexactly(10), 20)
        writer.close()
        if reply[1] != 0:
            self.wrong.append(f"a good SOCKS5 request is refused: {reply!r}")
        self.good += 1

    async def run(self):
        begin, pending = time.monotonic(), set()
        for _ in range(self.options.count):
            r = self.payloads.random
            entry = r.choice(self.entries)
            kind = r.choices(["http", "socks", "noise"], [70, 25, 5])[0]
            payload = getattr(self.payloads, kind)()
            task = asyncio.create_task(self.one(entry, kind, payload, r.random() < 0.15, r.choice([1, 1, 1, 2, 7])))
            pending.add(task)
            if len(pending) >= self.options.at_once:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        for task in pending:
            await task
        await self.check_good()
        report = {
            "requests": self.options.count,
            "seconds": round(time.monotonic() - begin, 1),
            "answers": dict(sorted(self.answers.items())),
            "good": self.good,
            "wrong": self.wrong[:20],
        }
        print(json.dumps(report), flush=True)
        return 1 if self.wrong else 0


async def send_parts(reader, writer, parts, seconds):
    """SOCKS: each part after the answer to the one before."""
    outcome = "closed"
    for part in parts:
        writer.write(part)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(64), seconds)
        if not answer:
            break
        outcome = "socks " + answer[:2].hex()
    return outcome
