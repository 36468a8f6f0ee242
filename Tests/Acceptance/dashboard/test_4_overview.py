"""The overview: map, pools, charts, events, alerts, all of it live."""

from playwright.sync_api import expect


def test_the_map_has_a_mark_for_each_country_and_the_countries_shapes(stand):
    stand.need_pools(us=1, de=1)
    with stand.visit() as visit:
        page = visit.page
        marks = page.get_by_role("group", name="Exits by country").get_by_role("link")
        expect(marks).to_have_count(len(stand.expect((200,), "GET", "/api/pools")["pools"]))
        expect(page.get_by_role("link", name="Germany: 1 of 1 wanted exits take traffic")).to_have_class("mark good")
        expect(page.locator('.land path[data-country="DE"]')).to_have_class("good")
        assert page.locator(".land path").count() > 150


def test_another_exit_is_seen_without_loading_again(stand):
    stand.need_pools(us=1, de=1)
    with stand.visit() as visit:
        row = visit.page.get_by_role("region", name="Pools").get_by_role("row", name="Germany")
        expect(row).to_contain_text("1 of 1")
        stand.need_pools(de=2)
        expect(row).to_contain_text("2 of 2")
        expect(visit.page.get_by_role("region", name="What happened last")).to_contain_text("de-2")
    stand.need_pools(de=1)


def test_the_charts_share_a_range_and_a_cursor(stand):
    with stand.visit() as visit:
        page = visit.page
        expect(page.locator(".chart .axes text").first).to_be_attached()
        page.get_by_role("button", name="24 h").click()
        assert page.url.endswith("range=24h")
        page.get_by_role("button", name="15 min").click()
        expect(page.locator(".chart .stroke").first).to_be_attached()
        # A controller that has just started has its first figures after ten seconds.
        expect(page.locator(".chart .stroke[d^=M]").first).to_be_attached(timeout=30_000)
        page.get_by_role("group", name="Probe latency").focus()
        page.keyboard.press("End")
        expect(page.locator(".chart .cursor line")).to_have_count(page.locator(".chart").count())
