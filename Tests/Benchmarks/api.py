"""What the API costs: `GET /api/exits` with 25 exits, by `wrk` with 64 connections, beside bare libmicrohttpd that sends the same bytes
and beside FastAPI under uvicorn; what its rate limit, log and audit add; its memory; 10,000 idle connections.

python3 -m Tests.Benchmarks.api [PIECE ...] [--seconds N] [--rounds N] [--program FILE]    pieces: speed, costs, memory, idle; all of them
                                                                                           without a word

Controller, Redis and HAProxy are real; engine, provider and exits are simulated. Prints the tables of docs/benchmarks.md. Every rate is
the median of the rounds, in each of which all take their turn. With BENCH_PROFILE=FILE the controller is recorded by `perf` at the end.
"""

import argparse
import hashlib
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import time

from ..Harness import environment
from ..Harness.http import whole_answer
from ..Harness.processes import processor, resident
from ..Harness.programs import ROOT, built, free_port, listens, run, stop, until, write
from ..Harness.simulation import Simulation
from ..Harness.tables import header, row

BUILD = f"{ROOT}/.build/bench-api"
PEERS = f"{ROOT}/Tests/Benchmarks/peers"
POOLS = "us gb de fr nl".split()
SIZE = 5
IDLE = 10_000
BARE, PYTHON = "bare libmicrohttpd, the same bytes", "FastAPI, uvicorn, one worker"
# Settings of requests: all that costs something, and nothing of it.
ON = {"requests": 100_000_000, "log_requests": True}
OFF = {"requests": 0, "log_requests": False}

WRK = """
done = function(summary, latency, requests)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format("FIGURES %d %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(95), latency:percentile(99), bad))
end
"""


class Run:
    """One run of wrk: requests a second, milliseconds, and microseconds of the server's processor time for each request."""

    def __init__(self, port, key, pid, seconds, path="/api/exits"):
        used, url = processor(pid), f"http://127.0.0.1:{port}{path}"
        text = run("wrk", "-t1", "-c64", f"-d{seconds}s", "-s", f"{BUILD}/wrk.lua", "-H", f"Authorization: Bearer {key}", url)
        requests, duration, *latency, bad = map(int, re.search(r"FIGURES (.*)", text)[1].split())
        if bad or not requests:
            sys.exit(f"{bad} of {requests} requests failed on port {port}")
        self.requests, self.rate = requests, requests / (duration / 1e6)
        self.p50, self.p95, self.p99 = (value / 1000 for value in latency)
        self.program, self.kernel = ((after - before) / requests * 1e6 for before, after in zip(used, processor(pid), strict=True))


class Median:
    def __init__(self, runs):
        for name in ("rate", "p50", "p95", "p99", "program", "kernel"):
            setattr(self, name, statistics.median(getattr(run, name) for run in runs))
        self.least, self.most = min(run.rate for run in runs), max(run.rate for run in runs)


class Bench:
    def __init__(self, fleet, options):
        self.fleet, self.controller, self.options, self.processes = fleet, fleet.controller, options, []
        self.controller.program = options.program

    def start(self):
        os.makedirs(BUILD, exist_ok=True)
        write(f"{BUILD}/wrk.lua", WRK)
        run("cc", "-O2", "-Wall", "-Werror", "-o", f"{BUILD}/bare", f"{PEERS}/microhttpd_peer.c", "-lmicrohttpd")
        self.controller.start()
        self.key, self.pid, self.port = self.controller.key, self.controller.process.pid, self.controller.api
        for country in POOLS:
            self.controller.set_pool(country, SIZE)
        self.controller.until_serving(SIZE * len(POOLS), 120)

    def stop(self):
        for process in reversed(self.processes):
            stop(process)

    def set(self, **settings):
        self.controller.expect(200, "PATCH", "/api/settings", settings)

    def off(self, **more):
        """Nothing that costs; a program of an old version knows no `requests: 0`."""
        settings = {**OFF, **more}
        if self.options.before:
            del settings["requests"]
        return settings

    def run(self, seconds):
        return Run(self.port, self.key, self.pid, seconds)

    # The peers

    def answer(self):
        """An answer of ours, as it is on the wire: its header fields, without those that libmicrohttpd makes itself, and its body."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            request = f"GET /api/exits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            head, body = whole_answer(connection).split(b"\r\n\r\n", 1)
        its_own = ("date", "content-length", "connection")
        return [line for line in head.decode().split("\r\n")[1:] if line.split(":")[0].lower() not in its_own], body

    def peers(self):
        """Starts both; returns their ports and pids."""
        if not environment.install():
            sys.exit("api: FastAPI is missing")
        lines, body = self.answer()
        head_file = write(f"{self.fleet.folder}/head", "".join(f"{line}\n" for line in lines))
        body_file = write(f"{self.fleet.folder}/body", body, "wb")
        print(f"The answer: {len(lines)} header fields of ours, {len(body)} bytes of body.", file=sys.stderr)
        bare, python = free_port(), free_port()
        self.processes.append(subprocess.Popen([f"{BUILD}/bare", str(bare), head_file, body_file]))
        words = ["fastapi_peer:app", "--port", str(python), "--workers", "1", "--no-access-log", "--log-level", "warning"]
        digest = hashlib.sha256(self.key.encode()).hexdigest()
        own = os.environ | {"BENCH_BODY": body_file, "BENCH_KEY": digest, "PYTHONDONTWRITEBYTECODE": "1"}
        self.processes.append(subprocess.Popen([environment.PYTHON, "-m", "uvicorn", *words], cwd=PEERS, env=own))
        for port in (bare, python):
            until("a peer listens", lambda: listens(port), 30, 0.1)
        return (bare, self.processes[-2].pid), (python, self.processes[-1].pid)

    # The pieces

    def rounds(self, turns):
        runs = {name: [] for name in turns}
        for _ in range(self.options.rounds):
            for name, ((port, pid), settings) in turns.items():
                self.set(**settings)
                time.sleep(0.5)
                runs[name].append(Run(port, self.key, pid, self.options.seconds))
        self.set(**ON)
        return {name: Median(of) for name, of in runs.items()}

    def speed(self):
        bare, python = self.peers()
        ours = (self.port, self.pid)
        turns = {
            BARE: (bare, ON),
            "Sallyport, everything on": (ours, ON),
            "Sallyport, without rate limit and log": (ours, self.off()),
            PYTHON: (python, ON),
        }
        results = self.rounds(turns)
        base, slow = results[BARE], results[PYTHON]
        columns = ["server", "requests a second", "of bare libmicrohttpd", "times FastAPI", "p50", "p95", "p99"]
        print("\n" + header(*columns, "processor, each: program + kernel"))
        for name, result in results.items():
            rates = [f"{result.rate:,.0f} ({result.least:,.0f} to {result.most:,.0f})", f"{result.rate / base.rate:.2f}"]
            times = [f"{time:.2f} ms" for time in (result.p50, result.p95, result.p99)]
            print(row(name, *rates, f"{result.rate / slow.rate:.1f}", *times, f"{result.program:.1f} + {result.kernel:.1f} us"))

    def costs(self):
        ours, none = (self.port, self.pid), self.off(audit_requests=False)
        turns = {
            "nothing of it": (ours, none),
            "rate limit": (ours, {**none, "requests": 100_000_000}),
            "log": (ours, {**none, "log_requests": True}),
            "audit": (ours, {**none, "audit_requests": True}),
        }
        results = self.rounds(turns)
        base = results["nothing of it"]
        print("\n" + header("with", "requests a second", "a request takes longer by", "processor, each: program + kernel"))
        for name, result in results.items():
            longer = 1e6 / result.rate - 1e6 / base.rate
            print(row(name, f"{result.rate:,.0f}", f"{longer:.1f} us", f"{result.program:.1f} + {result.kernel:.1f} us"))
        self.set(**ON, audit_requests=False)
        until("the audit log is written", lambda: re.search(r"^sallyport_audit_entries_waiting 0", self.metrics(), re.M), 120, 0.5)
        gaps = self.controller.expect(200, "GET", "/audit/logs?kind=gap&limit=100")["entries"]
        intact = self.controller.expect(200, "GET", "/audit/verify")
        print(f"\nAudit: {intact['entries']} entries, intact: {intact['intact']}, gaps: {len(gaps)}.")

    def metrics(self):
        return self.controller.expect(200, "GET", "/metrics").decode()

    def memory(self):
        self.set(**ON)
        self.run(3)
        sizes, count = [resident(self.pid)], 0
        while count < 1_000_000:
            count += self.run(5).requests
            sizes.append(resident(self.pid))
        print(
            f"\nMemory: {sizes[0]:.0f} MB resident before {count:,} requests, {sizes[-1]:.0f} MB after them (most between: {max(sizes):.0f} MB)."
        )

    def idle(self):
        before, connections, begin = resident(self.pid), [], time.monotonic()
        for number in range(IDLE):
            connection = socket.socket()
            connection.bind((f"127.0.1.{1 + number // 1000}", 0))
            connection.connect(("127.0.0.1", self.port))
            connections.append(connection)
        opened = time.monotonic() - begin
        held = resident(self.pid)
        run = self.run(5)
        # All are still good: each hundredth one asks something.
        asked = connections[::100]
        for connection in asked:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        answered = sum(connection.recv(65536).startswith(b"HTTP/1.1 200") for connection in asked)
        for connection in connections:
            connection.close()
        print(
            f"\n{IDLE:,} idle connections from ten addresses, opened in {opened:.1f} s: {before:.0f} MB before, {held:.0f} MB with them "
            f"({(held - before) * 1024 / IDLE:.1f} kB each); meanwhile {run.rate:,.0f} requests a second on 64 others, p95 {run.p95:.2f} ms; "
            f"{answered} of {len(asked)} asked answered."
        )

    def profile(self, path):
        recording = subprocess.Popen(["perf", "record", "-g", "-o", path, "-p", str(self.pid), "sleep", "6"])
        self.run(8)
        recording.wait()


def main():
    parser = argparse.ArgumentParser(prog="python3 -m Tests.Benchmarks.api")
    parser.add_argument("pieces", nargs="*", default=["speed", "costs", "memory", "idle"])
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--program", default=f"{built('release')}/sallyport")
    parser.add_argument("--before", action="store_true", help="for a program in which `requests: 0` is no setting yet")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(20_000, most),) * 2)
    with Simulation("api", api="connections: 12000, limits: {requests: 100000000}", log="level: info, format: json") as fleet:
        bench = Bench(fleet, options)
        try:
            bench.start()
            for piece in options.pieces:
                getattr(bench, piece)()
            if path := os.environ.get("BENCH_PROFILE"):
                bench.profile(path)
        finally:
            bench.stop()


if __name__ == "__main__":
    main()
