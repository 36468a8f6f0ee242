#!/usr/bin/env python3
"""Calls the running API by its own OpenAPI document and holds every answer against it: schemathesis, with all of its checks but one.

  conformance [DIRECTORY]    with the programs of DIRECTORY (.build/debug)

The controller, its Redis and its HAProxy are real; engine, provider and exits are those of `containers/fleet`, so no lab is needed.
Seeded and bounded in time. Used by `make test`; ends with 0 when the API keeps its word.
"""
import importlib.machinery, importlib.util, json, os, shutil, signal, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = f"{ROOT}/.build/conformance"
PACKAGES = ["schemathesis==4.32.5", "openapi-spec-validator==0.9.0"]
SECONDS = 40
REFUSALS = [400, 401, 403, 404, 405, 406, 409, 415, 422, 428, 429, 431, "5xx"]

loader = importlib.machinery.SourceFileLoader("bench", f"{ROOT}/Tests/Benchmarks/exits.py")
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
loader.exec_module(bench)
bench.BIN = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else f"{ROOT}/.build/debug"


def prepare():
    """The two packages, in an environment of their own."""
    mark = f"{VENV}/packages"
    if os.path.exists(mark) and open(mark).read() == " ".join(PACKAGES):
        return
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    subprocess.run([f"{VENV}/bin/pip", "install", "-q", "--disable-pip-version-check", *PACKAGES], check=True)
    with open(mark, "w") as file:
        file.write(" ".join(PACKAGES))


def fleet(folder):
    """The simulated engine and provider, and a configuration that names them."""
    port = bench.free_port()
    bench.ENGINE = f"unix://{folder}/engine.sock"
    simulation = subprocess.Popen([sys.executable, f"{HERE}/../Harness/simulated_fleet.py", folder, str(port)])
    bench.until("the simulated engine listens", lambda: os.path.exists(f"{folder}/engine.sock"))
    with open(f"{folder}/key", "w") as file:
        file.write("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n")
    return simulation, (
        f"providers:\n  nordvpn:\n    api_url: http://127.0.0.1:{port}\n    private_key_file: {folder}/key\n"
        f"    dns: [127.0.0.1]\nverification:\n  urls: ['http://127.0.0.1:{port}/json']\n  check_name: check.fleet.test\n"
        f"speed_test: {{url: 'http://127.0.0.1:{port}/json'}}\n")


def furnish(controller):
    """What the examples of the document name: an exit, a pool, a user."""
    controller.call("PUT", "/api/pools/us", {"size": 2})
    controller.call("POST", "/api/users", {"name": "alice", "password": "a-password-of-the-test"})
    bench.until("exits serve", lambda: [exit["state"] for exit in controller.call("GET", "/api/exits")[1]["exits"]] == ["serving"] * 2, 60)


# An exit that was deleted is answered by 202, drains, and is there until its connections have ended, as the document says; schemathesis
# takes that for a resource that should be gone, so that one check is left out. That other things are gone, our own tests see.
def schemathesis(folder, url, key):
    # A head that is too large is refused as that, before anybody looks at what is in it.
    with open(f"{folder}/schemathesis.toml", "w") as file:
        file.write(f"[checks]\nnegative_data_rejection.expected-statuses = {REFUSALS}\n")
    words = [f"{VENV}/bin/schemathesis", "--config-file", f"{folder}/schemathesis.toml", "run", f"{url}/openapi.json", "--checks", "all", "--exclude-checks", "use_after_free", "--seed", "20261125", "--max-time", str(SECONDS),
             "--header", f"X-API-Key: {key}", "--exclude-path-regex", "^/api/stream/", "--request-timeout", "20", "--no-color",
             "--generation-database", "none", "--warnings", "off", "--report", "ndjson", "--report-ndjson-path", f"{folder}/report"]
    hooks = {**os.environ, "PYTHONPATH": HERE, "SCHEMATHESIS_HOOKS": "conformance_hooks", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(words + os.environ.get("CONFORMANCE", "").split(), cwd=folder, env=hooks).returncode


def main():
    prepare()
    folder = tempfile.mkdtemp(prefix="sp-conformance-")
    simulation, providers = fleet(folder)
    controller, status = None, 1
    try:
        limits = "connections_per_address: 1000, limits: {requests: 100000000, strict_requests: 100000000, failed_keys: 100000000}"
        controller = bench.Controller(folder, providers, limits)
        controller.start()
        furnish(controller)
        url, key = f"http://127.0.0.1:{controller.api}", open(f"{folder}/d/admin.key").read().strip()
        checks = [
            subprocess.run([f"{VENV}/bin/python", f"{HERE}/conformance_hooks.py", url, key]).returncode,
            schemathesis(folder, url, key),
        ]
        alive = controller.process.poll() is None and controller.call("GET", "/health/live")[0] == 200
        status = 0 if checks == [0, 0] and alive else 1
        print(f"conformance: document and streams {checks[0]}, schemathesis {checks[1]}, the controller {'lives' if alive else 'is dead'}")
    finally:
        if controller and hasattr(controller, "process"):
            controller.stop()
        simulation.send_signal(signal.SIGTERM)
        simulation.wait()
        shutil.rmtree(folder, ignore_errors=True)
    return status


sys.exit(main())
