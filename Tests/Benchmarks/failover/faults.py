#!/usr/bin/env python3
"""How long users wait when something dies, and what they notice of planned work: measured on the lab, 20 runs each.

  bench-failover [PIECE ...] [--runs N]    all pieces, or some of: blackhole, standby, dying, series, container, haproxy, rotation, crash, takeover
  bench-failover lossy [--minutes N]       whom a saturated tunnel that is slow and loses packets moves in an hour: nobody
  bench-failover engine [--runs N]         dockerd ended, and killed for 20 s: a private engine of containers/engine only
  bench-failover udp [--runs N]            UDP to the servers blocked for a minute by this host's firewall (as root)

Each piece brings a lab, controllers and exits of its own up, on loopback and the engine of DOCKER_HOST, and takes them away.
Every run begins with a store that has never seen the one before: a server that failed in it is as good as any. With BENCH_LOGS=FOLDER the
controllers' logs are left there.
"""
import concurrent.futures, importlib.machinery, importlib.util, json, os, shutil, signal, socket, subprocess, sys, tempfile, threading
import time

loader = importlib.machinery.SourceFileLoader("bench", os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))), "Tests/Benchmarks/exits.py"))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
loader.exec_module(bench)

ECHO, BIG = "http://198.18.0.80/ip", "http://198.18.0.80/big"
USER = "alice-country-us"
RUNS = 20
LOGS = os.environ.get("BENCH_LOGS")
MINUTES = 60


class Lab:
    """The lab, a data folder for each controller, and a Redis that several can share."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="sp-bench-")
        self.options = ["--docker", bench.ENGINE, "--folder", f"{self.folder}/lab", "--port", str(bench.free_port()),
                        "--image-archive", f"{bench.ROOT}/.build/images/lab.tar"]
        self.controllers, self.redis, self.next = [], None, 0
        try:
            self.text = bench.run(f"{bench.BIN}/lab", "up", *self.options)
        except subprocess.CalledProcessError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            sys.exit(f"bench: the lab does not come up: {error.stderr}")
        return self

    def __exit__(self, *_):
        for controller in self.controllers:
            controller.thaw()
        for controller in self.controllers:
            controller.end()
            controller.keep_log()
        for controller in self.controllers:
            subprocess.run([f"{bench.BIN}/sallyport", "teardown", "--config", f"{controller.folder}/c.yaml"], capture_output=True)
        if self.redis:
            self.redis.terminate()
            self.redis.wait()
        subprocess.run([f"{bench.BIN}/lab", "down", *self.options], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def share_redis(self):
        self.redis = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", f"{self.folder}/redis.sock", "--dir", self.folder,
                                       "--appendonly", "yes", "--save", ""], stdout=subprocess.DEVNULL)
        bench.until("Redis listens", lambda: os.path.exists(f"{self.folder}/redis.sock"))

    def control(self, action, server, *words):
        bench.run(f"{bench.BIN}/lab", action, server, *words, *self.options)

    def delay(self, server, milliseconds):
        """Each way, until the process that is returned ends."""
        log = open(f"{self.folder}/delay-{server}.log", "w")
        process = subprocess.Popen([f"{bench.BIN}/lab", "delay", server, str(milliseconds), *self.options], stdout=log, stderr=log)
        bench.until("the way is longer", lambda: "further away" in open(log.name).read())
        return process

    def controller(self, partner=None):
        """A controller with a store that is new."""
        self.next += 1
        folder = f"{self.folder}/{self.next}"
        os.mkdir(folder)
        controller = Process(folder, self, partner)
        self.controllers.append(controller)
        controller.start()
        return controller

    def forget(self, controller):
        controller.end()
        controller.keep_log()
        bench.run(f"{bench.BIN}/sallyport", "teardown", "--config", f"{controller.folder}/c.yaml")
        self.controllers.remove(controller)


class Process(bench.Controller):
    def __init__(self, folder, lab, partner):
        super().__init__(folder, lab.text)
        text = open(f"{folder}/c.yaml").read()
        if lab.redis:
            text += f"redis: {{url: 'unix://{lab.folder}/redis.sock'}}\n"
        if LOGS:
            text = text.replace("level: warning", "level: info")
        self.haproxy = partner.haproxy if partner else f"{folder}/d/haproxy"
        if partner:
            text = text.replace(f"port: {self.gateway},", f"port: {partner.gateway}, directory: {self.haproxy},")
            self.gateway = partner.gateway
        with open(f"{folder}/c.yaml", "w") as file:
            file.write(text)

    def start(self):
        log = open(f"{self.folder}/log", "a")
        self.process = subprocess.Popen([f"{bench.BIN}/sallyport", "run", "--config", f"{self.folder}/c.yaml"], stderr=log)
        bench.until("the controller is ready", lambda: self.call("GET", "/health/ready")[0] == 200, 30)

    def keep_log(self):
        if LOGS:
            os.makedirs(LOGS, exist_ok=True)
            shutil.copy(f"{self.folder}/log", f"{LOGS}/{'-'.join(sys.argv[1:2])}-{os.path.basename(self.folder)}.log")

    def crash(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    def open(self, size=1, **settings):
        """Alice, and a pool of the US that serves through the gateway."""
        self.call("POST", "/api/users", {"name": "alice", "password": bench.PASSWORD})
        status, answer = self.call("PUT", "/api/pools/us", {"size": size, **settings})
        if status not in (200, 201):
            sys.exit(f"bench: PUT /api/pools/us answered {status}: {answer}")
        bench.until("the pool serves", lambda: self.call("GET", "/api/pools/us")[1]["serving"] >= size)
        bench.until("the gateway serves", lambda: bench.proxied(self.gateway, USER))

    def exits(self):
        return self.call("GET", "/api/exits")[1]["exits"]

    def leads(self):
        status, answer = self.call("GET", "/health/ready")
        return status == 200 and answer["role"] == "leader"


def next_good(controller, start, what, seconds=60):
    """Seconds from `start` to the end of the next good request; one after the other, each waits at most a quarter of a second."""
    bench.until(what, lambda: bench.proxied(controller.gateway, USER, timeout=0.25), seconds, 0.002)
    return time.monotonic() - start


class Load:
    """Requests through the gateway without a pause, each on a connection of its own, and downloads that are to live through it."""

    def __init__(self, controller, workers=3, downloads=0):
        self.good, self.bad, self.stopped, self.lock = 0, [], False, threading.Lock()
        self.threads = [threading.Thread(target=self.work, args=(controller,)) for _ in range(workers)]
        for thread in self.threads:
            thread.start()
        proxy = f"http://{USER}:{bench.PASSWORD}@127.0.0.1:{controller.gateway}"
        self.downloads = [subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-w", "%{size_download}", "--limit-rate", "1M", "-r",
                                            "0-5999999", "-x", proxy, BIG], stdout=subprocess.PIPE, text=True) for _ in range(downloads)]

    def work(self, controller):
        while not self.stopped:
            is_good = bench.proxied(controller.gateway, USER, timeout=10)
            with self.lock:
                if is_good:
                    self.good += 1
                elif not self.stopped:
                    self.bad.append(time.strftime("%H:%M:%S"))

    def stop(self):
        """Good requests, failed ones, and downloads that broke."""
        broken = sum(download.communicate()[0] != "6000000" for download in self.downloads)
        self.stopped = True
        for thread in self.threads:
            thread.join()
        return self.good, len(self.bad), broken


AMERICAN = [f"us-{number}" for number in range(1, 9)]

# The pieces

def blackhole(standby=0):
    times, prefix = [], {"standby": standby} if standby else {}
    with Lab() as lab:
        for _ in range(RUNS):
            controller = lab.controller()
            controller.open(**prefix)
            if standby:
                # Verified and unplugged, on the other server.
                bench.until("the standby stands by", lambda: len([e for e in controller.exits() if e["state"] in ("standby", "serving")]) == 2)
            exit = next(e for e in controller.exits() if e["state"] == "serving")
            server = server_of(exit)
            lab.control("blackhole", server)
            times.append(next_good(controller, time.monotonic(), "a good request after the black hole"))
            lab.control("heal", server)
            lab.forget(controller)
    bench.row("server black-holed to the next good request" + (", with a standby" if standby else ""), times, "1.5 s" if standby else "3 s")


def server_of(exit):
    return f"us-{int(exit['server']['address'].rsplit('.', 1)[1]) - 9}"


def dying():
    """The two servers that would be taken next die a moment before the one that serves."""
    times = []
    with Lab() as lab:
        for _ in range(RUNS):
            controller = lab.controller()
            controller.open()
            # Longer than what they have answered counts.
            time.sleep(4)
            server = server_of(controller.exits()[0])
            dead = [other for other in AMERICAN if other != server][:2] + [server]
            for name in dead:
                lab.control("blackhole", name)
            times.append(next_good(controller, time.monotonic(), "a good request after the black hole"))
            for name in dead:
                lab.control("heal", name)
            lab.forget(controller)
    bench.row("the same, and the next two servers are dead too", times, "2 s")


def series():
    """One fault after another: a pool of two, 25 requests a second, a container killed, 14 s later the other exit's server black-holed."""
    lost = []
    with Lab() as lab:
        for _ in range(RUNS):
            controller = lab.controller()
            controller.open(size=2)
            results, start = [], time.monotonic()

            def ask(number):
                time.sleep(max(0, start + number / 25 - time.monotonic()))
                results.append(bench.proxied(controller.gateway, USER, timeout=10))

            with concurrent.futures.ThreadPoolExecutor(64) as pool:
                asked = [pool.submit(ask, number) for number in range(1000)]
                time.sleep(5)
                victim, other = sorted(controller.exits(), key=lambda exit: exit["id"])
                bench.run("docker", "-H", bench.ENGINE, "kill", f"sallyport-bench-{victim['id']}-g{victim['generation']}")
                time.sleep(14)
                lab.control("blackhole", server_of(other))
                concurrent.futures.wait(asked)
            lab.control("heal", server_of(other))
            lost.append(results.count(False))
            lab.forget(controller)
    print(f"\nOne fault after another: of 1,000 requests each, {lost} were lost.\n", flush=True)


def all_serve(controller, count):
    states = [exit["state"] for exit in controller.exits()]
    return len(states) == count and set(states) == {"serving"}


def open_two_countries(lab):
    controller = lab.controller()
    controller.open(size=2)
    controller.call("PUT", "/api/pools/de", {"size": 1})
    bench.until("three exits serve", lambda: all_serve(controller, 3))
    return controller


def until_both_serve(controller):
    for country in ("us", "de"):
        bench.until("a good request", lambda: bench.proxied(controller.gateway, f"alice-country-{country}", timeout=1), 120, 0.01)


def engine():
    """The engine ends with all that it runs, the lab too: what counts is how long exits wait once the lab's servers are there again."""
    private = f"{bench.ROOT}/.run/engine/docker.pid"
    if not os.path.exists(private):
        sys.exit("bench: this ends the engine, so it wants a private one: containers/engine run containers/bench-failover engine")
    for name, number, pause in (("ended and started", signal.SIGTERM, 0), ("killed, and started 20 s later", signal.SIGKILL, 20)):
        engines, exits = [], []
        for _ in range(RUNS):
            with Lab() as lab:
                controller = open_two_countries(lab)
                pid = int(open(private).read())
                os.kill(pid, number)
                bench.until("the engine has ended", lambda: is_gone(pid))
                time.sleep(pause)
                subprocess.run([f"{bench.ROOT}/containers/engine", "revive"], check=True)
                answered = time.monotonic()
                bench.run(f"{bench.BIN}/lab", "up", *lab.options)
                is_up = time.monotonic()
                until_both_serve(controller)
                engines.append(time.monotonic() - answered)
                exits.append(time.monotonic() - is_up)
        bench.row(f"engine {name}: from its first answer to a good request of each of two countries, the lab's own start in it", engines, "-")
        bench.row("the same, from the lab's servers on", exits, "10 s")


def is_gone(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def udp():
    times, rule = [], ["-p", "udp", "--dport", "51820", "-j", "DROP"]
    with Lab() as lab:
        for _ in range(RUNS):
            controller = open_two_countries(lab)
            bench.run("iptables", "-w", "-I", "DOCKER-USER", *rule)
            try:
                time.sleep(60)
            finally:
                bench.run("iptables", "-w", "-D", "DOCKER-USER", *rule)
            start = time.monotonic()
            until_both_serve(controller)
            times.append(time.monotonic() - start)
            lab.forget(controller)
    bench.row("UDP blocked for 60 s: from its end to a good request of each of two countries", times, "10 s")


def container():
    times = []
    with Lab() as lab:
        for _ in range(RUNS):
            controller = lab.controller()
            controller.open()
            name = bench.run("docker", "-H", bench.ENGINE, "ps", "--filter", "label=io.sallyport.owner=sallyport-bench", "--format", "{{.Names}}").split()[0]
            bench.run("docker", "-H", bench.ENGINE, "kill", name)
            times.append(next_good(controller, time.monotonic(), "a good request after the kill"))
            lab.forget(controller)
    bench.row("container killed to the next good request, pool of one", times, "1.5 s")


def haproxy():
    times = []
    with Lab() as lab:
        controller = lab.controller()
        controller.open()
        for _ in range(RUNS):
            pids = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and is_haproxy(pid, controller.haproxy)]
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            times.append(next_good(controller, time.monotonic(), "a good request after HAProxy's death"))
            bench.until("the controller is ready", lambda: controller.call("GET", "/health/ready")[0] == 200)
    bench.row("HAProxy (master and worker) killed to the next good request", times, "2 s")


def is_haproxy(pid, folder):
    try:
        command = open(f"/proc/{pid}/cmdline").read()
        return command.startswith("haproxy") and folder in command
    except OSError:
        return False


def rotation():
    times = []
    with Lab() as lab:
        controller = lab.controller()
        controller.open()
        load = Load(controller)
        for _ in range(RUNS):
            old = [e["id"] for e in controller.exits() if not e["leaving"]]
            start = time.monotonic()
            controller.call("POST", f"/api/exits/{old[0]}/rotate")
            bench.until("another exit serves, and the old one is gone",
                        lambda: [e["state"] for e in controller.exits() if e["id"] not in old] == ["serving"] and len(controller.exits()) == 1, 60, 0.02)
            times.append(time.monotonic() - start)
            # A pool of one begins six containers a minute at most, so that a storm stays small: not to be met here.
            time.sleep(max(0, 10.5 - times[-1]))
        good, bad, _ = load.stop()
    bench.row("rotation asked for to the old exit gone, under load", times, "")
    print(f"\nRotation: {good} requests went well and {bad} failed (budget: 0 of at least 5,000).\n", flush=True)


def crash():
    times, good, bad, broken = [], 0, 0, 0
    with Lab() as lab:
        controller = lab.controller()
        controller.open()
        for _ in range(RUNS):
            load = Load(controller, downloads=2)
            time.sleep(0.5)
            controller.crash()
            start = time.monotonic()
            controller.start()
            times.append(time.monotonic() - start)
            result = load.stop()
            good, bad, broken = good + result[0], bad + result[1], broken + result[2]
        generations = [e["generation"] for e in controller.exits()]
    bench.row("controller killed (`kill -9`) and started again to ready, under load", times, "")
    print(f"\nCrash: {good} requests went well and {bad} failed; {broken} of {2 * RUNS} downloads broke; generations of the exits {generations}.\n", flush=True)


def takeover():
    killed, hung, good, bad = [], [], 0, 0
    with Lab() as lab:
        lab.share_redis()
        first = lab.controller()
        first.open()
        second = lab.controller(partner=first)
        bench.until("the second follows", lambda: not second.leads())
        load = Load(first, workers=2)
        for run in range(2 * RUNS):
            leader, other = (first, second) if first.leads() else (second, first)
            is_hang = run % 2 == 1
            start = time.monotonic()
            leader.freeze() if is_hang else leader.crash()
            bench.until("the other one leads", other.leads, 30, 0.01)
            (hung if is_hang else killed).append(time.monotonic() - start)
            leader.thaw() if is_hang else leader.start()
            bench.until("the late one follows", lambda: leader.call("GET", "/health/ready")[0] == 200 and not leader.leads(), 30, 0.02)
        good, bad, _ = load.stop()
    bench.row("leader killed (`kill -9`) to the other controller leading", killed, "10 s")
    bench.row("leader stopped (SIGSTOP) to the other controller leading", hung, "10 s")
    print(f"\nTake-over: {good} requests went well and {bad} failed meanwhile.\n", flush=True)


def lossy():
    """Every server of the country is 200 ms away, loses 2 % of all packets each way, sends 4 Mbit/s at most, and is asked for more."""
    moves, states, carried, length = [], {}, 0, 60 * MINUTES
    with Lab() as lab:
        controller = lab.controller()
        controller.open()
        first = controller.exits()[0]
        relays = [lab.delay(server, 100) for server in AMERICAN]
        for server in AMERICAN:
            lab.control("loss", server, "2%")
            lab.control("throttle", server, "4mbit")
        proxy = f"http://{USER}:{bench.PASSWORD}@127.0.0.1:{controller.gateway}"
        end, downloads = time.monotonic() + length, []
        while time.monotonic() < end:
            for download in [download for download in downloads if download.poll() is not None]:
                downloads.remove(download)
                carried += int(download.stdout.read() or 0)
            while len(downloads) < 12:
                downloads.append(subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-m", "30", "-w", "%{size_download}", "-x", proxy, BIG],
                                                  stdout=subprocess.PIPE, text=True))
            for exit in controller.exits():
                states[exit["state"]] = states.get(exit["state"], 0) + 1
                if (exit["id"], exit["generation"]) != (first["id"], first["generation"]) and exit["state"] != "stopped":
                    moves.append((time.strftime("%H:%M:%S"), exit["id"], exit["generation"], exit.get("reason")))
                    first = exit
            time.sleep(1)
        for download in downloads:
            download.kill()
            download.wait()
        probes = controller.call("GET", f"/api/exits/{first['id']}")[1]["health"]
        for relay in relays:
            relay.terminate()
            relay.wait()
        for server in AMERICAN:
            lab.control("heal", server)
    looks = sum(states.values())
    print(f"\nLossy: in {length / 60:.0f} minutes {len(moves)} needless moves {moves}; {carried / 1e6:.0f} MB carried "
          f"({carried * 8 / length / 1e6:.1f} Mbit/s); share of looks by state: "
          + ", ".join(f"{state} {count / looks:.1%}" for state, count in sorted(states.items())) + f"; health at the end: {probes}\n", flush=True)


PIECES = {"blackhole": blackhole, "standby": lambda: blackhole(1), "dying": dying, "series": series, "container": container,
          "haproxy": haproxy, "rotation": rotation, "crash": crash, "takeover": takeover}
# Not a part of the whole: they take long, or end the engine.
LONG = {"lossy": lossy, "engine": engine, "udp": udp}


def main():
    global RUNS, MINUTES
    words = sys.argv[1:]
    RUNS, MINUTES = take(words, "--runs", RUNS), take(words, "--minutes", MINUTES)
    unknown = [word for word in words if word not in PIECES | LONG]
    if unknown:
        sys.exit(f"bench: no piece {unknown[0]}, want some of {' '.join(PIECES | LONG)}")
    if words == ["lossy"]:
        return lossy()
    print(f"\n{RUNS} runs each:\n\n| what | median | p95 | max | budget (p95) |\n| --- | --- | --- | --- | --- |", flush=True)
    for word in words or PIECES:
        (PIECES | LONG)[word]()


def take(words, option, default):
    """The number behind an option, which is taken out of the words."""
    if option not in words:
        return default
    at = words.index(option)
    number = words[at + 1] if at + 1 < len(words) else ""
    if not number.isdigit() or number == "0":
        sys.exit(f"bench: {option} wants a number from 1")
    del words[at:at + 2]
    return int(number)


main()
