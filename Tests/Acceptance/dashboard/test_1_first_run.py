"""The first minutes: nothing is there yet."""

from playwright.sync_api import expect


def test_the_guide_opens_a_first_exit(stand):
    stand.remove_pools()
    with stand.visit() as visit:
        page = visit.page
        guide = page.get_by_role("region", name="Open a first exit")
        guide.get_by_label("Country").select_option("US")
        guide.get_by_role("button", name="Open an exit").click()
        expect(page.locator("#toasts")).to_contain_text("us-1 is being opened in United States")
        expect(guide).to_be_hidden()
        expect(page.get_by_role("link", name="United States: 1 of 1 wanted exits take traffic")).to_be_visible(timeout=60_000)


def test_a_viewer_is_told_who_may_open_an_exit(stand):
    stand.remove_pools()
    with stand.visit(role="viewer") as visit:
        guide = visit.page.get_by_role("region", name="Open a first exit")
        expect(guide).to_contain_text("an operator or an admin can do this")
        expect(guide.get_by_role("button", name="Open an exit")).to_have_count(0)
