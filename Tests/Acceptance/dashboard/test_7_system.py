"""Keys, sessions, settings, health."""

import os

from playwright.sync_api import expect


def test_a_key_is_made_renamed_and_revoked_and_its_browser_is_refused(stand):
    name = f"browser-{os.getpid()}"
    with stand.visit("/keys") as visit:
        page = visit.page
        page.get_by_role("button", name="New key").click()
        page.get_by_role("dialog", name="New API key").get_by_label("Name").fill(name)
        page.get_by_role("button", name="Make the key").click()
        made = page.get_by_role("dialog", name=f"The key {name} is made")
        stand.keys[name] = made.locator("pre").first.inner_text()
        page.keyboard.press("Escape")
        with stand.visit("/status", role=name, allows=("401",)) as other:
            expect(other.page.get_by_role("link", name="Audit")).to_have_count(0)
            # A row of the keys, not of the sessions that are open with it.
            page.locator("tr.opens", has_text=name).click()
            drawer = page.locator(".drawer")
            drawer.get_by_label("Name").fill(f"{name}-2")
            drawer.get_by_role("button", name="Rename").click()
            expect(drawer.get_by_role("heading", level=2)).to_have_text(f"{name}-2")
            drawer.get_by_role("button", name="Revoke").click()
            page.get_by_role("button", name=f"Revoke {name}-2").click()
            expect(page.locator("tr.opens", has_text=f"{name}-2")).to_have_count(0)
            assert other.context.request.get(f"{stand.url}/api/alerts").status == 401


def test_a_setting_is_changed_and_given_back_to_the_configuration(stand):
    with stand.visit("/settings") as visit:
        page = visit.page
        days = page.get_by_label("Days that the audit log is kept")
        before = days.input_value()
        days.fill("321")
        page.get_by_role("button", name="Save").click()
        changed = page.get_by_role("list", name="Settings that were changed here")
        expect(changed).to_contain_text("Days that the audit log is kept")
        assert stand.expect((200,), "GET", "/api/settings")["audit_retention_days"] == 321
        changed.get_by_role("listitem").filter(has_text="Days").get_by_role("button").click()
        expect(days).to_have_value(before)


def test_health_names_each_part_and_who_leads(stand):
    with stand.visit("/status") as visit:
        parts = visit.page.get_by_role("region", name="Parts").first
        for name in ("Docker Engine", "Proxy (HAProxy)", "Redis"):
            expect(parts.get_by_role("row", name=name)).to_contain_text("ok")
        expect(visit.page.get_by_role("region", name="Controllers")).to_contain_text("the leader")


def test_a_viewer_is_not_offered_what_only_an_admin_may_see(stand):
    with stand.visit("/keys", role="viewer") as visit:
        expect(visit.page.get_by_role("note")).to_contain_text("Only an admin sees and changes keys")
        for name in ("Logs", "Audit", "Webhooks", "Settings"):
            expect(visit.page.locator("#nav").get_by_role("link", name=name)).to_have_count(0)
