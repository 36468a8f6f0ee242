"""Tries what containers/kubernetes relies on: two controllers with one Redis and one root key, each with an engine and a gateway of its own.

containers/engine run python3 -m Tests.Kubernetes.takeover

The two engines are one here, of which each controller sees only its own part: another owner, another network. Images come from `make images`.
"""

import os
import shutil
import subprocess
import tempfile
import time

from ..Harness import http
from ..Harness.controller import Controller
from ..Harness.http import ECHO
from ..Harness.lab import Lab
from ..Harness.programs import docker, stop, until

COUNT = 3


def controller(name, folder, text, number, build):
    more = f"redis: {{url: 'unix://{folder}/redis.sock'}}\nroot_key_file: {folder}/root.key\n"
    os.makedirs(f"{folder}/{name}")
    made = Controller(f"{folder}/{name}", text, build, owner=f"sallyport-pod-{name}", log="level: info", more=more)
    return made


def serves(one):
    """What a request through its gateway is seen as; empty where there is no answer."""
    words = ["curl", "-s", "-m", "3", "-x", f"http://127.0.0.1:{one.gateway}", "-U", f"alice-country-us:{http.PASSWORD}", ECHO]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip()


def leads(one):
    status, answer = one.call("GET", "/health/ready")
    return status == 200 and answer["role"] == "leader"


def take_over(leader, other, end, what):
    """Ends the leader; prints how long it takes until the other one's own exits carry."""
    begin = time.monotonic()
    end(leader)
    until("the other one leads", lambda: leads(other), 30)
    led = time.monotonic() - begin
    until("a request goes out at its gateway", lambda: serves(other), 60, 0.1)
    first = time.monotonic() - begin
    until("all of its exits serve", lambda: other.serving() == COUNT and len(other.containers()) == COUNT, 90)
    print(
        f"{what}: leads after {led:.1f} s, first request after {first:.1f} s, {COUNT} exits after {time.monotonic() - begin:.1f} s",
        flush=True,
    )


def kill(one):
    one.process.kill()
    one.process.wait()


def again(one):
    """Starts it again as the one that follows. Its exits of before are still there, and nobody's."""
    one.process = None
    with open(one.log, "a") as log:
        one.process = subprocess.Popen([one.program, "run", "--config", one.file], stderr=log)
    until("it follows", lambda: one.is_ready() and not leads(one))
    print(f"started again as the one that follows: {len(one.containers())} containers of before in its engine", flush=True)


def main():
    build = os.environ.get("BUILD", "debug")
    folder = tempfile.mkdtemp(prefix="sp-")
    lab = Lab(f"{folder}/lab", build)
    redis = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", f"{folder}/redis.sock", "--save", ""], stdout=subprocess.DEVNULL
    )
    first = second = None
    try:
        text = lab.up()
        first, second = (controller(name, folder, text, number, build) for number, name in enumerate("ab"))
        first.start()
        until("the first leads", lambda: leads(first))
        second.start()
        first.add_user("alice")
        first.set_pool("us", COUNT)
        first.until_serving(COUNT)
        until("a request goes out", lambda: serves(first))
        if serves(second):
            raise SystemExit("the gateway beside a follower carries")
        take_over(first, second, kill, "the leader is killed")
        print(f"the gateway of before goes on: {serves(first) or 'no answer'}")
        again(first)
        take_over(second, first, lambda one: stop(one.process), "the leader is stopped in order")
        print(f"containers of {first.owner}: {docker('ps', '--filter', f'name={first.owner}', '--format', '{{.Names}}').split()}")
    finally:
        for one in (first, second):
            if one:
                one.stop()
        lab.down()
        stop(redis)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
