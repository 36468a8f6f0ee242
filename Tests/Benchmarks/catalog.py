"""The catalog: a full list read beside orjson + pydantic, and latency of many targets by each method.

python3 -m Tests.Benchmarks.catalog LIST         LIST is a file with NordVPN's full list, version 1
python3 -m Tests.Benchmarks.catalog --latency    the latter alone; handshakes need root

Needs a release build of CatalogBench. A part of `exits`, which has the lab's list.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile

from ..Harness import environment
from ..Harness.programs import ROOT, built, run
from ..Harness.tables import header, row

BENCH = f"{built('release')}/CatalogBench"
PEER = f"{ROOT}/Tests/Benchmarks/peers/pydantic_peer.py"
RUNS = 10


def lines(*words):
    return [json.loads(line) for line in run(*words, cwd=ROOT).splitlines()]


def parse(path):
    if not environment.install():
        sys.exit("catalog: orjson and pydantic are missing")
    ours, theirs = [], []
    # In turn, so that both have the same machine.
    for _ in range(RUNS):
        ours += lines(BENCH, "parse", path, "1")
        theirs += lines(environment.PYTHON, PEER, path)
    print(f"\n{os.path.getsize(path) / 1e6:.1f} MB, {RUNS} runs each, in turn, each in a new process:\n")
    print(header("what", "median", "min", "max", "servers", "resident, most"))
    for name, runs in (("Sallyport, from file to ranked servers", ours), ("orjson + pydantic, the same", theirs)):
        times = [run["seconds"] * 1000 for run in runs]
        figures = [f"{figure:.0f} ms" for figure in (statistics.median(times), min(times), max(times))]
        print(row(name, *figures, runs[0]["count"], f"{max(run['resident_kb'] for run in runs) / 1024:.0f} MB"))
    ratio = statistics.median([run["seconds"] for run in theirs]) / statistics.median([run["seconds"] for run in ours])
    print(f"\n{ratio:.1f} times faster (want 5).")


def print_latency(count, name, runs, budget):
    times = [run["seconds"] for run in runs]
    seconds = [f"{figure:.2f} s" for figure in (statistics.median(times), max(times))]
    print(row(count, name, *seconds, min(run["count"] for run in runs), budget))


def latency():
    """Echoes and connections to this machine's own loopback network; handshakes to real servers in a namespace of their own."""
    print("\n" + header("targets", "method", "median", "max", "answered, least", "budget"))
    for count, budget in ((100, "0.4 s"), (1000, "1.5 s")):
        for name in ("fping", "tcp"):
            print_latency(count, name, [run for _ in range(5) for run in lines(BENCH, name, "127.1.0.1", str(count))], budget)
        if os.geteuid() == 0:
            print_latency(count, "wireguard", handshakes(count), budget)


def handshakes(count):
    folder = tempfile.mkdtemp(prefix="sp-bench-")
    key, targets = f"{folder}/key", f"{folder}/targets"
    try:
        among = [sys.executable, "-m", "Tests.Benchmarks.handshake_peers", str(count), key, targets]
        return lines(*among, BENCH, "handshakes", targets, key, "10")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(path):
    parse(path)
    latency()


def main():
    if sys.argv[1:] == ["--latency"]:
        latency()
    elif len(sys.argv) == 2:
        measure(sys.argv[1])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
