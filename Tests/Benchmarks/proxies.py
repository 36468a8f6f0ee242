#!/usr/bin/env python3
"""Measures the proxies beside the bare exit, and many connections at once; prints the tables of docs/benchmarks.md.

  bench-proxies [--build release] [exit] [held]

`exit`: latency, bulk, new tunnels a second through one real exit of the lab, without and with HAProxy, in turn.
`held`: connections held at once over ten local exits (this file's own, without a tunnel), with memory; and 250 slots changed at run
time. Called by `make bench`, which gives it an engine (DOCKER_HOST). Each takes less than two minutes.
"""
import argparse, asyncio, base64, os, re, resource, socket, statistics, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "Tests/Harness"))
from stand import PASSWORD, ROOT, Stand, free_port, pool_credentials, run, until

TARGET = "198.18.0.80"


def head(user):
    """Of a proxy user by name, or of an exit as `user:password`."""
    return "Proxy-Authorization: Basic " + base64.b64encode((user if ":" in user else f"{user}:{PASSWORD}").encode()).decode() + "\r\n"


def latencies(address, user, count):
    """Seconds of each of so many requests on one connection, one after another."""
    request = f"GET http://{TARGET}/ip HTTP/1.1\r\nHost: {TARGET}\r\n{head(user)}\r\n".encode()
    times = []
    connection = None
    for _ in range(count):
        if connection is None:
            connection = socket.create_connection(address, 5)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.perf_counter()
        connection.sendall(request)
        answer = connection.recv(4096)
        times.append(time.perf_counter() - start)
        if b" 200 " not in answer[:20]:
            sys.exit(f"bench: {answer[:200]}")
        # tinyproxy ends its connection after an answer; a new one is not part of what is measured.
        if b"close" in answer.lower() or ":" in user:
            connection.close()
            connection = None
    return times


def tunnel_latencies(address, user, count):
    """Seconds of each of so many requests inside one tunnel: what HAProxy adds to bytes that flow."""
    with socket.create_connection(address, 5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(f"CONNECT {TARGET}:80 HTTP/1.1\r\nHost: {TARGET}:80\r\n{head(user)}\r\n".encode())
        assert b" 200 " in connection.recv(4096)
        times = []
        for _ in range(count):
            start = time.perf_counter()
            connection.sendall(f"GET /ip HTTP/1.1\r\nHost: {TARGET}\r\n\r\n".encode())
            connection.recv(4096)
            times.append(time.perf_counter() - start)
        return times


def first_answers(address, user, count):
    """Seconds from nothing to the first answered byte of a new CONNECT, each on a new connection."""
    times = []
    request = f"CONNECT {TARGET}:80 HTTP/1.1\r\nHost: {TARGET}:80\r\n{head(user)}\r\n".encode()
    for _ in range(count):
        start = time.perf_counter()
        with socket.create_connection(address, 5) as connection:
            connection.sendall(request)
            answer = connection.recv(4096)
            times.append(time.perf_counter() - start)
            assert b" 200 " in answer, answer
    return times


def bulk(words):
    """Bytes a second of one download of 64 MB."""
    return float(subprocess.run(["curl", "-s", "-o", "/dev/null", "-m", "60", "-r", "0-67108863", "-w", "%{speed_download}", *words, f"http://{TARGET}/big"],
                                capture_output=True, text=True).stdout)


def socks(connection, user):
    """The SOCKS5 handshake up to the open tunnel."""
    name, host = user.encode(), TARGET.encode()
    connection.sendall(b"\x05\x01\x02")
    assert connection.recv(2) == b"\x05\x02"
    connection.sendall(bytes([1, len(name)]) + name + bytes([len(PASSWORD)]) + PASSWORD.encode())
    assert connection.recv(2) == b"\x01\x00"
    connection.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host + (80).to_bytes(2, "big"))
    assert connection.recv(10)[:2] == b"\x05\x00"


def rate(address, user, protocol, seconds, workers=4):
    """New tunnels a second, by so many processes, each opening one after another."""
    code = f"""
import socket, sys, time
sys.path.insert(0, {ROOT + '/Tests/Harness'!r})
from importlib.machinery import SourceFileLoader
bench = SourceFileLoader("bench", {os.path.abspath(__file__)!r}).load_module()
request = f"CONNECT {TARGET}:80 HTTP/1.1\\r\\nHost: {TARGET}:80\\r\\n{{bench.head({user!r})}}\\r\\n".encode()
count, end = 0, time.monotonic() + {seconds}
while time.monotonic() < end:
    with socket.create_connection({address!r}, 5) as c:
        if {protocol!r} == "socks5": bench.socks(c, {user!r})
        else:
            c.sendall(request)
            assert b" 200 " in c.recv(4096)
    count += 1
print(count)
"""
    processes = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(workers)]
    return sum(int(process.communicate()[0] or 0) for process in processes) / seconds


def waiting(address):
    """How many ended connections to an address still keep their port."""
    remote = socket.inet_aton(address)[::-1].hex().upper()
    return sum(line.split()[2].startswith(remote) and line.split()[3] == "06" for line in open("/proc/net/tcp"))


def milliseconds(times):
    times = sorted(times)
    return statistics.median(times) * 1000, times[int(len(times) * 0.95)] * 1000


def through_one_exit(build):
    with Stand("sallyport-bench-proxies", build, ["us"], extra="") as stand:
        name = stand.docker("ps", "--filter", f"label=io.sallyport.owner={stand.name}", "--format", "{{.Names}}").split()[0]
        exit = (stand.docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name).strip(), 3128)
        ours, user = ("127.0.0.1", stand.gateway), "alice-country-us"
        alone = pool_credentials(f"{stand.folder}/d", "us")
        print("\n| one exit of the lab | exit alone, p50, p95 | through HAProxy, p50, p95 | added, p50, p95 | budget |\n| --- | --- | --- | --- | --- |")
        # Ports of the runs before would be looked through for a free one, 5 ms each time.
        until("the connections of earlier runs are forgotten", lambda: waiting(exit[0]) < 1000, 90, 1)
        # Turns are short, so that what the machine does beside counts for both.
        for what, body, turns, count in (("request inside an open tunnel", tunnel_latencies, 40, 50), ("new CONNECT to its answer", first_answers, 2000, 1)):
            bare, proxied = [], []
            for _ in range(turns):
                bare += body(exit, alone, count)
                proxied += body(ours, user, count)
            (a, b), (c, d) = milliseconds(bare), milliseconds(proxied)
            print(f"| {what} | {a:.2f}, {b:.2f} ms | {c:.2f}, {d:.2f} ms | {c - a:.2f}, {d - b:.2f} ms | 1 ms p95 |", flush=True)
        speeds = {"alone": [], "http": [], "socks5": []}
        for _ in range(9):
            speeds["alone"].append(bulk(["-p", "-x", f"http://{alone}@{exit[0]}:3128"]))
            speeds["http"].append(bulk(["-p", "-x", f"http://{user}:{PASSWORD}@127.0.0.1:{stand.gateway}"]))
            speeds["socks5"].append(bulk(["-x", f"socks5h://{user}:{PASSWORD}@127.0.0.1:{stand.gateway}"]))
        median = {key: statistics.median(value) for key, value in speeds.items()}
        print("\n| bulk, one download of 64 MB, median of 9 | MB/s | of the exit's proxy alone | budget |\n| --- | --- | --- | --- |")
        for key, what in (("alone", "the exit's proxy alone, CONNECT"), ("http", "through HAProxy, CONNECT"), ("socks5", "through HAProxy, SOCKS5")):
            print(f"| {what} | {median[key] / 1e6:.1f} | {median[key] / median['alone']:.2f} | {'' if key == 'alone' else '0.9'} |", flush=True)
        print("\n| new tunnels, 4 clients one after another, 5 s each in turns of 1 s | a second |\n| --- | --- |")
        ways = (("exit alone, CONNECT", exit, alone, "http"), ("through HAProxy, CONNECT", ours, user, "http"), ("through HAProxy, SOCKS5", ours, user, "socks5"))
        rates = [[rate(address, who, protocol, 1) for _, address, who, protocol in ways] for _ in range(5)]
        for (what, *_), figures in zip(ways, zip(*rates)):
            print(f"| {what} | {statistics.mean(figures):.0f} |", flush=True)


# Many connections: HAProxy with ten exits of our own, rendered by the project's template through a controller's configuration.

EXIT = r"""
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
async def serve(reader, writer):
    try:
        await reader.readuntil(b"\r\n\r\n"); writer.write(b"HTTP/1.1 200 OK\r\n\r\n"); await writer.drain()
        while data := await reader.read(4096): writer.write(data); await writer.drain()
    except Exception: pass
    writer.close()
async def main():
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        await asyncio.start_server(serve, f"127.79.0.{number}", 3128, backlog=4096)
    print("ready", flush=True); await asyncio.Event().wait()
asyncio.run(main())
"""
CLIENT = r"""
import base64, resource, select, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
count, port, number, user = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
request = ("CONNECT target.example:80 HTTP/1.1\r\nHost: target.example:80\r\nProxy-Authorization: Basic " + base64.b64encode(user.encode()).decode() + "\r\n\r\n").encode()
held, failed, start = [], 0, time.monotonic()
for index in range(count):
    try:
        c = socket.socket(); c.settimeout(20); c.bind((f"127.80.{number}.1", 0)); c.connect(("127.0.0.1", port)); c.sendall(request)
        if b" 200 " not in c.recv(4096): raise OSError("refused")
        held.append(c)
    except OSError as error:
        failed += 1
        if failed == 1: print(f"first failure after {len(held)}: {error}", file=sys.stderr, flush=True)
        if failed > 20: break
print(len(held), time.monotonic() - start, flush=True); sys.stdin.readline()
answered = 0
for c in held:
    try:
        c.sendall(b"alive"); answered += c.recv(16) == b"alive"
    except OSError: pass
print(answered, flush=True); sys.stdin.readline()
"""


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) / 1024


def held_at_once(wanted):
    """So many tunnels through one HAProxy, as far as the limit of open files goes: two descriptors each."""
    import hashlib
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    folder = tempfile.mkdtemp(prefix="sp-")
    possible = (most - 400) // 2
    instances = -(-wanted // possible)
    print(f"\nlimit of open files {most}: {possible} clients for one HAProxy, so {instances} of them for {wanted}\n", flush=True)
    template = open(f"{ROOT}/haproxy/haproxy.cfg.template").read()
    processes, masters = [], []
    try:
        # One process each: a process holds as many files as a limit allows.
        for first, last in ((number, number + 1) for number in range(1, 11)):
            process = subprocess.Popen([sys.executable, "-c", EXIT, str(first), str(last)], stdout=subprocess.PIPE, text=True)
            processes.append(process)
            process.stdout.readline()
        for number in range(instances):
            masters.append(gateway(f"{folder}/{number}", template, min(possible, wanted)))
        workers = [int(re.search(r"^Pid: (\d+)", ask(directory, "show info"), re.M)[1]) for directory, _, _ in masters]
        before = [resident(pid) for pid in workers]
        clients, groups, done = [], max(2, instances), 0
        share = -(-wanted // groups)
        for number in range(groups):
            _, port, _ = masters[number % instances]
            clients.append(subprocess.Popen([sys.executable, "-c", CLIENT, str(min(share, wanted - done)), str(port), str(number + 1), f"alice-country-us:{PASSWORD}"],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            done += share
        answers = [client.stdout.readline().split() for client in clients]
        held, seconds = sum(int(answer[0]) for answer in answers), max(float(answer[1]) for answer in answers)
        after = [resident(pid) for pid in workers]
        spread = sorted(int(line.split(",")[4]) for directory, _, _ in masters for line in ask(directory, "show stat -1 4 -1").splitlines()
                        if line.startswith("pool-us,s") and line.split(",")[4] != "0")
        for client in clients:
            client.stdin.write("\n")
            client.stdin.flush()
        answered = sum(int(client.stdout.readline()) for client in clients)
        grown = sum(after) - sum(before)
        print("| held at once, ten local exits | opened in | answered afterwards | HAProxy, resident | a connection | exits' shares |\n| --- | --- | --- | --- | --- | --- |")
        print(f"| {held} of {wanted}, {instances} HAProxy | {seconds:.1f} s | {answered} | {sum(before):.0f} to {sum(after):.0f} MB | {grown * 1024 / max(held, 1):.1f} KB | "
              f"{spread[0] if spread else 0} to {spread[-1] if spread else 0} |", flush=True)
        for client in clients:
            client.communicate("\n")
        slots(masters[0][0])
    finally:
        for process in processes:
            process.terminate()
        for directory, _, _ in masters:
            subprocess.run(["kill", open(f"{directory}/pid").read().split()[0]])


def ask(directory, command):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"{directory}/stats.sock")
        connection.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def gateway(directory, template, limit):
    """An HAProxy of the project's template with pools of ten exits and, for the slots, more of free ones."""
    import hashlib
    os.makedirs(directory)
    port = free_port()
    slots = "\n".join(f"    server s{number} " + (f"127.79.0.{number}:3128 weight 100" if number <= 10 else "127.0.0.1:1 weight 100 disabled") for number in range(1, 251))
    pool = f"backend pool-us from pool\n    balance leastconn\n    force-persist if {{ var(txn.fixed) -m bool }}\n    use-server %[var(txn.slot)] if {{ var(txn.slot) -m found }}\n" \
           f"    stick store-request var(txn.connection) table connections\n{slots}\n"
    digest = hashlib.sha256(f"00:{PASSWORD}".encode()).hexdigest()
    maps = {"users": f"alice 00:{digest}\n", "policies": "alice v=1\n", "addresses": "", "exits": "",
            "pools": "us backend=pool-us;fallback=;slots=" + ",".join(f"s{number}:{number}:100:" for number in range(1, 11)) + "\nany countries=us\n"}
    for name, text in maps.items():
        open(f"{directory}/{name}.map", "w").write(text)
    # Maps that came in later than this file are empty.
    for name in re.findall(r"\{\{run_directory\}\}/(\w+)\.map", template):
        open(f"{directory}/{name}.map", "a").close()
    values = {"revision": "bench", "stats_socket": f"{directory}/stats.sock", "run_directory": directory, "lua_folder": f"{ROOT}/haproxy/lua", "closed_ports": "25",
              "open_ports": "none", "refused_networks": "none", "connect_timeout": "5s", "response_timeout": "60s", "tunnel_timeout": "3600s", "handshake_timeout": "75s", "hard_stop_after": "5s",
              "client_limit": str(limit), "connection_limit": str(limit + 100), "pending_limit": str(limit), "tls_limit": str(limit), "bind_lines": f"bind 127.0.0.1:{port} name gateway backlog 4096", "pools": pool}
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: values.get(match[1], ""), template)
    open(f"{directory}/haproxy.cfg", "w").write(text)
    run("haproxy", "-W", "-D", "-f", f"{directory}/haproxy.cfg", "-p", f"{directory}/pid")
    until("HAProxy listens", lambda: os.path.exists(f"{directory}/stats.sock"), 5)
    return directory, port, limit


def slots(directory):
    """All 250 slots of a pool get another address and come into use, one command a connection, as the controller does it."""
    pid = re.search(r"^Pid: (\d+)", ask(directory, "show info"), re.M)[1]
    times = []
    for turn in range(5):
        start = time.perf_counter()
        for number in range(1, 251):
            for command in (f"set server pool-us/s{number} addr 127.81.{turn}.{number % 250 + 1} port 3128", f"set server pool-us/s{number} state ready"):
                ask(directory, command)
        times.append((time.perf_counter() - start) * 1000)
    ready = sum(f"127.81.4.{number % 250 + 1} " in ask(directory, "show servers state pool-us") for number in range(1, 251))
    same = pid == re.search(r"^Pid: (\d+)", ask(directory, "show info"), re.M)[1]
    print(f"\n250 slots changed at run time, 500 commands: median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms; {ready} read back, {0 if same else 'some'} reloads", flush=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--build", default="release")
    arguments.add_argument("pieces", nargs="*")
    options = arguments.parse_args()
    pieces = options.pieces or ["exit", "held"]
    if "exit" in pieces:
        through_one_exit(options.build)
    if "held" in pieces:
        for wanted in (10_000, 50_000):
            held_at_once(wanted)


if __name__ == "__main__":
    main()
