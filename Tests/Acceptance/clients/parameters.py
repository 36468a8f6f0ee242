"""Country and session in user name or password, several countries, fallbacks: each seen on the check page."""

import json

from ...Harness.http import PASSWORD
from ...Harness.programs import docker, until
from .checks import check, curl


def check_parameters(stand, entry):
    def page(user, password=PASSWORD, *names):
        """Fields of the check page, by default the country; or what stands in its place."""
        text = curl(stand, entry, "http://ip.sallyport/", user=user, password=password)
        try:
            fields = json.loads(text)
        except ValueError:
            return text.strip()
        return " ".join(str(fields[name]) for name in names or ["country"])

    check_names(page)
    check_several_countries(stand, page)
    check_fallbacks(stand, page)
    check_allowed_countries(stand, page)


def check_names(page):
    check("country-us in the name", "US", lambda: page("alice-country-us"))
    check("country-gb in the password", "GB", lambda: page("alice", f"{PASSWORD}_country-gb"))
    both = ("country", "session")
    check("country in the name, session in the password", "GB s_2", lambda: page("alice-country-gb", f"{PASSWORD}_session-s_2", *both))
    check("country and session in the password", "US abc1", lambda: page("alice", f"{PASSWORD}_country-us_session-abc1", *both))
    check("uk is gb", "GB", lambda: page("alice-country-uk"))
    check("UK in capitals is gb", "GB", lambda: page("alice-country-UK"))
    check("one country twice", "bad_user_name", lambda: page("alice-country-us", f"{PASSWORD}_country-gb"))
    check("a wrong password with parameters", "authentication_failed", lambda: page("alice", "wrong_country-us"))


def check_several_countries(stand, page):
    every = {country.upper() for country in stand.exits}
    check("country-any reaches every country", every, lambda: {page("alice-country-any") for _ in range(60)})
    check("country-us,gb reaches both", {"US", "GB"}, lambda: {page("alice-country-us,gb") for _ in range(40)})
    check("country-us,ca reaches the one that has an exit", {"US"}, lambda: {page("alice-country-us,ca") for _ in range(5)})
    exits = lambda: {page("alice-country-us,gb-session-one", PASSWORD, "exit") for _ in range(10)}
    check("a session over several countries stays", 1, lambda: len(exits()))


def check_fallbacks(stand, page):
    check("a country without an exit", "no_exit", lambda: page("alice-country-ca"))
    stand.controller.add_user("bob", fallback=["ca", "gb"])
    check("the user's own fallback chain, past a country without an exit", "GB", lambda: page("bob-country-fr"))
    check("a fallback chain is not used while the country has an exit", "US", lambda: page("bob-country-us"))
    # Canada's servers don't answer: a pool whose exit never serves.
    silent = docker("ps", "-q", "--filter", "name=-ca-").split()
    docker("pause", *silent)
    stand.expect(201, "PUT", "/api/pools/ca", {"size": 1, "fallback": ["us"]})
    falls_back = lambda: until("Canada goes out through the United States", lambda: page("alice-country-ca") == "US", 15)
    check("a pool's fallback chain", None, falls_back)
    stand.controller.call("DELETE", "/api/pools/ca")
    docker("unpause", *silent)
    # Its backend goes with a reload, which must be over before anybody counts them.
    until("HAProxy runs without the pool", lambda: "pool-ca" not in stand.controller.haproxy("show stat -1 2 -1"), 30)


def check_allowed_countries(stand, page):
    stand.controller.add_user("carol", countries=["gb"])
    check("the only allowed country needs no name", "GB", lambda: page("carol"))
    check("any, for a user of one country", {"GB"}, lambda: {page("carol-country-any") for _ in range(5)})
    check("several countries, one of them not allowed", "country_not_allowed", lambda: page("carol-country-gb,us"))
