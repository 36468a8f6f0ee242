"""Tries containers/controller/leader-endpoint with a controller's answers, and with an HTTPS server in the place of the cluster's API.

python3 -m Tests.Kubernetes.endpoint
"""

import http.server
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading

from ..Harness.programs import ROOT, free_port, read, run, until, write

SLICE = "/apis/discovery.k8s.io/v1/namespaces/vpn/endpointslices/sallyport-proxy"
LEADS = {"role": "leader", "status": "ready", "problems": {}}
FOLLOWS = {"role": "follower", "status": "ready", "problems": {}, "leader": "sallyport-1"}
TROUBLED = {"role": "leader", "status": "not_ready", "problems": {"store": "no answer"}}


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers as the controller or the cluster's API; `calls` has what was asked of the latter."""

    health, calls, status = FOLLOWS, [], 200

    def do_GET(self):
        self.answer(200, Answers.health)

    def do_PATCH(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Answers.calls.append((self.path, self.headers["Authorization"], self.headers["Content-Type"], body))
        self.answer(Answers.status, {})

    def answer(self, status, value):
        # The controller writes no blanks.
        text = json.dumps(value, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def serve(port, context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answers)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def account(folder):
    """The files that Kubernetes mounts, and the API's certificate."""
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=api -addext subjectAltName=IP:127.0.0.1"
    run("openssl", *words.split(), "-keyout", f"{folder}/key", "-out", f"{folder}/ca.crt")
    write(f"{folder}/token", "first-token")
    write(f"{folder}/namespace", "vpn")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/ca.crt", f"{folder}/key")
    return context


def since():
    """Forgets what was asked, and waits for what is asked from now on."""
    Answers.calls.clear()
    until("the slice is changed", lambda: Answers.calls, 15)
    return Answers.calls[-1]


def expect(what, seen, wanted):
    if seen != wanted:
        sys.exit(f"{what}: got {seen}, want {wanted}")
    print(f"{what}: yes")


def try_it(log, folder):
    until("a follower is seen", lambda: "another controller leads" in log(), 15)
    expect("beside a follower nothing is changed", Answers.calls, [])
    Answers.health = LEADS
    body = {"endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}]}
    expect(
        "beside the leader the slice gets this pod, and it alone",
        since(),
        (SLICE, "Bearer first-token", "application/merge-patch+json", body),
    )
    write(f"{folder}/token", "second-token")
    until("a renewed token is used", lambda: Answers.calls[-1][1] == "Bearer second-token", 15)
    Answers.status = 403
    until("a refusal is told", lambda: "was not changed: curl: (22)" in log(), 15)
    Answers.status = 200
    for health, words in ((TROUBLED, "the controller is not ready"), (FOLLOWS, "another controller leads")):
        Answers.health = health
        until(f"it says: {words}", lambda: log().splitlines()[-1].endswith(words), 15)
        Answers.calls.clear()
    expect("one that leads no more changes nothing", Answers.calls, [])


def main():
    controller, api = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        serve(api, account(folder))
        serve(controller)
        own = {"POD_IP": "10.1.2.3", "SERVICE_ACCOUNT": folder, "SALLYPORT_API_PORT": str(controller)}
        own |= {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api)}
        with open(f"{folder}/log", "w+") as file:
            script = f"{ROOT}/containers/controller/leader-endpoint"
            process = subprocess.Popen(["sh", script, "sallyport-proxy"], env=os.environ | own, stderr=file)
            try:
                try_it(lambda: read(f"{folder}/log"), folder)
            finally:
                process.terminate()
            expect("it ends when it is told to", process.wait(10), 0)


if __name__ == "__main__":
    main()
