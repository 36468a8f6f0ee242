"""How every stand begins and ends: a folder, a lab, a controller, other programs."""

import shutil
import signal
import sys
import tempfile

from .programs import stop


class BaseStand:
    """Use as a context; everything is gone at its end. `start` makes `lab`, `controller` and `processes`."""

    def __init__(self, build):
        self.build, self.folder = build, tempfile.mkdtemp(prefix="sp-")
        self.processes, self.controller, self.lab = [], None, None

    def __enter__(self):
        # Whoever is told to end takes the stand away first.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
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
