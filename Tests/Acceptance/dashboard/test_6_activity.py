"""Events, the log, the audit log, webhooks."""

import re

from playwright.sync_api import expect


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
        dialog.get_by_label("Address").fill("https://127.0.0.1:1/hook")
        dialog.get_by_label("Countries").fill("US")
        dialog.get_by_role("button", name="Make the webhook").click()
        expect(dialog.locator(".field", has_text="Address").get_by_role("alert")).to_contain_text("private network")
        expect(dialog.get_by_label("Countries")).to_have_value("US")
