"""The exits: live rows, the drawer, and what can be done with one."""

import re

from playwright.sync_api import expect

from ...Harness.programs import docker
from .visit import NARROW


def row(visit, exit):
    return visit.page.locator(f'tr[data-key="{exit}"]')


def head(visit, country):
    return visit.page.locator("tr.group", has_text=country)


def first_of(stand, country):
    return next(exit["id"] for exit in stand.exits() if exit["country"] == country and exit["state"] == "serving")


def test_exits_are_grouped_by_pool_and_have_their_samples(stand):
    stand.need_pools(us=2, de=1)
    with stand.visit("/exits") as visit:
        page, exit = visit.page, first_of(stand, "US")
        expect(head(visit, "United States")).to_contain_text("2 of 2 serve")
        expect(row(visit, exit)).to_contain_text("serving")
        expect(row(visit, exit)).to_contain_text("198.18.1.")
        expect(row(visit, exit).locator(".strip rect.good").first).to_be_attached(timeout=30_000)
        page.get_by_label("Country").select_option("DE")
        expect(row(visit, exit)).to_have_count(0)
        page.get_by_label("One list").check()
        expect(page.locator("tr.group")).to_have_count(0)
        assert "country=DE" in page.url and "flat=yes" in page.url


def test_a_killed_container_is_replaced_before_ones_eyes(stand):
    stand.need_pools(us=2, de=1)
    exit = first_of(stand, "US")
    with stand.visit(f"/exits?open={exit}&tab=events") as visit:
        expect(row(visit, exit)).to_contain_text("serving")
        docker("kill", docker("ps", "-q", "--filter", f"name=-{exit}-g").strip())
        expect(visit.page.locator(".drawer .happened")).to_contain_text(f"exit {exit} is lost: container_exited", timeout=30_000)
        expect(head(visit, "United States")).to_contain_text("2 of 2 serve", timeout=60_000)


def test_a_drawer_has_signals_history_traffic_events_and_log(stand):
    stand.need_pools(us=2, de=1)
    with stand.visit("/exits") as visit:
        page, exit = visit.page, first_of(stand, "US")
        row(visit, exit).locator("td").nth(1).click()
        drawer = page.get_by_role("dialog", name=exit)
        expect(drawer).to_contain_text("Last handshake")
        drawer.get_by_role("tab", name="History").click()
        expect(drawer.locator(".chart .axes text").first).to_be_attached()
        drawer.get_by_role("tab", name="Traffic").click()
        expect(drawer.get_by_role("row", name="This month")).to_be_visible()
        drawer.get_by_role("tab", name="Events").click()
        expect(drawer.locator(".happened")).to_contain_text("exit.serving")
        drawer.get_by_role("tab", name="Log").click()
        expect(drawer.locator("pre")).to_contain_text("tunnel verified")
        assert re.search(rf"open={exit}&tab=log$", page.url), page.url
        visit.has_no_serious_finding()
        page.keyboard.press("Escape")
        expect(drawer).to_have_count(0)


def test_a_speed_test_says_what_it_measured(stand):
    stand.need_pools(us=2, de=1)
    with stand.visit(f"/exits?open={first_of(stand, 'US')}&tab=speed", allows=("/speedtest",)) as visit:
        drawer = visit.page.locator(".drawer")
        expect(drawer).to_contain_text("Its users share the line meanwhile")
        drawer.get_by_label("To download at most").select_option("5")
        drawer.get_by_role("button", name="Test the speed").click()
        expect(drawer).to_contain_text("Mbit/s", timeout=30_000)


def test_rotating_says_the_consequence_and_another_exit_takes_over(stand):
    stand.need_pools(us=2, de=1)
    exit = first_of(stand, "US")
    with stand.visit(f"/exits?open={exit}") as visit:
        page = visit.page
        page.locator(".drawer").get_by_role("button", name="Rotate").click()
        question = page.get_by_role("dialog", name=f"Rotate {exit}?")
        expect(question).to_contain_text("No connection is refused meanwhile")
        question.get_by_role("button", name=f"Rotate {exit}").click()
        expect(page.locator("#toasts")).to_contain_text(f"{exit} leaves as soon as another exit serves")
        expect(row(visit, exit)).to_have_count(0, timeout=60_000)
        expect(head(visit, "United States")).to_contain_text("2 of 2 serve", timeout=60_000)


def test_removing_the_only_exit_warns_of_refusals(stand):
    stand.need_pools(us=2, de=1)
    exit = first_of(stand, "DE")
    with stand.visit(f"/exits?open={exit}") as visit:
        page = visit.page
        page.locator(".drawer").get_by_role("button", name="Drain and remove").click()
        question = page.get_by_role("dialog", name=f"Drain and remove {exit}?")
        expect(question).to_contain_text("refused with 503 no_exit")
        expect(question).to_contain_text("The pool ends with its last exit")
        question.get_by_role("button", name="Cancel").click()
        expect(row(visit, exit)).to_contain_text("serving")


def test_a_viewer_is_offered_no_change(stand):
    stand.need_pools(us=2, de=1)
    with stand.visit(f"/exits?open={first_of(stand, 'US')}", role="viewer") as visit:
        drawer = visit.page.locator(".drawer")
        expect(drawer).to_contain_text("Last handshake")
        for name in ("Rotate", "Drain and remove", "+ 1 exit", "Open a pool"):
            expect(visit.page.get_by_text(name, exact=True)).to_have_count(0)
        expect(drawer.get_by_role("tab", name="Log")).to_have_count(0)


def test_a_row_is_opened_by_the_keyboard_alone_and_fits_375_px(stand):
    stand.need_pools(us=2, de=1)
    with stand.visit("/exits", size=NARROW) as visit:
        page = visit.page
        expect(page.locator("tr.opens").first).to_be_visible()
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.locator(".drawer")).to_contain_text("Signals")
        visit.fits()
        page.keyboard.press("Escape")
        expect(page.locator(".drawer")).to_have_count(0)
