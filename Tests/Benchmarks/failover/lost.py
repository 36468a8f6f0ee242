"""Requests that are lost while an exit dies: 50 a second, every second one a tunnel by CONNECT, the others plain."""

import concurrent.futures
import socket
import sys
import time

from ...Harness.http import ECHO, authorization
from ...Harness.lab import server_of
from ...Harness.programs import docker, until
from ...Harness.tables import header, row
from .lab import OWNER, USER, Lab

RATE, SECONDS, STRIKE = 50, 20, 5
# Longer than any hold: what takes as long is lost.
DEADLINE = 15


class Lost(Exception):
    """A request that was not answered by 200."""


def expect_answer(connection, head):
    """Asks, and reads the whole head of the answer."""
    connection.sendall(head.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        received = connection.recv(4096)
        if not received:
            raise Lost(f"closed after {len(answer)} bytes")
        answer += received
    status = answer.split(b"\r\n", 1)[0].decode("latin-1")
    if " 200" not in status:
        raise Lost(status)


def ask(port, is_tunnel):
    """What one request was lost by, None where it was answered; when it began, and its seconds."""
    start, step = time.monotonic(), "connect"
    try:
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
            connection.settimeout(DEADLINE)
            if is_tunnel:
                connect = f"CONNECT 198.18.0.80:80 HTTP/1.1\r\nHost: 198.18.0.80:80\r\n{authorization(USER)}\r\n"
                head = "GET /ip HTTP/1.1\r\nHost: 198.18.0.80\r\nConnection: close\r\n\r\n"
                step = "CONNECT"
                expect_answer(connection, connect)
                step = "GET in the tunnel"
                expect_answer(connection, head)
            else:
                step = "GET"
                expect_answer(connection, f"GET {ECHO} HTTP/1.1\r\nHost: 198.18.0.80\r\n{authorization(USER)}\r\n")
            fault = None
    except (OSError, Lost) as error:
        fault = f"{step}: {error}"
    return fault, start, time.monotonic() - start


class Load:
    """Requests at a steady rate, each on a connection of its own."""

    def __init__(self, controller, count, rate):
        self.start = time.monotonic()
        self.pool = concurrent.futures.ThreadPoolExecutor(256)
        self.asked = [self.pool.submit(self.ask, controller.gateway, number, rate) for number in range(count)]

    def ask(self, port, number, rate):
        time.sleep(max(0, self.start + number / rate - time.monotonic()))
        return ask(port, number % 2 == 0)

    def results(self, strike):
        """How many were asked and how many lost; the seconds of the slowest, and of the median. Says what each was lost by, and when."""
        results = [each.result() for each in self.asked]
        self.pool.shutdown()
        lost = [(fault, start, seconds) for fault, start, seconds in results if fault]
        for fault, start, seconds in lost:
            print(f"lost: {fault}; begun {start - strike:+.3f} s from the fault, took {seconds:.3f} s", file=sys.stderr, flush=True)
        times = sorted(seconds for _, _, seconds in results)
        return len(results), len(lost), times[-1], times[len(times) // 2]


def black_hole(lab, exit):
    lab.control("blackhole", server_of(exit))


def kill(lab, exit):
    docker("kill", f"{OWNER}-{exit['id']}-g{exit['generation']}")


SCENES = (
    ("pool of two, one exit black-holed", {"size": 2}, black_hole, False),
    ("pool of two, one container killed", {"size": 2}, kill, False),
    ("pool of one with a standby, black-holed", {"size": 1, "standby": 1}, black_hole, False),
    ("pool of one with a standby, killed", {"size": 1, "standby": 1}, kill, False),
    ("the same, black-holed, controller stopped (SIGSTOP)", {"size": 1, "standby": 1}, black_hole, True),
    ("the same, killed, controller stopped (SIGSTOP)", {"size": 1, "standby": 1}, kill, True),
    ("pool of one, black-holed", {"size": 1}, black_hole, False),
    ("pool of one, killed", {"size": 1}, kill, False),
)


def opened(lab, settings):
    """A controller with a pool that is whole, and the exit that serves."""
    controller = lab.controller()
    controller.open(**settings)
    size = settings["size"] + settings.get("standby", 0)
    until("the pool is whole", lambda: sum(exit["state"] in ("standby", "serving") for exit in controller.exits()) == size)
    return controller, next(exit for exit in controller.exits() if exit["state"] == "serving")


def lost(runs):
    print(f"\n{RATE} requests a second for {SECONDS} s, {runs} runs each, the fault after {STRIKE} s:\n", flush=True)
    print(header("fault", "requests", "lost", "slowest took longer than the median by"), flush=True)
    with Lab() as lab:
        for what, settings, strike, is_frozen in SCENES:
            asked, failed, longest = 0, 0, 0
            for _ in range(runs):
                controller, victim = opened(lab, settings)
                load = Load(controller, RATE * SECONDS, RATE)
                time.sleep(STRIKE)
                if is_frozen:
                    controller.freeze()
                struck = time.monotonic()
                strike(lab, victim)
                count, missing, slowest, median = load.results(struck)
                controller.thaw()
                lab.control("heal", server_of(victim))
                lab.forget(controller)
                asked, failed, longest = asked + count, failed + missing, max(longest, slowest - median)
            print(row(what, asked, failed, f"{longest:.2f} s"), flush=True)


def series(runs):
    """One fault after another: a pool of two, 25 requests a second, a container killed, 14 s later the other exit's server black-holed."""
    failed, longest = [], []
    with Lab() as lab:
        for _ in range(runs):
            controller, _ = opened(lab, {"size": 2})
            load = Load(controller, 1000, 25)
            time.sleep(STRIKE)
            victim, other = sorted(controller.exits(), key=lambda exit: exit["id"])
            struck = time.monotonic()
            kill(lab, victim)
            time.sleep(14)
            black_hole(lab, other)
            _, missing, slowest, median = load.results(struck)
            lab.control("heal", server_of(other))
            lab.forget(controller)
            failed.append(missing)
            longest.append(f"{slowest - median:.2f}")
    print(
        f"\nOne fault after another: of 1,000 requests each, {failed} were lost; the slowest took {', '.join(longest)} s longer.\n",
        flush=True,
    )
