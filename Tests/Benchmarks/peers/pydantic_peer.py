"""What one would write with orjson and pydantic to read NordVPN's full list, version 1: `pydantic_peer.py LIST` prints a JSON line."""

import json
import resource
import sys
import time
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError


class City(BaseModel):
    name: str


class Country(BaseModel):
    code: str
    name: str
    city: City | None = None


class Location(BaseModel):
    country: Country


class Metadata(BaseModel):
    name: str
    value: Any = None


class Pivot(BaseModel):
    status: str


class Technology(BaseModel):
    id: int
    identifier: str
    metadata: list[Metadata] = []
    pivot: Pivot


class Group(BaseModel):
    id: int
    identifier: str


class Row(BaseModel):
    id: int
    hostname: str
    station: str
    load: int
    status: str
    technologies: list[Technology]
    groups: list[Group]
    locations: list[Location]


SPECIAL = {"legacy_dedicated_ip", "legacy_double_vpn", "legacy_onion_over_vpn"}


def is_usable(row):
    """Online, not special, with a place and a WireGuard key."""
    if row.status != "online" or any(group.identifier in SPECIAL for group in row.groups) or not row.locations:
        return False
    wireguard = next((each for each in row.technologies if each.identifier == "wireguard_udp"), None)
    if not wireguard or wireguard.pivot.status != "online":
        return False
    key = next((each.value for each in wireguard.metadata if each.name == "public_key"), None)
    return isinstance(key, str) and len(key.strip()) == 44


def ranked(path):
    with open(path, "rb") as file:
        rows = orjson.loads(file.read())
    kept = {}
    for raw in rows:
        try:
            row = Row.model_validate(raw)
        except ValidationError:
            continue
        if row.hostname not in kept and is_usable(row):
            kept[row.hostname] = row
    return sorted(kept.values(), key=lambda row: (row.load, row.hostname))


start = time.monotonic()
servers = ranked(sys.argv[1])
seconds = time.monotonic() - start
resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "count": len(servers), "resident_kb": resident}))
