"""What the tests of the dashboard work on: a lab, a controller, one Chromium, and keys of each role."""

import os
import shutil
import signal
import sys
import tempfile

from playwright.sync_api import sync_playwright

from ...Harness import http
from ...Harness.controller import LIMITS, Controller
from ...Harness.lab import Lab
from ...Harness.programs import read, stop, until
from .visit import Visit

# The tests sign in more often than a person does.
API = f"{LIMITS[:-1]}, strict_requests: 1000000, failed_keys: 1000000}}"


class DashboardStand:
    """Use as a context; everything is gone at its end."""

    def __init__(self, options):
        self.options, self.controller, self.lab, self.keys = options, None, None, {}
        self.folder = tempfile.mkdtemp(prefix="sp-")

    def __enter__(self):
        # Whoever is told to end takes the stand away first.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        self.playwright = sync_playwright().start()
        # No name is to be found: a page that needs another host shows it.
        words = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        self.browser = self.playwright.chromium.launch(executable_path=shutil.which("chromium"), args=words)
        if self.options.url:
            self.url, self.keys["admin"] = self.options.url.rstrip("/"), read(self.options.key).strip()
        else:
            self.start_controller()

    def start_controller(self):
        self.lab = Lab(f"{self.folder}/lab", self.options.build)
        self.controller = Controller(
            self.folder, self.lab.up(), self.options.build, api=API, owner="sallyport-dashboard", log="level: info"
        )
        self.controller.start()
        self.url, self.keys["admin"] = f"http://127.0.0.1:{self.controller.api}", self.controller.key

    def __exit__(self, *_):
        for part in ("browser", "playwright"):
            if hasattr(self, part):
                getattr(self, part).close() if part == "browser" else getattr(self, part).stop()
        if self.controller:
            self.controller.stop()
        if self.lab:
            self.lab.down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def last_lines(self):
        return self.controller.last_lines() if self.controller else ""

    # The API

    def call(self, method, path, body=None, role="admin"):
        """Status and answer."""
        return http.call(self.url, method, path, self.key(role), body)

    def expect(self, wanted, method, path, body=None):
        """The answer, where its status is one of the wanted ones."""
        status, answer = self.call(method, path, body)
        assert status in wanted, f"{method} {path} answered {status}: {answer}"
        return answer

    def key(self, role):
        """An API key of a role, made when it is first asked for."""
        if role not in self.keys:
            self.keys[role] = self.expect((201,), "POST", "/api/auth/keys", {"name": f"test-{role}-{os.getpid()}", "role": role})["key"]
        return self.keys[role]

    def exits(self):
        return self.expect((200,), "GET", "/api/exits")["exits"]

    def need_pools(self, **sizes):
        """Makes pools of these sizes, and waits until all their exits serve and none leaves."""
        for country, size in sizes.items():
            self.expect((200, 201), "PUT", f"/api/pools/{country}", {"size": size})
        states = lambda country: [exit["state"] for exit in self.exits() if exit["country"] == country.upper()]
        # Chromium drops requests while networks come and go, as a leaving exit's does.
        until("just these exits serve", lambda: all(states(country) == ["serving"] * size for country, size in sizes.items()), 60, 0.1)
        until("no exit leaves any more", lambda: not any(exit["leaving"] for exit in self.exits()), 60, 0.1)

    def remove_pools(self):
        for pool in self.expect((200,), "GET", "/api/pools")["pools"]:
            self.expect((204,), "DELETE", f"/api/pools/{pool['country'].lower()}")
        until("the pools are gone", lambda: not self.exits(), 60, 0.1)

    # The controller's life

    def kill_controller(self):
        stop(self.controller.process, signal.SIGKILL)

    def start_controller_again(self):
        self.controller.start()

    @property
    def can_restart(self):
        return self.controller is not None

    # The browser

    def visit(self, path="/", role="admin", **settings):
        """Opens the dashboard in a browser of its own: see `Visit`."""
        return Visit(self, path, role, **settings)

    def pages(self):
        """The paths of all pages."""
        _, answer = http.call(self.url, "GET", "/assets/pages.json", self.key("admin"))
        return ["/" if name == "overview" else f"/{name}" for name in answer["pages"]]
