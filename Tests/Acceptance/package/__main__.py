import argparse
import os
import subprocess
import sys

from ...Harness.programs import ROOT, run
from . import __doc__ as description
from .machine import Machine, base
from .provider import Provider
from .trials import Trials


def packages():
    """The package that is built, and another of the same program with a higher version."""
    version = run(f"{ROOT}/.build/static/release/sallyport", "version").split()[1]
    architecture = run("dpkg", "--print-architecture").strip()
    run(f"{ROOT}/containers/debian/build", ".build/deb/newer", f"{version}+newer")
    return (
        f"{ROOT}/.build/deb/sallyport_{version}_{architecture}.deb",
        f"{ROOT}/.build/deb/newer/sallyport_{version}+newer_{architecture}.deb",
    )


def main():
    argparse.ArgumentParser(
        prog="python3 -m Tests.Acceptance.package", description=description, formatter_class=argparse.RawTextHelpFormatter
    ).parse_args()
    package, newer = packages()
    remarks = subprocess.run(["lintian", "--fail-on", "error,warning", package], capture_output=True, text=True)
    print(f"lintian: {remarks.stdout.strip() or 'no remark'}")
    if remarks.returncode:
        sys.exit("lintian is not content")
    machine = Machine(base(package))
    provider = Provider(machine, os.environ.get("BUILD", "debug"))
    try:
        machine.start()
        trials = Trials(machine, provider, package, newer)
        for trial in (
            trials.first_byte,
            trials.rights,
            trials.without_controller,
            trials.reboot,
            trials.upgrade,
            trials.broken_configuration,
            trials.remove,
            trials.purge,
            trials.half_installed,
        ):
            trial()
            sys.stdout.flush()
        size = int(run("dpkg-deb", "-f", package, "Installed-Size"))
        print(f"try-deb: all well; the package has {os.path.getsize(package) / 1e6:.1f} MB, installed {size / 1e3:.1f} MB")
    except SystemExit:
        print(machine.said("journalctl", "-b", "--no-pager", "-n", "80", "-u", "sallyport*"), file=sys.stderr)
        raise
    finally:
        provider.down()
        machine.remove()


if __name__ == "__main__":
    main()
