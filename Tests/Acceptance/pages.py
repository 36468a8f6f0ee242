"""Opens the page of the API in the real Chromium, without a key and without the internet, and compares it with the document.

  .build/python/bin/python -m Tests.Acceptance.pages URL    for example http://127.0.0.1:8080

Every operation of URL/openapi.json is listed, and opens with its command; nothing is asked of another host, nothing fails to load, nothing is
complained of in the console. Needs PyPI's playwright and Debian's chromium. Prints what it saw; a status of 1 says what is wrong.
"""

import json
import shutil
import sys
import urllib.request

from playwright.sync_api import sync_playwright

# What tells the page that nobody is signed in; the browser writes such an answer to its console.
SESSION = "/api/auth/session"


def operations(url):
    document = json.load(urllib.request.urlopen(f"{url}/openapi.json", timeout=20))
    return {
        operation["operationId"]: (method.upper(), path, operation["summary"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and "operationId" in operation
    }


def watch(page, url):
    """A list that grows by what goes wrong on the page."""
    wrong = []
    page.on("request", lambda request: request.url.startswith((f"{url}/", "data:")) or wrong.append(f"it asks {request.url}"))
    page.on("requestfailed", lambda request: wrong.append(f"{request.url} failed: {request.failure}"))
    page.on(
        "response", lambda answer: answer.status >= 400 and answer.url != url + SESSION and wrong.append(f"{answer.url}: {answer.status}")
    )
    page.on("pageerror", lambda error: wrong.append(f"error on the page: {error}"))

    def complained(message):
        if message.type in ("error", "warning") and message.location["url"] != url + SESSION:
            wrong.append(f"console: {message.text}")

    page.on("console", complained)
    return wrong


def look(page, url, wanted):
    """What is wrong with the page, as sentences."""
    wrong = watch(page, url)
    linked, (_, path, _) = next(iter(wanted.items()))
    page.goto(f"{url}/docs#{linked}", wait_until="networkidle", timeout=20000)
    page.get_by_role("dialog").get_by_text(path, exact=True).first.wait_for(timeout=20000)
    page.goto(f"{url}/docs", wait_until="networkidle", timeout=20000)
    page.locator("a.operation").first.wait_for(timeout=20000)
    if not page.url.startswith(f"{url}/reference"):
        wrong.append(f"/docs leads to {page.url}")
    lines = page.locator("a.operation")
    if lines.count() != len(wanted):
        wrong.append(f"{lines.count()} operations are listed, expected {len(wanted)}")
    for identity, (method, path, summary) in wanted.items():
        line = page.locator(f'a.operation[href$="open={identity}"]')
        text = line.inner_text() if line.count() == 1 and line.is_visible() else ""
        if not all(word in text for word in (method, path, summary)):
            wrong.append(f"{method} {path} is listed as {text!r}")
            continue
        line.click()
        drawer = page.get_by_role("dialog")
        command = drawer.locator("pre, code").filter(has_text="curl").first
        command.wait_for(timeout=5000)
        if path not in drawer.get_by_role("heading").first.inner_text() or url not in command.inner_text():
            wrong.append(f"{method} {path} opens as {drawer.inner_text()[:200]!r}")
        page.keyboard.press("Escape")
        drawer.wait_for(state="detached", timeout=5000)
    return wrong


def main():
    url, program = sys.argv[1].rstrip("/"), shutil.which("chromium")
    wanted = operations(url)
    with sync_playwright() as playwright:
        # No name is to be found: a page that needs another host shows it.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        )
        wrong = look(browser.new_page(viewport={"width": 1200, "height": 900}), url, wanted)
        browser.close()
    print("\n".join(wrong) or f"{len(wanted)} operations on the page")
    return 1 if wrong or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
