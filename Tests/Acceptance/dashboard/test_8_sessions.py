"""Sessions that end while their page is open, or while nobody is there."""

from playwright.sync_api import expect

from ...Harness.programs import until

ENDED = ("401", "/api/stream/dashboard")


def sign_in_by(box, stand):
    box.get_by_label("API key").fill(stand.key("admin"))
    box.get_by_role("button", name="Sign in").click()


def test_a_session_ends_by_its_time_and_signing_in_goes_on_where_the_page_was(stand):
    stand.needs_own_controller()
    with stand.visit("/events?severity=warn", allows=ENDED) as watched, stand.visit("/exits?flat=yes", allows=ENDED) as left:
        idle = left.session()
        left.page.goto("about:blank")
        stand.configure("api: {", "api: {session_idle_seconds: 60, ")
        try:
            # The least that can be set.
            until("the session that nobody uses has ended", lambda: idle not in stand.sessions(), 90, 0.5)
            assert watched.session() in stand.sessions(), "an open page is a use"
            left.page.goto(f"{left.url}/exits?flat=yes")
            expect(left.page.get_by_role("status")).to_contain_text("The session has ended")
            sign_in_by(left.page, stand)
            left.ready()
            assert left.page.url.endswith("/exits?flat=yes")

            stand.configure("session_idle_seconds: 60", "session_seconds: 60")
            dialog = watched.page.get_by_role("dialog", name="Sign in again")
            expect(dialog).to_contain_text("The session of admin has ended")
            expect(watched.page.locator(".banner")).to_contain_text("Not up to date since")
            sign_in_by(dialog, stand)
            expect(watched.page.locator(".stream-state")).to_have_text("live")
            expect(watched.page.locator(".banner.bad")).to_have_count(0)
            assert watched.page.url.endswith("/events?severity=warn")
        finally:
            stand.configure(r"session_(idle_)?seconds: 60, ", "")


def test_signing_in_again_in_one_tab_is_enough_for_all(stand):
    with stand.visit("/users", allows=ENDED) as visit:
        other = visit.context.new_page()
        other.goto(f"{visit.url}/exits")
        expect(other.locator(".stream-state")).to_have_text("live")
        other.evaluate("fetch('/api/auth/session', {method: 'DELETE', headers: {'X-Sallyport-Request': 'dashboard'}})")
        for page in (visit.page, other):
            expect(page.get_by_role("dialog", name="Sign in again")).to_be_visible()
        sign_in_by(other.get_by_role("dialog"), stand)
        expect(other.get_by_role("dialog")).to_have_count(0)
        # What a browser tells the page that is looked at again.
        visit.page.evaluate("dispatchEvent(new Event('focus'))")
        expect(visit.page.get_by_role("dialog")).to_have_count(0)
        expect(visit.page.locator(".stream-state")).to_have_text("live")
