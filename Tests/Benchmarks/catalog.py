#!/usr/bin/env python3
"""Measures the catalog: a full list read beside orjson + pydantic, and latency of many targets by each method.

Called by `make bench` with the lab's API running and release builds; or by hand: bench-catalog LIST, or --latency alone. LIST is a file with
NordVPN's full list, version 1. Handshakes need root (`handshake-peers`). orjson and pydantic come from PyPI, into a folder of its own that is removed.
"""
import json, os, shutil, statistics, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = f"{ROOT}/.build/release/CatalogBench"
RUNS = 10

THEIRS = '''
import orjson, resource, sys, time
from pydantic import BaseModel
from typing import Any

class City(BaseModel): name: str
class Country(BaseModel): code: str; name: str; city: City | None = None
class Location(BaseModel): country: Country
class Metadata(BaseModel): name: str; value: Any = None
class Pivot(BaseModel): status: str
class Technology(BaseModel): id: int; identifier: str; metadata: list[Metadata] = []; pivot: Pivot
class Group(BaseModel): id: int; identifier: str
class Row(BaseModel):
    id: int; hostname: str; station: str; load: int; status: str
    technologies: list[Technology]; groups: list[Group]; locations: list[Location]

SPECIAL = {"legacy_dedicated_ip", "legacy_double_vpn", "legacy_onion_over_vpn"}
for _ in range(int(sys.argv[2])):
    start = time.monotonic()
    with open(sys.argv[1], "rb") as file: rows = orjson.loads(file.read())
    kept, seen = [], set()
    for raw in rows:
        try: row = Row.model_validate(raw)
        except Exception: continue
        if row.status != "online" or any(group.identifier in SPECIAL for group in row.groups): continue
        wireguard = next((each for each in row.technologies if each.identifier == "wireguard_udp"), None)
        if not wireguard or wireguard.pivot.status != "online" or row.hostname in seen or not row.locations: continue
        key = next((each.value for each in wireguard.metadata if each.name == "public_key"), None)
        if not isinstance(key, str) or len(key.strip()) != 44: continue
        seen.add(row.hostname)
        kept.append(row)
    kept.sort(key=lambda row: (row.load, row.hostname))
    seconds = time.monotonic() - start
    print(f'{{"seconds":{seconds},"count":{len(kept)},"resident_kb":{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}}}')
'''


def lines(*words):
    output = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def parse(path):
    folder = tempfile.mkdtemp(prefix="sp-bench-")
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/pip", "install", "-q", "orjson", "pydantic"], check=True)
        with open(f"{folder}/theirs.py", "w") as file:
            file.write(THEIRS)
        ours, theirs = [], []
        # In turn, so that both have the same machine.
        for _ in range(RUNS):
            ours += lines(BENCH, "parse", path, "1")
            theirs += lines(f"{folder}/bin/python", f"{folder}/theirs.py", path, "1")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{os.path.getsize(path) / 1e6:.1f} MB, {RUNS} runs each, in turn, each in a new process:\n")
    print("| what | median | min | max | servers | resident, most |\n| --- | --- | --- | --- | --- | --- |")
    for name, runs in (("Sallyport, from file to ranked servers", ours), ("orjson + pydantic, the same", theirs)):
        times = [run["seconds"] * 1000 for run in runs]
        print(f"| {name} | {statistics.median(times):.0f} ms | {min(times):.0f} ms | {max(times):.0f} ms | {runs[0]['count']} "
              f"| {max(run['resident_kb'] for run in runs) / 1024:.0f} MB |")
    ratio = statistics.median([run["seconds"] for run in theirs]) / statistics.median([run["seconds"] for run in ours])
    print(f"\n{ratio:.1f} times faster (want 5).")


def latency():
    """Echoes and connections to this machine's own loopback network; handshakes to real servers in a namespace of their own."""
    print("\n| targets | method | median | max | answered, least | budget |\n| --- | --- | --- | --- | --- | --- |")
    for count, budget in ((100, "0.4 s"), (1000, "1.5 s")):
        def row(name, runs):
            times = [run["seconds"] for run in runs]
            print(f"| {count} | {name} | {statistics.median(times):.2f} s | {max(times):.2f} s | {min(run['count'] for run in runs)} | {budget} |")

        for name in ("fping", "tcp"):
            row(name, [run for _ in range(5) for run in lines(BENCH, name, "127.1.0.1", str(count))])
        if os.geteuid() == 0:
            folder = tempfile.mkdtemp(prefix="sp-bench-")
            key, targets = f"{folder}/key", f"{folder}/targets"
            try:
                row("wireguard", lines(f"{ROOT}/Tests/Benchmarks/handshake_peers.py", str(count), key, targets, BENCH, "handshakes", targets, key, "10"))
            finally:
                shutil.rmtree(folder, ignore_errors=True)


if sys.argv[1:] == ["--latency"]:
    latency()
else:
    parse(sys.argv[1])
    latency()
