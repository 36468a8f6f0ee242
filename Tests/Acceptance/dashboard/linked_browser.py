"""A Chromium that reaches the controller over a link, which tests take away as a real network goes away."""

import os
import tempfile

from ...Harness.base_stand import Skipped
from ...Harness.own_network import Link, OwnNetwork


class LinkedBrowser:
    """Use as a context. `link` is between the browser's network and this machine's."""

    def __init__(self, stand):
        if not stand.controller or os.geteuid() != 0:
            raise Skipped("it needs a controller of its own, and root for a network between that and the browser")
        self.stand = stand

    def __enter__(self):
        stand, port = self.stand, self.stand.controller.api
        network = OwnNetwork(tempfile.mkdtemp(dir=stand.folder))
        self.link = Link(network).__enter__()
        try:
            self.link.lead(port)
            self.url = f"http://{Link.NEAR}:{port}"
            self.browser = stand.launch(network.program(stand.chromium), Link.NEAR)
        except BaseException:
            self.link.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.browser.close()
        self.link.__exit__()

    def visit(self, path, **settings):
        return self.stand.visit(path, browser=self.browser, url=self.url, **settings)
