"""The pages of the controller that leads and of the one that follows show the same, and each may change what both show."""

import re
import signal

from playwright.sync_api import expect

from ...Harness.programs import stop, until
from .pair import Pair

TROUBLES = ("ERR_", "/api/")
# A lease must end before another controller leads.
TAKEOVER = 40_000


def row(visit):
    return visit.page.locator("tr[data-key^=us-]")


def shown(visit):
    """Of each exit what does not change by itself: name, server, city, address, state."""
    words = r"us-\d+|198\.18\.\d+\.\d+|[a-z]{2}\d+\.\S+|serving|degraded|healthy"
    return sorted(re.findall(words, text) for text in row(visit).all_inner_texts())


def until_the_same(visits):
    def same():
        first, second = map(shown, visits)
        return first and first == second and all(len(words) >= 3 for words in first)

    until("both pages show the same exits", same, 30, 0.2)


def test_leader_and_follower_show_the_same_and_go_on_when_the_leader_is_gone(stand):
    stand.needs_own_controller()
    with (
        Pair(stand) as pair,
        pair.visit(pair.first, "/exits", allows=TROUBLES) as first,
        pair.visit(pair.second, "/exits", allows=TROUBLES) as second,
    ):
        pair.second.set_pool("us", 1)
        for visit in (first, second):
            expect(row(visit).filter(has_text="serving")).to_have_count(1, timeout=TAKEOVER)
            expect(row(visit).locator(".strip rect.good").first).to_be_attached(timeout=30_000)
        until_the_same((first, second))
        with pair.visit(pair.second, "/pools") as pools:
            pools.page.locator('tr[data-key="US"]').get_by_role("button", name="+ 1 exit").click()
        for visit in (first, second):
            expect(row(visit).filter(has_text="serving")).to_have_count(2, timeout=TAKEOVER)
        stop(pair.first.process, signal.SIGKILL)
        expect(first.page.locator(".banner")).to_contain_text("Not up to date since")
        until("the other one leads", lambda: pair.second.call("DELETE", "/api/exits/none")[0] == 404, 40, 0.2)
        pair.second.set_pool("us", 3)
        expect(row(second).filter(has_text="serving")).to_have_count(3, timeout=TAKEOVER)
        expect(second.page.locator(".stream-state")).to_have_text("live")
        pair.first.start()
        expect(row(first).filter(has_text="serving")).to_have_count(3, timeout=TAKEOVER)
        expect(first.page.locator(".stream-state")).to_have_text("live")
        until_the_same((first, second))
