"""The browser's network goes away while a page is open, and comes back."""

from playwright.sync_api import expect

from .linked_browser import LinkedBrowser

TROUBLES = ("ERR_", "/api/")
# A stream that says nothing is given up after two beats and a half.
SILENCE = 30_000


def caught_up(visit):
    """The exit that was opened meanwhile is shown, and nothing is said to be old."""
    expect(visit.page.locator("tr[data-key^=us-]")).to_have_count(2, timeout=SILENCE)
    expect(visit.page.locator(".stream-state")).to_have_text("live")
    expect(visit.page.locator(".banner.bad")).to_have_count(0)


def test_a_machine_that_is_offline_is_said_to_be_and_its_page_catches_up(stand):
    with LinkedBrowser(stand) as linked:
        stand.need_pools(us=1)
        with linked.visit("/exits", allows=TROUBLES) as visit:
            linked.link.down()
            banner = visit.page.locator(".banner")
            expect(banner).to_contain_text("Not up to date since")
            expect(banner).to_contain_text("This machine is offline.")
            visit.picture("offline")
            stand.need_pools(us=2)
            linked.link.up()
            caught_up(visit)


def test_a_network_that_drops_all_packets_is_noticed_and_the_page_catches_up(stand):
    with LinkedBrowser(stand) as linked:
        stand.need_pools(us=1)
        with linked.visit("/exits", allows=TROUBLES) as visit:
            with linked.link.dropping():
                banner = visit.page.locator(".banner")
                expect(banner).to_contain_text("Not up to date since", timeout=SILENCE)
                expect(banner).to_contain_text("Connecting again.")
                stand.need_pools(us=2)
            caught_up(visit)
