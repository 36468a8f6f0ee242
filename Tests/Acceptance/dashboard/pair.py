"""Two controllers of one shared store and one gateway, on the stand's lab: one leads, the other follows."""

import os
import shutil
import subprocess
import tempfile

from ...Harness.controller import LIMITS, Controller
from ...Harness.programs import stop, until


class Pair:
    """Use as a context. `first` and `second` are controllers; the first one leads until it is stopped."""

    def __init__(self, stand):
        self.stand, self.controllers = stand, []
        self.folder = tempfile.mkdtemp(dir=stand.folder)

    def __enter__(self):
        socket = f"{self.folder}/redis.sock"
        words = ["--port", "0", "--unixsocket", socket, "--dir", self.folder, "--save", ""]
        self.redis = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
        try:
            until("Redis listens", lambda: os.path.exists(socket))
            self.first = self.start(f"redis: {{url: 'unix://{socket}'}}\n")
            data, gateway = self.first.data, self.first.gateway
            self.second = self.start(
                f"redis: {{url: 'unix://{socket}'}}\nroot_key_file: {data}/root.key\n",
                gateway=f"directory: {data}/haproxy, country_ports: 0",
                gateway_port=gateway,
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self, more, **settings):
        folder = f"{self.folder}/{len(self.controllers)}"
        os.mkdir(folder)
        controller = Controller(
            folder, self.stand.lab.up(), self.stand.build, api=LIMITS, owner="sallyport-dashboard-pair", more=more, **settings
        )
        self.controllers.append(controller)
        controller.start()
        self.stand.lead(controller.api)
        return controller

    def visit(self, controller, path, **settings):
        """Opens a page of one of the two."""
        url = f"http://127.0.0.1:{controller.api}"
        return self.stand.visit(path, url=url, key=controller.key, **settings)

    def __exit__(self, *_):
        for controller in self.controllers:
            if controller.process:
                stop(controller.process)
        for controller in self.controllers:
            controller.teardown()
        stop(self.redis)
        shutil.rmtree(self.folder, ignore_errors=True)
