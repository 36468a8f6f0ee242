"""The frame around the pages: navigation, keys, palette, themes, the banner."""

from playwright.sync_api import expect

from .visit import NARROW


def test_pages_that_a_role_may_not_see_are_not_offered(stand):
    with stand.visit(role="viewer") as visit:
        navigation = visit.page.get_by_role("navigation", name="Pages")
        expect(navigation.get_by_role("link", name="Overview").last).to_be_visible()
        expect(navigation.get_by_role("link", name="Users")).to_have_count(0)


def test_an_unknown_page_says_so(stand):
    # The server has no such path, so it is reached by the History API alone, as an old link in the dashboard would.
    with stand.visit() as visit:
        visit.page.evaluate("history.pushState(null, '', '/nowhere'); dispatchEvent(new PopStateEvent('popstate'))")
        expect(visit.page.locator("#main")).to_contain_text("There is no such page")


def test_the_keyboard_alone_finds_keys_palette_and_pages(stand):
    stand.need_pools(us=1)
    with stand.visit() as visit:
        page = visit.page
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Go to or do")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.keyboard.press("Control+k")
        expect(page.get_by_role("combobox")).to_be_focused()
        page.keyboard.type("overview")
        expect(page.get_by_role("option").first).to_contain_text("Overview")
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("o")
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_the_palette_finds_an_exit(stand):
    stand.need_pools(us=1)
    name = next(exit["id"] for exit in stand.exits() if exit["country"] == "US")
    with stand.visit() as visit:
        page = visit.page
        page.keyboard.press("Control+k")
        page.get_by_role("combobox").fill(name)
        expect(page.get_by_role("option").first).to_contain_text(name)
        visit.has_no_serious_finding()


def test_a_theme_is_kept(stand):
    with stand.visit() as visit:
        page = visit.page
        page.locator(".menu summary").click()
        page.get_by_role("button", name="dark").click()
        colour = "getComputedStyle(document.documentElement).backgroundColor"
        dark = page.evaluate(colour)
        page.reload()
        visit.ready()
        assert page.evaluate(colour) == dark == "rgb(14, 17, 22)"


def test_on_a_narrow_screen_the_navigation_opens_and_closes(stand):
    with stand.visit(size=NARROW) as visit:
        page = visit.page
        link = page.locator("#nav li a").first
        expect(link).not_to_be_in_viewport()
        page.get_by_role("button", name="Pages").click()
        expect(link).to_be_in_viewport()
        visit.picture("narrow-navigation")
        page.keyboard.press("Escape")
        expect(link).not_to_be_in_viewport()


def test_the_banner_says_since_when_and_goes_when_all_is_up_to_date(stand):
    stand.needs_own_controller()
    with stand.visit(allows=["ERR_", "/api/"]) as visit:
        page = visit.page
        stand.kill_controller()
        expect(page.locator(".banner")).to_contain_text("Not up to date since")
        visit.has_no_serious_finding()
        visit.picture("banner")
        stand.start_controller_again()
        expect(page.locator(".banner")).to_contain_text("Up to date again", timeout=30_000)
        expect(page.locator(".stream-state")).to_have_text("live")
