"""What a browser does when its network drops what it loads, and how much it loads."""

import collections

from playwright.sync_api import expect

DROPPED = ("ERR_CONNECTION_ABORTED", "Failed to fetch dynamically imported module")


def dropping(visit, pattern, times=1):
    """The first so many requests of the pattern are dropped."""
    visit.page.route(pattern, lambda route: route.abort("connectionaborted"), times=times)


def test_a_dashboard_whose_modules_are_dropped_is_loaded_again(stand):
    for file in ("lib/shell.js", "app.js", "styles/frame.css"):
        visit = stand.visit("/exits?flat=yes", allows=DROPPED)
        # A module is asked for by its `modulepreload`, and again where that has failed.
        dropping(visit, f"**/assets/{file}", times=2)
        with visit:
            expect(visit.page.get_by_label("One list")).to_be_checked()


def test_a_dashboard_that_does_not_come_up_says_so_and_offers_to_load_it(stand):
    visit = stand.visit(role=None, allows=DROPPED)
    visit.page.add_init_script("sessionStorage.setItem('sallyport-loads', '9')")
    dropping(visit, "**/assets/lib/shell.js", times=10)
    with visit:
        expect(visit.page.get_by_role("alert")).to_contain_text("A part of the dashboard could not be loaded")
        visit.picture("not-loaded")
        visit.page.unroute_all()
        visit.page.get_by_role("link", name="Load it now").click()
        expect(visit.page.get_by_label("API key")).to_be_visible()


def test_even_without_the_script_that_watches_the_page_is_not_empty(stand):
    visit = stand.visit(role=None, allows=DROPPED)
    dropping(visit, "**/assets/**", times=1000)
    with visit:
        expect(visit.page.get_by_text("The dashboard is being loaded.")).to_be_visible()
        visit.page.unroute_all()
        visit.page.get_by_role("link", name="Load it again").click()
        expect(visit.page.get_by_label("API key")).to_be_visible()


def test_a_page_that_is_dropped_on_the_way_comes_without_asking(stand):
    with stand.visit(allows=DROPPED) as visit:
        for pattern in ("**/assets/pages/exits/view.js", "**/assets/pages/users/columns.js"):
            dropping(visit, pattern)
        for name in ("Exits", "Users"):
            visit.page.locator("#nav").get_by_role("link", name=name).click()
            expect(visit.page.get_by_role("heading", level=1)).to_have_text(name)


def test_a_page_that_can_not_be_had_says_so_and_is_tried_again(stand):
    with stand.visit(allows=DROPPED) as visit:
        dropping(visit, "**/assets/pages/exits/view.js", times=2)
        visit.page.locator("#nav").get_by_role("link", name="Exits").click()
        note = visit.page.locator("#main").get_by_role("alert")
        expect(note).to_contain_text("could not be loaded")
        note.get_by_role("button", name="Try again").click()
        expect(visit.page.get_by_role("heading", level=1)).to_have_text("Exits")


def test_all_that_the_overview_needs_is_at_most_150_kB(stand):
    visit, urls, bodies, wholes = stand.visit(), {}, collections.Counter(), collections.Counter()
    network = visit.context.new_cdp_session(visit.page)
    network.on("Network.responseReceived", lambda event: urls.update({event["requestId"]: event["response"]["url"]}))
    network.on("Network.dataReceived", lambda event: bodies.update({event["requestId"]: event["encodedDataLength"]}))
    network.on("Network.loadingFinished", lambda event: wholes.update({event["requestId"]: event["encodedDataLength"]}))
    network.send("Network.enable")
    with visit:
        expect(visit.page.locator(".land path").first).to_be_attached()
        expect(visit.page.locator(".chart .axes text").first).to_be_attached()
        files = sum(size for request, size in bodies.items() if "/assets/" in urls[request])
        total = bodies.total()
        print(f"     first load: {files} bytes of files, {total - files} of the rest, {len(wholes)} answers ({wholes.total()} with heads)")
        assert 0 < files < total <= 150_000, f"{total} bytes"


def test_pages_that_are_not_shown_are_not_loaded(stand):
    visit, urls = stand.visit(), []
    visit.page.on("request", lambda request: urls.append(request.url))
    with visit:
        assert not [url for url in urls if url.endswith("view.js") and "overview" not in url]
        visit.page.locator("#nav").get_by_role("link", name="Servers").click()
        expect(visit.page.get_by_role("heading", level=1)).to_have_text("Servers")
        assert any(url.endswith("/pages/servers/view.js") for url in urls)
