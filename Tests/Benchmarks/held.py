"""Connections held at once over ten local exits without tunnels, with memory; and 250 slots changed at run time.

python3 -m Tests.Benchmarks.held [COUNT ...]    10,000 and 50,000 connections without a word; prints tables of docs/benchmarks.md

HAProxy runs by the project's template. An HTTP client takes two of its descriptors, so that a limit of open files may need several
HAProxies.
"""

import hashlib
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from ..Harness.http import PASSWORD, haproxy
from ..Harness.processes import resident
from ..Harness.programs import ROOT, free_port, module, read, run, stop, until, write
from ..Harness.tables import header, row

SLOTS, EXITS = 250, 10


class Gateway:
    """An HAProxy of the project's template with a pool of ten exits and, for the slots, more of free ones."""

    def __init__(self, folder, limit):
        os.makedirs(folder)
        self.folder, self.port, self.limit = folder, free_port(), limit
        template = read(f"{ROOT}/haproxy/haproxy.cfg.template")
        self.write_maps(template)
        values = self.values()
        write(f"{folder}/haproxy.cfg", re.sub(r"\{\{(\w+)\}\}", lambda match: values.get(match[1], ""), template))
        run("haproxy", "-W", "-D", "-f", f"{folder}/haproxy.cfg", "-p", f"{folder}/pid")
        until("HAProxy listens", lambda: os.path.exists(f"{folder}/stats.sock"), 5)

    def write_maps(self, template):
        digest = hashlib.sha256(f"00:{PASSWORD}".encode()).hexdigest()
        slots = ",".join(f"s{number}:{number}:100:" for number in range(1, EXITS + 1))
        maps = {
            "users": f"alice 00:{digest}\n",
            "policies": "alice v=1\n",
            "pools": f"us backend=pool-us;fallback=;slots={slots}\nany countries=us\n",
        }
        # Every other map that the template reads is empty.
        for name in set(re.findall(r"\{\{run_directory\}\}/(\w+)\.map", template)) | maps.keys():
            write(f"{self.folder}/{name}.map", maps.get(name, ""))

    def values(self):
        pool = (
            "backend pool-us from pool\n    balance leastconn\n    force-persist if { var(txn.fixed) -m bool }\n"
            "    use-server %[var(txn.slot)] if { var(txn.slot) -m found }\n    stick store-request var(txn.connection) table connections\n"
        )
        for number in range(1, SLOTS + 1):
            place = f"127.79.0.{number}:3128 weight 100" if number <= EXITS else "127.0.0.1:1 weight 100 disabled"
            pool += f"    server s{number} {place}\n"
        times = {"connect": "5s", "response": "60s", "tunnel": "3600s", "handshake": "75s"}
        limits = {"client": self.limit, "connection": self.limit + 100, "pending": self.limit, "tls": self.limit}
        return {
            "revision": "bench",
            "stats_socket": f"{self.folder}/stats.sock",
            "run_directory": self.folder,
            "lua_folder": f"{ROOT}/haproxy/lua",
            "closed_ports": "25",
            "open_ports": "none",
            "refused_networks": "none",
            "hard_stop_after": "5s",
            **{f"{name}_timeout": value for name, value in times.items()},
            **{f"{name}_limit": str(value) for name, value in limits.items()},
            "bind_lines": f"bind 127.0.0.1:{self.port} name gateway backlog 4096",
            "pools": pool,
        }

    def ask(self, command):
        return haproxy(f"{self.folder}/stats.sock", command)

    def worker(self):
        return int(re.search(r"^Pid: (\d+)", self.ask("show info"), re.M)[1])

    def shares(self):
        """Connections of each exit that has any."""
        lines = [line.split(",") for line in self.ask("show stat -1 4 -1").splitlines() if line.startswith("pool-us,s")]
        return [int(line[4]) for line in lines if line[4] != "0"]

    def stop(self):
        run("kill", read(f"{self.folder}/pid").split()[0])


def held_at_once(wanted):
    """So many tunnels, as far as the limit of open files goes."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    possible = (most - 400) // 2
    instances = -(-wanted // possible)
    print(f"\nlimit of open files {most}: {possible} clients for one HAProxy, so {instances} of them for {wanted}\n", flush=True)
    folder, exits, gateways = tempfile.mkdtemp(prefix="sp-"), [], []
    try:
        # One process each: a process holds as many files as a limit allows.
        for number in range(1, EXITS + 1):
            exits.append(module("Tests.Benchmarks.held_peers", "exit", f"127.79.0.{number}", stdout=subprocess.PIPE, text=True))
            exits[-1].stdout.readline()
        for number in range(instances):
            gateways.append(Gateway(f"{folder}/{number}", min(possible, wanted)))
        hold(wanted, gateways)
        change_slots(gateways[0])
    finally:
        for process in exits:
            stop(process)
        for gateway in gateways:
            gateway.stop()
        shutil.rmtree(folder, ignore_errors=True)


def start_clients(wanted, gateways):
    groups, done, clients = max(2, len(gateways)), 0, []
    share = -(-wanted // groups)
    for number in range(groups):
        count, port = min(share, wanted - done), gateways[number % len(gateways)].port
        words = ["client", str(count), str(port), f"127.80.{number + 1}.1", f"alice-country-us:{PASSWORD}"]
        clients.append(module("Tests.Benchmarks.held_peers", *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        done += share
    return clients


def hold(wanted, gateways):
    workers = [gateway.worker() for gateway in gateways]
    before = sum(map(resident, workers))
    clients = start_clients(wanted, gateways)
    answers = [client.stdout.readline().split() for client in clients]
    held, seconds = sum(int(answer[0]) for answer in answers), max(float(answer[1]) for answer in answers)
    after = sum(map(resident, workers))
    shares = [share for gateway in gateways for share in gateway.shares()] or [0]
    for client in clients:
        client.stdin.write("\n")
        client.stdin.flush()
    answered = sum(int(client.stdout.readline()) for client in clients)
    columns = ["held at once, ten local exits", "opened in", "answered afterwards", "HAProxy, resident", "a connection", "exits' shares"]
    print(header(*columns))
    memory = [f"{before:.0f} to {after:.0f} MB", f"{(after - before) * 1024 / max(held, 1):.1f} KB"]
    shown = f"{held} of {wanted}, {len(gateways)} HAProxy"
    print(row(shown, f"{seconds:.1f} s", answered, *memory, f"{min(shares)} to {max(shares)}"), flush=True)
    for client in clients:
        client.communicate("\n")


def change_slots(gateway):
    """All slots of a pool get another address and come into use, one command a connection, as the controller does it."""
    pid, times = gateway.worker(), []
    for turn in range(5):
        start = time.perf_counter()
        for number in range(1, SLOTS + 1):
            gateway.ask(f"set server pool-us/s{number} addr 127.81.{turn}.{number % 250 + 1} port 3128")
            gateway.ask(f"set server pool-us/s{number} state ready")
        times.append((time.perf_counter() - start) * 1000)
    state = gateway.ask("show servers state pool-us")
    ready = sum(f"127.81.4.{number % 250 + 1} " in state for number in range(1, SLOTS + 1))
    reloads = 0 if pid == gateway.worker() else "some"
    print(
        f"\n{SLOTS} slots changed at run time, {2 * SLOTS} commands: median {statistics.median(times):.0f} ms, "
        f"worst {max(times):.0f} ms; {ready} read back, {reloads} reloads",
        flush=True,
    )


def main():
    for count in [int(word) for word in sys.argv[1:]] or (10_000, 50_000):
        held_at_once(count)


if __name__ == "__main__":
    main()
