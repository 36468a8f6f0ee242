import argparse

from ...Harness.tables import RUNS_HEADER
from . import __doc__ as description
from . import faults, long, lost, planned

PIECES = {
    "blackhole": faults.blackhole,
    "standby": lambda runs: faults.blackhole(runs, standby=1),
    "dying": faults.dying,
    "lost": lost.lost,
    "series": lost.series,
    "container": faults.container,
    "haproxy": faults.haproxy,
    "rotation": planned.rotation,
    "crash": planned.crash,
    "takeover": planned.takeover,
}
# Not a part of the whole: they take long, or end the engine.
LONG = {"lossy": None, "engine": long.engine, "udp": long.udp}


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("want a number from 1")
    return number


def main():
    parser = argparse.ArgumentParser(
        prog="python3 -m Tests.Benchmarks.failover", description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("pieces", nargs="*", metavar="PIECE")
    parser.add_argument("--runs", type=positive, default=20)
    parser.add_argument("--minutes", type=positive, default=60)
    options = parser.parse_args()
    if unknown := [word for word in options.pieces if word not in PIECES | LONG]:
        parser.error(f"no piece {unknown[0]}, expected some of {' '.join(PIECES | LONG)}")
    pieces = options.pieces or list(PIECES)
    if pieces != ["lossy"]:
        print(f"\n{options.runs} runs each:\n\n{RUNS_HEADER}", flush=True)
    for piece in pieces:
        if piece == "lossy":
            long.lossy(options.minutes)
        else:
            (PIECES | LONG)[piece](options.runs)


if __name__ == "__main__":
    main()
