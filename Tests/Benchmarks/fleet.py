"""What 250 exits cost while nothing happens: the real controller, Redis and HAProxy on a simulated fleet.

python3 -m Tests.Benchmarks.fleet [SECONDS [EXITS]]    prints the table of docs/benchmarks.md (60 s, 250 exits, ten in each country)

With BENCH_PROFILE=FILE the controller is recorded by `perf` for 20 s at the end.
"""

import os
import re
import subprocess
import sys
import time

from ..Harness.processes import haproxies, memory, processor
from ..Harness.programs import until
from ..Harness.simulation import COUNTRIES, Simulation
from ..Harness.tables import header, row


def commands(controller):
    """How many Redis has carried out."""
    return int(re.search(r"total_commands_processed:(\d+)", controller.redis("info", "stats"))[1])


def open_all(controller, count):
    """Seconds until that many exits serve, ten in a country."""
    start, left = time.monotonic(), count
    for country in COUNTRIES:
        size, left = min(10, left), left - min(10, left)
        if size:
            controller.set_pool(country, size)
    until("all exits serve", lambda: controller.serving() >= count, 170, 0.5)
    return time.monotonic() - start


def used(parts):
    return {name: sum(sum(processor(pid)) for pid in pids) for name, pids in parts.items()}


def measure(fleet, seconds, count):
    controller = fleet.controller
    up = open_all(controller, count)
    # Until what the start left over is done.
    time.sleep(15)
    parts = {
        "controller": [controller.process.pid],
        "Redis": [fleet.redis_pid()],
        "HAProxy": haproxies(f"{controller.data}/haproxy/haproxy.cfg"),
    }
    before, carried_out, begin = used(parts), commands(controller), time.monotonic()
    time.sleep(seconds)
    elapsed, after = time.monotonic() - begin, used(parts)
    rate = (commands(controller) - carried_out) / elapsed
    print(f"\n{count} exits, all serving {up:.0f} s after they were asked for; then {elapsed:.0f} s in which nothing happened:\n")
    print(header("part", "CPU, of one core", "resident", "most ever"))
    for name, pids in parts.items():
        sizes = [sum(size) for size in zip(*(memory(pid) for pid in pids), strict=True)]
        print(row(name, f"{(after[name] - before[name]) / elapsed * 100:.1f} %", *(f"{size:.0f} MB" for size in sizes)))
    print(f"\nRedis: {rate:.0f} commands a second. Budget of the controller: 5 % of one core, 100 MB.")
    again = sum(exit["generation"] > 1 for exit in controller.exits())
    print(f"Serving at the end: {controller.serving()}; containers made more than once: {again}.")


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 250
    with Simulation("fleet") as fleet:
        fleet.controller.start()
        measure(fleet, seconds, count)
        if path := os.environ.get("BENCH_PROFILE"):
            subprocess.run(["perf", "record", "-g", "-o", path, "-p", str(fleet.controller.process.pid), "sleep", "20"])


if __name__ == "__main__":
    main()
