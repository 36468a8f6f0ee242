"""Prints figures of the code's structure as a table, a column for each revision.

python3 -m Tests.Figures [REVISION ...]    without a word, for the working tree; `.` names it beside revisions
"""

import argparse
import math
import re
import statistics

from .duplicates import LENGTH, duplicated
from .sources import WORKING_TREE, Revision

# Targets that `country` does not pass on its way from `POST /api/exits` to HAProxy: where servers come from, what runs exits, the
# store, receivers and streams of events, the audit log, figures over time, and the program that puts the parts together.
OFF_THE_WAY = {
    "AuditLog",
    "Catalog",
    "CatalogBench",
    "DockerEngine",
    "EngineGuard",
    "EventStreams",
    "Lab",
    "Latency",
    "Providers",
    "RedisStore",
    "TestSupport",
    "TimeSeries",
    "Webhooks",
    "sallyport",
}


def percentile(values, share):
    """The nearest rank."""
    return sorted(values)[math.ceil(len(values) * share) - 1]


def stored(revision):
    """The types of a revision with how many properties each stores, most first."""
    found = {}
    for file in revision.swift:
        for declared in file.declarations.types:
            if declared.kind not in ("extension", "protocol"):
                found[f"{declared.name}"] = max(found.get(declared.name, 0), len(declared.stored))
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def on_the_way_of_country(revision):
    """Files in which `country` is a word of the code beside an exit or a pool."""
    return [
        file.path
        for file in revision.swift
        if file.target not in OFF_THE_WAY and re.search(r"\bcountry\b", file.code) and re.search(r"\b(exit|pool)s?\b", file.code, re.I)
    ]


def figures(name):
    revision = Revision(name)
    types, files = stored(revision), [file.lines for file in revision.swift]
    lengths = [function.lines for file in revision.swift for function in file.declarations.functions]
    runs, repeated = duplicated({file.path: file.code for file in revision.swift})
    python_runs, python_repeated = duplicated(revision.python)
    return {
        "stored properties, the five most": ", ".join(f"`{name}` {count}" for name, count in types[:5]),
        "stored properties of `Controller`, `API`": ", ".join(str(dict(types).get(name, "-")) for name in ("Controller", "API")),
        "types with more than 20": sum(count > 20 for _, count in types),
        "lines of a function: median, p90, most": f"{statistics.median(lengths):.0f}, {percentile(lengths, 0.9)}, {max(lengths)}",
        "functions; over 40 lines; over 60": f"{len(lengths):,}; {sum(length > 40 for length in lengths)}; {sum(length > 60 for length in lengths)}",
        "lines of a file: median, p90, most": f"{statistics.median(files):.0f}, {percentile(files, 0.9)}, {max(files)}",
        "files; lines": f"{len(files)}; {sum(files):,}",
        "lines of `API`": f"{sum(file.lines for file in revision.swift if file.target == 'API'):,}",
        "files on the way of `country`": len(on_the_way_of_country(revision)),
        f"runs of {LENGTH} and more equal lines in Swift; lines in them": f"{runs}; {repeated}",
        "the same in Python": f"{python_runs}; {python_repeated}",
    }


def main():
    parser = argparse.ArgumentParser(prog="python3 -m Tests.Figures", description=__doc__.split("\n")[0])
    parser.add_argument("revisions", nargs="*", default=["."], metavar="REVISION")
    parser.add_argument("--country", action="store_true", help="list the files on the way of `country` instead")
    options = parser.parse_args()
    names = [WORKING_TREE if name == "." else name for name in options.revisions]
    if options.country:
        return print("\n".join(path for name in names for path in on_the_way_of_country(Revision(name))))
    columns = [figures(name) for name in names]
    print("| figure | " + " | ".join(names) + " |\n| --- |" + " --- |" * len(names))
    for what in columns[0]:
        print(f"| {what} | " + " | ".join(str(column[what]) for column in columns) + " |")


if __name__ == "__main__":
    main()
