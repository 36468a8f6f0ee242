"""Calls the API in every way that its OpenAPI document describes and holds every answer against it: schemathesis, with all of its checks
but one.

python3 -m Tests.Acceptance.conformance [BUILD]    with the programs of that build (debug)

The controller, its Redis and its HAProxy are real; engine, provider and exits are simulated, so no lab is needed. Seeded and bounded in
time. Used by `make test`; ends with 0 when the API keeps its word. CONFORMANCE has more words for schemathesis.
"""

import os
import subprocess
import sys

from ..Harness.environment import PYTHON, install
from ..Harness.programs import ROOT, write
from ..Harness.simulation import Simulation

HOOKS = "Tests.Acceptance.conformance_hooks"
SECONDS = 40
REFUSALS = [400, 401, 403, 404, 405, 406, 409, 415, 422, 428, 429, 431, "5xx"]
API = "connections_per_address: 1000, limits: {requests: 100000000, strict_requests: 100000000, failed_keys: 100000000}"
SPEED_TEST = "speed_test: {{url: '{address_service}'}}\n"
# An exit that was deleted is answered by 202, drains, and is there until its connections have ended, as the document says; schemathesis
# takes that for a resource that should be gone, so that one check is left out. That other things are gone, our own tests see.
OPTIONS = [
    *["--checks", "all", "--exclude-checks", "use_after_free", "--exclude-path-regex", "^/api/stream/"],
    *["--seed", "20261125", "--max-time", str(SECONDS), "--request-timeout", "20", "--generation-database", "none"],
    *["--no-color", "--warnings", "off", "--report", "ndjson"],
]


def furnish(controller):
    """What the examples of the document name: an exit, a pool, a user."""
    controller.set_pool("us", 2)
    controller.add_user()
    controller.until_serving(2)


def schemathesis(folder, url, key):
    """Its status."""
    # A head that is too large is refused as that, before anybody looks at what is in it.
    settings = write(f"{folder}/schemathesis.toml", f"[checks]\nnegative_data_rejection.expected-statuses = {REFUSALS}\n")
    program = os.path.join(os.path.dirname(PYTHON), "schemathesis")
    own = ["--header", f"X-API-Key: {key}", "--report-ndjson-path", f"{folder}/report", *os.environ.get("CONFORMANCE", "").split()]
    words = [PYTHON, program, "--config-file", settings, "run", f"{url}/openapi.json", *OPTIONS, *own]
    hooks = os.environ | {"PYTHONPATH": ROOT, "SCHEMATHESIS_HOOKS": HOOKS, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(words, cwd=folder, env=hooks).returncode


def main():
    if not install():
        sys.exit("conformance: schemathesis is missing")
    build = os.path.basename(sys.argv[1]) if len(sys.argv) > 1 else "debug"
    with Simulation("conformance", build, api=API, more=SPEED_TEST, devices="") as fleet:
        controller = fleet.controller
        controller.start()
        furnish(controller)
        url, key = f"http://127.0.0.1:{controller.api}", controller.key
        checks = [subprocess.run([PYTHON, "-m", HOOKS, url, key], cwd=ROOT).returncode, schemathesis(fleet.folder, url, key)]
        is_alive = controller.process.poll() is None and controller.call("GET", "/health/live")[0] == 200
        state = "lives" if is_alive else "is dead"
        print(f"conformance: document and streams {checks[0]}, schemathesis {checks[1]}, the controller {state}")
    sys.exit(0 if checks == [0, 0] and is_alive else 1)


if __name__ == "__main__":
    main()
