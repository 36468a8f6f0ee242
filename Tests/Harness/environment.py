"""What trials, measurements and the lint take from PyPI, pinned, in a virtual environment under .build.

python3 -m Tests.Harness.environment    installs what is missing; status 1 where it can't be had
"""

import os
import shutil
import subprocess
import sys

from .programs import ROOT, read

FOLDER = f"{ROOT}/.build/python"
PYTHON = f"{FOLDER}/bin/python"
REQUIREMENTS = f"{ROOT}/Tests/requirements.txt"


def is_installed():
    mark = f"{FOLDER}/requirements.txt"
    return os.path.exists(mark) and read(mark) == read(REQUIREMENTS)


def install():
    """False where PyPI can't be reached, or Debian's python3-venv is missing."""
    if is_installed():
        return True
    print("installing from PyPI (Tests/requirements.txt)", file=sys.stderr)
    for words in (
        [sys.executable, "-m", "venv", FOLDER],
        [PYTHON, "-m", "pip", "-q", "install", "--disable-pip-version-check", "-r", REQUIREMENTS],
    ):
        if subprocess.run(words).returncode:
            print("the packages of Tests/requirements.txt can't be installed: what needs them is left out or fails", file=sys.stderr)
            return False
    shutil.copy(REQUIREMENTS, f"{FOLDER}/requirements.txt")
    return True


def enter(module):
    """Goes on as this module in the virtual environment, with the same words; ends where that can't be made."""
    if os.path.realpath(sys.prefix) == os.path.realpath(FOLDER):
        return
    if not install():
        sys.exit(f"{module}: needs the packages of Tests/requirements.txt")
    os.execv(PYTHON, [PYTHON, "-m", module, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(0 if install() else 1)
