"""How every stand begins and ends: a folder, a lab, a controller, other programs."""

import shutil
import signal
import tempfile

from .programs import stop


class Skipped(Exception):
    """A stand has not what a test needs; the message is the reason."""


class Ended(SystemExit):
    """Somebody has told the whole to end."""


def end(*_):
    raise Ended("ended by SIGTERM")


class BaseStand:
    """Use as a context; everything is gone at its end. `start` makes `lab`, `controller` and `processes`."""

    def __init__(self, build):
        self.build, self.folder = build, tempfile.mkdtemp(prefix="sp-")
        self.processes, self.controller, self.lab = [], None, None

    def __enter__(self):
        # Whoever is told to end takes the stand away first.
        signal.signal(signal.SIGTERM, end)
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            stop(process)
        if self.controller:
            self.controller.stop()
        if self.lab:
            self.lab.down()
        shutil.rmtree(self.folder, ignore_errors=True)
