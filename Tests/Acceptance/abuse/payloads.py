"""What hostile clients send: bytes by a seed."""

import base64
import ipaddress
import random
import re
import struct

from .forbidden import OWN

PASSWORD = "a-password-of-alice"


# fmt: off
PRIVATE = [
    "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.240.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.0.1",
]
PORTS = ["80", "443", "25", "0", "65536", "99999999999", "-1", "+80", " 80", "80 ", "8 0", "0x50", "٨٠", ""]
METHODS = ["GET"] * 4 + ["POST", "HEAD", "PUT", "OPTIONS", "TRACE", "PATCH", "DELETE", "FOO", "connect", "PRI", "G\0T", "A" * 5000]
NAMES = [
    "alice-country-us", "alice", "mallory-country-us", "", "-", "alice-", "alice--", "alice-country-", "alice-country-zz", "alice-country-us-country-de",
    "alice-country-us,de", "alice-country-us," * 40, "alice-country-us-session-" + "a" * 33, "alice-country-us-session-a b", "alice-country-us-sesstime-5",
    "alice-country-us-session-a-sesstime-0", "alice-country-us-session-a-sesstime-99999", "alice-country-us-session-a-hardsession-b", "alice-planet-mars",
    'alice"-country-us', "alice'-country-us", "alice,bob-country-us", "alice\n-country-us", "alice\r\nX-Evil: 1", "alice\0-country-us", "alice;rm-country-us",
    "alice-country-us\r\nHost: x", "ali%63e-country-us", "ALICE-country-us", "alice-country-us-city-../../etc", "alice-country-us-city-" + "x" * 500,
    "a" * 65536, "alice-country-us" + "-session-x" * 5000, "álice-country-us", "\xff\xfe", "alice/../bob", "alice=1;countries=us", "any", "users.map",
]
PASSWORDS = [
    PASSWORD, PASSWORD, PASSWORD, "", "wrong", PASSWORD + "_country-us", PASSWORD + "_country-zz", PASSWORD + "_session-" + "x" * 99, PASSWORD + ":",
    PASSWORD + "\n", "\0" + PASSWORD, "x" * 70000, PASSWORD.upper(), PASSWORD + "_country-us_country-de", '"', "é" * 20, PASSWORD[:-1],
]
HEADERS = [
    "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: localhost", "Forwarded: for=127.0.0.1", "Via: 1.1 me", "X-Real-IP: 127.0.0.1", "X-Sallyport-Page: {}",
    "X-Sallyport-Reason: fine", "X-Sallyport-User: bob", "Proxy-Connection: keep-alive", "Connection: Proxy-Authorization, close", "Connection: Host",
    "Content-Length: 5", "Content-Length: -1", "Content-Length: 0, 5", "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked", "Transfer-Encoding : chunked",
    "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity", "Host: 127.0.0.1", "Host: evil.test", "Host:", " folded: x", "X: a\r\n b", "X\0Y: 1", "X: \0",
    "X-\x7f: 1", "Expect: 100-continue", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "Range: bytes=0-,0-",
    "Cookie: " + "a" * 9000, "X: " + "b" * 70000, "Proxy-Authorization: Basic bWFsbG9yeTp4", ": empty", "no colon", "X:\x01", "Max-Forwards: 0", "TE: trailers",
]
# Of SOCKS5: what begins a connection, and places to go to.
GREETINGS = [b"\x05\x01\x02"] * 8 + [
    b"\x05\x00", b"\x05\x01\x00", b"\x05\xff" + b"\x02" * 255, b"\x05\x02\x00\x02", b"\x05", b"\x05\x01", b"\x04\x01\x00P\x7f\0\0\x01x\0",
]
PLACES = [
    b"\x03\x0ewww\r\nHost: x.y", b"\x03\x00", b"\x03\xff" + b"a" * 255, b"\x05abcd", b"\x09", b"\x03\x09127.0.0.1", b"\x03\x03::1",
]
# What a good client may send.
HARMLESS = [
    "X-Forwarded-For: 10.0.0.1", "Via: 1.1 me", "Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1",
    "X-Sallyport-Page: {}", "X-Sallyport-Reason: x", "Proxy-Connection: keep-alive", "Connection: close", "X: y",
]
TAILS = [
    b"hello", b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"0\r\n\r\nCONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n",
]


def forms(host):
    """The ways to write an IPv4 address, and to hide one."""
    packed = ipaddress.ip_address(host).packed
    number = int.from_bytes(packed, "big")
    a, b, c, d = packed
    return [
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


def odd_lines(method, target):
    """Request lines that are wrong."""
    return [
        f"CONNECT {target}/path HTTP/1.1", f"CONNECT http://{target} HTTP/1.1", f"{method} / HTTP/1.1", f"{method} * HTTP/1.1", f"{method} //{target}/ HTTP/1.1",
        f"CONNECT {target} {target} HTTP/1.1", f"CONNECT {target} HTTP/1.0", f"CONNECT {target} HTTP/9.9", f"CONNECT {target}", f"CONNECT\t{target}\tHTTP/1.1",
        f"CONNECT user:pass@{target} HTTP/1.1", f"GET http://user:pass@{target}/ HTTP/1.1", f"GET http:\\\\{target}/ HTTP/1.1", "\r\n\r\nGET / HTTP/1.1",
        f"CONNECT 198.18.0.80:443\r\nHost: {target} HTTP/1.1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.1", "A" * 40000,
    ]
# fmt: on


class Payloads:
    """All choices come from one generator, before anything is sent: the same seed makes the same requests."""

    def __init__(self, seed, canaries):
        self.random, self.canaries = random.Random(seed), canaries

    def bad_host(self):
        r = self.random
        address, port = r.choice(self.canaries)
        host = r.choice([address, *PRIVATE, *OWN])
        if ":" in host:
            host = "127.0.0.1"
        return r.choice(forms(host)), r.choice([port, port, *PORTS])

    def good_host(self):
        return self.random.choice(
            ["198.18.0.80", "www.lab.test", "ip.lab.test", "example.com", "[2606:4700::1]", "93.184.216.34"]
        ), self.random.choice(["80", "443", "8443"])

    def name(self):
        return self.random.choice(NAMES)

    def password(self):
        return self.random.choice(PASSWORDS)

    def authorization(self, name=None, password=None):
        r = self.random
        name, password = name if name is not None else self.name(), password if password is not None else self.password()
        token = base64.b64encode(f"{name}:{password}".encode("utf-8", "surrogateescape")).decode()
        return r.choice(
            [f"Basic {token}"] * 8
            + [
                f"basic {token}",
                f"Basic  {token}",
                f"Basic {token} x",
                f"Bearer {token}",
                "Basic",
                f"Basic {token}==",
                f"Basic {token[:-2]}",
                "Basic !!!",
                f"Basic\t{token}",
                f'Digest username="{name[:50]}"',
            ]
        )

    def headers(self):
        r = self.random
        return [r.choice(HEADERS) for _ in range(r.choice([0, 0, 0, 1, 1, 2, 4]))]

    def clean(self):
        """A request in good form by somebody with every right: only where it leads, or what it carries along, is wrong."""
        r = self.random
        host, port = self.bad_host() if r.random() < 0.8 else self.good_host()
        port = port if re.fullmatch(r"[1-9][0-9]{0,4}", port, re.ASCII) else r.choice(["80", "443", "25"])
        target = f"{host}:{port}"
        harmless = [r.choice(HARMLESS) for _ in range(r.randrange(3))]
        line = (
            f"CONNECT {target} HTTP/1.1"
            if r.random() < 0.5
            else f"{r.choice(['GET', 'HEAD', 'DELETE', 'OPTIONS'])} http://{target}/ HTTP/1.1"
        )
        lines = [line, f"Host: {target}", f"Proxy-Authorization: {self.authorization('alice-country-us', PASSWORD)}", *harmless]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")

    def http(self):
        """The bytes of one HTTP request, most of them wrong in one way or in several."""
        r = self.random
        if r.random() < 0.45:
            return self.clean()
        host, port = self.bad_host() if r.random() < 0.7 else self.good_host()
        target = f"{host}:{port}" if port else host
        lines = [self.request_line(target)]
        if r.random() < 0.85:
            lines.append(f"Host: {r.choice([target, target, target, '127.0.0.1', 'www.lab.test', ''])}")
        # Half of them are by somebody with every right, whose requests come as far as the later rules.
        if r.random() < 0.5:
            lines.append(f"Proxy-Authorization: {self.authorization('alice-country-us', PASSWORD)}")
        elif r.random() < 0.9:
            lines.append(f"Proxy-Authorization: {self.authorization()}")
        lines += self.headers()
        if r.random() < 0.1:
            r.shuffle(lines)
        end = r.choice(["\r\n"] * 12 + ["\n", "\r"])
        data = (end.join(lines) + end + end).encode("utf-8", "surrogateescape")
        return data + r.choice([b""] * 6 + [*TAILS, bytes(r.randrange(256) for _ in range(200))])

    def request_line(self, target):
        r = self.random
        kind = r.random()
        method = r.choice(METHODS)
        if kind < 0.45:
            return f"CONNECT {target} HTTP/1.1"
        if kind < 0.85:
            scheme = r.choice(["http"] * 6 + ["HTTP", "https", "ftp", "file", "gopher", ""])
            return f"{method} {scheme}://{target}{r.choice(['/', '/x', '', '?a', '/..%2f', '//'])} HTTP/1.1"
        return r.choice(odd_lines(method, target))

    def socks(self):
        r = self.random
        name = self.name().encode("utf-8", "surrogateescape")[:255] if r.random() < 0.6 else b"alice-country-us"
        word = self.password().encode("utf-8", "surrogateescape")[:255] if r.random() < 0.5 else PASSWORD.encode()
        greeting = r.choice(GREETINGS)
        login = r.choice(
            [b"\x01" + bytes([len(name)]) + name + bytes([len(word)]) + word] * 8
            + [b"\x02\x01a\x01b", b"\x01\x00\x00", b"\x01\xff" + b"a" * 255 + b"\xff" + b"b" * 255]
        )
        host, port = self.bad_host() if r.random() < 0.75 else self.good_host()
        number = int(port) & 0xFFFF if re.fullmatch(r"[0-9]+", port) else 80
        try:
            address = ipaddress.ip_address(host.strip("[]").split("%")[0])
            body = (b"\x01" if address.version == 4 else b"\x04") + address.packed
        except ValueError:
            raw = host.encode("utf-8", "surrogateescape")[:255]
            body = b"\x03" + bytes([len(raw)]) + raw
        body = r.choice([body] * 10 + PLACES)
        request = b"\x05" + r.choice([b"\x01"] * 8 + [b"\x02", b"\x03", b"\xf0"]) + b"\x00" + body + struct.pack(">H", number)
        parts = [greeting, login, request]
        if r.random() < 0.1:
            r.shuffle(parts)
        return parts + ([b"GET / HTTP/1.1\r\n\r\n"] if r.random() < 0.3 else [])

    def noise(self):
        r = self.random
        return bytes(r.randrange(256) for _ in range(r.choice([1, 3, 50, 2000, 40000])))
