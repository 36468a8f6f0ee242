"""A controller with a folder of its own, on loopback."""

import hmac
import subprocess
import sys

from . import http
from .engine import Engine
from .programs import ENGINE, ROOT, built, free_port, read, run, stop, until, write

LIMITS = "limits: {requests: 10000000}"


class Controller:
    """`lab` is the part of the configuration that names providers; `api`, `gateway` and `more` are settings in YAML."""

    def __init__(
        self,
        folder,
        lab,
        build="release",
        api=LIMITS,
        gateway="country_ports: 0",
        gateway_port=None,
        engine=ENGINE,
        owner="sallyport-bench",
        log="level: warning",
        more="",
    ):
        self.folder, self.owner, self.program = folder, owner, f"{built(build)}/sallyport"
        self.api, self.gateway = free_port(), gateway_port or free_port()
        self.file, self.log, self.data, self.process = f"{folder}/c.yaml", f"{folder}/log", f"{folder}/d", None
        write(
            self.file,
            f"data_dir: {self.data}\nshare_dir: {ROOT}\nlog: {{{log}}}\napi: {{port: {self.api}, {api}}}\n"
            f"gateway: {{port: {self.gateway}, {gateway}, drain_seconds: 2}}\n"
            f"docker: {{host: '{engine}', owner: {owner}, network: {owner}}}\n{more}{lab}",
        )

    def start(self):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([self.program, "run", "--config", self.file], stderr=log)
        until("the controller is ready", lambda: self.is_ready() or self.process.poll() is not None)
        if self.process.poll() is not None:
            sys.exit(f"the controller ended with {self.process.returncode}:\n{self.last_lines()}")

    def is_ready(self):
        return self.call("GET", "/health/ready")[0] == 200

    def last_lines(self):
        return read(self.log)[-3000:]

    def stop(self):
        """Ends it, where it was started, and takes away what it has made."""
        if self.process is None:
            return
        stop(self.process)
        self.teardown()

    def teardown(self):
        subprocess.run([self.program, "teardown", "--config", self.file], capture_output=True)

    # The API

    @property
    def key(self):
        return read(f"{self.data}/admin.key").strip()

    def call(self, method, path, body=None):
        try:
            key = self.key
        except OSError as error:
            return 0, str(error)
        return http.call(f"http://127.0.0.1:{self.api}", method, path, key, body)

    def expect(self, wanted, method, path, body=None):
        """The answer, where its status is the wanted one or one of the wanted ones."""
        status, answer = self.call(method, path, body)
        if status not in (wanted if isinstance(wanted, tuple) else (wanted,)):
            sys.exit(f"{method} {path} answered {status}: {answer}\n{self.last_lines()}")
        return answer

    def exits(self, query=""):
        return self.expect(200, "GET", f"/api/exits{query}")["exits"]

    def serving(self):
        return sum(exit["state"] == "serving" for exit in self.exits())

    def until_serving(self, count, seconds=60):
        """Waits until that many exits are there and all of them serve."""
        until(f"{count} exits serve", lambda: [exit["state"] for exit in self.exits()] == ["serving"] * count, seconds, 0.02)

    def until_no_exits(self):
        until("the exits are gone", lambda: self.exits() == [])

    def add_user(self, name="alice", **settings):
        self.expect(201, "POST", "/api/users", {"name": name, "password": http.PASSWORD, **settings})

    def set_pool(self, country, size, **settings):
        self.expect((200, 201), "PUT", f"/api/pools/{country}", {"size": size, **settings})

    def proxied(self, user="alice-country-us", timeout=2):
        return http.proxied(self.gateway, user, timeout=timeout)

    # Its parts

    def haproxy(self, command):
        return http.haproxy(f"{self.data}/haproxy/stats.sock", command)

    def redis(self, *words):
        return run("redis-cli", "-s", f"{self.data}/redis/redis.sock", *words)

    def containers(self):
        """The names of its exits' containers that run."""
        return [one["Names"][0].removeprefix("/") for one in self.running()]

    def running(self):
        engine = Engine()
        try:
            return engine.running(self.owner)
        finally:
            engine.close()

    def pool_credentials(self, country):
        return self.credentials(f"pool/{country}")

    def credentials(self, whose):
        """What an exit lets in, as the controller derives it (Sources/Platform/ExitCredentials.swift)."""
        root = read(f"{self.data}/root.key").strip()
        return "exit:" + hmac.new(root.encode(), f"exits/{whose}".encode() + b"\x01", "sha256").hexdigest()
