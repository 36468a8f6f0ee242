"""Opens the check page and an https target through a proxy: chromium ENTRY, with a JSON object that names the way in."""

import json
import shutil
import sys

from playwright.sync_api import sync_playwright

from ...Harness.http import PASSWORD
from ...Harness.stand import DOMAIN


def main():
    entry = json.loads(sys.argv[1])
    arguments = ["--no-sandbox", "--ignore-certificate-errors", f"--host-resolver-rules=MAP *.{DOMAIN} 127.0.0.1"]
    proxy = {"server": f"{entry['scheme']}://{entry['host']}:{entry['port']}", "username": entry["user"], "password": PASSWORD}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments, proxy=proxy)
        page = browser.new_context(viewport={"width": 760, "height": 520}, ignore_https_errors=True).new_page()
        page.goto("http://ip.sallyport/", timeout=20000)
        print(page.inner_text("p"))
        assert page.inner_text("h1") == entry["exit"]
        page.screenshot(path=entry["picture"])
        page.goto("https://ip.lab.test/ip", timeout=20000)
        print(page.inner_text("body").strip())
        browser.close()


if __name__ == "__main__":
    main()
