"""Programs: curl, wget, git, a JVM."""

import os
import shutil
import subprocess

from ...Harness.http import PASSWORD
from ...Harness.programs import ROOT, read, run
from .checks import check, curl


def check_programs(stand, entry, exit):
    for scheme in ["https"] if entry.secure else ["http", "socks5h"]:
        check(f"{entry.name}: curl -x {scheme}, http target", exit, lambda: curl(stand, entry, "http://ip.lab.test/ip", scheme=scheme))
        words = ["https://ip.lab.test/ip", "--http2", "-w", "%{http_version}"]
        seen = lambda: " ".join(curl(stand, entry, *words, scheme=scheme).split())
        check(f"{entry.name}: curl -x {scheme}, https target over HTTP/2", f"{exit} 2", seen)
    check(f"{entry.name}: git clone over HTTP", "cloned\n", lambda: clone(stand, entry))
    if not entry.secure and shutil.which("wget"):
        for url in ("http://ip.lab.test/ip", "https://ip.lab.test/ip"):
            check(f"{entry.name}: wget {url}", f"{exit}\n", lambda: wget(entry, url))


def clone(stand, entry):
    """What a file of the cloned repository says."""
    target = f"{stand.folder}/clone"
    shutil.rmtree(target, ignore_errors=True)
    settings = {
        "http.proxy": entry.url(),
        "http.proxySSLCAInfo": stand.certificate,
        "http.curloptResolve": f"{entry.host}:{entry.port}:127.0.0.1",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    words = ["git", *options, "clone", "-q", "http://www.lab.test/repository.git", target]
    subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
    return read(f"{target}/file")


def wget(entry, url):
    environment = os.environ | {"http_proxy": f"http://{entry.address}", "https_proxy": f"http://{entry.address}"}
    login = ["--proxy-user", entry.user, "--proxy-password", PASSWORD]
    return run("wget", "-q", "-O-", "-T", "8", "-t", "1", "--no-check-certificate", *login, url, env=environment)


def check_jvm(stand, entry, exit):
    """Java's HttpClient by HTTP, which offers h2c, and its older client by SOCKS5, which sends the account's name where it has no other."""
    if not shutil.which("java"):
        print("left out: no JVM is installed")
        return
    program = f"{ROOT}/Tests/Acceptance/clients/Client.java"
    words = ["java", "-Djdk.http.auth.tunneling.disabledSchemes=", program, str(entry.port)]

    def answers(*login):
        result = subprocess.run([*words, *login], capture_output=True, text=True, timeout=60)
        return result.stdout or result.stderr

    check(f"{entry.name}: a JVM with a password", f"{exit} {exit} {exit}\n", lambda: answers(entry.user, PASSWORD))
    allowed = {"countries": ["us"], "addresses": ["127.0.0.1/32"], "address_rule": "instead_of_password"}
    stand.controller.add_user("erin", **allowed)
    check(f"{entry.name}: a JVM on an allowed address", f"{exit} {exit} {exit}\n", answers)
    stand.controller.call("DELETE", "/api/users/erin")
