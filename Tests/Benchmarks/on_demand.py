"""Countries on demand under random load, with fewer tunnels than countries, on the lab.

python3 -m Tests.Benchmarks.on_demand [--minutes N] [--countries N] [--devices N] [--clients N] [--build B]

Ten minutes, 25 countries, 10 devices, 12 clients. A client asks for a country by chance, by CONNECT, plain HTTP or SOCKS5, keeps every
fifth tunnel for some seconds, and pauses. Prints what was served at once, held and served, and refused with which reasons; openings,
closings and evictions; the wait of what was held; what each step of an opening took, by the events; and how many tunnels there were at
most, by the containers that run.
"""

import argparse
import collections
import datetime
import random
import re
import socket
import threading
import time

from ..Harness.base_stand import BaseStand
from ..Harness.controller import Controller
from ..Harness.http import PASSWORD, authorization
from ..Harness.lab import ADDRESS, Lab
from ..Harness.tables import header, percentile, row

USUAL = ["us", "de", "gb", "fr", "nl", "jp", "ca"]
# What waits longer than this was held; an open country answers in some milliseconds.
HELD_SECONDS = 0.25


class Stand(BaseStand):
    """A lab of so many countries, and a controller whose account allows so many devices."""

    def __init__(self, options):
        super().__init__(options.build)
        self.options = options

    def start(self):
        more = max(0, self.options.countries - len(USUAL))
        self.lab = Lab(f"{self.folder}/lab", self.build, "--countries", str(more))
        providers = self.lab.up().replace("    dns:", f"    devices: {self.options.devices}\n    dns:")
        settings = "on_demand: {countries: all, idle_minutes: 0.5, openings_per_minute: 1000}\n"
        self.controller = Controller(self.folder, providers, self.build, owner="sallyport-on-demand", log="level: info", more=settings)
        self.controller.start()
        self.controller.add_user()
        found = self.controller.expect(200, "GET", "/api/countries")["countries"]
        self.countries = [one["country"].lower() for one in found if one["on_demand"]][: self.options.countries]


def connected(connection, user):
    head = f"CONNECT {ADDRESS}:80 HTTP/1.1\r\nHost: {ADDRESS}:80\r\n{authorization(user)}\r\n"
    connection.sendall(head.encode())
    return said(connection)


def asked(connection, user):
    head = f"GET http://{ADDRESS}/ip HTTP/1.1\r\nHost: {ADDRESS}\r\n{authorization(user)}\r\n"
    connection.sendall(head.encode())
    return said(connection)


def said(connection):
    """Nil where the answer is 200, else status and reason."""
    answer = connection.recv(4096).decode(errors="replace")
    reason = re.search(r"(?im)^x-sallyport-reason: *(\w+)", answer)
    status = answer.split(" ")[1] if answer.startswith("HTTP/") else "no answer"
    return None if status == "200" else f"{status} {reason[1] if reason else ''}".strip()


def by_socks(connection, user):
    """The same by SOCKS5, which has a number for a reason."""
    connection.sendall(b"\5\1\2")
    connection.recv(2)
    connection.sendall(bytes([1, len(user)]) + user.encode() + bytes([len(PASSWORD)]) + PASSWORD.encode())
    if connection.recv(2) != b"\1\0":
        return "SOCKS5 refused the password"
    connection.sendall(b"\5\1\0\1" + socket.inet_aton(ADDRESS) + (80).to_bytes(2, "big"))
    reply = connection.recv(10)
    return None if reply[1:2] == b"\0" else f"SOCKS5 reply {reply[1] if len(reply) > 1 else 'none'}"


class Load:
    def __init__(self, stand):
        self.stand, self.lock, self.end = stand, threading.Lock(), time.monotonic() + 60 * stand.options.minutes
        self.at_once, self.held, self.refused, self.refusal_times = [], [], collections.Counter(), []
        self.most = 0

    def run(self):
        threads = [threading.Thread(target=self.client, args=(number,)) for number in range(self.stand.options.clients)]
        for thread in [*threads, watch := threading.Thread(target=self.watch)]:
            thread.start()
        for thread in [*threads, watch]:
            thread.join()

    def client(self, number):
        chance = random.Random(number)
        while time.monotonic() < self.end:
            country = chance.choice(self.stand.countries)
            self.one(chance, f"alice-country-{country}", chance.choice([connected, asked, by_socks]))
            time.sleep(chance.uniform(0, 4))

    def one(self, chance, user, way):
        start = time.perf_counter()
        try:
            with socket.create_connection(("127.0.0.1", self.stand.controller.gateway), 40) as connection:
                refusal = way(connection, user)
                self.note(time.perf_counter() - start, refusal)
                if refusal is None and way is not asked and chance.random() < 0.2:
                    time.sleep(chance.uniform(1, 15))
        except OSError as error:
            self.note(time.perf_counter() - start, f"{type(error).__name__}")

    def note(self, seconds, refusal):
        with self.lock:
            if refusal is not None:
                self.refused[refusal] += 1
                self.refusal_times.append(seconds)
            else:
                (self.held if seconds >= HELD_SECONDS else self.at_once).append(seconds)

    def watch(self):
        """The most tunnels at once, by the engine's list."""
        while time.monotonic() < self.end:
            self.most = max(self.most, len(self.stand.controller.containers()))
            time.sleep(0.3)


# An exit's steps, each from one kind of event to another: those of the exit that gives way, and those of the one that comes.
STEPS = [
    ("it closes, until it drains", "exit.leaving", "exit.draining"),
    ("until it has no connection", "exit.draining", "exit.stopped"),
    ("until its container is gone", "exit.stopped", "exit.gone"),
    ("the new one waits for its tunnel", "exit.wanted", "exit.starting"),
    ("its container starts, up to its handshake", "exit.starting", "exit.verifying"),
    ("its tunnel is proved, and plugged in", "exit.verifying", "exit.serving"),
]


def events(controller):
    """All that are kept, in order."""
    found, after = [], "0-0"
    while page := controller.expect(200, "GET", f"/api/events?limit=1000&after={after}")["events"]:
        found += page
        after = page[-1]["id"]
    return found


def steps(found):
    """Seconds of each step, by its words."""
    seconds, begun = collections.defaultdict(list), {}
    for event in found:
        at = datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp()
        for words, first, last in STEPS:
            if event["kind"] == last and (event["exit"], first) in begun:
                seconds[words].append(at - begun.pop((event["exit"], first)))
        begun[event.get("exit"), event["kind"]] = at
    return seconds


def metric(text, name):
    found = re.search(rf"(?m)^{re.escape(name)} (\S+)$", text)
    return int(float(found[1])) if found else 0


def figures(values):
    return [f"{percentile(values, share):.2f} s" for share in (0.5, 0.95, 0.99)] if values else ["none"] * 3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--countries", type=int, default=25)
    parser.add_argument("--devices", type=int, default=10)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--build", default="release")
    options = parser.parse_args()
    with Stand(options) as stand:
        print(f"{len(stand.countries)} countries, {options.devices} devices, {options.clients} clients, {options.minutes:g} minutes\n")
        load = Load(stand)
        load.run()
        text = stand.controller.call("GET", "/metrics")[1]
        text = text if isinstance(text, str) else text.decode()
        print(header("requests", "number", "p50", "p95", "p99"))
        print(row("served at once", len(load.at_once), *figures(load.at_once)))
        print(row("held and served", len(load.held), *figures(load.held)))
        print(row("refused", sum(load.refused.values()), *figures(load.refusal_times)))
        reasons = ", ".join(f"{reason}: {count}" for reason, count in load.refused.most_common())
        print(f"\nrefusals: {reasons or 'none'}")
        closings = [metric(text, f'sallyport_on_demand_closings_total{{cause="{cause}"}}') for cause in ("idle", "evicted")]
        print(f"openings: {metric(text, 'sallyport_on_demand_openings_total')}, closed idle: {closings[0]}, evicted: {closings[1]}")
        print(f"most tunnels at once: {load.most} of {options.devices}\n")
        taken = steps(events(stand.controller))
        print(header("step", "number", "p50", "p95", "p99"))
        for words, _, _ in STEPS:
            print(row(words, len(taken[words]), *figures(taken[words])))
        if load.most > options.devices:
            raise SystemExit("more tunnels than the account allows")


if __name__ == "__main__":
    main()
