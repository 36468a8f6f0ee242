"""Reads haproxy/special-networks.txt."""

import ipaddress
import re
import sys

USES = {"target", "private", "unseen", "uncounted"}


class SpecialNetwork:
    def __init__(self, line):
        columns = re.split(r"\s{2,}", line.strip())
        if len(columns) != 4:
            sys.exit(f"special-networks.txt: want four columns with two blanks between them: {line.strip()}")
        text, uses, self.what, self.source = columns
        self.network = ipaddress.ip_network(text)
        words = uses.split(",")
        carrier = [word.removeprefix("carrier:") for word in words if word.startswith("carrier:")]
        self.uses, self.offset = set(words) & USES, int(carrier[0]) if carrier else None
        if len(self.uses) + len(carrier) != len(words):
            sys.exit(f"special-networks.txt: {uses} has an unknown use")
        # Python writes the mapped network with an IPv4 address in it.
        self.text = text


def read(path):
    """The networks in the file's order. Networks of one use don't overlap."""
    networks = [SpecialNetwork(line) for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    for use in USES:
        of = [each.network for each in networks if use in each.uses]
        for index, network in enumerate(of):
            if any(network.version == other.version and network.overlaps(other) for other in of[index + 1 :]):
                sys.exit(f"special-networks.txt: {network} overlaps another network of the use {use}")
    return networks
