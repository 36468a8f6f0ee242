"""Chromium: the check page through the proxies, and the page of the API, which must not need the internet."""

import json
import shutil

from ...Harness.environment import PYTHON
from .checks import check, module_output


def has_chromium():
    if not shutil.which("chromium"):
        print("left out: Chromium is not installed")
        return False
    return True


def check_chromium(stand, entry, picture):
    if not has_chromium():
        return
    words = {
        "scheme": entry.scheme,
        "host": entry.host,
        "port": entry.port,
        "user": entry.user,
        "exit": stand.exits["us"],
        "picture": picture,
    }
    seen = lambda: " ".join(module_output(PYTHON, "Tests.Acceptance.clients.chromium", json.dumps(words)).split())
    check(f"{entry.name}: Chromium, the check page and an https target", f"You are going out through us-1 {stand.exits['us']}", seen)


def check_pages(stand):
    if has_chromium():
        url = f"http://127.0.0.1:{stand.api}"
        seen = lambda: module_output(PYTHON, "Tests.Acceptance.pages", url, timeout=120).endswith("operations on the page")
        check("Chromium: /docs leads to a page that shows every operation", True, seen)
