"""What is tried through the running services: metering over a reload, a quota, HAProxy started again, a country on demand."""

import os
import subprocess
import sys
import time

from ...Harness import http
from ...Harness.http import BIG, ECHO, PASSWORD
from ...Harness.programs import docker, read, run, until
from ...Harness.stand import DOMAIN
from .services import CONTROLLER, HAPROXY, NAMES, TRAEFIK, container, inspect

PROXY = f"http://{HAPROXY}:8128"


class Operator:
    """Calls the API in the controller's container."""

    def __init__(self, key):
        self.key = key

    def call(self, method, path, body=None):
        status, answer = http.call(f"http://{CONTROLLER}:8080", method, path, self.key, body)
        if not 200 <= status < 300:
            sys.exit(f"{method} {path} answered {status}: {answer}")
        return answer

    def used(self, path):
        return self.call("GET", f"{path}/usage?hours=1&days=1")["total"]

    def add_user(self, name, **settings):
        self.call("POST", "/api/users", {"name": name, "password": PASSWORD, **settings})

    def open(self, country):
        return self.call("POST", "/api/exits?wait=40", {"country": country})


def curl(user, url, *words, seconds=60):
    """The words for a request through HAProxy's tunnel."""
    return ["curl", "-s", "-m", str(seconds), "-p", "-x", PROXY, "-U", f"{user}:{PASSWORD}", *words, url]


def fetch(user, url, *words):
    """What comes through HAProxy."""
    return subprocess.run(curl(user, url, *words), capture_output=True).stdout


def go_out(exit):
    """Through HAProxy and through Traefik."""
    by_haproxy = ["-x", PROXY, "-U", f"alice-country-us:{PASSWORD}"]
    resolved = ["--proxy-insecure", "--resolve", f"proxy-us.{DOMAIN}:443:{TRAEFIK}"]
    by_traefik = ["-x", f"https://proxy-us.{DOMAIN}:443", "-U", f"alice:{PASSWORD}", *resolved]
    for words, what in ((by_haproxy, "HAProxy"), (by_traefik, "Traefik")):
        seen = lambda: subprocess.run(["curl", "-s", "-m", "8", *words, ECHO], capture_output=True, text=True).stdout.strip()
        until(f"a request through {what}", lambda: seen() == exit["exit_ip"], 20)
        print(f"through {what} and the exit: {seen()}")


def metering(operator):
    """The controller counts what an HAProxy in another container carries, also in a worker that a reload has left behind."""
    used = lambda: operator.used("/api/users/alice")
    until("what came before is counted", lambda: used()["connections"] >= 2, 20)
    before = None
    # Two collections that bring nothing new: all of it is there.
    while before != (before := used()):
        time.sleep(2.5)
    size = 3_000_000
    part = ["-r", f"0-{size - 1}"]
    words = curl("alice-country-us", BIG, "--limit-rate", "300K", *part, "-o", "/dev/null", "-w", "%{size_download}", seconds=120)
    held = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    until("the download runs", lambda: used()["bytes_out"] > before["bytes_out"] + 100_000, 30)
    # Another country is another structure: a reload.
    operator.open("gb")
    got, carried = len(fetch("alice-country-gb", BIG, *part)), int(held.communicate()[0])
    if (got, carried) != (size, size):
        sys.exit(f"the downloads got {got} and {carried} bytes, want {size} each")
    until("both downloads are counted", lambda: used()["bytes_out"] >= before["bytes_out"] + 2 * size, 30)
    after, exits = used(), [operator.used(f"/api/exits/{name}")["bytes_out"] for name in ("us-1", "gb-1")]
    new, connections = after["bytes_out"] - before["bytes_out"], after["connections"] - before["connections"]
    print(f"metering over a reload: {new} bytes of {2 * size} and their heads, {connections} connections; by exit {exits}")
    if new > 2 * size + 20_000 or connections != 2 or sum(exits) < 2 * size:
        sys.exit("metering is wrong")


def quota(operator):
    """Who has used up a quota is cut in the middle of a download, and refused from then on."""
    # What the kernel's buffers hold by then still comes: the reader's, and two writers' on the way.
    held = sum(times * int(read(f"/proc/sys/net/ipv4/{name}").split()[2]) for name, times in (("tcp_rmem", 1), ("tcp_wmem", 2)))
    most, size = 2_000_000, held + 20_000_000
    operator.add_user("bounded", limits={"bytes_total": most})
    until("the new user may connect", lambda: fetch("bounded-country-us", ECHO), 10)
    got = len(fetch("bounded-country-us", BIG, "--limit-rate", "1M", "-r", f"0-{size - 1}"))
    refused = fetch("bounded-country-us", ECHO, "-o", "/dev/null", "-w", "%{http_connect}").decode()
    print(f"a quota of {most} bytes: cut after {got} of {size}, then {refused}")
    if not most / 2 < got < most + held + 8_000_000 or refused != "429":
        sys.exit("the quota does not hold")


def restart_haproxy(exit, state):
    docker("restart", "-t", "5", container("haproxy"))
    words = ["curl", "-s", "-m", "3", "-x", PROXY, "-U", f"alice-country-us:{PASSWORD}", ECHO]
    seen = lambda: subprocess.run(words, capture_output=True, text=True).stdout.strip()
    until("HAProxy's container, started again, serves", lambda: seen() == exit["exit_ip"], 40)
    print("HAProxy's container started again: serves")
    lines = lambda: read(f"{state}/controller/access.log").count("\n")
    before = lines()
    fetch("alice-country-us", ECHO)
    until("its lines still reach the controller", lambda: lines() > before, 20)
    print("and its log goes on")


def open_on_demand(operator):
    """HAProxy asks the controller in the other container for a country that has no exit, on the socket in the volume that both have."""
    operator.call("PUT", "/api/pools/de", {"size": 1, "on_demand": True})
    seen = lambda: fetch("alice-country-de", ECHO).decode().strip()
    begin = time.monotonic()
    until("a request opens a country", lambda: len(seen().split(".")) == 4, 30)
    opened = [event for event in operator.call("GET", "/api/events?country=de&limit=20")["events"] if event["kind"] == "pool.opened"]
    print(f"a country on demand: opened and served in {time.monotonic() - begin:.1f} s")
    if len(opened) != 1:
        sys.exit(f"want one pool.opened, got {opened}")


def print_rights():
    for name in NAMES:
        user = inspect(name, "{{.Config.User}}") or "root, of the image"
        print(f"{name}: user {user}, privileges {inspect(name, '{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}')}")


def check_haproxy_process():
    pid = inspect("haproxy", "{{.State.Pid}}")
    policies = {os.sched_getscheduler(int(number)) for number in [pid, *read(f"/proc/{pid}/task/{pid}/children").split()]}
    reuse = run("nsenter", "-t", pid, "-n", "cat", "/proc/sys/net/ipv4/tcp_tw_reuse").strip()
    if (policies, reuse) != ({os.SCHED_BATCH}, "1"):
        sys.exit(f"HAProxy runs with scheduling policies {policies} and tcp_tw_reuse {reuse}, want {{{os.SCHED_BATCH}}} and 1")
    print("HAProxy runs in batches, and takes ports back after a second")
