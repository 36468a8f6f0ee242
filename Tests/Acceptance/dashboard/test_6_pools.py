"""The pools: made and changed with a preview, one more by a click, seen by two browsers at once."""

from playwright.sync_api import expect


def pool(visit, country):
    return visit.page.locator(f'tr[data-key="{country}"]')


def remove(stand, country):
    stand.call("DELETE", f"/api/pools/{country}")


def test_a_pool_is_made_with_a_preview_and_another_browser_sees_it(stand):
    stand.need_pools(us=1)
    remove(stand, "fr")
    with stand.visit("/pools") as visit, stand.visit("/pools") as other:
        page = visit.page
        page.get_by_role("button", name="New pool").click()
        drawer = page.get_by_role("dialog", name="New pool")
        drawer.get_by_label("Country").select_option("FR")
        drawer.get_by_label("Exits").fill("1")
        expect(drawer.locator(".ranking li").first).to_contain_text("would be taken")
        expect(drawer.locator(".ranking li").first).to_contain_text("points")
        visit.has_no_serious_finding()
        drawer.get_by_role("button", name="Open this pool").click()
        expect(page.locator("#toasts")).to_contain_text("The pool of France opens 1 exits")
        expect(pool(other, "FR")).to_contain_text("1 of 1", timeout=60_000)
        expect(page.get_by_role("dialog", name="France")).to_contain_text("1 of 1 serve", timeout=60_000)
    remove(stand, "fr")


def test_one_click_is_one_more_exit(stand):
    stand.need_pools(us=1)
    with stand.visit("/pools") as visit:
        pool(visit, "US").get_by_role("button", name="+ 1 exit").click()
        expect(pool(visit, "US")).to_contain_text("2 of 2", timeout=60_000)


def test_a_smaller_pool_asks_first_and_keeps_what_was_typed(stand):
    stand.need_pools(us=2)
    with stand.visit("/pools?open=US&tab=settings", allows=("422",)) as visit:
        page, drawer = visit.page, visit.page.locator(".drawer")
        drawer.get_by_label("Fallback countries").fill("us")
        drawer.get_by_role("button", name="Save").click()
        expect(drawer.locator(".field-error:visible, .form-problem")).to_contain_text(["names US itself"])
        drawer.get_by_label("Fallback countries").fill("de")
        drawer.get_by_label("Exits").fill("1")
        drawer.get_by_role("button", name="Save").click()
        question = page.get_by_role("dialog", name="Make the pool of United States smaller?")
        expect(question).to_contain_text("1 of its 2 exits take no new connections")
        question.get_by_role("button", name="Cancel").click()
        expect(drawer.get_by_label("Fallback countries")).to_have_value("de")
        assert stand.expect((200,), "GET", "/api/pools/us")["size"] == 2


def test_a_preview_says_that_no_server_fits(stand):
    stand.need_pools(us=1)
    with stand.visit("/pools?open=US&tab=settings") as visit:
        drawer = visit.page.locator(".drawer")
        drawer.get_by_label("City").fill("Nowhere")
        expect(drawer.locator(".preview")).to_contain_text("No server fits")


def test_ending_a_pool_says_what_users_get(stand):
    stand.need_pools(us=1, de=1)
    with stand.visit("/pools?open=DE") as visit:
        page = visit.page
        page.locator(".drawer").get_by_role("button", name="End pool").click()
        question = page.get_by_role("dialog", name="End the pool of Germany?")
        expect(question).to_contain_text("refused with 503 no_exit")
        question.get_by_role("button", name="End the pool of Germany").click()
        expect(pool(visit, "DE")).to_have_count(0)
