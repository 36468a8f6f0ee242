"""A thousand readers of `/api/stream/events`: how soon each has an event, what they cost, and what becomes of those that don't read.

python3 -m Tests.Benchmarks.streams [--readers N] [--events N] [--idle SECONDS] [--program FILE]    prints the table of docs/benchmarks.md

The controller, its Redis and its HAProxy are real; engine, provider and exits are simulated. One process with one thread is all of the
readers and makes the events, users over the API, itself: what it costs is told, for it shares the machine.
"""

import argparse
import re
import resource
import select
import statistics
import sys
import time

from ..Harness.http import PASSWORD
from ..Harness.processes import descriptors, memory, processor, resident
from ..Harness.programs import built, until
from ..Harness.simulation import Simulation
from ..Harness.tables import header, p95, row
from .stream_readers import Caller, Readers

EXITS = 5
SILENT = 10
BEGIN = 100_000
DROPPED = "sallyport_api_stream_readers_dropped_total"


class Stand:
    """A controller with some exits, on the simulation, and what readers need of it."""

    def __init__(self, controller):
        controller.start()
        self.key, self.pid, self.address, self.controller = (
            controller.key,
            controller.process.pid,
            ("127.0.0.1", controller.api),
            controller,
        )
        self.request = f"GET /api/stream/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.key}\r\n\r\n".encode()
        controller.set_pool("us", EXITS)
        controller.until_serving(EXITS)

    def processor(self):
        return sum(processor(self.pid))

    def metric(self, name):
        text = self.controller.expect(200, "GET", "/metrics").decode()
        found = re.search(rf'^{name}{{stream="events"}} (\S+)', text, re.M)
        return float(found[1]) if found else 0

    def share(self, spend, seconds):
        """Percent of a core that the controller uses while the seconds are spent."""
        used, begin = self.processor(), time.monotonic()
        spend(seconds)
        return (self.processor() - used) / (time.monotonic() - begin) * 100


def connect(stand, count):
    """The readers, each with its place, and the seconds until they were connected and until all had it."""
    begin = time.monotonic()
    readers = Readers(stand, count)
    opened = time.monotonic() - begin
    while any(reader.place is None for reader in readers.all.values()):
        if time.monotonic() - begin > 60 or any(reader.ended for reader in readers.all.values()):
            sys.exit("streams: a reader did not get its place")
        readers.turn(0.1)
    return readers, opened, time.monotonic() - begin


def leave(stand, readers, caller, before):
    """Seconds until as few descriptors are open as before."""
    readers.leave()
    begin = time.monotonic()
    # That one has left shows when something is sent to it: the first is answered by a reset, the second fails. Heartbeats would do, too.
    for number in range(2):
        caller.expect(201, "POST", "/api/users", {"name": f"last{number}", "password": PASSWORD})
        time.sleep(0.2)
    caller.socket.close()
    until("the descriptors are given back", lambda: descriptors(stand.pid) <= before, 40, 0.05)
    return time.monotonic() - begin


def make_events(stand, readers, caller, count):
    """For each event: seconds until the first, the median and the last reader had it."""
    first, middle, last = [], [], []
    for number in range(count):
        times = happen(readers, caller, number)
        first.append(times[0])
        middle.append(statistics.median(times))
        last.append(times[-1])
        readers.spend(0.2)
    return (("the first reader has the event", first), ("the median reader", middle), ("the last reader", last))


def tell(stand, options):
    """The main table: connect, idle, events, leave. True where every reader got every event."""
    time.sleep(3)
    before, size = descriptors(stand.pid), resident(stand.pid)
    alone = stand.share(time.sleep, options.idle)
    readers, opened, connected = connect(stand, options.readers)
    idle = stand.share(readers.spend, options.idle)
    held, most = resident(stand.pid), descriptors(stand.pid)
    caller = Caller(stand)
    readers.poll.register(caller.descriptor(), select.EPOLLIN)
    used, own, begin = stand.processor(), time.process_time(), time.monotonic()
    events = make_events(stand, readers, caller, options.events)
    elapsed = time.monotonic() - begin
    cost = (stand.processor() - used - elapsed * idle / 100) / options.events * 1000
    own = (time.process_time() - own) / options.events * 1000
    peak = memory(stand.pid)[1]
    whole = sum(reader.numbers == list(range(options.events)) for reader in readers.all.values())
    left = leave(stand, readers, caller, before)
    print(
        f"\n{options.readers:,} readers, connected in {opened:.2f} s, all with their place after {connected:.2f} s; {options.events} events, "
        f"each got by every reader once and in order: {whole} of {options.readers}.\n"
    )
    print(header("from the call that makes a user to", "median", "p95", "max"))
    for name, times in events:
        print(row(name, *(f"{time * 1000:.1f} ms" for time in (statistics.median(times), p95(times), max(times)))))
    print("\n" + header("controller", "without readers", "with them"))
    print(row("CPU while nothing happens, of one core", f"{alone:.1f} %", f"{idle:.1f} %"))
    print(row("CPU for each event", "", f"{cost:.0f} ms"))
    print(row("resident", f"{size:.0f} MB", f"{held:.0f} MB, at most {peak:.0f} MB"))
    print(row("descriptors", before, f"{most}; {descriptors(stand.pid)} again {left:.1f} s after they left, with two events"))
    print(f"\nThe readers themselves took {own:.0f} ms of processor time for each event. Counted as too slow: {stand.metric(DROPPED):.0f}.")
    return whole == options.readers


def happen(readers, caller, number):
    """One event; seconds until each reader had it, sorted."""
    answered, came, begin = [], [], time.monotonic()
    caller.send("POST", "/api/users", {"name": f"reader{number}", "password": PASSWORD})
    while len(came) < len(readers.all) or not answered:
        if time.monotonic() - begin > 30:
            sys.exit(f"streams: event {number} reached {len(came)} of {len(readers.all)} readers")
        came += [moment - begin for what, moment in readers.turn(0.1, lambda: answered.append(caller.receive())) if what == number]
    if answered != [201]:
        sys.exit(f"streams: POST /api/users answered {answered}")
    return sorted(came)


def silence(stand):
    """Some never read, and some do, while many events come: the former are dropped, told and counted, the latter get everything."""
    before, counted = resident(stand.pid), stand.metric(DROPPED)
    silent, good, caller = Readers(stand, SILENT, is_silent=True), Readers(stand, SILENT), Caller(stand)
    number, begin = BEGIN, time.monotonic()
    caller.expect(200, "PUT", "/api/pools/us", {"size": EXITS, "rotate_every": number})
    while stand.metric(DROPPED) - counted < SILENT:
        if time.monotonic() - begin > 28:
            sys.exit("streams: those that don't read are not dropped")
        for _ in range(50):
            number += 1
            caller.expect(200, "PUT", "/api/pools/us", {"size": EXITS, "rotate_every": number})
            good.turn()
    seconds, most = time.monotonic() - begin, resident(stand.pid)
    good.spend(1)
    wanted = list(range(BEGIN + 1, number + 1))
    whole = sum(reader.numbers[-len(wanted) :] == wanted for reader in good.all.values())
    told = sum(was_told(reader) for reader in silent.all.values())
    good.leave()
    silent.leave()
    print(
        f"\n{SILENT} readers that read nothing, {len(wanted):,} events in {seconds:.1f} s: {stand.metric(DROPPED) - counted:.0f} dropped and "
        f"counted, {told} of them told so when they read at last; {whole} of {SILENT} readers beside them got every event. "
        f"Resident {before:.0f} MB before, {most:.0f} MB when the last was dropped."
    )
    return told == SILENT and whole == SILENT


def was_told(reader):
    """Whether the last that a dropped reader gets says why."""
    reader.socket.settimeout(10)
    text = b""
    # The last chunk; the connection is left open for another request.
    while not text.endswith(b"\r\n0\r\n\r\n") and (data := reader.socket.recv(1 << 16)):
        text = text[-1000:] + data
    return b'event: dropped\ndata: {"reason":"too_slow"}\n\n\r\n0\r\n\r\n' in text


def main():
    parser = argparse.ArgumentParser(prog="python3 -m Tests.Benchmarks.streams")
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--idle", type=float, default=16, help="seconds of nothing, without readers and with them")
    parser.add_argument("--program", default=f"{built('release')}/sallyport")
    options = parser.parse_args()
    if not 1 <= options.readers <= 1400 or not 1 <= options.events <= 1000:
        parser.error("want 1 to 1400 readers (one address may have 1500 connections) and 1 to 1000 events")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(5000, most), most))
    with Simulation("streams", api="streams: 100000, streams_per_key: 100000, limits: {requests: 10000000}") as fleet:
        fleet.controller.program = options.program
        stand = Stand(fleet.controller)
        good = [tell(stand, options), silence(stand)]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
