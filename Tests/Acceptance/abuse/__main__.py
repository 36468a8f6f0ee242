import argparse
import asyncio
import sys

from . import __doc__ as description
from .attack import Attack
from .exit import serve


def main():
    parser = argparse.ArgumentParser(
        prog="python3 -m Tests.Acceptance.abuse", description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["serve", "attack"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=64)
    for name in ("gateway", "country", "tls"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--canary", action="append", default=[])
    options = parser.parse_args()
    sys.exit(asyncio.run(serve() if options.what == "serve" else Attack(options).run()) or 0)


if __name__ == "__main__":
    main()
