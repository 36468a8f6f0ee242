#!/usr/bin/env python3
"""Hostile clients for the gateway: seeded requests over every entry, and an exit that notes what comes through.

    abuse serve                     is an exit's proxy and a row of canaries; prints what it listens on, a JSON line
    abuse attack --seed N --count N --gateway PORT [--country PORT] [--tls PORT] [--canary ADDRESS,PORT]...

`serve` tells what it has seen to whoever connects to its port "report". It tries every connection that it is asked for where the address is one of this
machine or a private one, so that a hole in the gateway is one that leads somewhere: the canaries then say so.
`attack` prints one JSON line of what it saw and ends with 1 where anything is wrong. The same seed makes the same requests.
"""
import argparse, asyncio, base64, ipaddress, json, random, re, socket, ssl, struct, sys, time

PASSWORD = "a-password-of-alice"
LAB = ipaddress.ip_network("198.18.0.0/15")


def own_addresses():
    """An address of this machine that is not loopback, where there is one."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("198.51.100.1", 9))
            return [s.getsockname()[0]]
    except OSError:
        return []


def is_forbidden(host):
    """By another rule than the gateway's own: Python's list of networks, and the C library's reading of numbers."""
    host = host.strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            if not re.fullmatch(r"[0-9a-fx.]+", host):
                raise OSError
            address = ipaddress.ip_address(socket.inet_aton(host))
        except OSError:
            return host in ("localhost", "tinyproxy.stats") or host.endswith((".localhost", ".local", ".internal", ".home.arpa"))
    inner = [address]
    if address.version == 6:
        value = int(address)
        inner += [a for a in (address.ipv4_mapped, address.sixtofour) if a]
        if address in ipaddress.ip_network("64:ff9b::/96") or value < 2**32:
            inner.append(ipaddress.ip_address(value & 0xFFFFFFFF))
    return any(str(a) in OWN or (not (a.version == 4 and a in LAB) and (not a.is_global or a.is_multicast)) for a in inner)


OWN = set(own_addresses())


# ------------------------------------------------------------------------------------------------------------ the exit

class Exit:
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
                    await reader.readexactly(int(length.group(1)))
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
        def wrong(why):
            if len(self.wrong) < 20:
                self.wrong.append(f"{why}: {head[:300]!r}")
        lines = head.split("\r\n")
        match = re.fullmatch(r"(CONNECT|GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\S+) HTTP/1\.[01]", lines[0])
        if not match:
            return wrong("a request line")
        target = match.group(2) if match.group(1) == "CONNECT" else (match.group(2).split("/") + ["", "", ""])[2]
        host, _, port = target.rpartition(":") if re.search(r":\d+$", target) else (target, "", "80")
        if is_forbidden(host):
            wrong("a forbidden target")
        if port == "25":
            wrong("a closed port")
        if "@" in target or not host:
            wrong("a target that can be read in two ways")
        names = [line.split(":")[0].lower() for line in lines[1:] if line]
        for name in names:
            if name in ("proxy-authorization", "proxy-connection", "via", "forwarded", "x-real-ip") or name.startswith(("x-forwarded-", "x-sallyport-")):
                wrong(f"the header {name}")
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]+", name):
                wrong("a header's name")
        if names.count("host") > 1 or names.count("content-length") > 1 or ("content-length" in names and "transfer-encoding" in names):
            wrong("a head that can be read in two ways")
        if re.search(r"[\0\r\n]", head.replace("\r\n", "")):
            wrong("a control character that ends a line for somebody")
        if PASSWORD in head or base64.b64encode(PASSWORD.encode()).decode()[:12] in head:
            wrong("the password")

    async def try_target(self, target):
        """Goes where the request leads, if that is somewhere near."""
        host, _, port = target.rpartition(":") if re.search(r":\d+$", target) else (target, "", "80")
        if is_forbidden(host):
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), int(port)), 1)
                writer.close()
            except (OSError, asyncio.TimeoutError, ValueError):
                pass


async def serve():
    exit_, servers, canaries = Exit(), [], []
    for address in ["127.0.0.1", "::1", *OWN]:
        try:
            server = await asyncio.start_server(exit_.canary, address, 0)
        except OSError:
            continue
        servers.append(server)
        canaries.append([address, server.sockets[0].getsockname()[1]])
    proxy = await asyncio.start_server(exit_.proxy, "127.0.0.1", 0, limit=1 << 20)

    async def report(reader, writer):
        body = json.dumps({"requests": exit_.requests, "canaries": exit_.canaries, "wrong": exit_.wrong}).encode()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    reporter = await asyncio.start_server(report, "127.0.0.1", 0)
    port = lambda server: server.sockets[0].getsockname()[1]
    print(json.dumps({"exit": port(proxy), "report": port(reporter), "canaries": canaries}), flush=True)
    await asyncio.Event().wait()


# ---------------------------------------------------------------------------------------------------------- the attack

class Attack:
    def __init__(self, options):
        self.random = random.Random(options.seed)
        self.options = options
        self.entries = [("gateway", options.gateway), ("country", options.country), ("tls", options.tls)]
        self.entries = [entry for entry in self.entries if entry[1]]
        self.canaries = [tuple(c.rsplit(",", 1)) for c in options.canary]
        self.answers, self.wrong, self.good = {}, [], 0
        self.context = ssl._create_unverified_context()

    # What a request is made of. All choices come from the one generator, before anything is sent.

    def bad_host(self):
        r = self.random
        address, port = r.choice(self.canaries)
        private = [address, "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.240.1", "192.168.1.1", "169.254.169.254",
                   "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.0.1", *OWN]
        host = r.choice(private)
        if ":" in host:
            host = "127.0.0.1"
        packed = ipaddress.ip_address(host).packed
        number = int.from_bytes(packed, "big")
        a, b, c, d = packed
        forms = [
            host, host + ".", host + "..", str(number), hex(number), f"0{number:o}", f"{a}.{number & 0xFFFFFF}", f"{a}.{b}.{number & 0xFFFF}",
            f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"{a:03}.{b:03}.{c:03}.{d:03}", f"{a}.{b}.{c}.0x{d:x}",
            f"[::ffff:{host}]", f"[::ffff:{a:02x}{b:02x}:{c:02x}{d:02x}]", f"[::{host}]", f"[0:0:0:0:0:ffff:{host}]", f"[64:ff9b::{host}]",
            f"[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1]", f"[::ffff:0:{host}]", "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]",
            "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::1%25lo]", "[::1%lo]", "localhost", "LOCALHOST", "localhost.", "a.localhost",
            "metadata.google.internal", "printer.local", "router.home.arpa", "tinyproxy.stats", "TinyProxy.Stats.", "x.sallyport",
            f"198.18.0.80@{host}", f"{host}#198.18.0.80", f"{host}\\@198.18.0.80", f"198.18.0.80%40{host}", f"{host}%00.lab.test",
            f"{a}%2e{b}%2e{c}%2e{d}", f"{a}。{b}。{c}。{d}", "①②⑦.0.0.1", f" {host}", f"{host}\t", f"{host}\0", "", ".", "..", "-", "[", "]", "[]",
            "[127.0.0.1]", "[::1", "::1", "a" * 64 + ".test", "a." * 130 + "test", "x" * 300,
        ]
        return r.choice(forms), r.choice([port, port, "80", "443", "25", "0", "65536", "99999999999", "-1", "+80", " 80", "80 ", "8 0", "0x50", "٨٠", ""])

    def good_host(self):
        return self.random.choice(["198.18.0.80", "www.lab.test", "ip.lab.test", "example.com", "[2606:4700::1]", "93.184.216.34"]), \
            self.random.choice(["80", "443", "8443"])

    def name(self):
        r = self.random
        return r.choice([
            "alice-country-us", "alice", "mallory-country-us", "", "-", "alice-", "alice--", "alice-country-", "alice-country-zz", "alice-country-us-country-de",
            "alice-country-us,de", "alice-country-us," * 40, "alice-country-us-session-" + "a" * 33, "alice-country-us-session-a b", "alice-country-us-sesstime-5",
            "alice-country-us-session-a-sesstime-0", "alice-country-us-session-a-sesstime-99999", "alice-country-us-session-a-hardsession-b", "alice-planet-mars",
            'alice"-country-us', "alice'-country-us", "alice,bob-country-us", "alice\n-country-us", "alice\r\nX-Evil: 1", "alice\0-country-us", "alice;rm-country-us",
            "alice-country-us\r\nHost: x", "ali%63e-country-us", "ALICE-country-us", "alice-country-us-city-../../etc", "alice-country-us-city-" + "x" * 500,
            "a" * 65536, "alice-country-us" + "-session-x" * 5000, "álice-country-us", "\xff\xfe", "alice/../bob", "alice=1;countries=us", "any", "users.map",
        ])

    def password(self):
        return self.random.choice([
            PASSWORD, PASSWORD, PASSWORD, "", "wrong", PASSWORD + "_country-us", PASSWORD + "_country-zz", PASSWORD + "_session-" + "x" * 99, PASSWORD + ":",
            PASSWORD + "\n", "\0" + PASSWORD, "x" * 70000, PASSWORD.upper(), PASSWORD + "_country-us_country-de", '"', "é" * 20, PASSWORD[:-1],
        ])

    def authorization(self, name=None, password=None):
        r = self.random
        name, password = name if name is not None else self.name(), password if password is not None else self.password()
        token = base64.b64encode(f"{name}:{password}".encode("utf-8", "surrogateescape")).decode()
        return r.choice([f"Basic {token}"] * 8 + [
            f"basic {token}", f"Basic  {token}", f"Basic {token} x", f"Bearer {token}", "Basic", f"Basic {token}==", f"Basic {token[:-2]}", "Basic !!!", f"Basic\t{token}",
            f'Digest username="{name[:50]}"',
        ])

    def headers(self):
        r = self.random
        evil = [
            "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: localhost", "Forwarded: for=127.0.0.1", "Via: 1.1 me", "X-Real-IP: 127.0.0.1", "X-Sallyport-Page: {}",
            "X-Sallyport-Reason: fine", "X-Sallyport-User: bob", "Proxy-Connection: keep-alive", "Connection: Proxy-Authorization, close", "Connection: Host",
            "Content-Length: 5", "Content-Length: -1", "Content-Length: 0, 5", "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked", "Transfer-Encoding : chunked",
            "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity", "Host: 127.0.0.1", "Host: evil.test", "Host:", " folded: x", "X: a\r\n b", "X\0Y: 1", "X: \0",
            "X-\x7f: 1", "Expect: 100-continue", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "Range: bytes=0-,0-",
            "Cookie: " + "a" * 9000, "X: " + "b" * 70000, "Proxy-Authorization: Basic bWFsbG9yeTp4", ": empty", "no colon", "X:\x01", "Max-Forwards: 0", "TE: trailers",
        ]
        return [r.choice(evil) for _ in range(r.choice([0, 0, 0, 1, 1, 2, 4]))]

    def clean(self):
        """A request in good form by somebody with every right: only where it leads, or what it carries along, is wrong."""
        r = self.random
        host, port = self.bad_host() if r.random() < 0.8 else self.good_host()
        port = port if re.fullmatch(r"[1-9][0-9]{0,4}", port, re.ASCII) else r.choice(["80", "443", "25"])
        target = f"{host}:{port}"
        harmless = [h for h in (r.choice(["X-Forwarded-For: 10.0.0.1", "Via: 1.1 me", "Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1",
                    "X-Sallyport-Page: {}", "X-Sallyport-Reason: x", "Proxy-Connection: keep-alive", "Connection: close", "X: y"]) for _ in range(r.randrange(3)))]
        line = f"CONNECT {target} HTTP/1.1" if r.random() < 0.5 else f"{r.choice(['GET', 'HEAD', 'DELETE', 'OPTIONS'])} http://{target}/ HTTP/1.1"
        lines = [line, f"Host: {target}", f"Proxy-Authorization: {self.authorization('alice-country-us', PASSWORD)}", *harmless]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")

    def http(self):
        """The bytes of one HTTP request, most of them wrong in one way or in several."""
        r = self.random
        if r.random() < 0.45:
            return self.clean()
        host, port = self.bad_host() if r.random() < 0.7 else self.good_host()
        target = f"{host}:{port}" if port else host
        kind = r.random()
        method = r.choice(["GET"] * 4 + ["POST", "HEAD", "PUT", "OPTIONS", "TRACE", "PATCH", "DELETE", "FOO", "connect", "PRI", "G\0T", "A" * 5000])
        if kind < 0.45:
            line = f"CONNECT {target} HTTP/1.1"
        elif kind < 0.85:
            line = f"{method} {r.choice(['http'] * 6 + ['HTTP', 'https', 'ftp', 'file', 'gopher', ''])}://{target}{r.choice(['/', '/x', '', '?a', '/..%2f', '//'])} HTTP/1.1"
        else:
            line = r.choice([
                f"CONNECT {target}/path HTTP/1.1", f"CONNECT http://{target} HTTP/1.1", f"{method} / HTTP/1.1", f"{method} * HTTP/1.1", f"{method} //{target}/ HTTP/1.1",
                f"CONNECT {target} {target} HTTP/1.1", f"CONNECT {target} HTTP/1.0", f"CONNECT {target} HTTP/9.9", f"CONNECT {target}", f"CONNECT\t{target}\tHTTP/1.1",
                f"CONNECT user:pass@{target} HTTP/1.1", f"GET http://user:pass@{target}/ HTTP/1.1", f"GET http:\\\\{target}/ HTTP/1.1", "\r\n\r\nGET / HTTP/1.1",
                f"CONNECT 198.18.0.80:443\r\nHost: {target} HTTP/1.1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.1", "A" * 40000,
            ])
        lines = [line]
        if r.random() < 0.85:
            lines.append(f"Host: {r.choice([target, target, target, '127.0.0.1', 'www.lab.test', ''])}")
        # Half of them are by somebody with every right, whose requests come as far as the later rules.
        if r.random() < 0.5:
            lines.append(f"Proxy-Authorization: {self.authorization('alice-country-us', PASSWORD)}")
        elif r.random() < 0.9:
            lines.append(f"Proxy-Authorization: {self.authorization()}")
        lines += self.headers()
        r.random() < 0.1 and r.shuffle(lines)
        end = r.choice(["\r\n"] * 12 + ["\n", "\r"])
        data = (end.join(lines) + end + end).encode("utf-8", "surrogateescape")
        tail = r.choice([b""] * 6 + [
            b"hello", b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"0\r\n\r\nCONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n", bytes(r.randrange(256) for _ in range(200)),
        ])
        return data + tail

    def socks(self):
        r = self.random
        name = self.name().encode("utf-8", "surrogateescape")[:255] if r.random() < 0.6 else b"alice-country-us"
        word = self.password().encode("utf-8", "surrogateescape")[:255] if r.random() < 0.5 else PASSWORD.encode()
        greeting = r.choice([b"\x05\x01\x02"] * 8 + [b"\x05\x00", b"\x05\x01\x00", b"\x05\xff" + b"\x02" * 255, b"\x05\x02\x00\x02", b"\x05", b"\x05\x01", b"\x04\x01\x00P\x7f\0\0\x01x\0"])
        login = r.choice([b"\x01" + bytes([len(name)]) + name + bytes([len(word)]) + word] * 8 + [b"\x02\x01a\x01b", b"\x01\x00\x00", b"\x01\xff" + b"a" * 255 + b"\xff" + b"b" * 255])
        host, port = self.bad_host() if r.random() < 0.75 else self.good_host()
        number = int(port) & 0xFFFF if re.fullmatch(r"[0-9]+", port) else 80
        try:
            address = ipaddress.ip_address(host.strip("[]").split("%")[0])
            body = (b"\x01" if address.version == 4 else b"\x04") + address.packed
        except ValueError:
            raw = host.encode("utf-8", "surrogateescape")[:255]
            body = b"\x03" + bytes([len(raw)]) + raw
        body = r.choice([body] * 10 + [b"\x03\x0ewww\r\nHost: x.y", b"\x03\x00", b"\x03\xff" + b"a" * 255, b"\x05abcd", b"\x09", b"\x03\x09127.0.0.1", b"\x03\x03::1"])
        request = b"\x05" + r.choice([b"\x01"] * 8 + [b"\x02", b"\x03", b"\xf0"]) + b"\x00" + body + struct.pack(">H", number)
        parts = [greeting, login, request]
        r.random() < 0.1 and r.shuffle(parts)
        return parts + ([b"GET / HTTP/1.1\r\n\r\n"] if r.random() < 0.3 else [])

    def noise(self):
        r = self.random
        return bytes(r.randrange(256) for _ in range(r.choice([1, 3, 50, 2000, 40000])))

    # How it is sent.

    async def connect(self, entry):
        name, port = entry
        tls = {}
        if name == "tls":
            tls = {"ssl": self.context, "server_hostname": "proxy-us.lab.test"}
        return await asyncio.open_connection("127.0.0.1", port, **tls)

    async def one(self, entry, kind, payload, rude, pieces):
        outcome = "closed"
        try:
            reader, writer = await asyncio.wait_for(self.connect(entry), 10)
        except (OSError, asyncio.TimeoutError, ssl.SSLError):
            self.note(entry, "not connected")
            return
        try:
            if kind == "socks":
                for part in payload:
                    writer.write(part)
                    await writer.drain()
                    answer = await asyncio.wait_for(reader.read(64), 0.2 if rude else 2)
                    if not answer:
                        break
                    outcome = "socks " + answer[:2].hex()
            else:
                step = max(1, len(payload) // pieces)
                for start in range(0, len(payload), step):
                    writer.write(payload[start:start + step])
                    await writer.drain()
                if rude:
                    outcome = "left"
                else:
                    writer.can_write_eof() and writer.write_eof()
                    answer = await asyncio.wait_for(reader.read(4096), 3)
                    head = answer.split(b"\r\n\r\n")[0].decode("latin-1")
                    outcome = head[9:12] if head.startswith("HTTP/1.") else ("closed" if not answer else "bytes")
                    # An exit's own words about us must not come through.
                    if "forged" in head:
                        self.wrong.append(f"a forged reason: {head[:200]!r}")
        except (OSError, asyncio.TimeoutError, ssl.SSLError, asyncio.IncompleteReadError) as error:
            outcome = "silent" if isinstance(error, asyncio.TimeoutError) else "reset"
        finally:
            writer.close()
        self.note(entry, outcome)

    def note(self, entry, outcome):
        key = f"{entry[0]} {outcome}"
        self.answers[key] = self.answers.get(key, 0) + 1

    async def check_good(self):
        """Somebody with every right is served, on each entry, by HTTP, CONNECT and SOCKS5."""
        token = base64.b64encode(f"alice-country-us:{PASSWORD}".encode()).decode()
        for entry in self.entries:
            for data in [f"GET http://www.lab.test/ HTTP/1.1\r\nHost: www.lab.test\r\nProxy-Authorization: Basic {token}\r\n\r\n",
                         f"CONNECT www.lab.test:443 HTTP/1.1\r\nHost: www.lab.test:443\r\nProxy-Authorization: Basic {token}\r\n\r\n"]:
                reader, writer = await asyncio.wait_for(self.connect(entry), 20)
                writer.write(data.encode())
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                writer.close()
                if b" 200 " not in head.split(b"\r\n")[0] + b" ":
                    self.wrong.append(f"a good request is refused: {head[:200]!r}")
                self.good += 1
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
            r = self.random
            entry = r.choice(self.entries)
            kind = r.choices(["http", "socks", "noise"], [70, 25, 5])[0]
            payload = getattr(self, kind)()
            task = asyncio.create_task(self.one(entry, kind, payload, r.random() < 0.15, r.choice([1, 1, 1, 2, 7])))
            pending.add(task)
            if len(pending) >= self.options.at_once:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        for task in pending:
            await task
        await self.check_good()
        print(json.dumps({
            "requests": self.options.count, "seconds": round(time.monotonic() - begin, 1), "answers": dict(sorted(self.answers.items())),
            "good": self.good, "wrong": self.wrong[:20]}), flush=True)
        return 1 if self.wrong else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["serve", "attack"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=64)
    for name in ("gateway", "country", "tls"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--canary", action="append", default=[])
    options = parser.parse_args()
    sys.exit(asyncio.run(serve() if options.what == "serve" else Attack(options).run()) or 0)


main()
