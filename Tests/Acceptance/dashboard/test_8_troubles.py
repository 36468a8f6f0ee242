"""What goes wrong while a page is open: rights, sessions, the controller, Redis; and input that is meant to break it."""

import re

from playwright.sync_api import expect

from ...Harness.http import call
from .visit import NARROW

MARKUP = "<img/src=x/onerror=alert(1)>"


def nav(visit, name):
    return visit.page.locator("#nav").get_by_role("link", name=name)


def test_a_role_that_is_lowered_takes_away_what_it_allowed(stand):
    stand.needs_own_controller()
    stand.need_pools(us=1)
    with stand.visit("/pools?open=US", role="changing", allows=("403", "401", "/api/stream/dashboard")) as visit:
        page = visit.page
        expect(page.get_by_role("button", name="New pool")).to_be_visible()
        expect(nav(visit, "Logs")).to_be_visible()
        try:
            stand.set_role("viewer")
            expect(page.get_by_role("button", name="New pool")).to_have_count(0)
            expect(page.get_by_role("button", name="End pool")).to_have_count(0)
            expect(nav(visit, "Logs")).to_have_count(0)
            expect(page.locator(".stream-state")).to_have_text("live")
            page.evaluate("history.pushState(null, '', '/logs'); dispatchEvent(new PopStateEvent('popstate'))")
            expect(page.locator("#main")).to_contain_text("Logs needs the role operator")
        finally:
            stand.set_role("operator")


def test_a_form_is_sent_after_signing_in_again_and_has_lost_nothing(stand):
    stand.call("DELETE", "/api/users/ida")
    with stand.visit("/users?make=yes", allows=("401", "/api/stream/dashboard")) as visit:
        page = visit.page
        page.get_by_role("dialog", name="New user").get_by_label("Name").fill("ida")
        page.evaluate("fetch('/api/auth/session', {method: 'DELETE', headers: {'X-Sallyport-Request': 'dashboard'}})")
        dialog = page.get_by_role("dialog", name="Sign in again")
        expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Make the user").click()
        dialog.get_by_label("API key").fill(stand.key("admin"))
        dialog.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("dialog", name="ida is made")).to_be_visible()
    stand.call("DELETE", "/api/users/ida")


def test_a_controller_that_was_restarted_is_caught_up_with_by_every_open_page(stand):
    stand.needs_own_controller()
    stand.need_pools(us=1)
    troubles = ("ERR_", "/api/")
    with stand.visit("/exits", allows=troubles) as exits, stand.visit("/pools", allows=troubles) as pools:
        stand.kill_controller()
        for visit in (exits, pools):
            expect(visit.page.locator(".banner")).to_contain_text("Not up to date since")
        stand.start_controller_again()
        stand.need_pools(us=2)
        expect(exits.page.locator("tr[data-key^=us-]")).to_have_count(2)
        expect(pools.page.locator('tr[data-key="US"]')).to_contain_text("2 of 2")
        for visit in (exits, pools):
            expect(visit.page.locator(".stream-state")).to_have_text("live")
            expect(visit.page.locator(".banner.bad")).to_have_count(0)


def test_while_redis_is_away_a_change_is_refused_and_a_half_filled_form_stays(stand):
    stand.needs_own_controller()
    stand.call("DELETE", "/api/users/rosa")
    with stand.visit("/users?make=yes", allows=("503", "ERR_", "/api/")) as visit:
        page, drawer = visit.page, visit.page.get_by_role("dialog", name="New user")
        drawer.get_by_label("Name").fill("rosa")
        drawer.get_by_label("Connections at once").fill("3")
        with stand.redis_away():
            drawer.get_by_role("button", name="Make the user").click()
            expect(drawer.get_by_role("alert").filter(has_text="Nothing was changed")).to_contain_text("Redis", timeout=30_000)
            expect(drawer.get_by_label("Name")).to_have_value("rosa")
            expect(drawer.get_by_label("Connections at once")).to_have_value("3")
        stand.until_redis_is_back()
        drawer.get_by_role("button", name="Make the user").click()
        expect(page.get_by_role("dialog", name="rosa is made")).to_be_visible()
    assert stand.expect((200,), "GET", "/api/users/rosa")["limits"] == {"connections": 3}
    stand.call("DELETE", "/api/users/rosa")


def test_markup_in_what_others_send_stays_text(stand):
    call(stand.url, "POST", "/api/auth/session", "", {"key": stand.key("viewer")}, headers={"User-Agent": MARKUP})
    for path, shown in (("/keys", MARKUP), (f"/exits?q={MARKUP}", "No exit fits"), (f"/users?open={MARKUP}", MARKUP)):
        with stand.visit(path) as visit:
            expect(visit.page.locator("#main, #drawers").filter(has_text=shown)).to_have_count(1)
            expect(visit.page.locator("img")).to_have_count(0)


def test_a_clock_that_is_off_shows_times_by_the_controllers(stand):
    stand.need_pools(us=1)
    for hours, said in ((26, "1 d 2 h ahead of"), (-3, "3 h behind")):
        visit = stand.visit()
        visit.set_clock(hours)
        with visit:
            expect(visit.page.locator(".banner")).to_contain_text(f"This machine's clock is {said} the controller's")
            expect(visit.page.locator(".happened time").first).to_have_text(re.compile(r"^(now|\d+ (s|min|h) ago)$"))


def test_10000_events_are_loaded_searched_and_few_are_in_the_document(stand):
    stand.needs_own_controller()
    stand.need_pools(us=1)
    with stand.visit("/events") as visit:
        page, rows = visit.page, visit.page.get_by_role("region", name="Events").locator("tbody tr.opens")
        expect(rows.first).to_be_visible()
        stand.add_events(10_000, "a flood of events")
        expect(page.get_by_text("a flood of events").first).to_be_visible()
        page.reload()
        page.get_by_role("button", name="Load all that are kept").click()
        expect(page.locator("#toasts")).to_contain_text(re.compile(r"[\d,]+ events are loaded"))
        page.get_by_role("searchbox").fill("number 777")
        expect(rows).to_have_count(11)
        page.get_by_role("searchbox").fill("a flood of events")
        expect(rows.nth(20)).to_be_attached()
        assert rows.count() < 120


def test_a_pool_is_opened_by_the_keyboard_alone(stand):
    stand.call("DELETE", "/api/pools/fr")
    stand.need_pools(us=1)
    with stand.visit() as visit:
        page, press = visit.page, visit.page.keyboard.press
        press("g")
        press("p")
        expect(page.get_by_role("heading", level=1)).to_have_text("Pools")
        press("n")
        drawer = page.get_by_role("dialog", name="New pool")
        tab_to(page, drawer.get_by_label("Country"))
        page.keyboard.type("France")
        expect(drawer.get_by_label("Country")).to_have_value("FR")
        tab_to(page, drawer.get_by_label("Exits"))
        press("Control+a")
        page.keyboard.type("1")
        press("Enter")
        expect(page.locator("#toasts")).to_contain_text("The pool of France opens 1 exits")
        assert stand.expect((200,), "GET", "/api/pools/fr")["size"] == 1
    stand.call("DELETE", "/api/pools/fr")


def tab_to(page, element):
    """Presses Tab until this element has the focus."""
    for _ in range(30):
        if element.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("Tab does not reach it")


def test_an_operation_is_tried_with_the_session(stand):
    with stand.visit("/reference?q=/api/users") as visit:
        page, drawer = visit.page, visit.page.locator(".drawer")
        page.locator("a.operation", has=page.get_by_text("/api/users", exact=True)).filter(has_text="GET").click()
        drawer.get_by_role("tab", name="Try it").click()
        drawer.get_by_role("button", name="Send GET").click()
        expect(drawer.locator(".trial-answer")).to_contain_text("200")
        expect(drawer.locator(".trial-answer")).to_contain_text('"users"')
        visit.has_no_serious_finding()


def test_drawers_have_no_serious_finding_and_fit_375_px_in_the_dark(stand):
    stand.need_pools(us=1)
    stand.call("POST", "/api/users", {"name": "tess"})
    exit = stand.exits()[0]["id"]
    for path in (f"/exits?open={exit}", "/pools?open=US&tab=settings", "/users?open=tess", "/users?make=yes"):
        with stand.visit(path, size=NARROW, scheme="dark") as visit:
            expect(visit.page.locator(".drawer h2")).to_be_visible()
            visit.has_no_serious_finding()
            visit.fits()
