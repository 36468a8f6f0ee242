"""Signing in and out, and sessions that end."""

import os

from playwright.sync_api import expect


def test_a_wrong_key_is_refused_and_a_right_one_leads_to_the_page_asked_for(stand):
    with stand.visit("/?range=6h", role=None) as visit:
        page = visit.page
        page.get_by_label("API key").fill("a-key-that-nobody-has-and-nobody-gets")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("No such key. Check that it was copied whole.")
        visit.has_no_serious_finding()
        page.get_by_label("API key").fill(stand.key("admin"))
        page.get_by_role("button", name="Sign in").click()
        visit.ready()
        assert page.url.endswith("/?range=6h")
        expect(page.get_by_role("button", name="6 h")).to_have_attribute("aria-pressed", "true")


def test_the_cookie_can_not_be_read_by_scripts(stand):
    with stand.visit() as visit:
        assert visit.page.evaluate("document.cookie") == ""
        cookie = visit.context.cookies()[0]
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")


def test_a_link_signs_in_once(stand):
    code = stand.expect((201,), "POST", "/api/auth/codes")["code"]
    with stand.visit(f"/#code={code}", role=None) as visit:
        visit.ready()
        assert "code" not in visit.page.url
    with stand.visit(f"/#code={code}", role=None, allows=["401", "403", "404", "410"]) as visit:
        expect(visit.page.get_by_role("status")).to_contain_text("This link can't sign in")
        expect(visit.page.get_by_label("API key")).to_be_visible()


def test_signing_out_ends_the_session(stand):
    with stand.visit() as visit:
        page = visit.page
        page.locator(".menu summary").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        page.reload()
        expect(page.get_by_label("API key")).to_be_visible()


def test_a_session_that_has_ended_is_renewed_over_the_page(stand):
    with stand.visit(allows=["401", "/api/stream/dashboard"]) as visit:
        page = visit.page
        page.evaluate("fetch('/api/auth/session', {method: 'DELETE', headers: {'X-Sallyport-Request': 'dashboard'}})")
        page.get_by_role("button", name="15 min").click()
        dialog = page.get_by_role("dialog", name="Sign in again")
        dialog.get_by_label("API key").fill(stand.key("admin"))
        dialog.get_by_role("button", name="Sign in").click()
        expect(dialog).to_be_hidden()
        assert page.url.endswith("range=15m")
        expect(page.locator(".stream-state")).to_have_text("live")


def test_a_revoked_key_asks_to_sign_in_without_a_click(stand):
    made = stand.expect((201,), "POST", "/api/auth/keys", {"name": f"short-lived-{os.getpid()}", "role": "viewer"})
    stand.keys["short-lived"] = made["key"]
    with stand.visit(role="short-lived", allows=["401", "/api/stream/dashboard"]) as visit:
        stand.expect((204,), "DELETE", f"/api/auth/keys/{made['id']}")
        expect(visit.page.get_by_role("dialog", name="Sign in again")).to_be_visible()
