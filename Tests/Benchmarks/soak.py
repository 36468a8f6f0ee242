#!/usr/bin/env python3
"""Does anything grow? Days of work in minutes: the real controller, Redis and HAProxy on `containers/fleet`, 50 exits.

  soak [MINUTES]    20 by default; ends with status 1 where memory, descriptors or threads go on growing after the first third

Exits are rotated and killed, pools resized, users made, changed, used and removed, lists read, streams opened and dropped, settings and hooks
changed, without a pause; what brings new containers each 3 s, so that no pool uses up its restart budget. What a part holds is looked at
every five seconds. The audit's entries, which are kept for a year, are no growth.
"""
import importlib.machinery, importlib.util, os, random, re, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
loader = importlib.machinery.SourceFileLoader("fleet_bench", f"{HERE}/fleet.py")
fleet = importlib.util.module_from_spec(importlib.util.spec_from_loader("fleet_bench", loader))
words, sys.argv = sys.argv[1:], sys.argv[:1]
loader.exec_module(fleet)
bench = fleet.bench

COUNTRIES = fleet.COUNTRIES[:5]
SIZE = 10
# Seconds from one of these to the next.
SPACED = {"rotate": 3, "kill": 3, "resize": 3}


class Work:
    """One thing after the other, chosen by a seed, and how often each was done."""

    def __init__(self, controller, folder):
        self.controller, self.folder, self.random = controller, folder, random.Random(1)
        self.done, self.failed, self.streams, self.last = {}, {}, [], {}

    def step(self):
        kind = self.random.choice(["rotate", "kill", "resize", "user", "read", "read", "read", "proxy", "proxy", "stream", "hook", "refused"])
        if time.monotonic() - self.last.get(kind, 0) < SPACED.get(kind, 0):
            return
        self.last[kind] = time.monotonic()
        status = getattr(self, kind)(self.random.choice(COUNTRIES))
        self.done[kind] = self.done.get(kind, 0) + 1
        if status is not None and (status in (0, 401, 429) or status >= 500):
            self.failed[f"{kind} {status}"] = self.failed.get(f"{kind} {status}", 0) + 1

    def call(self, *words):
        return self.controller.call(*words)[0]

    def rotate(self, country):
        exits = [exit["id"] for exit in self.controller.call("GET", f"/api/exits?country={country}")[1]["exits"] if exit["state"] == "serving"]
        return self.call("POST", f"/api/exits/{self.random.choice(exits)}/rotate") if exits else None

    def kill(self, country):
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(f"{self.folder}/engine.sock")
            engine.sendall(f"POST /kill?country={country} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            return int(engine.recv(4096).split()[1])

    def resize(self, country):
        return self.call("PUT", f"/api/pools/{country}", {"size": self.random.randint(SIZE - 2, SIZE), "standby": self.random.randint(0, 1)})

    def user(self, country):
        name = f"u{self.random.randint(0, 999)}"
        self.call("POST", "/api/users", {"name": name, "password": bench.PASSWORD})
        self.call("PATCH", f"/api/users/{name}", {"limits": {"connections": self.random.randint(1, 50)}})
        return self.call("DELETE", f"/api/users/{name}")

    def read(self, country):
        path = self.random.choice(["/api/exits", "/api/pools", f"/api/exits?country={country}", "/api/events?limit=100", "/metrics", "/api/alerts",
                                   "/health/ready", f"/api/all/servers/country/{country}?limit=50", "/api/countries", "/audit/logs?limit=50",
                                   "/api/users/alice/usage", "/openapi.json"])
        return self.call("GET", path)

    def proxy(self, country):
        bench.proxied(self.controller.gateway, f"alice-country-{country}-session-{self.random.randint(0, 10_000)}")

    def stream(self, country):
        """Opened, and dropped later without a word."""
        key = open(f"{self.folder}/d/admin.key").read().strip()
        kind = self.random.choice(["events", "exits", "logs"])
        stream = socket.create_connection(("127.0.0.1", self.controller.api), 5)
        stream.sendall(f"GET /api/stream/{kind} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n".encode())
        self.streams.append(stream)
        if len(self.streams) > 20:
            self.streams.pop(0).close()

    def hook(self, country):
        status, answer = self.controller.call("POST", "/api/webhooks", {"url": "https://203.0.113.1/hook", "kinds": ["alert.raised"]})
        return self.call("DELETE", f"/api/webhooks/{answer['id']}") if status == 201 else status

    def refused(self, country):
        return self.call("POST", "/api/exits", {"country": self.random.choice(["zz", 7, "", "u" * 500])})


def look(parts, folder):
    sizes = {name: sum(fleet.memory(pid)[0] for pid in of if os.path.exists(f"/proc/{pid}")) for name, of in parts.items()}
    audit = fleet.redis(folder, "MEMORY", "USAGE", "sallyport:audit", "SAMPLES", "0")
    sizes["Redis, without the audit"] = sizes.pop("Redis") - int(audit) / (1 << 20)
    controller = parts["controller"][0]
    sizes["descriptors"] = len(os.listdir(f"/proc/{controller}/fd"))
    sizes["threads"] = len(os.listdir(f"/proc/{controller}/task"))
    return sizes


def main():
    minutes = float(words[0]) if words else 20
    folder, port = tempfile.mkdtemp(prefix="sp-soak-"), bench.free_port()
    bench.ENGINE = f"unix://{folder}/engine.sock"
    simulation = subprocess.Popen([sys.executable, f"{HERE}/../Harness/simulated_fleet.py", folder, str(port)])
    controller, status = None, 0
    try:
        bench.until("the simulated engine listens", lambda: os.path.exists(f"{folder}/engine.sock"))
        controller = bench.Controller(folder, fleet.providers(folder, port), "limits: {requests: 10000000, strict_requests: 10000000}")
        controller.start()
        controller.call("POST", "/api/users", {"name": "alice", "password": bench.PASSWORD})
        for country in COUNTRIES:
            controller.call("PUT", f"/api/pools/{country}", {"size": SIZE})
        bench.until("all exits serve", lambda: serving(controller) >= SIZE * len(COUNTRIES), 170, 0.5)
        work, looks, begin = Work(controller, folder), [], time.monotonic()
        print(f"soak: {SIZE * len(COUNTRIES)} exits serve; {minutes:.0f} minutes of work", file=sys.stderr, flush=True)
        while time.monotonic() - begin < minutes * 60:
            work.step()
            if time.monotonic() - begin > 5 * len(looks):
                looks.append(look({"controller": [controller.process.pid], **fleet.pids(folder)}, folder))
        status = report(looks, work, minutes)
        bench.until("all is as wanted in the end", lambda: serving(controller) >= (SIZE - 2) * len(COUNTRIES), 60, 0.5)
    finally:
        if controller and hasattr(controller, "process"):
            controller.stop()
        simulation.send_signal(signal.SIGTERM)
        simulation.wait()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)


def serving(controller):
    return sum(exit["state"] == "serving" for exit in controller.call("GET", "/api/exits")[1]["exits"])


def report(looks, work, minutes):
    thirds = [looks[len(looks) * part // 3:len(looks) * (part + 1) // 3] for part in range(3)]
    print(f"\n{minutes:.0f} minutes: " + ", ".join(f"{count} {kind}" for kind, count in sorted(work.done.items()))
          + f"; shut out, failed or not answered: {work.failed or 'none'}.\n\n| what | first third | second | last | most |\n| --- | --- | --- | --- | --- |")
    grown = []
    for name in looks[0]:
        medians = [statistics.median(look[name] for look in third) for third in thirds]
        unit = "" if name in ("descriptors", "threads") else " MB"
        print(f"| {name} | " + " | ".join(f"{value:.0f}{unit}" for value in [*medians, max(look[name] for look in looks)]) + " |")
        # Streams and exits come and go: a tenth, and a little, is no growth.
        if medians[2] > medians[1] * 1.1 + 5:
            grown.append(name)
    print(f"\nStill growing in the last third: {', '.join(grown) or 'nothing'}.", flush=True)
    return 1 if grown else 0


if __name__ == "__main__":
    main()
