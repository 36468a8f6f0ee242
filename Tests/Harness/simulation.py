"""A controller, its Redis and its HAProxy, all real, on a simulated fleet (`simulated_fleet`)."""

import os
import shutil
import tempfile

from .controller import LIMITS, Controller
from .programs import free_port, module, read, stop, until, write
from .simulated_fleet import COUNTRIES

__all__ = ["COUNTRIES", "Simulation"]


class Simulation:
    """Use as a context; everything is gone at its end. `controller` is started by the caller."""

    def __init__(self, name, build="release", api=LIMITS, log="level: warning", more="", devices="    devices: 0\n"):
        self.folder, self.process = tempfile.mkdtemp(prefix=f"sp-{name}-"), None
        self.socket, port = f"{self.folder}/engine.sock", free_port()
        self.address_service = f"http://127.0.0.1:{port}/json"
        write(f"{self.folder}/key", "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n")
        provider = (
            f"providers:\n  nordvpn:\n    api_url: http://127.0.0.1:{port}\n    private_key_file: {self.folder}/key\n{devices}"
            f"    dns: [127.0.0.1]\nverification:\n  own_urls: ['{self.address_service}']\n  urls: []\n  check_name: check.fleet.test\n"
        )
        self.port = port
        self.controller = Controller(
            self.folder,
            provider + more.format(address_service=self.address_service),
            build,
            api=api,
            engine=f"unix://{self.socket}",
            log=log,
        )

    def __enter__(self):
        self.process = module("Tests.Harness.simulated_fleet", self.folder, str(self.port))
        until("the simulated engine listens", lambda: os.path.exists(self.socket))
        return self

    def __exit__(self, *_):
        try:
            self.controller.stop()
        finally:
            stop(self.process)
            shutil.rmtree(self.folder, ignore_errors=True)

    def redis_pid(self):
        return int(read(f"{self.folder}/d/redis/redis.pid"))
