#!/usr/bin/env python3
"""Measures Sallyport on the lab, and beside it what a user would do by hand; prints the tables of docs/benchmarks.md.

Called by `make bench`, which gives it an engine (DOCKER_HOST) and release builds. It makes a lab, a controller and exits of
its own on loopback, and takes all of it away.
"""
import base64, json, math, os, shutil, socket, statistics, subprocess, sys, tempfile, time, urllib.error, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = f"{ROOT}/.build/release"
RUNS = 10
ENGINE = os.environ.get("DOCKER_HOST", "")
ECHO = "http://198.18.0.80/ip"
PASSWORD = "a-password-of-the-bench"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, text=True, **options).stdout


class Controller:
    def __init__(self, folder, lab, api="limits: {requests: 10000000}"):
        self.api, self.gateway, self.folder = free_port(), free_port(), folder
        with open(f"{folder}/c.yaml", "w") as file:
            file.write(f"data_dir: {folder}/d\nshare_dir: {ROOT}\nlog: {{level: warning}}\napi: {{port: {self.api}, {api}}}\n"
                       f"gateway: {{port: {self.gateway}, country_ports: 0, drain_seconds: 2}}\n"
                       f"docker: {{host: '{ENGINE}', owner: sallyport-bench, network: sallyport-bench}}\n{lab}")

    def start(self):
        self.process = subprocess.Popen([f"{BIN}/sallyport", "run", "--config", f"{self.folder}/c.yaml"])
        until("the controller is ready", lambda: self.call("GET", "/health/ready")[0] == 200, 30)

    def call(self, method, path, body=None):
        try:
            key = open(f"{self.folder}/d/admin.key").read().strip()
            request = urllib.request.Request(f"http://127.0.0.1:{self.api}{path}", method=method, headers={"X-API-Key": key, "Content-Type": "application/json"},
                                             data=json.dumps(body).encode() if body is not None else None)
            with urllib.request.urlopen(request, timeout=40) as answer:
                text = answer.read()
                isJSON = "json" in answer.headers.get("Content-Type", "")
                return answer.status, json.loads(text) if text and isJSON else text or None
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError as error:
            return 0, error

    def stop(self):
        self.process.terminate()
        self.process.wait()
        run(f"{BIN}/sallyport", "teardown", "--config", f"{self.folder}/c.yaml")


def until(what, body, seconds=20, pause=0.005):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if body():
            return
        time.sleep(pause)
    sys.exit(f"bench: did not happen in time: {what}")


def proxied(port, user, host="127.0.0.1", timeout=2, password=PASSWORD):
    """One request through an HTTP proxy: true when its answer is 200."""
    auth = "Proxy-Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() + "\r\n"
    try:
        with socket.create_connection((host, port), timeout) as connection:
            connection.sendall(f"GET {ECHO} HTTP/1.1\r\nHost: 198.18.0.80\r\n{auth}Connection: close\r\n\r\n".encode())
            return connection.recv(64).startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
    except OSError:
        return False


def figures(times):
    times = sorted(times)
    # The nearest rank: of 20 the 19th.
    return statistics.median(times), times[math.ceil(len(times) * 0.95) - 1], times[-1]


def row(what, times, budget):
    print(f"bench: {what}: " + " ".join(f"{time:.2f}" for time in sorted(times)), file=sys.stderr, flush=True)
    median, p95, worst = (f"{figure:.2f} s" for figure in figures(times))
    print(f"| {what} | {median} | {p95} | {worst} | {budget} |", flush=True)


def open_by_sallyport(controller):
    start = time.monotonic()
    status, answer = controller.call("POST", "/api/exits", {"country": "us"})
    if status != 202:
        sys.exit(f"bench: POST /api/exits answered {status}: {answer}")
    until("a proxied byte", lambda: proxied(controller.gateway, "alice-country-us"))
    elapsed = time.monotonic() - start
    controller.call("DELETE", "/api/pools/us")
    until("the exit is gone", lambda: controller.call("GET", "/api/exits")[1]["exits"] == [])
    return elapsed


def open_by_hand(folder, image, key, server_key):
    """The same exit by `docker create`, `cp`, `start`: no choice, no proof from outside, no gateway."""
    start = time.monotonic()
    name = "sallyport-bench-by-hand"
    docker = ["docker", "-H", ENGINE]
    network = json.loads(run(*docker, "network", "inspect", "sallyport-bench"))[0]
    run(*docker, "create", "--name", name, "--network", "sallyport-bench", "--read-only", "--security-opt", "no-new-privileges",
        "--cap-drop", "ALL", *[word for cap in ("NET_ADMIN", "SETUID", "SETGID", "SYS_CHROOT") for word in ("--cap-add", cap)],
        "--device", "/dev/net/tun", "--tmpfs", "/run:mode=0755", "--tmpfs", "/proxy/etc:mode=0755",
        "--sysctl", "net.ipv6.conf.all.disable_ipv6=1", "--sysctl", "net.ipv4.conf.all.src_valid_mark=1", "-v", "/config",
        "--entrypoint", "/exit", image)
    with open(f"{folder}/exit.conf", "w") as file:
        file.write(f"PRIVATE_KEY={key}\nPUBLIC_KEY={server_key}\nADDRESS=10.5.0.2/32\nENDPOINT=198.18.1.10:51820\nDNS=198.18.0.80\n"
                   f"MTU=1380\nKEEPALIVE=25\nGATEWAY={network['IPAM']['Config'][0]['Gateway']}/32\nPROXY_PORT=3128\nCHECK_NAME=check.lab.test\n"
                   f"EXIT_SECRET={'0' * 64}\nPOOL_SECRET={'0' * 64}\n")
    run(*docker, "cp", f"{folder}/exit.conf", f"{name}:/config/exit.conf")
    run(*docker, "start", name)
    address = json.loads(run(*docker, "inspect", name))[0]["NetworkSettings"]["Networks"]["sallyport-bench"]["IPAddress"]
    until("a proxied byte by hand", lambda: proxied(3128, "exit", host=address, timeout=0.1, password="0" * 64))
    elapsed = time.monotonic() - start
    run(*docker, "rm", "-f", "-v", name)
    return elapsed


def killed(controller, size):
    """From `docker kill` of the exit that carries the traffic to the next good request."""
    controller.call("PUT", "/api/pools/us", {"size": size})
    until("the pool serves", lambda: controller.call("GET", "/api/pools/us")[1]["serving"] == size)
    until("the gateway serves", lambda: proxied(controller.gateway, "alice-country-us"))
    docker = ["docker", "-H", ENGINE]
    name = run(*docker, "ps", "--filter", "label=io.sallyport.owner=sallyport-bench", "--format", "{{.Names}}").split()[0]
    run(*docker, "kill", name)
    start = time.monotonic()
    until("a proxied byte after the kill", lambda: proxied(controller.gateway, "alice-country-us"))
    elapsed = time.monotonic() - start
    controller.call("DELETE", "/api/pools/us")
    until("the exits are gone", lambda: controller.call("GET", "/api/exits")[1]["exits"] == [])
    return elapsed


def catalog(folder, lab_options):
    """The full list of the lab's API, version 1, for the catalog's own benchmarks."""
    port = lab_options[lab_options.index("--port") + 1]
    with open(f"{folder}/v1.json", "wb") as file:
        file.write(urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/servers?limit=0", timeout=60).read())
    subprocess.run([f"{ROOT}/Tests/Benchmarks/catalog.py", f"{folder}/v1.json"], check=True)


def main():
    folder = tempfile.mkdtemp(prefix="sp-bench-")
    lab_options = ["--docker", ENGINE, "--folder", f"{folder}/lab", "--port", str(free_port()), "--rows", "9394", "--image-archive", f"{ROOT}/.build/images/lab.tar"]
    controller = None
    try:
        controller = Controller(folder, run(f"{BIN}/lab", "up", *lab_options))
        controller.start()
        controller.call("POST", "/api/users", {"name": "alice", "password": PASSWORD})
        keys = json.load(open(f"{folder}/lab/keys.json"))
        controller.call("POST", "/api/exits?wait=30", {"country": "us"})
        image = run("docker", "-H", ENGINE, "ps", "--filter", "label=io.sallyport.owner=sallyport-bench", "--format", "{{.Image}}").split()[0]
        controller.call("DELETE", "/api/pools/us")
        until("the exit is gone", lambda: controller.call("GET", "/api/exits")[1]["exits"] == [])

        print(f"\n{RUNS} runs each, in turn:\n\n| what | median | p95 | max | budget (p95) |\n| --- | --- | --- | --- | --- |")
        ours, theirs = [], []
        for _ in range(RUNS):
            ours.append(open_by_sallyport(controller))
            theirs.append(open_by_hand(folder, image, keys["client"]["privateKey"], keys["cities"]["New York"]["publicKey"]))
        row("`POST /api/exits` to the first proxied byte", ours, "1.5 s")
        row("the same container by `docker create`, `cp`, `start`", theirs, "")
        row("exit killed to the next good request, pool of one", [killed(controller, 1) for _ in range(RUNS)], "1.5 s")
        row("exit killed to the next good request, pool of two", [killed(controller, 2) for _ in range(RUNS)], "0.3 s")
        catalog(folder, lab_options)
        print(f"\nExit image: {os.path.getsize(f'{ROOT}/.build/images/exit.tar') / 1e6:.1f} MB (budget 20 MB).")
        resident = next(line for line in open(f"/proc/{controller.process.pid}/status") if line.startswith("VmRSS")).split()[1]
        print(f"Controller after all this: {int(resident) / 1024:.0f} MB resident.")
    finally:
        if controller and hasattr(controller, "process"):
            controller.stop()
        subprocess.run([f"{BIN}/lab", "down", *lab_options], check=False)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
