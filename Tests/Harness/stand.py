"""A lab, a controller with every entry of the proxies, a certificate and Traefik: what `clients` and `bench-proxies` work on."""
import hmac, json, os, re, shutil, signal, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYTHON = f"{ROOT}/.build/python"
ENGINE = os.environ.get("DOCKER_HOST", "")
PASSWORD = "a-password-of-the-clients"
DOMAIN = "proxies.test"

# Whoever is told to end takes its stand away first.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))


def free_port(size=1):
    """A port of the loopback address that nobody uses, below those of outgoing connections; or the first of so many."""
    import random
    for _ in range(1000):
        port = random.randrange(10_000, 32_000 - size)
        try:
            for number in (port, port + size // 2, port + size - 1):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
            return port
        except OSError:
            continue
    sys.exit("no free port")


def run(*words, **options):
    result = subprocess.run(words, capture_output=True, text=True, **options)
    if result.returncode:
        sys.exit(f"{' '.join(words)[:300]}: status {result.returncode}\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    return result.stdout


def until(what, body, seconds=30, pause=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if body():
            return
        time.sleep(pause)
    sys.exit(f"did not happen in time: {what}")


def install():
    """What comes from PyPI, pinned, once; False where it can't be had."""
    mark, wanted = f"{PYTHON}/requirements.txt", f"{ROOT}/Tests/requirements.txt"
    if os.path.exists(mark) and open(mark).read() == open(wanted).read():
        return True
    for words in (["python3", "-m", "venv", PYTHON], [f"{PYTHON}/bin/pip", "-q", "install", "-r", wanted]):
        if subprocess.run(words).returncode:
            print("PyPI's packages can't be installed (network, python3-venv): only curl, wget and git are tried", file=sys.stderr)
            return False
    shutil.copy(wanted, mark)
    return True


def certificate(folder, name, subject):
    """A certificate for the proxies' names and its key."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", f"/CN={subject}",
        "-addext", f"subjectAltName=DNS:*.{DOMAIN}", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt")
    return f"{folder}/{name}.crt", f"{folder}/{name}.key"


def pool_credentials(data, country):
    """What an exit of this country lets in, as the controller of this data folder derives it (Sources/Platform/ExitCredentials.swift)."""
    root = open(f"{data}/root.key").read().strip()
    return "exit:" + hmac.new(root.encode(), f"exits/pool/{country}".encode() + b"\x01", "sha256").hexdigest()


class Stand:
    """Use as a context; everything is gone at its end."""

    def __init__(self, name, build, countries, limit=1000, extra=""):
        self.name, self.bin, self.countries, self.extra = name, f"{ROOT}/.build/{build}", countries, extra
        self.folder, self.processes, self.limit = tempfile.mkdtemp(prefix="sp-"), [], limit

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        folder = self.folder
        self.api, self.gateway, self.tls = free_port(), free_port(), free_port()
        self.country_ports, self.trusted_ports = free_port(700), free_port(700)
        self.certificate, self.key = certificate(folder, "first", "first")
        for name in ("certificates", "dynamic"):
            os.mkdir(f"{folder}/{name}")
        self.put_certificate(self.certificate, self.key)
        self.lab_options = ["--docker", ENGINE, "--folder", f"{folder}/lab", "--port", str(free_port()), "--image-archive", f"{ROOT}/.build/images/lab.tar"]
        lab = run(f"{self.bin}/lab", "up", *self.lab_options)
        with open(f"{folder}/c.yaml", "w") as file:
            file.write(
                f"data_dir: {folder}/d\nshare_dir: {ROOT}\nlog: {{level: info}}\napi: {{port: {self.api}, limits: {{requests: 10000000}}}}\n"
                f"gateway: {{port: {self.gateway}, country_ports: {self.country_ports}, trusted_ports: {self.trusted_ports}, tls_port: {self.tls}, "
                f"tls_certificates: {folder}/certificates, client_limit: {self.limit}, drain_seconds: 2}}\n"
                f"traefik: {{directory: {folder}/dynamic, domain: {DOMAIN}, certificate: {folder}/first.crt, key: {folder}/first.key}}\n"
                f"docker: {{host: '{ENGINE}', owner: {self.name}, network: {self.name}}}\n{self.extra}{lab}")
        self.controller = subprocess.Popen([f"{self.bin}/sallyport", "run", "--config", f"{folder}/c.yaml"], stderr=open(f"{folder}/log", "w"))
        until("the controller is ready", lambda: self.call("GET", "/health/ready")[0] == 200)
        self.expect(201, "POST", "/api/users", {"name": "alice", "password": PASSWORD})
        self.exits = {country: self.open(country) for country in self.countries}

    def open(self, country):
        """Opens an exit and returns the address that it goes out with."""
        exit = self.expect(202, "POST", "/api/exits?wait=30", {"country": country})
        if exit["state"] != "serving":
            sys.exit(f"the exit of {country} does not serve: {exit}")
        return exit["exit_ip"]

    def put_certificate(self, file, key):
        path = f"{self.folder}/certificates/proxies.pem"
        with open(f"{path}.new", "w") as out:
            out.write(open(file).read() + open(key).read())
        os.rename(f"{path}.new", path)

    def traefik(self):
        """The real Traefik with the project's own static file, but for ports and folders. Returns its port."""
        port, plain = free_port(), free_port()
        text = open(f"{ROOT}/traefik/traefik.yml").read()
        for old, new in (('":80"', f'"127.0.0.1:{plain}"'), ('":443"', f'"127.0.0.1:{port}"'), ("/etc/traefik/dynamic", f"{self.folder}/dynamic"),
                         ("/var/lib/traefik/acme.json", f"{self.folder}/acme.json")):
            assert text.count(old) == 1, f"traefik/traefik.yml has no {old}"
            text = text.replace(old, new)
        with open(f"{self.folder}/traefik.yml", "w") as file:
            file.write(text)
        log = open(f"{self.folder}/traefik.log", "w")
        process = subprocess.Popen([f"{PYTHON}/bin/traefik", f"--configFile={self.folder}/traefik.yml"], stdout=log, stderr=log)
        self.processes.append(process)
        until("Traefik listens", lambda: reachable(port) or process.poll() is not None)
        if process.poll() is not None:
            sys.exit("Traefik ended: " + open(f"{self.folder}/traefik.log").read())
        self.traefik_process, self.plain = process, plain
        return port

    def call(self, method, path, body=None):
        try:
            key = open(f"{self.folder}/d/admin.key").read().strip()
            request = urllib.request.Request(f"http://127.0.0.1:{self.api}{path}", method=method, headers={"X-API-Key": key, "Content-Type": "application/json"},
                                             data=json.dumps(body).encode() if body is not None else None)
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def expect(self, wanted, method, path, body=None):
        status, answer = self.call(method, path, body)
        if status != wanted:
            sys.exit(f"{method} {path} answered {status}: {answer}\n" + open(f"{self.folder}/log").read()[-3000:])
        return answer

    def docker(self, *words):
        return run("docker", "-H", ENGINE, *words)

    def runtime(self, command):
        """What HAProxy's worker answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"{self.folder}/d/haproxy/stats.sock")
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def worker(self):
        return int(re.search(r"^Pid: (\d+)", self.runtime("show info"), re.M).group(1))

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
            process.wait()
        if hasattr(self, "controller"):
            self.controller.terminate()
            self.controller.wait()
            subprocess.run([f"{self.bin}/sallyport", "teardown", "--config", f"{self.folder}/c.yaml"], capture_output=True)
        if hasattr(self, "lab_options"):
            subprocess.run([f"{self.bin}/lab", "down", *self.lab_options], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def reachable(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False
