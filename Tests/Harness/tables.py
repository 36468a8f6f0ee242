"""Figures of many runs, and the tables of docs/benchmarks.md."""

import math
import statistics
import sys


def percentile(values, share):
    """The nearest rank: of 20 values the 19th is the 95th percentile."""
    return sorted(values)[math.ceil(len(values) * share) - 1]


def p95(values):
    return percentile(values, 0.95)


def header(*columns):
    return row(*columns) + "\n" + row(*["---"] * len(columns))


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


RUNS_HEADER = header("what", "median", "p95", "max", "budget (p95)")


def print_runs(what, times, budget):
    """A row of `RUNS_HEADER`; all times go to the error output."""
    print(f"bench: {what}: " + " ".join(f"{time:.2f}" for time in sorted(times)), file=sys.stderr, flush=True)
    print(row(what, *(f"{figure:.2f} s" for figure in (statistics.median(times), p95(times), max(times))), budget), flush=True)
