"""The exits' own proxy beside others of Debian: bulk and new tunnels through the tunnel of one exit of the lab, and memory of idle ones.

python3 -m Tests.Benchmarks.exit_proxy [--build release] [--runs N] [--idle COUNT ...]    prints tables of docs/benchmarks.md

Called by `make bench`, which gives it an engine (DOCKER_HOST). All proxies and their clients run in the network namespace of the exit, so
that they share its tunnel and nothing else is on their way. A proxy that is not installed is left out.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys

from ..Harness.http import PASSWORD
from ..Harness.programs import ROOT, docker, free_port, read, run, stop, until, write
from ..Harness.stand import Stand
from ..Harness.tables import header, row
from .proxies import bulk

# Descriptors of our proxy that are no client's and no target's: `ConnectionTable.reserved`.
RESERVED = 1024
SETTINGS = {
    "tinyproxy": "Listen 127.0.0.1\nPort {port}\nMaxClients 20000\nTimeout 7200\nLogLevel Critical\nBasicAuth exit {password}\n",
    "squid": "http_port 127.0.0.1:{port}\nhttp_access allow all\ncache deny all\naccess_log none\ncache_log /dev/null\n"
    "pid_filename none\nmax_filedescriptors {files}\nshutdown_lifetime 1 second\n",
    "exit-proxy": "PORT={port}\nSECRETS={password}\nGATEWAYS=127.0.0.0/8\n",
}
WORDS = {
    "exit-proxy": ["sh", "-c", "exec '{program}' <'{file}'"],
    "tinyproxy": ["{program}", "-d", "-c", "{file}"],
    "squid": ["{program}", "-N", "-f", "{file}"],
    "microsocks": ["{program}", "-i", "127.0.0.1", "-p", "{port}", "-u", "exit", "-P", "{password}"],
}
SPEAKS = {"exit-proxy": ("http", "socks5"), "tinyproxy": ("http",), "squid": ("http",), "microsocks": ("socks5",)}


def most_files():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


class Namespace:
    """The network of one exit: its tunnel, and a loopback of its own."""

    def __init__(self, container):
        self.prefix = ["nsenter", "-n", "-t", docker("inspect", "-f", "{{.State.Pid}}", container).strip()]

    def start(self, *words, **options):
        return subprocess.Popen([*self.prefix, *words], cwd=ROOT, **options)

    def module(self, name, *words, **options):
        return self.start(sys.executable, "-m", name, *words, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, **options)

    def listens(self, port):
        return f":{port:04X} 00000000:0000 0A" in run(*self.prefix, "cat", "/proc/net/tcp")


class Proxy:
    """One proxy in that network, as a context."""

    def __init__(self, namespace, name, folder):
        self.namespace, self.name, self.port = namespace, name, free_port()
        program = f"{ROOT}/.build/exit-proxy" if name == "exit-proxy" else shutil.which(name)
        values = {"port": self.port, "password": PASSWORD, "program": program, "files": most_files() - 10, "file": f"{folder}/{name}.conf"}
        write(values["file"], SETTINGS.get(name, "").format(**values))
        self.words = [word.format(**values) for word in WORDS[name]]

    def __enter__(self):
        self.process = self.namespace.start(*self.words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        until(f"{self.name} listens", lambda: self.namespace.listens(self.port), 20, 0.05)
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, 9)
        self.process.wait()

    def memory(self):
        """Kilobytes of all its processes, what they share counted once."""
        pids = [pid for pid in os.listdir("/proc") if pid.isdigit() and self.is_own(pid)]
        return sum(int(read(f"/proc/{pid}/smaps_rollup").split("\nPss:")[1].split()[0]) for pid in pids)

    def is_own(self, pid):
        try:
            return int(read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[2]) == self.process.pid
        except OSError:
            return False

    def download(self, protocol):
        """Bytes a second of one download of 64 MB."""
        scheme, more = ("socks5", []) if protocol == "socks5" else ("http", ["-p"])
        return bulk("-x", f"{scheme}://exit:{PASSWORD}@127.0.0.1:{self.port}", *more, inside=self.namespace.prefix)

    def rate(self, protocol, seconds=2, workers=4):
        """New tunnels a second to a server behind the tunnel."""
        words = ["--open-tunnels", "127.0.0.1", str(self.port), "exit", protocol, str(seconds)]
        processes = [self.namespace.module("Tests.Benchmarks.proxies", *words) for _ in range(workers)]
        return sum(int(process.communicate()[0] or 0) for process in processes) / seconds


def bulk_and_rates(namespace, folder, names, runs):
    ways = [(name, protocol) for name in names for protocol in SPEAKS[name]]
    speeds, rates = {way: [] for way in [("no proxy", ""), *ways]}, {way: [] for way in ways}
    for _ in range(runs):
        speeds["no proxy", ""].append(bulk(inside=namespace.prefix))
        for name, protocol in ways:
            with Proxy(namespace, name, folder) as proxy:
                speeds[name, protocol].append(proxy.download(protocol))
                rates[name, protocol].append(proxy.rate(protocol))
    bare = statistics.median(speeds["no proxy", ""])
    print(f"\nmedian of {runs}, in turns; new tunnels by 4 clients, 2 s each time\n")
    print(header("in the exit's network", "bulk, MB/s", "of the bare tunnel", "new tunnels a second"))
    for (name, protocol), values in speeds.items():
        median = statistics.median(values)
        shown = f"{statistics.median(rates[name, protocol]):.0f}" if protocol else ""
        print(row(f"{name} {protocol}".strip(), f"{median / 1e6:.1f}", f"{median / bare:.2f}", shown), flush=True)


def idle(namespace, folder, name, wanted):
    """Opens so many tunnels to an echo on the loopback address; several proxies where one may not open so many files."""
    room = (most_files() - RESERVED) // 2
    count, held, before, after, answered = -(-wanted // room), 0, 0, 0, 0
    for number in range(count):
        share = min(room, wanted - number * room)
        # One process each, for a process holds as many files as a limit allows; and one address, for each has as many ports.
        address = f"127.79.{number}.{wanted % 250 + 1}"
        echo = namespace.module("Tests.Benchmarks.held_peers", "echo", address)
        echo.stdout.readline()
        with Proxy(namespace, name, folder) as proxy:
            before += proxy.memory()
            words = ["client", str(share), str(proxy.port), f"127.80.1.{number + 1}", f"exit:{PASSWORD}", f"{address}:3128"]
            client = namespace.module("Tests.Benchmarks.held_peers", *words)
            held += int(client.stdout.readline().split()[0])
            after += proxy.memory()
            client.stdin.write("\n")
            client.stdin.flush()
            answered += int(client.stdout.readline())
            client.communicate("\n")
        stop(echo)
    a_tunnel = (after - before) / max(held, 1)
    memory = f"{before / 1024:.1f} to {after / 1024:.1f} MB"
    print(row(name, f"{held} of {wanted}, {count} process{'es' * (count > 1)}", answered, memory, f"{a_tunnel:.1f} KB"), flush=True)


def main():
    parser = argparse.ArgumentParser(prog="python3 -m Tests.Benchmarks.exit_proxy")
    parser.add_argument("--build", default="release")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--idle", type=int, nargs="*", default=[2_000, 10_000, 20_000])
    options = parser.parse_args()
    names = [name for name in WORDS if name == "exit-proxy" or shutil.which(name)]
    with Stand("sallyport-bench-exit-proxy", options.build, ["us"]) as stand:
        namespace = Namespace(stand.controller.containers()[0])
        if options.runs:
            bulk_and_rates(namespace, stand.folder, names, options.runs)
        print(f"\nlimit of open files {most_files()}\n\n" + header("idle tunnels", "held", "answered afterwards", "resident", "a tunnel"))
        for count in options.idle:
            for name in (name for name in names if "http" in SPEAKS[name]):
                # tinyproxy has a thread for each.
                idle(namespace, stand.folder, name, count) if name == "exit-proxy" or count <= 2_000 else None


if __name__ == "__main__":
    main()
