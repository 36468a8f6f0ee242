#!/usr/bin/env python3
"""What 250 exits cost while nothing happens: the real controller, Redis and HAProxy on `containers/fleet`.

  bench-fleet [SECONDS [EXITS]]    prints the table of docs/benchmarks.md (60 s, 250 exits, ten in each country)
"""
import importlib.machinery, importlib.util, os, re, shutil, signal, subprocess, sys, tempfile, time

loader = importlib.machinery.SourceFileLoader("bench", os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "Tests/Benchmarks/exits.py"))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
loader.exec_module(bench)

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
EXITS = int(sys.argv[2]) if len(sys.argv) > 2 else 250
COUNTRIES = "us gb ca de fr nl au jp se ch it es pl be at dk no fi cz ie pt ro br mx ar".split()


def cpu(pid):
    """Seconds of processor time that a process has used."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """Megabytes that are resident, and the most that ever were."""
    status = open(f"/proc/{pid}/status").read()
    return tuple(int(re.search(rf"{name}:\s+(\d+)", status).group(1)) / 1024 for name in ("VmRSS", "VmHWM"))


def redis(folder, *words):
    return bench.run("redis-cli", "-s", f"{folder}/d/redis/redis.sock", *words)


def operations(folder):
    return int(re.search(r"total_commands_processed:(\d+)", redis(folder, "info", "stats")).group(1))


def pids(folder):
    haproxy = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and names(pid, f"{folder}/d/haproxy/haproxy.cfg")]
    return {"Redis": [int(open(f"{folder}/d/redis/redis.pid").read())], "HAProxy": haproxy}


def names(pid, word):
    try:
        command = open(f"/proc/{pid}/cmdline").read()
        return command.startswith("haproxy") and word in command
    except OSError:
        return False


def providers(folder, port):
    """The part of the configuration that names the simulated provider and address services."""
    with open(f"{folder}/key", "w") as file:
        file.write("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n")
    return (f"providers:\n  nordvpn:\n    api_url: http://127.0.0.1:{port}\n    private_key_file: {folder}/key\n"
            f"    devices: 0\n    dns: [127.0.0.1]\nverification:\n  urls: ['http://127.0.0.1:{port}/json']\n  check_name: check.fleet.test\n")


def main():
    folder, port = tempfile.mkdtemp(prefix="sp-fleet-"), bench.free_port()
    bench.ENGINE = f"unix://{folder}/engine.sock"
    simulation = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Harness/simulated_fleet.py"), folder, str(port)])
    controller = None
    try:
        bench.until("the simulated engine listens", lambda: os.path.exists(f"{folder}/engine.sock"))
        controller = bench.Controller(folder, providers(folder, port))
        controller.start()
        start, left = time.monotonic(), EXITS
        for country in COUNTRIES:
            size, left = min(10, left), left - min(10, left)
            if size:
                status, answer = controller.call("PUT", f"/api/pools/{country}", {"size": size})
                if status not in (200, 201):
                    sys.exit(f"bench: PUT of {country} answered {status}: {answer}")

        def serving():
            exits = controller.call("GET", "/api/exits")[1]["exits"]
            return len(exits) >= EXITS and sum(exit["state"] == "serving" for exit in exits) >= EXITS

        bench.until("all exits serve", serving, 170, 0.5)
        up = time.monotonic() - start
        # Until what the start left over is done.
        time.sleep(15)
        parts = {"controller": [controller.process.pid], **pids(folder)}
        before = {name: sum(map(cpu, of)) for name, of in parts.items()}
        commands, begin = operations(folder), time.monotonic()
        time.sleep(SECONDS)
        elapsed = time.monotonic() - begin
        rate = (operations(folder) - commands) / elapsed
        print(f"\n{EXITS} exits, all serving {up:.0f} s after they were asked for; then {elapsed:.0f} s in which nothing happened:\n\n"
              "| part | CPU, of one core | resident | most ever |\n| --- | --- | --- | --- |")
        for name, of in parts.items():
            share = (sum(map(cpu, of)) - before[name]) / elapsed * 100
            sizes = [memory(pid) for pid in of]
            print(f"| {name} | {share:.1f} % | {sum(size[0] for size in sizes):.0f} MB | {sum(size[1] for size in sizes):.0f} MB |")
        print(f"\nRedis: {rate:.0f} commands a second. Budget of the controller: 5 % of one core, 100 MB.")
        exits = controller.call("GET", "/api/exits")[1]["exits"]
        print(f"Serving at the end: {sum(exit['state'] == 'serving' for exit in exits)}; "
              f"containers made more than once: {sum(exit['generation'] > 1 for exit in exits)}.")
        if os.environ.get("BENCH_PROFILE"):
            subprocess.run(["perf", "record", "-g", "-o", os.environ["BENCH_PROFILE"], "-p", str(controller.process.pid), "sleep", "20"])
    finally:
        if controller and hasattr(controller, "process"):
            controller.stop()
        simulation.send_signal(signal.SIGTERM)
        simulation.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
