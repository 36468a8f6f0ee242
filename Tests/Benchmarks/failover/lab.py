"""A lab with controllers that can be killed, frozen and doubled, and load on them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from ...Harness import lab
from ...Harness.controller import Controller
from ...Harness.http import BIG, PASSWORD, proxied
from ...Harness.programs import stop, until

OWNER = "sallyport-bench"
USER = "alice-country-us"
LOGS = os.environ.get("BENCH_LOGS")


class Lab(lab.Lab):
    """The lab, a data folder for each controller, and a Redis that several can share. Use as a context."""

    def __init__(self):
        self.own = tempfile.mkdtemp(prefix="sp-bench-")
        super().__init__(f"{self.own}/lab", "release")
        self.controllers, self.redis, self.made = [], None, 0

    def __enter__(self):
        try:
            self.text = self.up()
        except SystemExit:
            shutil.rmtree(self.own, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_):
        for controller in self.controllers:
            controller.thaw()
        for controller in self.controllers:
            stop(controller.process)
            controller.keep_log()
        for controller in self.controllers:
            controller.teardown()
        if self.redis:
            stop(self.redis)
        self.down()
        shutil.rmtree(self.own, ignore_errors=True)

    def share_redis(self):
        words = [
            "redis-server",
            "--port",
            "0",
            "--unixsocket",
            f"{self.own}/redis.sock",
            "--dir",
            self.own,
            "--appendonly",
            "yes",
            "--save",
            "",
        ]
        self.redis = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        until("Redis listens", lambda: os.path.exists(f"{self.own}/redis.sock"))

    def controller(self, partner=None):
        """A controller with a store that is new; with a partner, one that has the same gateway."""
        self.made += 1
        folder = f"{self.own}/{self.made}"
        os.mkdir(folder)
        controller = Process(folder, self, partner)
        self.controllers.append(controller)
        controller.start()
        return controller

    def forget(self, controller):
        controller.stop()
        controller.keep_log()
        self.controllers.remove(controller)


class Process(Controller):
    def __init__(self, folder, lab, partner):
        redis = f"redis: {{url: 'unix://{lab.own}/redis.sock'}}\n" if lab.redis else ""
        log = "level: info" if LOGS else "level: warning"
        self.gateway_folder = partner.gateway_folder if partner else f"{folder}/d/haproxy"
        shared = {}
        if partner:
            # What the store holds is signed and sealed with it.
            redis += f"root_key_file: {partner.data}/root.key\n"
            shared = {"gateway": f"directory: {self.gateway_folder}, country_ports: 0", "gateway_port": partner.gateway}
        super().__init__(folder, lab.text, owner=OWNER, log=log, more=redis, **shared)

    def keep_log(self):
        if LOGS:
            os.makedirs(LOGS, exist_ok=True)
            shutil.copy(self.log, f"{LOGS}/{'-'.join(sys.argv[1:2])}-{os.path.basename(self.folder)}.log")

    def crash(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)

    def open(self, size=1, **settings):
        """Alice, and a pool of the US that serves through the gateway."""
        self.add_user()
        self.set_pool("us", size, **settings)
        until("the pool serves", lambda: self.expect(200, "GET", "/api/pools/us")["serving"] >= size)
        until("the gateway serves", self.proxied)

    def leads(self):
        status, answer = self.call("GET", "/health/ready")
        return status == 200 and answer["role"] == "leader"

    def next_good(self, start, what, seconds=60):
        """Seconds from `start` to the end of the next good request; one after the other, each waits at most a quarter of a second."""
        until(what, lambda: self.proxied(timeout=0.25), seconds, 0.002)
        return time.monotonic() - start


def proxy_address(controller):
    return f"http://{USER}:{PASSWORD}@127.0.0.1:{controller.gateway}"


def download(controller, *words):
    """A download of the big page by curl, which prints how many bytes came."""
    words = ["curl", "-s", "-o", "/dev/null", "-w", "%{size_download}", *words, "-x", proxy_address(controller), BIG]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


class Load:
    """Requests through the gateway without a pause, each on a connection of its own, and downloads that are to live through it."""

    def __init__(self, controller, workers=3, downloads=0):
        self.good, self.bad, self.stopped, self.lock = 0, 0, False, threading.Lock()
        self.threads = [threading.Thread(target=self.work, args=(controller,)) for _ in range(workers)]
        for thread in self.threads:
            thread.start()
        self.downloads = [download(controller, "--limit-rate", "1M", "-r", "0-5999999") for _ in range(downloads)]

    def work(self, controller):
        while not self.stopped:
            is_good = proxied(controller.gateway, USER, timeout=10)
            with self.lock:
                if is_good:
                    self.good += 1
                elif not self.stopped:
                    self.bad += 1

    def stop(self):
        """Good requests, failed ones, and downloads that broke."""
        broken = sum(each.communicate()[0] != "6000000" for each in self.downloads)
        self.stopped = True
        for thread in self.threads:
            thread.join()
        return self.good, self.bad, broken
