"""Rotations, and controllers that end and take over, under load."""

import time

from ...Harness.programs import until
from ...Harness.tables import print_runs
from .lab import Lab, Load


def rotation(runs):
    times = []
    with Lab() as lab:
        controller = lab.controller()
        controller.open()
        load = Load(controller)
        for _ in range(runs):
            old = [exit["id"] for exit in controller.exits() if not exit["leaving"]]
            start = time.monotonic()
            controller.call("POST", f"/api/exits/{old[0]}/rotate")

            def is_replaced():
                exits = controller.exits()
                return len(exits) == 1 and exits[0]["id"] not in old and exits[0]["state"] == "serving"

            until("another exit serves, and the old one is gone", is_replaced, 60, 0.02)
            times.append(time.monotonic() - start)
            # A pool of one begins six containers a minute at most, so that a storm stays small: not to be met here.
            time.sleep(max(0, 10.5 - times[-1]))
        good, bad, _ = load.stop()
    print_runs("rotation asked for to the old exit gone, under load", times, "")
    print(f"\nRotation: {good} requests went well and {bad} failed (budget: 0 of at least 5,000).\n", flush=True)


def crash(runs):
    times, good, bad, broken = [], 0, 0, 0
    with Lab() as lab:
        controller = lab.controller()
        controller.open()
        for _ in range(runs):
            load = Load(controller, downloads=2)
            time.sleep(0.5)
            controller.crash()
            start = time.monotonic()
            controller.start()
            times.append(time.monotonic() - start)
            result = load.stop()
            good, bad, broken = good + result[0], bad + result[1], broken + result[2]
        generations = [exit["generation"] for exit in controller.exits()]
    print_runs("controller killed (`kill -9`) and started again to ready, under load", times, "")
    print(
        f"\nCrash: {good} requests went well and {bad} failed; {broken} of {2 * runs} downloads broke; "
        f"generations of the exits {generations}.\n",
        flush=True,
    )


def takeover(runs):
    killed, hung = [], []
    with Lab() as lab:
        lab.share_redis()
        first = lab.controller()
        first.open()
        second = lab.controller(partner=first)
        until("the second follows", lambda: not second.leads())
        load = Load(first, workers=2)
        for run in range(2 * runs):
            leader, other = (first, second) if first.leads() else (second, first)
            is_hang = run % 2 == 1
            start = time.monotonic()
            leader.freeze() if is_hang else leader.crash()
            until("the other one leads", other.leads, 30, 0.01)
            (hung if is_hang else killed).append(time.monotonic() - start)
            leader.thaw() if is_hang else leader.start()
            until("the late one follows", lambda: leader.is_ready() and not leader.leads(), 30, 0.02)
        good, bad, _ = load.stop()
    print_runs("leader killed (`kill -9`) to the other controller leading", killed, "10 s")
    print_runs("leader stopped (SIGSTOP) to the other controller leading", hung, "10 s")
    print(f"\nTake-over: {good} requests went well and {bad} failed meanwhile.\n", flush=True)
