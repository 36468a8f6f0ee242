import argparse
import importlib
import os
import pathlib
import shutil
import sys
import time
import traceback

from ...Harness import environment
from ...Harness.base_stand import Ended, Skipped
from . import __doc__ as description


def main():
    parser = argparse.ArgumentParser(
        prog="python3 -m Tests.Acceptance.dashboard", description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="only tests with one of these in their names")
    parser.add_argument("--build", default="debug")
    parser.add_argument("--pictures", default="")
    parser.add_argument("--url", default="")
    parser.add_argument("--key", default="")
    options = parser.parse_args()
    if not shutil.which("chromium"):
        sys.exit("dashboard: Debian's chromium is not installed")
    environment.enter("Tests.Acceptance.dashboard")
    from .stand import DashboardStand

    start, failed, skipped, count = time.monotonic(), [], 0, 0
    with DashboardStand(options) as stand:
        for name, test in tests(options.words):
            count += 1
            try:
                if not passes(name, test, stand):
                    failed.append(name)
            except Skipped as reason:
                skipped += 1
                print(f"skip {name}: {reason}", flush=True)
        if failed:
            print(stand.last_lines())
    result = f"{len(failed)} failed: {'; '.join(failed)}" if failed else "all well"
    left_out = f", {skipped} skipped" if skipped else ""
    print(f"dashboard: {count} tests{left_out}, {result}, {time.monotonic() - start:.0f} s")
    sys.exit(1 if failed or not count else 0)


def tests(words):
    """Each test with its sentence, module by module in the order of their names, in each in the order of the file."""
    for file in sorted(pathlib.Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(f".{file.stem}", __package__)
        for name, test in vars(module).items():
            sentence = f"{file.stem.removeprefix('test_')}: {name.removeprefix('test_').replace('_', ' ')}"
            if name.startswith("test_") and callable(test) and (not words or any(word in sentence for word in words)):
                yield sentence, test


def passes(name, test, stand):
    start = time.monotonic()
    try:
        test(stand)
        problem = ""
    except (Ended, Skipped):
        raise
    # What is waited for in vain ends a program.
    except (Exception, SystemExit) as error:
        # Where it happened in the tests, not in Playwright.
        places = [frame for frame in traceback.extract_tb(error.__traceback__) if f"{os.sep}dashboard{os.sep}" in frame.filename]
        problem = "".join([*traceback.format_list(places[1:])[-2:], f"{type(error).__name__}: {error}"])
    print(f"{'FAIL' if problem else 'ok  '} {name} ({time.monotonic() - start:.2f} s)", flush=True)
    if problem:
        print("     " + "\n     ".join(problem.strip().splitlines()[:14]), flush=True)
    return not problem


if __name__ == "__main__":
    main()
