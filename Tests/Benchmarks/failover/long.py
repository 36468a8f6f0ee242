"""What takes long, or ends the engine: a saturated tunnel for an hour, an engine that restarts, blocked UDP."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

from ...Harness.http import proxied
from ...Harness.lab import AMERICAN
from ...Harness.processes import has_ended
from ...Harness.programs import ROOT, read, run, stop, until
from ...Harness.tables import print_runs
from .lab import Lab, download


def open_two_countries(lab):
    controller = lab.controller()
    controller.open(size=2)
    controller.set_pool("de", 1)
    controller.until_serving(3)
    return controller


def until_both_serve(controller):
    for country in ("us", "de"):
        until("a good request", lambda: proxied(controller.gateway, f"alice-country-{country}", timeout=1), 120, 0.01)


def engine(runs):
    """The engine ends with all that it runs, the lab too: what counts is how long exits wait once the lab's servers are there again."""
    private = f"{ROOT}/.run/engine/docker.pid"
    if not os.path.exists(private):
        sys.exit("this ends the engine, so it wants a private one: containers/engine run python3 -m Tests.Benchmarks.failover engine")
    for name, number, pause in (("ended and started", signal.SIGTERM, 0), ("killed, and started 20 s later", signal.SIGKILL, 20)):
        engines, exits = [], []
        for _ in range(runs):
            with Lab() as lab:
                controller = open_two_countries(lab)
                pid = int(read(private))
                os.kill(pid, number)
                until("the engine has ended", lambda: has_ended(pid))
                time.sleep(pause)
                subprocess.run([f"{ROOT}/containers/engine", "revive"], check=True)
                answered = time.monotonic()
                lab.up()
                is_up = time.monotonic()
                until_both_serve(controller)
                engines.append(time.monotonic() - answered)
                exits.append(time.monotonic() - is_up)
        what = f"engine {name}: from its first answer to a good request of each of two countries, the lab's own start in it"
        print_runs(what, engines, "-")
        print_runs("the same, from the lab's servers on", exits, "10 s")


def udp(runs):
    times, rule = [], ["-p", "udp", "--dport", "51820", "-j", "DROP"]
    with Lab() as lab:
        for _ in range(runs):
            controller = open_two_countries(lab)
            run("iptables", "-w", "-I", "DOCKER-USER", *rule)
            try:
                time.sleep(60)
            finally:
                run("iptables", "-w", "-D", "DOCKER-USER", *rule)
            start = time.monotonic()
            until_both_serve(controller)
            times.append(time.monotonic() - start)
            lab.forget(controller)
    print_runs("UDP blocked for 60 s: from its end to a good request of each of two countries", times, "10 s")


class Saturation:
    """Twelve downloads at once through one exit, and where that exit was meanwhile."""

    def __init__(self, controller):
        self.controller, self.downloads, self.carried = controller, [], 0
        self.states, self.moves, self.exit = Counter(), [], controller.exits()[0]

    def turn(self):
        for ended in [each for each in self.downloads if each.poll() is not None]:
            self.downloads.remove(ended)
            self.carried += int(ended.stdout.read() or 0)
        while len(self.downloads) < 12:
            self.downloads.append(download(self.controller, "-m", "30"))
        for exit in self.controller.exits():
            self.states[exit["state"]] += 1
            if place(exit) != place(self.exit) and exit["state"] != "stopped":
                self.moves.append((time.strftime("%H:%M:%S"), *place(exit), exit.get("reason")))
                self.exit = exit

    def end(self):
        for each in self.downloads:
            stop(each, signal.SIGKILL)


def place(exit):
    return exit["id"], exit["generation"]


def lossy(minutes):
    """Every server of the country is 200 ms away, loses 2 % of all packets each way, sends 4 Mbit/s at most, and is asked for more."""
    with Lab() as lab:
        controller = lab.controller()
        controller.open()
        load = Saturation(controller)
        relays = [lab.delay(server, 100) for server in AMERICAN]
        for server in AMERICAN:
            lab.control("loss", server, "2%")
            lab.control("throttle", server, "4mbit")
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            load.turn()
            time.sleep(1)
        load.end()
        health = controller.call("GET", f"/api/exits/{load.exit['id']}")[1]["health"]
        for relay in relays:
            stop(relay)
        for server in AMERICAN:
            lab.control("heal", server)
    total = load.states.total()
    shares = ", ".join(f"{state} {count / total:.1%}" for state, count in sorted(load.states.items()))
    print(
        f"\nLossy: in {minutes} minutes {len(load.moves)} needless moves {load.moves}; {load.carried / 1e6:.0f} MB carried "
        f"({load.carried * 8 / (60 * minutes) / 1e6:.1f} Mbit/s); share of samples by state: {shares}; health at the end: {health}\n",
        flush=True,
    )
