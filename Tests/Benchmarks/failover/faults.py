"""Servers, containers and HAProxy that die."""

import contextlib
import os
import signal
import time

from ...Harness.lab import AMERICAN, server_of
from ...Harness.processes import haproxies
from ...Harness.programs import docker, until
from ...Harness.tables import print_runs
from .lab import Lab


def blackhole(runs, standby=0):
    times = []
    with Lab() as lab:
        for _ in range(runs):
            controller = lab.controller()
            controller.open(**({"standby": standby} if standby else {}))
            if standby:
                # Verified and unplugged, on the other server.
                until("the standby stands by", lambda: sum(exit["state"] in ("standby", "serving") for exit in controller.exits()) == 2)
            server = server_of(next(exit for exit in controller.exits() if exit["state"] == "serving"))
            lab.control("blackhole", server)
            times.append(controller.next_good(time.monotonic(), "a good request after the black hole"))
            lab.control("heal", server)
            lab.forget(controller)
    what = "server black-holed to the next good request" + (", with a standby" if standby else "")
    print_runs(what, times, "1.5 s" if standby else "3 s")


def dying(runs):
    """The two servers that would be taken next die a moment before the one that serves."""
    times = []
    with Lab() as lab:
        for _ in range(runs):
            controller = lab.controller()
            controller.open()
            # Longer than what they have answered counts.
            time.sleep(4)
            server = server_of(controller.exits()[0])
            dead = [other for other in AMERICAN if other != server][:2] + [server]
            for name in dead:
                lab.control("blackhole", name)
            times.append(controller.next_good(time.monotonic(), "a good request after the black hole"))
            for name in dead:
                lab.control("heal", name)
            lab.forget(controller)
    print_runs("the same, and the next two servers are dead too", times, "2 s")


def container(runs):
    times = []
    with Lab() as lab:
        for _ in range(runs):
            controller = lab.controller()
            controller.open()
            docker("kill", controller.containers()[0])
            times.append(controller.next_good(time.monotonic(), "a good request after the kill"))
            lab.forget(controller)
    print_runs("container killed to the next good request, pool of one", times, "1.5 s")


def haproxy(runs):
    times = []
    with Lab() as lab:
        controller = lab.controller()
        controller.open()
        for _ in range(runs):
            for pid in haproxies(controller.gateway_folder):
                # A worker may end with its master.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            times.append(controller.next_good(time.monotonic(), "a good request after HAProxy's death"))
            until("the controller is ready", controller.is_ready)
    print_runs("HAProxy (master and worker) killed to the next good request", times, "2 s")
