"""Opening and losing exits on the lab, and beside it what a user would do by hand; then the catalog.

python3 -m Tests.Benchmarks.exits [--runs N]    prints tables of docs/benchmarks.md

Called by `make bench`, which gives it an engine (DOCKER_HOST) and release builds. It makes a lab, a controller and exits of its own on
loopback, and takes all of it away.
"""

import argparse
import ipaddress
import json
import os
import shutil
import tempfile
import time
import urllib.request

from ..Harness.controller import Controller
from ..Harness.http import proxied
from ..Harness.lab import ADDRESS, Lab
from ..Harness.processes import resident
from ..Harness.programs import ROOT, docker, read, until, write
from ..Harness.tables import RUNS_HEADER, print_runs
from . import catalog

OWNER = "sallyport-bench"


def open_by_sallyport(controller):
    start = time.monotonic()
    controller.expect(202, "POST", "/api/exits", {"country": "us"})
    until("a proxied byte", controller.proxied)
    elapsed = time.monotonic() - start
    remove_pool(controller)
    return elapsed


def remove_pool(controller):
    controller.call("DELETE", "/api/pools/us")
    controller.until_no_exits()


def by_hand(image, network):
    """The words of `docker create` for an exit."""
    capabilities = [word for name in ("NET_ADMIN", "SETUID", "SETGID", "SYS_CHROOT") for word in ("--cap-add", name)]
    mounts = ["--tmpfs", "/run:mode=0755", "--tmpfs", "/proxy/etc:mode=0755", "-v", "/config", "--device", "/dev/net/tun"]
    sysctls = ["--sysctl", "net.ipv6.conf.all.disable_ipv6=1", "--sysctl", "net.ipv4.conf.all.src_valid_mark=1"]
    rights = ["--read-only", "--security-opt", "no-new-privileges", "--cap-drop", "ALL", *capabilities]
    return ["--network", network, *rights, *mounts, *sysctls, "--entrypoint", "/exit", image]


def open_by_hand(folder, image, key, server_key):
    """The same exit by `docker create`, `cp`, `start`: no choice, no proof from outside, no gateway."""
    start = time.monotonic()
    name = "sallyport-bench-by-hand"
    pool = json.loads(docker("network", "inspect", OWNER))[0]["IPAM"]["Config"][0]
    # An engine that was asked for none takes the first address, and may not say so.
    gateway = pool.get("Gateway") or next(ipaddress.ip_network(pool["Subnet"]).hosts())
    docker("create", "--name", name, *by_hand(image, OWNER))
    write(
        f"{folder}/exit.conf",
        f"PRIVATE_KEY={key}\nPUBLIC_KEY={server_key}\nADDRESS=10.5.0.2/32\nENDPOINT=198.18.1.10:51820\nDNS={ADDRESS}\n"
        f"MTU=1380\nKEEPALIVE=25\nGATEWAY={gateway}/32\nPROXY_PORT=3128\nCHECK_NAME=check.lab.test\n"
        f"EXIT_SECRET={'0' * 64}\nPOOL_SECRET={'0' * 64}\n",
    )
    docker("cp", f"{folder}/exit.conf", f"{name}:/config/exit.conf")
    docker("start", name)
    address = json.loads(docker("inspect", name))[0]["NetworkSettings"]["Networks"][OWNER]["IPAddress"]
    until("a proxied byte by hand", lambda: proxied(3128, "exit", host=address, timeout=0.1, password="0" * 64))
    elapsed = time.monotonic() - start
    docker("rm", "-f", "-v", name)
    return elapsed


def killed(controller, size):
    """From `docker kill` of the exit that carries the traffic to the next good request."""
    controller.set_pool("us", size)
    until("the pool serves", lambda: controller.expect(200, "GET", "/api/pools/us")["serving"] == size)
    until("the gateway serves", controller.proxied)
    docker("kill", controller.containers()[0])
    start = time.monotonic()
    until("a proxied byte after the kill", controller.proxied)
    elapsed = time.monotonic() - start
    remove_pool(controller)
    return elapsed


def exits(controller, folder, runs):
    controller.add_user()
    controller.call("POST", "/api/exits?wait=30", {"country": "us"})
    image = controller.running()[0]["Image"]
    remove_pool(controller)
    keys = json.loads(read(f"{folder}/lab/keys.json"))
    print(f"\n{runs} runs each, in turn:\n\n{RUNS_HEADER}")
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(open_by_sallyport(controller))
        theirs.append(open_by_hand(folder, image, keys["client"]["privateKey"], keys["cities"]["New York"]["publicKey"]))
    print_runs("`POST /api/exits` to the first proxied byte", ours, "1.5 s")
    print_runs("the same container by `docker create`, `cp`, `start`", theirs, "")
    for size, name, budget in ((1, "one", "1.5 s"), (2, "two", "0.3 s")):
        print_runs(f"exit killed to the next good request, pool of {name}", [killed(controller, size) for _ in range(runs)], budget)


def measure_catalog(folder, lab):
    """By the full list of the lab's API, version 1."""
    with urllib.request.urlopen(f"http://127.0.0.1:{lab.port}/v1/servers?limit=0", timeout=60) as answer:
        write(f"{folder}/v1.json", answer.read(), "wb")
    catalog.measure(f"{folder}/v1.json")


def main():
    parser = argparse.ArgumentParser(prog="python3 -m Tests.Benchmarks.exits")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sp-bench-")
    lab, controller = Lab(f"{folder}/lab", "release", "--rows", "9394"), None
    try:
        controller = Controller(folder, lab.up(), owner=OWNER)
        controller.start()
        exits(controller, folder, options.runs)
        measure_catalog(folder, lab)
        print(f"\nExit image: {os.path.getsize(f'{ROOT}/.build/images/exit.tar') / 1e6:.1f} MB (budget 15 MB).")
        print(f"Controller after all this: {resident(controller.process.pid):.0f} MB resident.")
    finally:
        if controller:
            controller.stop()
        lab.down()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
