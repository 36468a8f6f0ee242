"""The proxies beside the bare exit: latency, bulk, new tunnels a second through one real exit of the lab, without and with HAProxy, in turn.

python3 -m Tests.Benchmarks.proxies [--build release]    prints tables of docs/benchmarks.md, in less than two minutes

Called by `make bench`, which gives it an engine (DOCKER_HOST). Many connections at once are measured by `held`.
"""

import argparse
import socket
import statistics
import subprocess
import sys
import time

from ..Harness.http import PASSWORD, authorization
from ..Harness.lab import ADDRESS as TARGET
from ..Harness.programs import docker, module, read, until
from ..Harness.stand import Stand
from ..Harness.tables import header, p95, row

CONNECT = f"CONNECT {TARGET}:80 HTTP/1.1\r\nHost: {TARGET}:80\r\n"


def tunnel_latencies(address, user, count):
    """Seconds of each of so many requests inside one tunnel: what HAProxy adds to bytes that flow."""
    with socket.create_connection(address, 5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(f"{CONNECT}{authorization(user)}\r\n".encode())
        assert b" 200 " in connection.recv(4096)
        times = []
        for _ in range(count):
            start = time.perf_counter()
            connection.sendall(f"GET /ip HTTP/1.1\r\nHost: {TARGET}\r\n\r\n".encode())
            connection.recv(4096)
            times.append(time.perf_counter() - start)
        return times


def first_answers(address, user, count):
    """Seconds from nothing to the first answered byte of a new CONNECT, each on a new connection."""
    times = []
    request = f"{CONNECT}{authorization(user)}\r\n".encode()
    for _ in range(count):
        start = time.perf_counter()
        with socket.create_connection(address, 5) as connection:
            connection.sendall(request)
            answer = connection.recv(4096)
            times.append(time.perf_counter() - start)
            assert b" 200 " in answer, answer
    return times


def bulk(*words, inside=()):
    """Bytes a second of one download of 64 MB; `inside` goes before the program's words."""
    options = ["curl", "-s", "-o", "/dev/null", "-m", "60", "-r", "0-67108863", "-w", "%{speed_download}"]
    return float(subprocess.run([*inside, *options, *words, f"http://{TARGET}/big"], capture_output=True, text=True).stdout)


# New tunnels a second


def socks(connection, user):
    """The SOCKS5 handshake up to the open tunnel."""
    name, host = user.encode(), TARGET.encode()
    connection.sendall(b"\x05\x01\x02")
    assert connection.recv(2) == b"\x05\x02"
    connection.sendall(bytes([1, len(name)]) + name + bytes([len(PASSWORD)]) + PASSWORD.encode())
    assert connection.recv(2) == b"\x01\x00"
    connection.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host + (80).to_bytes(2, "big"))
    assert connection.recv(10)[:2] == b"\x05\x00"


def open_tunnels(host, port, user, protocol, seconds):
    """Opens one after another and prints how many: what a process of `rate` does."""
    request = f"{CONNECT}{authorization(user)}\r\n".encode()
    count, end = 0, time.monotonic() + float(seconds)
    while time.monotonic() < end:
        with socket.create_connection((host, int(port)), 5) as connection:
            if protocol == "socks5":
                socks(connection, user)
            else:
                connection.sendall(request)
                assert b" 200 " in connection.recv(4096)
        count += 1
    print(count)


def rate(address, user, protocol, seconds, workers=4):
    """New tunnels a second, by so many processes."""
    words = ["--open-tunnels", address[0], str(address[1]), user, protocol, str(seconds)]
    processes = [module("Tests.Benchmarks.proxies", *words, stdout=subprocess.PIPE, text=True) for _ in range(workers)]
    return sum(int(process.communicate()[0] or 0) for process in processes) / seconds


def waiting(address):
    """How many ended connections to an address still keep their port."""
    remote = socket.inet_aton(address)[::-1].hex().upper()
    lines = [line.split() for line in read("/proc/net/tcp").splitlines()]
    return sum(line[2].startswith(remote) and line[3] == "06" for line in lines)


class Measuring:
    """One exit of the lab, by itself and through HAProxy."""

    def __init__(self, stand):
        name = stand.controller.containers()[0]
        address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name).strip()
        self.exit, self.alone = (address, 3128), stand.controller.pool_credentials("us")
        self.inside = ["nsenter", "-n", "-t", docker("inspect", "-f", "{{.State.Pid}}", name).strip()]
        self.ours, self.user = ("127.0.0.1", stand.gateway), "alice-country-us"

    def latency(self):
        print("\n" + header("one exit of the lab", "exit alone, p50, p95", "through HAProxy, p50, p95", "added, p50, p95", "budget"))
        # Ports of the runs before would be looked through for a free one, 5 ms each time.
        until("the connections of earlier runs are forgotten", lambda: waiting(self.exit[0]) < 1000, 90, 1)
        # Turns are short, so that what the machine does beside counts for both.
        ways = (("request inside an open tunnel", tunnel_latencies, 40, 50), ("new CONNECT to its answer", first_answers, 2000, 1))
        for what, body, turns, count in ways:
            bare, proxied = [], []
            for _ in range(turns):
                bare += body(self.exit, self.alone, count)
                proxied += body(self.ours, self.user, count)
            (a, b), (c, d) = milliseconds(bare), milliseconds(proxied)
            print(row(what, f"{a:.2f}, {b:.2f} ms", f"{c:.2f}, {d:.2f} ms", f"{c - a:.2f}, {d - b:.2f} ms", "1 ms p95"), flush=True)

    def bulk(self):
        port = self.ours[1]
        ways = {
            "no proxy, in the exit's network": [],
            "the exit's proxy alone, CONNECT": ["-p", "-x", f"http://{self.alone}@{self.exit[0]}:3128"],
            "the exit's proxy alone, SOCKS5": ["-x", f"socks5h://{self.alone}@{self.exit[0]}:3128"],
            "through HAProxy, CONNECT": ["-p", "-x", f"http://{self.user}:{PASSWORD}@127.0.0.1:{port}"],
            "through HAProxy, SOCKS5": ["-x", f"socks5h://{self.user}:{PASSWORD}@127.0.0.1:{port}"],
        }
        speeds = {what: [] for what in ways}
        for _ in range(9):
            for what, words in ways.items():
                speeds[what].append(bulk(*words, inside=[] if words else self.inside))
        medians = {what: statistics.median(values) for what, values in speeds.items()}
        alone = next(iter(medians.values()))
        print("\n" + header("bulk, one download of 64 MB, median of 9", "MB/s", "of the bare tunnel", "budget"))
        for (what, median), budget in zip(medians.items(), ("", "0.95", "0.95", "0.9", "0.9"), strict=True):
            print(row(what, f"{median / 1e6:.1f}", f"{median / alone:.2f}", budget), flush=True)

    def tunnels(self):
        print("\n" + header("new tunnels, 4 clients one after another, 5 s each in turns of 1 s", "a second"))
        ways = (
            ("exit alone, CONNECT", self.exit, self.alone, "http"),
            ("through HAProxy, CONNECT", self.ours, self.user, "http"),
            ("through HAProxy, SOCKS5", self.ours, self.user, "socks5"),
        )
        rates = [[rate(*way, 1) for _, *way in ways] for _ in range(5)]
        for (what, *_), figures in zip(ways, zip(*rates, strict=True), strict=True):
            print(row(what, f"{statistics.mean(figures):.0f}"), flush=True)


def milliseconds(times):
    return statistics.median(times) * 1000, p95(times) * 1000


def main():
    if sys.argv[1:2] == ["--open-tunnels"]:
        return open_tunnels(*sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python3 -m Tests.Benchmarks.proxies")
    parser.add_argument("--build", default="release")
    with Stand("sallyport-bench-proxies", parser.parse_args().build, ["us"]) as stand:
        measuring = Measuring(stand)
        measuring.latency()
        measuring.bulk()
        measuring.tunnels()


if __name__ == "__main__":
    main()
