#!/usr/bin/env python3
"""A thousand readers of `/api/stream/events`: how soon each has an event, what they cost, and what becomes of those that don't read.

  bench-streams [--readers N] [--events N] [--idle SECONDS] [--program FILE]    prints the table of docs/benchmarks.md

The controller, its Redis and its HAProxy are real; engine, provider and exits are those of `containers/fleet`. One process with one thread
(epoll) is all of the readers and makes the events, users over the API, itself: what it costs is told, for it shares the machine.
"""
import argparse, importlib.machinery, importlib.util, json, os, re, resource, select, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
loader = importlib.machinery.SourceFileLoader("fleet_bench", f"{HERE}/fleet.py")
fleet = importlib.util.module_from_spec(importlib.util.spec_from_loader("fleet_bench", loader))
words, sys.argv = sys.argv[1:], sys.argv[:1]
loader.exec_module(fleet)
bench = fleet.bench

EXITS = 5
SILENT = 10
# Events that are made here have a number: that of the user, or what a pool's setting is now.
NUMBERED = re.compile(rb"^event: (?:user\.added|pool\.changed)\ndata: [^\n]*(?:\breader|rotate_every \d+ to )(\d+)", re.M)
BEGIN = 100_000


class Reader:
    """One connection, and the numbers of the events that it got, each as often as it came."""

    def __init__(self, address, request, is_silent=False):
        self.socket, self.rest, self.numbers, self.place, self.ended, self.received = socket.socket(), b"", [], None, False, 0
        if is_silent:
            # Little room in both kernels: what waits there is not the controller's to drop.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.socket.connect(address)
        self.socket.sendall(request)
        self.socket.setblocking(False)

    def read(self):
        """Takes what there is; the numbers of the events in it."""
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return []
        self.received += len(data)
        if not data:
            self.ended = True
            return []
        text = self.rest + data
        whole = text.rfind(b"\n\n") + 2
        self.rest = text[whole:] if whole > 1 else text
        text = text[:whole] if whole > 1 else b""
        if self.place is None and (found := re.search(rb"^id: (\S+)", text, re.M)):
            self.place = found.group(1)
        new = [int(number) for number in NUMBERED.findall(text)]
        self.numbers += new
        return new


class Readers:
    """All of them, looked after by one epoll."""

    def __init__(self, stand, count, **options):
        self.poll, self.all = select.epoll(), {}
        for _ in range(count):
            reader = Reader(stand.address, stand.request, **options)
            self.all[reader.socket.fileno()] = reader
            self.poll.register(reader.socket.fileno(), select.EPOLLIN)

    def turn(self, seconds=0.0, also=None):
        """Reads wherever there is something; the events that came, each with the moment. `also` is called where its descriptor is ready."""
        came = []
        for descriptor, _ in self.poll.poll(seconds, 2048):
            reader = self.all.get(descriptor)
            if reader is None:
                also()
                continue
            numbers = reader.read()
            if numbers:
                now = time.monotonic()
                came += [(number, now) for number in numbers]
            if reader.ended:
                self.poll.unregister(descriptor)
        return came

    def spend(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.turn(left)

    def leave(self):
        self.poll.close()
        for reader in self.all.values():
            reader.socket.close()


class Caller:
    """Calls the API on a connection of its own, without keeping the readers waiting."""

    def __init__(self, stand):
        self.stand, self.socket, self.pending = stand, socket.create_connection(stand.address), b""

    def descriptor(self):
        return self.socket.fileno()

    def send(self, method, path, body):
        text = json.dumps(body).encode()
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.stand.key}\r\nContent-Type: application/json\r\n"
                            f"Content-Length: {len(text)}\r\n\r\n".encode() + text)

    def receive(self):
        """The status of one whole answer."""
        while b"\r\n\r\n" not in self.pending:
            self.more()
        head, self.pending = self.pending.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        while len(self.pending) < length:
            self.more()
        self.pending = self.pending[length:]
        return int(head.split()[1])

    def more(self):
        data = self.socket.recv(1 << 16)
        if not data:
            sys.exit("bench: the controller hung up")
        self.pending += data

    def expect(self, wanted, *words):
        self.send(*words)
        if (status := self.receive()) != wanted:
            sys.exit(f"bench: {words} answered {status}")


class Stand:
    """A controller with some exits, on the simulation."""

    def __init__(self, folder, program):
        port = bench.free_port()
        bench.ENGINE, bench.BIN = f"unix://{folder}/engine.sock", os.path.dirname(os.path.abspath(program))
        self.folder, self.simulation = folder, subprocess.Popen([sys.executable, f"{HERE}/../Harness/simulated_fleet.py", folder, str(port)])
        bench.until("the simulated engine listens", lambda: os.path.exists(f"{folder}/engine.sock"))
        self.controller = bench.Controller(folder, fleet.providers(folder, port), "streams: 100000, streams_per_key: 100000, limits: {requests: 10000000}")

    def start(self):
        self.controller.start()
        self.key = open(f"{self.folder}/d/admin.key").read().strip()
        self.pid, self.address = self.controller.process.pid, ("127.0.0.1", self.controller.api)
        self.request = f"GET /api/stream/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.key}\r\n\r\n".encode()
        self.controller.call("PUT", "/api/pools/us", {"size": EXITS})
        bench.until("the exits serve", lambda: [exit["state"] for exit in self.controller.call("GET", "/api/exits")[1]["exits"]] == ["serving"] * EXITS, 60, 0.1)

    def stop(self):
        if hasattr(self.controller, "process"):
            self.controller.stop()
        self.simulation.send_signal(signal.SIGTERM)
        self.simulation.wait()

    def resident(self):
        return fleet.memory(self.pid)[0]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def metric(self, name):
        with socket.create_connection(self.address) as connection:
            connection.sendall(f"GET /metrics HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.key}\r\nConnection: close\r\n\r\n".encode())
            text = b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()
        found = re.search(rf'^{name}{{stream="events"}} (\S+)', text, re.M)
        return float(found.group(1)) if found else 0

    def share(self, spend, seconds):
        """Percent of a core that the controller uses while the seconds are spent."""
        used, begin = fleet.cpu(self.pid), time.monotonic()
        spend(seconds)
        return (fleet.cpu(self.pid) - used) / (time.monotonic() - begin) * 100


def p95(times):
    return sorted(times)[max(0, -(-len(times) * 95 // 100) - 1)]


def tell(stand, options):
    """The main table: connect, idle, events, leave."""
    time.sleep(3)
    before, size = stand.descriptors(), stand.resident()
    alone = stand.share(time.sleep, options.idle)
    begin = time.monotonic()
    readers = Readers(stand, options.readers)
    opened = time.monotonic() - begin
    while any(reader.place is None for reader in readers.all.values()):
        if time.monotonic() - begin > 60 or any(reader.ended for reader in readers.all.values()):
            sys.exit("bench: a reader did not get its place")
        readers.turn(0.1)
    connected = time.monotonic() - begin
    idle = stand.share(readers.spend, options.idle)
    held, descriptors = stand.resident(), stand.descriptors()
    caller = Caller(stand)
    readers.poll.register(caller.descriptor(), select.EPOLLIN)
    used, own, begin, first, middle, last = fleet.cpu(stand.pid), time.process_time(), time.monotonic(), [], [], []
    for number in range(options.events):
        times = happen(readers, caller, number)
        first.append(times[0]), middle.append(statistics.median(times)), last.append(times[-1])
        readers.spend(0.2)
    elapsed = time.monotonic() - begin
    cost = (fleet.cpu(stand.pid) - used - elapsed * idle / 100) / options.events * 1000
    own = (time.process_time() - own) / options.events * 1000
    peak = fleet.memory(stand.pid)[1]
    whole = sum(reader.numbers == list(range(options.events)) for reader in readers.all.values())
    readers.leave()
    begin = time.monotonic()
    # That one has left shows when something is sent to it: the first is answered by a reset, the second fails. Heartbeats would do, too.
    for number in range(2):
        caller.expect(201, "POST", "/api/users", {"name": f"last{number}", "password": bench.PASSWORD})
        time.sleep(0.2)
    caller.socket.close()
    bench.until("the descriptors are given back", lambda: stand.descriptors() <= before, 40, 0.05)
    left = time.monotonic() - begin

    print(f"\n{options.readers:,} readers, connected in {opened:.2f} s, all with their place after {connected:.2f} s; {options.events} events, "
          f"each got by every reader once and in order: {whole} of {options.readers}.\n\n"
          "| from the call that makes a user to | median | p95 | max |\n| --- | --- | --- | --- |")
    for name, times in (("the first reader has the event", first), ("the median reader", middle), ("the last reader", last)):
        print(f"| {name} | " + " | ".join(f"{time * 1000:.1f} ms" for time in (statistics.median(times), p95(times), max(times))) + " |")
    print("\n| controller | without readers | with them |\n| --- | --- | --- |\n"
          f"| CPU while nothing happens, of one core | {alone:.1f} % | {idle:.1f} % |\n"
          f"| CPU for each event | | {cost:.0f} ms |\n"
          f"| resident | {size:.0f} MB | {held:.0f} MB, at most {peak:.0f} MB |\n"
          f"| descriptors | {before} | {descriptors}; {stand.descriptors()} again {left:.1f} s after they left, with two events |\n"
          f"\nThe readers themselves took {own:.0f} ms of processor time for each event. Counted as too slow: {stand.metric('sallyport_api_stream_readers_dropped_total'):.0f}.")
    return whole == options.readers


def happen(readers, caller, number):
    """One event; seconds until each reader had it, sorted."""
    answered, came, begin = [], [], time.monotonic()
    caller.send("POST", "/api/users", {"name": f"reader{number}", "password": bench.PASSWORD})
    while len(came) < len(readers.all) or not answered:
        if time.monotonic() - begin > 30:
            sys.exit(f"bench: event {number} reached {len(came)} of {len(readers.all)} readers")
        came += [moment - begin for what, moment in readers.turn(0.1, lambda: answered.append(caller.receive())) if what == number]
    if answered != [201]:
        sys.exit(f"bench: POST /api/users answered {answered}")
    return sorted(came)


def silence(stand):
    """Some never read, and some do, while many events come: the former are dropped, told and counted, the latter get everything."""
    dropped = "sallyport_api_stream_readers_dropped_total"
    before, counted = stand.resident(), stand.metric(dropped)
    silent, good, caller = Readers(stand, SILENT, is_silent=True), Readers(stand, SILENT), Caller(stand)
    number, begin = BEGIN, time.monotonic()
    caller.expect(200, "PUT", "/api/pools/us", {"size": EXITS, "rotate_every": number})
    while stand.metric(dropped) - counted < SILENT:
        if time.monotonic() - begin > 28:
            sys.exit("bench: those that don't read are not dropped")
        for _ in range(50):
            number += 1
            caller.expect(200, "PUT", "/api/pools/us", {"size": EXITS, "rotate_every": number})
            good.turn()
    seconds, most = time.monotonic() - begin, stand.resident()
    good.spend(1)
    wanted = list(range(BEGIN + 1, number + 1))
    whole = sum(reader.numbers[-len(wanted):] == wanted for reader in good.all.values())
    told = 0
    for reader in silent.all.values():
        reader.socket.settimeout(10)
        text = b""
        # The last chunk; the connection is left open for another request.
        while not text.endswith(b"\r\n0\r\n\r\n") and (data := reader.socket.recv(1 << 16)):
            text = text[-1000:] + data
        told += b'event: dropped\ndata: {"reason":"too_slow"}\n\n\r\n0\r\n\r\n' in text
    good.leave(), silent.leave()
    print(f"\n{SILENT} readers that read nothing, {len(wanted):,} events in {seconds:.1f} s: {stand.metric(dropped) - counted:.0f} dropped and counted, {told} of "
          f"them told so when they read at last; {whole} of {SILENT} readers beside them got every event. Resident {before:.0f} MB before, "
          f"{most:.0f} MB when the last was dropped.")
    return told == SILENT and whole == SILENT


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--idle", type=float, default=16, help="seconds of nothing, without readers and with them")
    parser.add_argument("--program", default=f"{bench.BIN}/sallyport")
    options = parser.parse_args(words)
    if not 1 <= options.readers <= 1400 or not 1 <= options.events <= 1000:
        parser.error("want 1 to 1400 readers (one address may have 1500 connections) and 1 to 1000 events")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(5000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    folder = tempfile.mkdtemp(prefix="sp-streams-")
    stand = Stand(folder, options.program)
    try:
        stand.start()
        good = [tell(stand, options), silence(stand)]
    finally:
        stand.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
