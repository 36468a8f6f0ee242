"""The lab: a provider in a box, on the engine of DOCKER_HOST."""

import subprocess

from .programs import ENGINE, ROOT, built, free_port, read, run, until

ADDRESS = "198.18.0.80"
AMERICAN = [f"us-{number}" for number in range(1, 9)]


class Lab:
    """One lab; `up` makes it, and makes it again where an engine has lost it."""

    def __init__(self, folder, build, *more):
        self.folder, self.port, self.program = folder, free_port(), f"{built(build)}/lab"
        self.options = [
            "--docker",
            ENGINE,
            "--folder",
            folder,
            "--port",
            str(self.port),
            "--image-archive",
            f"{ROOT}/.build/images/lab.tar",
            *more,
        ]

    def up(self):
        """The part of a configuration that names this lab."""
        return run(self.program, "up", *self.options)

    def down(self):
        subprocess.run([self.program, "down", *self.options], capture_output=True)

    def control(self, action, server, *words):
        """`blackhole`, `heal`, `loss`, `throttle`, ... of one of its servers."""
        run(self.program, action, server, *words, *self.options)

    def delay(self, server, milliseconds):
        """Each way, until the process that is returned ends."""
        path = f"{self.folder}/delay-{server}.log"
        with open(path, "w") as log:
            process = subprocess.Popen([self.program, "delay", server, str(milliseconds), *self.options], stdout=log, stderr=log)
        until("the way is longer", lambda: "further away" in read(path))
        return process


def server_of(exit):
    """The name of the American server that an exit of the API is on."""
    return f"us-{int(exit['server']['address'].rsplit('.', 1)[1]) - 9}"
