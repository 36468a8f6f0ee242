"""Events, the log, the audit log, webhooks."""

import contextlib
import http.server
import re
import threading

from playwright.sync_api import expect

from ...Harness.programs import until


def test_events_are_filtered_by_the_url_and_a_drawer_opens_by_it(stand):
    stand.need_pools(us=1)
    with stand.visit("/events?kind=exit.serving") as visit:
        page = visit.page
        rows = page.get_by_role("region", name="Events").locator("tbody tr.opens")
        expect(rows.first).to_contain_text("exit.serving")
        expect(rows.filter(has_not_text="exit.serving")).to_have_count(0)
        rows.first.click()
        drawer = page.get_by_role("dialog", name="exit.serving")
        expect(drawer).to_contain_text("Others of this kind")
        page.reload()
        expect(drawer).to_contain_text("Others of this kind")
        page.keyboard.press("Escape")
        expect(page).to_have_url(re.compile(r"/events\?kind=exit\.serving$"))


def test_the_log_is_held_and_goes_on(stand):
    with stand.visit("/logs") as visit:
        page = visit.page
        expect(page.get_by_role("region", name="Log lines").locator("tbody:not(.spacer) tr td").first).to_be_visible()
        page.get_by_role("button", name="Hold").click()
        expect(page.locator(".page-head")).to_contain_text("Held")
        page.keyboard.press("p")
        expect(page.locator(".page-head")).to_contain_text("new ones come by themselves")
        page.get_by_role("searchbox").fill("there is no such line")
        expect(page.get_by_text("No line is as the filters want")).to_be_visible()
        expect(page).to_have_url(re.compile(r"\?q=there"))


def test_the_audit_log_is_verified_and_an_entry_shows_what_was_done(stand):
    stand.need_pools(us=1)
    with stand.visit("/audit?kind=change&path=/api/pools/*") as visit:
        page = visit.page
        row = page.get_by_role("region", name="Audit log").locator("tbody tr.opens").first
        expect(row).to_contain_text("PUT /api/pools/")
        row.click()
        drawer = page.locator(".drawer")
        expect(drawer).to_contain_text("Hash before")
        drawer.get_by_role("tab", name="Before and after").click()
        expect(drawer).to_contain_text('"size"')
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Verify the chain").click()
        expect(page.get_by_role("region", name="Chain")).to_contain_text(re.compile(r"intact: [\d,]+ entries"))


def test_an_address_that_a_webhook_may_not_have_is_named_at_its_field_and_nothing_is_lost(stand):
    with stand.visit("/webhooks", allows=("422",)) as visit:
        page = visit.page
        page.get_by_role("button", name="New webhook").first.click()
        dialog = page.get_by_role("dialog", name="New webhook")
        dialog.get_by_label("Address").fill("https://user@hooks.example.com/")
        dialog.get_by_label("Countries").fill("US")
        dialog.get_by_role("button", name="Make the webhook").click()
        expect(dialog.locator(".field", has_text="Address").get_by_role("alert")).to_contain_text("without a user")
        expect(dialog.get_by_label("Countries")).to_have_value("US")


@contextlib.contextmanager
def receiver():
    """A server that takes every request, its port, and what it got."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", got
        server.shutdown()


def test_a_webhook_is_made_tested_replayed_and_removed_and_another_browser_sees_it(stand):
    stand.need_pools(us=1)
    with receiver() as (address, got), stand.visit("/webhooks") as visit, stand.visit("/webhooks") as other:
        page, drawer = visit.page, visit.page.locator(".drawer")
        page.get_by_role("button", name="New webhook").first.click()
        dialog = page.get_by_role("dialog", name="New webhook")
        dialog.get_by_label("Address").fill(address)
        dialog.get_by_role("button", name="Make the webhook").click()
        made = page.get_by_role("dialog", name="The webhook is made")
        expect(made.locator("pre")).not_to_be_empty()
        visit.has_no_serious_finding()
        made.get_by_role("link", name="Open it").click()
        expect(other.page.locator("tr.opens", has_text=address)).to_have_count(1)
        drawer.get_by_role("button", name="Send a test").click()
        expect(page.locator("#toasts")).to_contain_text("The receiver took the test (status 200)")
        drawer.get_by_role("tab", name="Deliveries").click()
        expect(drawer.get_by_role("row").filter(has_text="test").first).to_contain_text("taken (200)")
        drawer.get_by_role("tab", name="Replay").click()
        drawer.get_by_role("button", name="Send again").click()
        page.get_by_role("dialog", name="Send events again?").get_by_role("button", name="Send again").click()
        until("events are sent again", lambda: any(b"exit.serving" in body for body in list(got)), 30, 0.1)
        drawer.get_by_role("button", name="Remove").click()
        page.get_by_role("dialog", name=re.compile("Remove the webhook")).get_by_role("button", name="Remove the webhook").click()
        expect(other.page.locator("tr.opens", has_text=address)).to_have_count(0)
