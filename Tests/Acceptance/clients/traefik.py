"""Traefik in front: names, the client's address, a new country without a restart, the API, the redirect."""

import re

from ...Harness.programs import read, run, until
from ...Harness.stand import DOMAIN
from .checks import Entry, check, curl

URL = "http://ip.lab.test/ip"


def check_traefik(stand):
    """Returns Traefik's entry for the United States."""
    port = stand.traefik()
    us = entry("proxy-us", port, "Traefik")
    until("Traefik has read its file", lambda: curl(stand, us, URL) == stand.exits["us"], 20)
    check_names(stand, us)
    check_addresses(stand, us)
    check_new_country(stand, port)
    check_api(stand, port)
    lines = [re.sub(r"\x1b\[\d+m", "", line) for line in read(f"{stand.folder}/traefik.log").splitlines()]
    # 3.6 warns at each start of encoded characters in paths, whatever is configured.
    errors = [line for line in lines if re.search(r"^\S+ ERR |deprecated", line, re.I)]
    check("Traefik: no error, and nothing deprecated, in its log", [], lambda: errors)
    return us


def entry(name, port, title="", user="alice"):
    return Entry(title, f"{name}.{DOMAIN}", port, user, secure=True)


def check_names(stand, us):
    gb = stand.exits["gb"]
    check("Traefik: proxy-uk is proxy-gb", gb, lambda: curl(stand, entry("proxy-uk", us.port), URL))
    check("Traefik: proxy-any", True, lambda: curl(stand, entry("proxy-any", us.port), URL) in stand.exits.values())
    by_user = entry("proxy", us.port, user="alice-country-gb")
    check("Traefik: proxy, country by the user's name", gb, lambda: curl(stand, by_user, URL))
    words = ["-o", "/dev/null", "-w", "%{http_code}"]
    check("Traefik: an unknown user is refused", "407", lambda: curl(stand, us, URL, *words, user="nobody"))


def check_addresses(stand, us):
    def is_logged():
        return "client=127.0.0.5:" in read(f"{stand.folder}/d/access.log")

    curl(stand, us, URL, "--interface", "127.0.0.5")
    check("Traefik: the client's own address arrives", None, lambda: until("a line in the access log", is_logged, 10))
    stand.controller.add_user("dave", addresses=["127.0.0.5/32"])
    for address, wanted in (("127.0.0.5", stand.exits["us"]), ("127.0.0.6", "address_not_allowed")):
        seen = lambda: curl(stand, us, URL, "--interface", address, user="dave")
        check(f"Traefik: a user bound to 127.0.0.5, from {address}", wanted, seen)


def check_new_country(stand, port):
    process = stand.traefik_process
    pid, stand.exits["de"] = process.pid, stand.open("de")
    de = entry("proxy-de", port)
    until("the new country works through Traefik", lambda: curl(stand, de, URL) == stand.exits["de"], 20)
    check("Traefik: a new country works without a restart", (None, pid), lambda: (process.poll(), process.pid))


def check_api(stand, port):
    resolved = [word for number in (port, stand.plain) for word in ("--resolve", f"api.{DOMAIN}:{number}:127.0.0.1")]
    words = ["curl", "-s", "-m", "8", "--cacert", stand.certificate, *resolved]
    key = ["-H", f"X-API-Key: {stand.controller.key}"]
    check("Traefik: the API's host", True, lambda: '"exits"' in run(*words, *key, f"https://api.{DOMAIN}:{port}/api/exits"))
    status = ["-o", "/dev/null", "-w", "%{http_code} %{redirect_url}"]
    check("Traefik: HTTP is redirected to HTTPS", "30", lambda: run(*words, *status, f"http://api.{DOMAIN}:{stand.plain}/x")[:2])
