"""What the tests of the dashboard work on: a lab, a controller, one Chromium, and keys of each role."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal

from playwright.sync_api import sync_playwright

from ...Harness import http
from ...Harness.base_stand import BaseStand, Skipped
from ...Harness.controller import LIMITS, Controller
from ...Harness.lab import Lab
from ...Harness.own_network import OwnNetwork
from ...Harness.programs import read, stop, until, write
from .visit import Visit

# The key whose role a test changes.
CHANGING = "a-key-whose-role-a-test-changes-while-a-page-is-open"
# The tests sign in more often than a person does.
API = (
    f"{LIMITS[:-1]}, strict_requests: 1000000, failed_keys: 1000000}}, "
    f"keys: {{changing: {{role: operator, sha256: {hashlib.sha256(CHANGING.encode()).hexdigest()}}}}}"
)
HOOKS = "webhooks: {allow_private: true, allow_http: true}\n"


class DashboardStand(BaseStand):
    def __init__(self, options):
        super().__init__(options.build)
        self.options, self.keys, self.network = options, {}, None

    def start(self):
        if self.options.url:
            self.url, self.keys["admin"] = self.options.url.rstrip("/"), read(self.options.key).strip()
        else:
            self.start_controller()
        self.start_browser()

    def start_browser(self):
        self.chromium = program = shutil.which("chromium")
        self.playwright = sync_playwright().start()
        if self.controller and os.geteuid() == 0:
            self.network = OwnNetwork(self.folder)
            self.lead(self.controller.api)
            program = self.network.program(program)
        self.browser = self.launch(program)

    def lead(self, port):
        """Lets the browser reach this port of the loopback."""
        if self.network:
            self.network.lead(port)

    def launch(self, program, host="127.0.0.1"):
        """A Chromium for which no name is to be found: a page that needs another host shows it."""
        words = ["--no-sandbox", f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {host}"]
        return self.playwright.chromium.launch(executable_path=program, args=words)

    def start_controller(self):
        self.lab = Lab(f"{self.folder}/lab", self.build)
        self.controller = Controller(
            self.folder, self.lab.up(), self.build, api=API, owner="sallyport-dashboard", log="level: info", more=HOOKS
        )
        self.controller.start()
        self.url, self.keys["admin"] = f"http://127.0.0.1:{self.controller.api}", self.controller.key
        self.keys["changing"] = CHANGING

    def __exit__(self, *_):
        for part in ("browser", "playwright"):
            if hasattr(self, part):
                getattr(self, part).close() if part == "browser" else getattr(self, part).stop()
        super().__exit__()

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

    def sessions(self):
        """The ids of those that go on."""
        return [session["id"] for session in self.expect((200,), "GET", "/api/auth/sessions")["sessions"]]

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

    def needs_own_controller(self):
        """Skips a test that stops its controller or Redis, or changes its configuration, where they are not this stand's."""
        if not self.controller:
            raise Skipped("it stops or changes the controller, and the one of --url is not ours")

    def set_role(self, role):
        """Of the key `changing`, by the file of the configuration."""
        self.configure(r"role: [a-z]+", f"role: {role}")

    def configure(self, pattern, text):
        """Changes the configuration's file, which the controller reads again."""
        file = self.controller.file
        changed, count = re.subn(pattern, text, read(file))
        assert count == 1, f"{pattern} is in {file} {count} times"
        write(file, changed)
        self.expect((200,), "POST", "/admin/reload")

    @contextlib.contextmanager
    def redis_away(self):
        """Redis does not answer meanwhile."""
        number = int(re.search(r"process_id:(\d+)", self.controller.redis("info", "server"))[1])
        os.kill(number, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(number, signal.SIGCONT)

    def until_redis_is_back(self):
        until("Redis answers", lambda: self.call("GET", "/health/ready")[0] == 200, 30, 0.1)

    def add_events(self, count, message):
        """Into the log, as another controller would."""
        last = self.controller.redis("--json", "xrevrange", "sallyport:events", "+", "-", "count", "1")
        event = {**json.loads(json.loads(last)[0][1][1]), "message": f"{message}, number "}
        event.pop("uid", None)
        text = json.dumps(event)
        at = text.index(", number ") + len(", number ")
        script = "for i = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], '*', 'event', ARGV[2] .. i .. ARGV[3]) end"
        self.controller.redis("eval", script, "1", "sallyport:events", str(count), text[:at], text[at:])

    # The browser

    def visit(self, path="/", role="admin", **settings):
        """Opens the dashboard in a browser of its own: see `Visit`."""
        return Visit(self, path, role, **settings)

    def pages(self):
        """The paths of all pages."""
        _, answer = http.call(self.url, "GET", "/assets/pages.json", self.key("admin"))
        return ["/" if name == "overview" else f"/{name}" for name in answer["pages"]]
