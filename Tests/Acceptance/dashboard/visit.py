"""One visit to the dashboard: a browser of its own, and what it must not do."""

import datetime
import pathlib

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

# A machine that builds beside the tests is slow.
TIMEOUT = 20_000
expect.set_options(timeout=TIMEOUT)

NARROW = (375, 812)
WIDE = (1360, 900)

# A first look without a session is answered by 401, which Chromium reports as a failure to load.
EXPECTED = ("the server responded with a status of 401 (Unauthorized) {url}/api/auth/session",)


class Visit:
    """Use as a context: at its end it fails where something was wrong on the way.

    `role` is whose key signs in, without the sign-in page; None for nobody. `allows` are parts of complaints that the test provokes.
    `browser`, `url` and `key` are the stand's where they are not given.
    """

    def __init__(self, stand, path="/", role="admin", size=WIDE, scheme="light", allows=(), browser=None, url=None, key=None):
        self.stand, self.path, self.role, self.url, self.wrong = stand, path, role, url or stand.url, []
        self.key = key or (role and stand.key(role))
        self.allows = [*(text.format(url=self.url) for text in EXPECTED), *allows]
        width, height = size
        self.context = (browser or stand.browser).new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
        )
        self.context.set_default_timeout(TIMEOUT)
        self.page = self.context.new_page()
        self.listen()

    def __enter__(self):
        if self.role:
            self.sign_in()
        self.open(self.path)
        return self

    def __exit__(self, kind, *_):
        self.context.close()
        wrong = [sentence for sentence in self.wrong if not any(part in sentence for part in self.allows)]
        assert kind or not wrong, "; ".join(wrong)

    def listen(self):
        page = self.page
        page.on(
            "console",
            lambda message: message.type in ("error", "warning") and self.complain(f"console: {message.text} {message.location['url']}"),
        )
        page.on("pageerror", lambda error: self.complain(f"error on the page: {error}"))
        page.on("response", lambda answer: answer.status >= 500 and self.complain(f"{answer.url} answered {answer.status}"))
        page.on("request", lambda request: self.is_own(request.url) or self.complain(f"{request.url} is of another host"))
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', event => console.error('CSP', event.violatedDirective, event.blockedURI))"
        )

    def complain(self, sentence):
        self.wrong.append(sentence)

    def is_own(self, url):
        return url.startswith((f"{self.url}/", "data:", "blob:"))

    def sign_in(self):
        """By the API, in this browser's cookies. A connection that is left over from a controller before is tried once."""
        answer = self.context.request.post(
            f"{self.url}/api/auth/session", data={"key": self.key}, headers={"X-Sallyport-Request": "dashboard"}, max_retries=1
        )
        assert answer.status == 201, f"signing in answered {answer.status}: {answer.text()}"

    def session(self):
        """The id of this browser's session. Asking is a use of it."""
        sessions = self.context.request.get(f"{self.url}/api/auth/sessions").json()["sessions"]
        return next(session["id"] for session in sessions if session.get("current"))

    def set_clock(self, hours):
        """This machine's clock is so many hours ahead, as the page sees it."""
        self.page.clock.install(time=datetime.datetime.now() + datetime.timedelta(hours=hours))

    def open(self, path):
        self.page.goto(f"{self.url}{path}")
        if self.role:
            self.ready()

    def ready(self):
        """Waits until the page is drawn and up to date."""
        expect(self.page.locator("#main h1, #main .empty-title").first).to_be_visible()
        expect(self.page.locator(".stream-state")).to_have_text("live")
        expect(self.page.locator("#nav li a").first).to_be_attached()

    # What must be true of every page

    def has_no_serious_finding(self, *rules):
        """axe-core finds nothing that is serious or critical; by all of its rules, or by these."""
        options = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else None
        found = [one for one in Axe().run(self.page, options=options).response["violations"] if one["impact"] in ("serious", "critical")]
        where = [f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}" for one in found]
        assert not found, f"{self.path}: {'; '.join(where)}"

    def fits(self):
        """The page is not wider than the window."""
        wide, window = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window, f"{self.path}: the page is {wide} px wide in a window of {window} px"

    def picture(self, name):
        """Kept where pictures are wanted."""
        folder = self.stand.options.pictures
        if folder:
            pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{folder}/{name}.png")
