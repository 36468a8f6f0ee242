#!/usr/bin/env python3
"""What the API costs: `GET /api/exits` with 25 exits, by `wrk` with 64 connections, beside bare libmicrohttpd that sends the same bytes
and beside FastAPI under uvicorn; what its rate limit, log and audit add; its memory; 10,000 idle connections.

  bench-api [PIECE ...] [--seconds N] [--rounds N] [--program FILE]    pieces: speed, costs, memory, idle; all of them without a word

Controller, Redis and HAProxy are real; engine, provider and exits are those of `containers/fleet`. Prints the tables of
docs/benchmarks.md. Every rate is the median of the rounds, in each of which all take their turn.
"""
import argparse, hashlib, importlib.machinery, importlib.util, json, os, re, resource, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = f"{ROOT}/.build/bench-api"
PACKAGES = ["fastapi==0.115.6", "uvicorn==0.34.0", "uvloop==0.21.0", "httptools==0.6.4", "pydantic==2.10.4"]
POOLS = "us gb de fr nl".split()
SIZE = 5
IDLE = 10_000

loader = importlib.machinery.SourceFileLoader("bench", f"{ROOT}/Tests/Benchmarks/exits.py")
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
loader.exec_module(bench)

WRK = """
done = function(summary, latency, requests)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format("FIGURES %d %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(95), latency:percentile(99), bad))
end
"""


def prepare():
    """The bare server, and FastAPI in an environment of its own."""
    os.makedirs(BUILD, exist_ok=True)
    with open(f"{BUILD}/wrk.lua", "w") as file:
        file.write(WRK)
    bench.run("cc", "-O2", "-Wall", "-Werror", "-o", f"{BUILD}/bare", f"{HERE}/peers/microhttpd_peer.c", "-lmicrohttpd")
    mark = f"{BUILD}/python/packages"
    if os.path.exists(mark) and open(mark).read() == " ".join(PACKAGES):
        return
    shutil.rmtree(f"{BUILD}/python", ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", f"{BUILD}/python"], check=True)
    subprocess.run([f"{BUILD}/python/bin/pip", "install", "-q", "--disable-pip-version-check", *PACKAGES], check=True)
    with open(mark, "w") as file:
        file.write(" ".join(PACKAGES))


def processor(pid):
    """Seconds of processor time that a process has used: in itself, and in the kernel."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return [int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:13]]


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1)) / 1024


class Run:
    """One run of wrk: requests a second, milliseconds, and microseconds of the server's processor time for each request."""

    def __init__(self, port, key, pid, seconds, path="/api/exits"):
        used = processor(pid)
        text = bench.run("wrk", "-t1", "-c64", f"-d{seconds}s", "-s", f"{BUILD}/wrk.lua", "-H", f"Authorization: Bearer {key}", f"http://127.0.0.1:{port}{path}")
        requests, duration, *latency, bad = map(int, re.search(r"FIGURES (.*)", text).group(1).split())
        if bad or not requests:
            sys.exit(f"bench: {bad} of {requests} requests failed on port {port}")
        self.requests, self.rate = requests, requests / (duration / 1e6)
        self.p50, self.p95, self.p99 = (value / 1000 for value in latency)
        self.program, self.kernel = ((after - before) / requests * 1e6 for before, after in zip(used, processor(pid)))


class Median:
    def __init__(self, runs):
        for name in ("rate", "p50", "p95", "p99", "program", "kernel"):
            setattr(self, name, statistics.median(getattr(run, name) for run in runs))
        self.least, self.most = min(run.rate for run in runs), max(run.rate for run in runs)


class Bench:
    def __init__(self, options):
        self.options, self.folder, self.processes = options, tempfile.mkdtemp(prefix="sp-api-"), []

    def start(self):
        port = bench.free_port()
        bench.ENGINE = f"unix://{self.folder}/engine.sock"
        self.spawn([sys.executable, f"{HERE}/../Harness/simulated_fleet.py", self.folder, str(port)])
        bench.until("the simulated engine listens", lambda: os.path.exists(f"{self.folder}/engine.sock"))
        with open(f"{self.folder}/key", "w") as file:
            file.write("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n")
        self.controller = bench.Controller(
            self.folder, f"providers:\n  nordvpn:\n    api_url: http://127.0.0.1:{port}\n    private_key_file: {self.folder}/key\n"
            f"    devices: 0\n    dns: [127.0.0.1]\nverification:\n  urls: ['http://127.0.0.1:{port}/json']\n  check_name: check.fleet.test\n",
            "connections: 12000, limits: {requests: 100000000}")
        text = open(f"{self.folder}/c.yaml").read().replace("log: {level: warning}", "log: {level: info, format: json}")
        with open(f"{self.folder}/c.yaml", "w") as file:
            file.write(text)
        self.controller.process = subprocess.Popen([self.options.program, "run", "--config", f"{self.folder}/c.yaml"], stderr=open(f"{self.folder}/log", "w"))
        bench.until("the controller is ready", lambda: self.controller.call("GET", "/health/ready")[0] == 200, 30)
        self.key = open(f"{self.folder}/d/admin.key").read().strip()
        self.pid = self.controller.process.pid
        for country in POOLS:
            status, answer = self.controller.call("PUT", f"/api/pools/{country}", {"size": SIZE})
            if status not in (200, 201):
                sys.exit(f"bench: PUT of {country} answered {status}: {answer}")

        def serving():
            exits = self.controller.call("GET", "/api/exits")[1]["exits"]
            return len(exits) == SIZE * len(POOLS) and all(exit["state"] == "serving" for exit in exits)

        bench.until("all exits serve", serving, 120, 0.2)

    def spawn(self, words, **options):
        self.processes.append(subprocess.Popen(words, **options))
        return self.processes[-1]

    def stop(self):
        try:
            if hasattr(self, "pid"):
                self.controller.stop()
        finally:
            for process in reversed(self.processes):
                process.send_signal(signal.SIGTERM)
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def set(self, **settings):
        status, answer = self.controller.call("PATCH", "/api/settings", settings)
        if status != 200:
            sys.exit(f"bench: the settings {settings} answered {status}: {answer}")

    def answer(self):
        """An answer of ours, as it is on the wire: its header fields, without those that libmicrohttpd makes itself, and its body."""
        with socket.create_connection(("127.0.0.1", self.controller.api)) as connection:
            connection.sendall(f"GET /api/exits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\nConnection: close\r\n\r\n".encode())
            head, body = b"".join(iter(lambda: connection.recv(65536), b"")).split(b"\r\n\r\n", 1)
        lines = [line for line in head.decode().split("\r\n")[1:] if line.split(":")[0].lower() not in ("date", "content-length", "connection")]
        return lines, body

    def peers(self):
        """Starts both; returns their ports and pids."""
        lines, body = self.answer()
        with open(f"{self.folder}/head", "w") as file:
            file.write("".join(f"{line}\n" for line in lines))
        with open(f"{self.folder}/body", "wb") as file:
            file.write(body)
        print(f"The answer: {len(lines)} header fields of ours, {len(body)} bytes of body.", file=sys.stderr)
        bare, python = bench.free_port(), bench.free_port()
        process = self.spawn([f"{BUILD}/bare", str(bare), f"{self.folder}/head", f"{self.folder}/body"])
        other = self.spawn(
            [f"{BUILD}/python/bin/uvicorn", "fastapi_peer:app", "--port", str(python), "--workers", "1", "--no-access-log", "--log-level", "warning"],
            cwd=f"{HERE}/peers",
            env={**os.environ, "BENCH_BODY": f"{self.folder}/body", "BENCH_KEY": hashlib.sha256(self.key.encode()).hexdigest(), "PYTHONDONTWRITEBYTECODE": "1"})
        for port in (bare, python):
            bench.until("a peer listens", lambda: listens(port), 30, 0.1)
        return (bare, process.pid), (python, other.pid)

    # The pieces

    def speed(self):
        bare, python = self.peers()
        ours = (self.controller.api, self.pid)
        off, on = {"requests": 0, "log_requests": False}, {"requests": 100_000_000, "log_requests": True}
        if self.options.before:
            off = {"log_requests": False}
        turns = {"bare libmicrohttpd, the same bytes": (bare, on), "Sallyport, everything on": (ours, on),
                 "Sallyport, without rate limit and log": (ours, off), "FastAPI, uvicorn, one worker": (python, on)}
        results = self.rounds(turns)
        base, slow = results["bare libmicrohttpd, the same bytes"], results["FastAPI, uvicorn, one worker"]
        print("\n| server | requests a second | of bare libmicrohttpd | times FastAPI | p50 | p95 | p99 | processor, each: program + kernel |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
        for name, result in results.items():
            print(f"| {name} | {result.rate:,.0f} ({result.least:,.0f} to {result.most:,.0f}) | {result.rate / base.rate:.2f} | {result.rate / slow.rate:.1f} | "
                  f"{result.p50:.2f} ms | {result.p95:.2f} ms | {result.p99:.2f} ms | {result.program:.1f} + {result.kernel:.1f} us |")

    def costs(self):
        ours, none = (self.controller.api, self.pid), {"requests": 0, "log_requests": False, "audit_requests": False}
        if self.options.before:
            none = {"log_requests": False, "audit_requests": False}
        turns = {"nothing of it": (ours, none), "rate limit": (ours, {**none, "requests": 100_000_000}),
                 "log": (ours, {**none, "log_requests": True}), "audit": (ours, {**none, "audit_requests": True})}
        results = self.rounds(turns)
        base = results["nothing of it"]
        print("\n| with | requests a second | a request takes longer by | processor, each: program + kernel |\n| --- | --- | --- | --- |")
        for name, result in results.items():
            print(f"| {name} | {result.rate:,.0f} | {1e6 / result.rate - 1e6 / base.rate:.1f} us | {result.program:.1f} + {result.kernel:.1f} us |")
        self.set(requests=100_000_000, log_requests=True, audit_requests=False)
        bench.until("the audit log is written", lambda: re.search(r"^sallyport_audit_entries_waiting 0", self.metrics(), re.M), 120, 0.5)
        gaps = self.controller.call("GET", "/audit/logs?kind=gap&limit=100")[1]["entries"]
        intact = self.controller.call("GET", "/audit/verify")[1]
        print(f"\nAudit: {intact['entries']} entries, intact: {intact['intact']}, gaps: {len(gaps)}.")

    def rounds(self, turns):
        runs = {name: [] for name in turns}
        for _ in range(self.options.rounds):
            for name, ((port, pid), settings) in turns.items():
                self.set(**settings)
                time.sleep(0.5)
                runs[name].append(Run(port, self.key, pid, self.options.seconds))
        self.set(requests=100_000_000, log_requests=True)
        return {name: Median(of) for name, of in runs.items()}

    def metrics(self):
        import urllib.request
        request = urllib.request.Request(f"http://127.0.0.1:{self.controller.api}/metrics", headers={"X-API-Key": self.key})
        return urllib.request.urlopen(request, timeout=30).read().decode()

    def memory(self):
        self.set(requests=100_000_000, log_requests=True)
        Run(self.controller.api, self.key, self.pid, 3)
        sizes, count = [resident(self.pid)], 0
        while count < 1_000_000:
            count += Run(self.controller.api, self.key, self.pid, 5).requests
            sizes.append(resident(self.pid))
        print(f"\nMemory: {sizes[0]:.0f} MB resident before {count:,} requests, {sizes[-1]:.0f} MB after them (most between: {max(sizes):.0f} MB).")

    def idle(self):
        before, connections, begin = resident(self.pid), [], time.monotonic()
        for number in range(IDLE):
            connection = socket.socket()
            connection.bind((f"127.0.1.{1 + number // 1000}", 0))
            connection.connect(("127.0.0.1", self.controller.api))
            connections.append(connection)
        opened = time.monotonic() - begin
        held = resident(self.pid)
        run = Run(self.controller.api, self.key, self.pid, 5)
        # All are still good: each hundredth one asks something.
        answered = 0
        for connection in connections[::100]:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            answered += connection.recv(65536).startswith(b"HTTP/1.1 200")
        for connection in connections:
            connection.close()
        print(f"\n{IDLE:,} idle connections from ten addresses, opened in {opened:.1f} s: {before:.0f} MB before, {held:.0f} MB with them "
              f"({(held - before) * 1024 / IDLE:.1f} kB each); meanwhile {run.rate:,.0f} requests a second on 64 others, p95 {run.p95:.2f} ms; "
              f"{answered} of {len(connections[::100])} asked answered.")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pieces", nargs="*", default=["speed", "costs", "memory", "idle"])
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--program", default=f"{ROOT}/.build/release/sallyport")
    parser.add_argument("--before", action="store_true", help="for a program in which `requests: 0` is no setting yet")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    bench.BIN = os.path.dirname(os.path.abspath(options.program))
    prepare()
    stand = Bench(options)
    try:
        stand.start()
        for piece in options.pieces:
            getattr(stand, piece)()
        if os.environ.get("BENCH_PROFILE"):
            recording = subprocess.Popen(["perf", "record", "-g", "-o", os.environ["BENCH_PROFILE"], "-p", str(stand.pid), "sleep", "6"])
            Run(stand.controller.api, stand.key, stand.pid, 8)
            recording.wait()
    finally:
        stand.stop()


main()
