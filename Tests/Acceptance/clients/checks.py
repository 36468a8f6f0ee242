"""A check, an entry of the proxies, and the clients that most checks use."""

import subprocess
import time

from ...Harness.http import PASSWORD
from ...Harness.programs import ROOT

failed = []


def check(what, wanted, body):
    """Prints a line: whether what is seen is what is wanted."""
    start = time.monotonic()
    try:
        seen = body()
    except Exception as error:
        seen = f"{type(error).__name__}: {error}"
    is_good = seen == wanted
    want = "" if is_good else f", want {wanted}"
    print(f"{'ok  ' if is_good else 'FAIL'} {what}: {str(seen).strip()[-300:]}{want} ({time.monotonic() - start:.2f} s)", flush=True)
    if not is_good:
        failed.append(what)


class Entry:
    """A way in, and the name of its user."""

    def __init__(self, name, host, port, user, secure=False):
        self.name, self.host, self.port, self.user, self.secure = name, host, port, user, secure
        self.address = f"{host}:{port}"
        self.scheme = "https" if secure else "http"

    def url(self, scheme=None):
        return f"{scheme or self.scheme}://{self.user}:{PASSWORD}@{self.address}"


def curl(stand, entry, url, *words, scheme=None, user=None, password=PASSWORD):
    proxy = ["-x", f"{scheme or entry.scheme}://{entry.address}", "-U", f"{user or entry.user}:{password}"]
    trust = ["--proxy-cacert", stand.certificate, "--resolve", f"{entry.host}:{entry.port}:127.0.0.1"]
    result = subprocess.run(["curl", "-s", "-k", "-m", "8", *proxy, *trust, *words, url], capture_output=True, text=True)
    return output(result)


def output(result):
    """What a client printed, or how it ended."""
    if result.returncode:
        return f"{result.args[0]} ended with {result.returncode}: {result.stderr.strip()[-300:]}{result.stdout}"
    return result.stdout.strip()


def module_output(python, name, *words, timeout=30):
    """What a module of this package prints."""
    return output(subprocess.run([python, "-W", "ignore", "-m", name, *words], cwd=ROOT, capture_output=True, text=True, timeout=timeout))
