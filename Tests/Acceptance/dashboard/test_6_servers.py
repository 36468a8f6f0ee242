"""The catalog: countries, servers by rank with the reason, measured now."""

from playwright.sync_api import expect


def test_a_country_leads_to_its_servers_by_rank(stand):
    stand.need_pools(us=1)
    with stand.visit("/servers") as visit:
        page = visit.page
        expect(page.get_by_label("Providers")).to_contain_text("up to date")
        page.get_by_role("row", name="United States").get_by_role("link", name="United States").first.click()
        expect(page.locator("tr.opens")).to_have_count(8)
        page.get_by_label("City").select_option("Dallas")
        expect(page.locator("tr.opens")).to_have_count(2)
        assert "country=US" in page.url and "city=Dallas" in page.url


def test_servers_are_measured_now(stand):
    with stand.visit("/servers?country=US") as visit:
        page = visit.page
        expect(page.locator("tr.opens").first).to_be_visible()
        page.get_by_role("button", name="Measure now").click()
        expect(page.get_by_role("main")).to_contain_text("8 of 8 have answered", timeout=30_000)
        visit.has_no_serious_finding()


def test_a_server_says_why_it_ranks_where_it_does_and_who_holds_it(stand):
    stand.need_pools(us=1)
    exit = next(exit for exit in stand.exits() if exit["country"] == "US" and exit["state"] == "serving")
    with stand.visit(f"/servers?open={exit['server']['hostname']}") as visit:
        drawer = visit.page.locator(".drawer")
        expect(drawer).to_contain_text("an exit uses it")
        expect(drawer).to_contain_text("of 8 servers of United States")
        drawer.get_by_role("link", name=exit["id"]).click()
        expect(visit.page.locator(".drawer h2")).to_have_text(exit["id"])
