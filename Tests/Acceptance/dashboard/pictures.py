"""The pictures of docs/: overview, exits and users in both themes, with six countries and users that use them.

python3 -m Tests.Acceptance.dashboard.pictures FOLDER [SECONDS]     SECONDS of traffic first, 180 otherwise
"""

import argparse
import os
import random
import socket
import sys
import threading
import time

from ...Harness import environment
from ...Harness.http import BIG, PASSWORD, authorization

SIZES = {"us": 3, "de": 2, "gb": 2, "ca": 1, "fr": 1, "jp": 1}
USERS = {
    "alice": {"bytes_per_day": 4_000_000_000, "connections": 100},
    "bob": {"bytes_per_month": 20_000_000_000},
    "crawler": {"bytes_per_day": 1_500_000_000, "connections_per_second": 50},
    "dora": {"bytes_per_day": 12_000_000},
    "erin": {},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("seconds", nargs="?", type=float, default=180)
    parser.add_argument("--build", default="debug")
    options = parser.parse_args()
    environment.enter("Tests.Acceptance.dashboard.pictures")
    from .stand import DashboardStand

    options.url, options.pictures = "", os.path.abspath(options.folder)
    with DashboardStand(options) as stand:
        stand.need_pools(**SIZES)
        for name, limits in USERS.items():
            stand.expect((201,), "POST", "/api/users", {"name": name, "password": PASSWORD, "limits": limits})
        use(stand.controller.gateway, options.seconds)
        take(stand)


def use(port, seconds):
    """Each user's own amount of traffic, through countries that it likes, for so many seconds."""
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=browse, args=(port, name, end, random.Random(name))) for name in USERS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def browse(port, name, end, chance):
    countries = chance.sample(list(SIZES), 4)
    while time.monotonic() < end:
        try:
            load(port, f"{name}-country-{chance.choice(countries)}", chance.randrange(50_000, 3_000_000))
        except OSError:
            time.sleep(0.5)
        time.sleep(chance.expovariate(2))


def load(port, user, size):
    """The beginning of a large answer."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(f"GET {BIG} HTTP/1.1\r\nHost: 198.18.0.80\r\n{authorization(user)}Connection: close\r\n\r\n".encode())
        while size > 0:
            data = connection.recv(65536)
            if not data:
                return
            size -= len(data)


def take(stand):
    for scheme in ("light", "dark"):
        for path, name in (("/?range=15m", "dashboard"), ("/exits", "exits"), ("/users", "users")):
            with stand.visit(path, scheme=scheme, size=(1440, 900)) as visit:
                # Charts and rows are drawn when their figures have come.
                visit.page.wait_for_timeout(2500)
                visit.picture(f"{name}-{scheme}" if name == "dashboard" else f"dashboard-{name}-{scheme}")


if __name__ == "__main__":
    sys.exit(main())
