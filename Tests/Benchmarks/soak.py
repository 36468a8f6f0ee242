"""Does anything grow? Days of work in minutes: the real controller, Redis and HAProxy on a simulated fleet, 50 exits.

python3 -m Tests.Benchmarks.soak [MINUTES]    20 by default; ends with status 1 where memory, descriptors or threads go on growing after
                                              the first third

Exits are rotated and killed, pools resized, users made, changed, used and removed, lists read, streams opened and dropped, settings and hooks
changed, without a pause; what brings new containers each 3 s, so that no pool uses up its restart budget. What a part holds is looked at
every five seconds. The audit's entries, which are kept for a year, are no growth.
"""

import os
import random
import socket
import statistics
import sys
import time
from collections import Counter

from ..Harness.http import PASSWORD, over_unix_socket
from ..Harness.processes import descriptors, haproxies, resident
from ..Harness.programs import until
from ..Harness.simulation import COUNTRIES as ALL
from ..Harness.simulation import Simulation
from ..Harness.tables import header, row

COUNTRIES = ALL[:5]
SIZE = 10
# Seconds from one of these to the next.
SPACED = {"rotate": 3, "kill": 3, "resize": 3}
KINDS = ["rotate", "kill", "resize", "user", "read", "read", "read", "proxy", "proxy", "stream", "hook", "refused"]
PATHS = [
    "/api/exits",
    "/api/pools",
    "/api/exits?country={}",
    "/api/events?limit=100",
    "/metrics",
    "/api/alerts",
    "/health/ready",
    "/api/all/servers/country/{}?limit=50",
    "/api/countries",
    "/audit/logs?limit=50",
    "/api/users/alice/usage",
    "/openapi.json",
]


class Work:
    """One thing after the other, chosen by a seed, and how often each was done."""

    def __init__(self, fleet):
        self.controller, self.engine, self.random = fleet.controller, fleet.socket, random.Random(1)
        self.done, self.failed, self.streams, self.last = Counter(), Counter(), [], {}

    def step(self):
        kind = self.random.choice(KINDS)
        if time.monotonic() - self.last.get(kind, 0) < SPACED.get(kind, 0):
            return
        self.last[kind] = time.monotonic()
        status = getattr(self, kind)(self.random.choice(COUNTRIES))
        self.done[kind] += 1
        if status is not None and (status in (0, 401, 429) or status >= 500):
            self.failed[f"{kind} {status}"] += 1

    def call(self, *words):
        return self.controller.call(*words)[0]

    def rotate(self, country):
        exits = [exit["id"] for exit in self.controller.exits(f"?country={country}") if exit["state"] == "serving"]
        return self.call("POST", f"/api/exits/{self.random.choice(exits)}/rotate") if exits else None

    def kill(self, country):
        return over_unix_socket(self.engine, "POST", f"/kill?country={country}")

    def resize(self, country):
        settings = {"size": self.random.randint(SIZE - 2, SIZE), "standby": self.random.randint(0, 1)}
        return self.call("PUT", f"/api/pools/{country}", settings)

    def user(self, _):
        name = f"u{self.random.randint(0, 999)}"
        self.call("POST", "/api/users", {"name": name, "password": PASSWORD})
        self.call("PATCH", f"/api/users/{name}", {"limits": {"connections": self.random.randint(1, 50)}})
        return self.call("DELETE", f"/api/users/{name}")

    def read(self, country):
        return self.call("GET", self.random.choice(PATHS).format(country))

    def proxy(self, country):
        self.controller.proxied(f"alice-country-{country}-session-{self.random.randint(0, 10_000)}")

    def stream(self, _):
        """Opened, and dropped later without a word."""
        kind = self.random.choice(["events", "exits", "logs"])
        stream = socket.create_connection(("127.0.0.1", self.controller.api), 5)
        stream.sendall(f"GET /api/stream/{kind} HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.controller.key}\r\n\r\n".encode())
        self.streams.append(stream)
        if len(self.streams) > 20:
            self.streams.pop(0).close()

    def hook(self, _):
        status, answer = self.controller.call("POST", "/api/webhooks", {"url": "https://203.0.113.1/hook", "kinds": ["alert.raised"]})
        return self.call("DELETE", f"/api/webhooks/{answer['id']}") if status == 201 else status

    def refused(self, _):
        return self.call("POST", "/api/exits", {"country": self.random.choice(["zz", 7, "", "u" * 500])})


def sample(fleet):
    """What each part holds: megabytes, and the controller's descriptors and threads."""
    controller = fleet.controller
    pid = controller.process.pid
    audit = int(controller.redis("MEMORY", "USAGE", "sallyport:audit", "SAMPLES", "0") or 0)
    return {
        "controller": resident(pid),
        "HAProxy": sum(resident(each) for each in haproxies(f"{controller.data}/haproxy/haproxy.cfg")),
        "Redis, without the audit": resident(fleet.redis_pid()) - audit / (1 << 20),
        "descriptors": descriptors(pid),
        "threads": len(os.listdir(f"/proc/{pid}/task")),
    }


def work_for(fleet, minutes):
    work, samples, begin = Work(fleet), [], time.monotonic()
    print(f"soak: {SIZE * len(COUNTRIES)} exits serve; {minutes:.0f} minutes of work", file=sys.stderr, flush=True)
    while time.monotonic() - begin < minutes * 60:
        work.step()
        if time.monotonic() - begin > 5 * len(samples):
            samples.append(sample(fleet))
    return work, samples


def report(samples, work, minutes):
    """Prints the table; true where nothing goes on growing."""
    thirds = [samples[len(samples) * part // 3 : len(samples) * (part + 1) // 3] for part in range(3)]
    done = ", ".join(f"{count} {kind}" for kind, count in sorted(work.done.items()))
    print(f"\n{minutes:.0f} minutes: {done}; shut out, failed or not answered: {dict(work.failed) or 'none'}.\n")
    print(header("what", "first third", "second", "last", "most"))
    grown = []
    for name in samples[0]:
        medians = [statistics.median(each[name] for each in third) for third in thirds]
        unit = "" if name in ("descriptors", "threads") else " MB"
        print(row(name, *(f"{value:.0f}{unit}" for value in [*medians, max(each[name] for each in samples)])))
        # Streams and exits come and go: a tenth, and a little, is no growth.
        if medians[2] > medians[1] * 1.1 + 5:
            grown.append(name)
    print(f"\nStill growing in the last third: {', '.join(grown) or 'nothing'}.", flush=True)
    return not grown


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 20
    with Simulation("soak", api="limits: {requests: 10000000, strict_requests: 10000000}") as fleet:
        controller = fleet.controller
        controller.start()
        controller.add_user()
        for country in COUNTRIES:
            controller.set_pool(country, SIZE)
        until("all exits serve", lambda: controller.serving() >= SIZE * len(COUNTRIES), 170, 0.5)
        work, samples = work_for(fleet, minutes)
        is_well = report(samples, work, minutes)
        until("all is as wanted in the end", lambda: controller.serving() >= (SIZE - 2) * len(COUNTRIES), 60, 0.5)
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
