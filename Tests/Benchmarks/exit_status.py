"""What it costs to read an exit: its status address beside a program that the engine runs in its container.

python3 -m Tests.Benchmarks.exit_status [--build release] [--reads N]    prints a table of docs/benchmarks.md

Called by `make bench`, which gives it an engine (DOCKER_HOST). Both ways are taken in turns. The processor time is that of the engine's
processes and of all processes in the container, those that have ended included; that of who asks is left out.
"""

import argparse
import base64
import http.client
import json
import os
import signal
import statistics
import time

from ..Harness.engine import Engine
from ..Harness.programs import ENGINE, docker, read
from ..Harness.stand import Stand
from ..Harness.tables import header, p95, row

PROGRAM = "wg show wg0 latest-handshakes && wg show wg0 transfer && nft list table inet sallyport_leaks"


def by_program(container):
    """As the controller does it: three requests."""
    engine = Engine()
    words = {"AttachStdout": True, "AttachStderr": True, "Cmd": ["busybox", "sh", "-c", PROGRAM]}
    name = json.loads(engine.ask("POST", f"/containers/{container}/exec", words))["Id"]
    said = engine.ask("POST", f"/exec/{name}/start", {"Detach": False, "Tty": False})
    assert json.loads(engine.ask("GET", f"/exec/{name}/json"))["ExitCode"] == 0 and b"sallyport_leaks" in said, said
    engine.close()


def by_status(address, credential):
    exit = http.client.HTTPConnection(address, 3128, timeout=5)
    exit.request("GET", "/status", headers={"Proxy-Authorization": f"Basic {credential}"})
    said = exit.getresponse().read()
    assert b"handshake_age_seconds" in said and b"sallyport_leaks" in said, said
    exit.close()


def stat(pid):
    """The parent of a process, and the seconds of the processor that it and its children that have ended took."""
    fields = read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    return int(fields[1]), sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def processes():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found[int(pid)] = (*stat(pid), read(f"/proc/{pid}/cmdline"))
        except OSError:
            continue
    return found


def processor_seconds(container):
    """Of the engine with what it has started, and of the shim of the container with all that runs in it."""
    all, socket_path = processes(), ENGINE.removeprefix("unix://")
    family = {pid for pid, (_, _, words) in all.items() if container in words or "dockerd" in words and socket_path in words}
    assert len(family) >= 2, "the engine and the container's shim"
    size = 0
    while size != len(family):
        size = len(family)
        family |= {pid for pid, (parent, _, _) in all.items() if parent in family}
    return sum(all[pid][1] for pid in family)


def measure(container, ways, reads):
    figures = {name: ([], []) for name in ways}
    for _ in range(5):
        for name, read_once in ways.items():
            before = processor_seconds(container)
            for _ in range(reads // 5):
                start = time.monotonic()
                read_once()
                figures[name][0].append((time.monotonic() - start) * 1000)
            figures[name][1].append((processor_seconds(container) - before) * 1000)
    print(header(f"{reads} readings of one exit", "median", "p95", "processor time each"))
    for name, (times, processor) in figures.items():
        print(row(name, f"{statistics.median(times):.1f} ms", f"{p95(times):.1f} ms", f"{sum(processor) / len(times):.1f} ms"), flush=True)


def main():
    parser = argparse.ArgumentParser(prog="python3 -m Tests.Benchmarks.exit_status")
    parser.add_argument("--build", default="release")
    parser.add_argument("--reads", type=int, default=20)
    options = parser.parse_args()
    with Stand("sallyport-bench-exit-status", options.build, ["us"]) as stand:
        container = stand.controller.containers()[0]
        details = json.loads(docker("inspect", container))[0]
        address = next(iter(details["NetworkSettings"]["Networks"].values()))["IPAddress"]
        labels = details["Config"]["Labels"]
        own = stand.controller.credentials(f"{labels['io.sallyport.exit']}/{labels['io.sallyport.generation']}")
        credential = base64.b64encode(own.encode()).decode()
        ways = {"a program by the engine": lambda: by_program(container), "its status": lambda: by_status(address, credential)}
        # Its own probes would take time of the tunnel's.
        stand.controller.process.send_signal(signal.SIGSTOP)
        try:
            measure(details["Id"], ways, options.reads)
        finally:
            stand.controller.process.send_signal(signal.SIGCONT)


if __name__ == "__main__":
    main()
