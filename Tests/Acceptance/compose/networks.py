"""`containers/compose check` on networks that a machine really has: of its own, and of the engine's."""

import os
import subprocess
import sys

from ...Harness.programs import ENGINE, ROOT, docker

CHECK = f"{ROOT}/containers/compose check"


def says(words, **variables):
    """Status and text of a shell's words, run in a network namespace of their own where they make something in it."""
    settings = os.environ | {"DOCKER_HOST": ENGINE, "SALLYPORT_SUBNET_PREFIX": ""} | variables
    result = subprocess.run(["bash", "-ec", words], capture_output=True, text=True, env=settings)
    return result.returncode, (result.stdout + result.stderr).strip()


def beside(commands, prefix=""):
    """The check beside an interface with these addresses and routes."""
    made = "ip link set lo up; ip link add own type bridge; ip link set own up"
    quoted = f"{made}; {commands}; {CHECK}".replace("'", "'\\''")
    return says(f"exec unshare --net bash -ec '{quoted}'", SALLYPORT_SUBNET_PREFIX=prefix, DOCKER_HOST="unix:///nowhere")


def check_networks():
    """Ends the whole where one answer is wrong."""
    lan = "ip addr add 172.30.7.1/16 dev own"
    route = "ip addr add 10.1.1.1/24 dev own; ip route add 172.28.241.9 via 10.1.1.7"
    halves = "ip route add 0.0.0.0/1 dev own; ip route add 128.0.0.0/1 dev own"
    trials = [
        (beside("true"), 0, "172.30.240.0/24 and 172.30.241.0/24 are free"),
        (beside(lan), 1, "172.30.240.0/24 overlaps 172.30.0.0/16 (a route of this machine, by own). 172.29 is free"),
        (beside(lan, "172.29"), 0, "172.29.240.0/24"),
        (beside(route, "172.28"), 1, "172.28.241.0/24 overlaps 172.28.241.9"),
        (beside("ip route add blackhole 172.16.0.0/12"), 1, "10.213 is free"),
        # A VPN's two halves of the default route are no network of this machine's.
        (beside(halves), 0, "are free"),
        (beside("true", "8.8"), 1, "SALLYPORT_SUBNET_PREFIX is '8.8'"),
        (beside("true", "10.300"), 1, "expected the first two numbers of a private network"),
    ]
    docker("network", "create", "--subnet", "172.27.0.0/16", "sallyport-compose-other")
    try:
        trials.append((says(CHECK, SALLYPORT_SUBNET_PREFIX="172.27"), 1, "Docker's network sallyport-compose-other"))
    finally:
        docker("network", "rm", "sallyport-compose-other")
    wrong = [(seen, status, words) for seen, status, words in trials if seen[0] != status or words not in seen[1]]
    if wrong:
        sys.exit(f"containers/compose check: {wrong}")
    print(f"networks: {len(trials)} of {len(trials)} answers of `containers/compose check` are right")


def check_own(prefix):
    """The networks that Compose has made are no reason against it, and another prefix beside them is."""
    other = "10.99"
    for words, status in ((prefix, 0), (other, 1)):
        seen = says(CHECK, SALLYPORT_SUBNET_PREFIX=words)
        if seen[0] != status or (status and f"not {other}.241.0/24" not in seen[1]):
            sys.exit(f"containers/compose check with {words}: {seen}")
    print("and Compose's own networks are known to it")
