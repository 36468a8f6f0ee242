"""Opens the pages about the API in the real Chromium, without the internet, and holds them against the document that they are made from.

  .build/python/bin/python -m Tests.Acceptance.pages URL    for example http://127.0.0.1:8080

Every operation of URL/openapi.json is there and can be seen; nothing is asked of another host, nothing fails to load, nothing is complained of
in the console. Needs PyPI's playwright and Debian's chromium. Prints what it saw; a status of 1 says what is wrong.
"""

import json
import shutil
import sys
import urllib.request

from playwright.sync_api import sync_playwright


def operations(url):
    document = json.load(urllib.request.urlopen(f"{url}/openapi.json", timeout=20))
    return {
        operation["operationId"]: (method.upper(), path, operation["summary"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and "operationId" in operation
    }


# What a reader sees of each operation; a `details` is opened first, as by a click on it.
LOOK = """selector => [...document.querySelectorAll(selector)].map(element => {
    if (element.tagName == 'DETAILS') element.open = true
    const title = element.querySelector('summary, h2'), box = title.getBoundingClientRect(), example = element.querySelector('pre').getBoundingClientRect()
    return {id: element.id, title: title.innerText, seen: box.width > 100 && box.height > 10 && example.width > 100 && example.height > 10}
})"""


def look(page, url, path, selector, wanted):
    """What is wrong with a page, as sentences."""
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: wrong.append(f"{request.url} failed: {request.failure}"))
    page.on("response", lambda answer: answer.status >= 400 and wrong.append(f"{answer.url} answered {answer.status}"))
    page.on("console", lambda message: message.type in ("error", "warning") and wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error on the page: {error}"))
    page.goto(url + path, wait_until="networkidle", timeout=20000)
    wrong += [f"it asks {address}" for address in asked if not address.startswith((f"{url}/", "data:"))]
    shown = {item["id"]: item for item in page.evaluate(LOOK, selector)}
    wrong += [f"{identity} is on the page and not in the document" for identity in shown.keys() - wanted.keys()]
    for identity, (method, pattern, summary) in wanted.items():
        item = shown.get(identity)
        if item is None:
            wrong.append(f"{method} {pattern} is missing")
        elif not item["seen"] or not all(word in item["title"] for word in (method, pattern, summary)):
            wrong.append(f"{method} {pattern} is shown as {item}")
    if page.evaluate("getComputedStyle(document.querySelector('pre')).backgroundColor") in ("rgba(0, 0, 0, 0)", "transparent"):
        wrong.append("the style sheet is not in force")
    return [f"{path}: {sentence}" for sentence in wrong]


def main():
    url, program = sys.argv[1].rstrip("/"), shutil.which("chromium")
    wanted = operations(url)
    with sync_playwright() as playwright:
        # No name is to be found: a page that needs another host shows it.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        )
        wrong = []
        for path, selector in (("/docs", "details"), ("/redoc", "section")):
            context = browser.new_context(viewport={"width": 1200, "height": 900})
            wrong += look(context.new_page(), url, path, selector, wanted)
            context.close()
        browser.close()
    print("\n".join(wrong) or f"{len(wanted)} operations on both pages")
    return 1 if wrong or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
