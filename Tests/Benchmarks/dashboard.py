"""What the dashboard costs with 250 exits: the real controller on a simulated fleet, watched by a real Chromium.

python3 -m Tests.Benchmarks.dashboard [SECONDS [EXITS]]    prints the table of docs/benchmarks.md (600 s, 250 exits, ten in each country)

With PICTURES=FOLDER a picture of each page is kept. Needs PyPI's Playwright and Debian's Chromium.
"""

import os
import shutil
import sys
import time

from ..Harness import environment
from ..Harness.processes import memory, processor
from ..Harness.simulation import Simulation
from ..Harness.tables import header, row
from .fleet import open_all

PAGES = ["/", "/exits"]
LIMITS = "limits: {requests: 10000000, strict_requests: 1000000}"


def children(pid):
    """A process, and all that it has started."""
    found = [pid]
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/stat") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == pid:
            found += children(int(number))
    return found


def renderer(browser_pid):
    """Chromium's process of the page: of those that draw pages the one that has worked the most."""
    drawing = [pid for pid in children(browser_pid) if "--type=renderer" in command(pid)]
    return max(drawing, key=lambda pid: sum(processor(pid)))


def command(pid):
    """Its words: Chromium's processes write them anew, with spaces between them."""
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read()
    except OSError:
        return ""


def first_load(page, url):
    """Bytes as they were sent, files, and milliseconds until the first exit is on the page, with an empty cache."""
    sizes = []
    page.on("response", lambda answer: "/api/" not in answer.url and sizes.append(int(answer.headers.get("content-length", 0))))
    page.goto(url, wait_until="commit")
    page.wait_for_selector(".map .mark", timeout=60_000)
    shown = page.evaluate("performance.now()")
    # What the shell asks for after that is part of it.
    time.sleep(3)
    return sum(sizes), len(sizes), shown


def watch(page, path, url, seconds, controller):
    """A row: what the tab and the controller use while a page is open."""
    page.goto(f"{url}{path}")
    page.wait_for_selector("#main h1")
    time.sleep(5)
    tab = renderer(os.getpid())
    before, begin = [sum(processor(pid)) for pid in (tab, controller)], time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - begin
    used = [(sum(processor(pid)) - start) / elapsed * 100 for pid, start in zip((tab, controller), before, strict=True)]
    heap = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
    nodes = page.evaluate("document.querySelectorAll('*').length")
    print(
        row(
            path,
            f"{used[0]:.1f} %",
            f"{memory(tab)[0]:.0f} MB",
            f"{heap:.0f} MB",
            f"{nodes}",
            f"{used[1]:.1f} %",
            f"{memory(controller)[0]:.0f} MB",
        ),
        flush=True,
    )


def measure(fleet, seconds, count):
    from playwright.sync_api import sync_playwright

    controller = fleet.controller
    open_all(controller, count)
    # Until what the start left over is done.
    time.sleep(15)
    url, pid = f"http://127.0.0.1:{controller.api}", controller.process.pid
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--enable-precise-memory-info"]
        )
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        answer = context.request.post(f"{url}/api/auth/session", data={"key": controller.key}, headers={"X-Sallyport-Request": "dashboard"})
        assert answer.status == 201, answer.text()
        page = context.new_page()
        size, files, shown = first_load(page, url)
        print(
            f"\nFirst load: {size / 1000:.0f} kB in {files} files (at most 150 kB); the first exits are on the page after {shown:.0f} ms."
        )
        begin = sum(processor(pid))
        page.goto("about:blank")
        start = time.monotonic()
        time.sleep(min(60, seconds))
        idle = (sum(processor(pid)) - begin) / (time.monotonic() - start) * 100
        print(f"{count} exits; without a reader the controller uses {idle:.1f} % of a core. With a page open for {seconds} s:\n")
        print(header("page", "tab, of one core", "tab, resident", "its heap", "its elements", "controller, of one core", "resident"))
        for path in PAGES:
            watch(page, path, url, seconds, pid)
            if folder := os.environ.get("PICTURES"):
                page.screenshot(path=f"{folder}/{path.strip('/') or 'overview'}-{count}.png")
        browser.close()


def main():
    environment.enter("Tests.Benchmarks.dashboard")
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 250
    with Simulation("dashboard", api=LIMITS, build=os.environ.get("BUILD", "release")) as fleet:
        fleet.controller.start()
        measure(fleet, seconds, count)


if __name__ == "__main__":
    main()
