"""Targets that no proxy user may reach, by another rule than the gateway's own."""

import ipaddress
import re
import socket

LAB = ipaddress.ip_network("198.18.0.0/15")


def own_addresses():
    """An address of this machine that is not loopback, where there is one."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(("198.51.100.1", 9))
            return [s.getsockname()[0]]
    except OSError:
        return []


def is_forbidden(host):
    """By another rule than the gateway's own: Python's list of networks, and the C library's reading of numbers."""
    host = host.strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            if not re.fullmatch(r"[0-9a-fx.]+", host):
                raise OSError
            address = ipaddress.ip_address(socket.inet_aton(host))
        except OSError:
            return host in ("localhost", "tinyproxy.stats") or host.endswith((".localhost", ".local", ".internal", ".home.arpa"))
    inner = [address]
    if address.version == 6:
        value = int(address)
        inner += [a for a in (address.ipv4_mapped, address.sixtofour) if a]
        if address in ipaddress.ip_network("64:ff9b::/96") or value < 2**32:
            inner.append(ipaddress.ip_address(value & 0xFFFFFFFF))
    return any(str(a) in OWN or (not (a.version == 4 and a in LAB) and (not a.is_global or a.is_multicast)) for a in inner)


OWN = set(own_addresses())
