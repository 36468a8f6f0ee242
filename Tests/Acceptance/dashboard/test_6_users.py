"""The users: made and used, limited, given new passwords, refused, with lines to copy."""

from playwright.sync_api import expect

from ...Harness.http import proxied
from ...Harness.programs import until


def port(stand):
    """Where the user's name picks the country."""
    routes = stand.expect((200,), "GET", "/admin/routes")["routes"]
    return next(int(route["address"].rsplit(":", 1)[1]) for route in routes if route["by"] == "user" and route["open"])


def user(visit, name):
    return visit.page.locator(f'tr[data-key="{name}"]')


def make(stand, name, **settings):
    stand.call("DELETE", f"/api/users/{name}")
    return stand.expect((201,), "POST", "/api/users", {"name": name, **settings})["password"]


def test_a_user_is_made_its_password_shown_once_and_it_works(stand):
    stand.need_pools(us=1)
    stand.call("DELETE", "/api/users/zoe")
    with stand.visit("/users") as visit:
        page = visit.page
        page.get_by_role("button", name="New user").click()
        drawer = page.get_by_role("dialog", name="New user")
        drawer.get_by_label("Name").fill("zoe")
        drawer.get_by_role("button", name="Make the user").click()
        shown = page.get_by_role("dialog", name="zoe is made")
        password = shown.locator("pre").first.inner_text()
        shown.get_by_label("Country").select_option("us")
        expect(shown.locator("pre").nth(1)).to_contain_text(f"zoe-country-us:{password}@")
        visit.has_no_serious_finding()
        shown.get_by_role("button", name="I have kept it").click()
        expect(user(visit, "zoe")).to_contain_text("active")
        expect(page.get_by_role("dialog", name="zoe")).to_contain_text(":PASSWORD@")
        expect(page.get_by_text(password)).to_have_count(0)
        until("the user comes through", lambda: proxied(port(stand), "zoe-country-us", password=password), 10, 0.1)


def test_lines_are_built_by_clicking(stand):
    stand.need_pools(us=1)
    make(stand, "yan")
    with stand.visit("/users?open=yan") as visit:
        page, drawer = visit.page, visit.page.locator(".drawer")
        lines = drawer.locator("pre").first
        drawer.get_by_label("Country").select_option("us")
        drawer.get_by_label("Address").select_option("session")
        drawer.get_by_label("Session's name").fill("shop7")
        drawer.get_by_label("Kept for").select_option("30")
        expect(lines).to_contain_text("yan-country-us-session-shop7-sesstime-30:PASSWORD@")
        for program, word in (
            ("Python", "requests.get"),
            ("Node", "ProxyAgent"),
            ("Java", "HttpClient"),
            ("Playwright", "chromium.launch"),
            ("Environment", "export http_proxy"),
        ):
            drawer.get_by_role("button", name=program).click()
            expect(lines).to_contain_text(word)
            expect(lines).to_contain_text("yan-country-us-session-shop7-sesstime-30")
        assert "session=shop7" in page.url


def test_a_used_up_quota_is_seen_at_once(stand):
    stand.need_pools(us=1)
    password = make(stand, "quinn", limits={"bytes_per_day": 50})
    with stand.visit("/users") as visit:
        expect(user(visit, "quinn")).to_contain_text("active")
        until("the quota is used up", lambda: not proxied(port(stand), "quinn-country-us", password=password), 30, 0.2)
        expect(user(visit, "quinn")).to_contain_text("refused: the day's quota is used up", timeout=30_000)
        user(visit, "quinn").locator("td").nth(1).click()
        drawer = visit.page.locator(".drawer")
        drawer.get_by_role("tab", name="Usage").click()
        expect(drawer.get_by_role("meter").first).to_have_attribute("aria-valuenow", "100")
        expect(drawer.get_by_role("group", name="To users")).to_be_visible()


def test_limits_are_set_and_taken_away(stand):
    make(stand, "lea")
    with stand.visit("/users?open=lea&tab=settings") as visit, stand.visit("/users") as other:
        page, drawer = visit.page, visit.page.locator(".drawer")
        drawer.get_by_label("Connections at once").fill("7")
        drawer.get_by_label("Bytes a day", exact=True).fill("2")
        drawer.get_by_role("button", name="Save").click()
        expect(page.locator("#toasts")).to_contain_text("lea is changed")
        assert stand.expect((200,), "GET", "/api/users/lea")["limits"] == {"connections": 7, "bytes_per_day": 2_000_000_000}
        expect(user(other, "lea")).to_contain_text("of 2 GB")
        drawer.get_by_label("Connections at once").fill("")
        drawer.get_by_label("Bytes a day", exact=True).fill("")
        drawer.get_by_role("button", name="Save").click()
        until("no limit is left", lambda: stand.expect((200,), "GET", "/api/users/lea")["limits"] == {}, 10, 0.1)


def test_a_new_password_leaves_the_old_one_for_a_while(stand):
    stand.need_pools(us=1)
    old = make(stand, "rita")
    with stand.visit("/users?open=rita") as visit:
        page = visit.page
        page.locator(".drawer").get_by_role("button", name="New password").click()
        page.get_by_role("dialog", name="A new password for rita").get_by_role("button", name="Give a new password").click()
        shown = page.get_by_role("dialog", name="rita has a new password")
        new = shown.locator("pre").first.inner_text()
        shown.get_by_role("button", name="I have kept it").click()
        expect(page.locator(".drawer")).to_contain_text("the old password ends in")
    assert new != old
    for password in (old, new):
        until("both come through", lambda word=password: proxied(port(stand), "rita-country-us", password=word), 10, 0.1)


def test_disabling_and_removing_say_what_becomes_of_connections(stand):
    make(stand, "max")
    with stand.visit("/users?open=max") as visit:
        page, drawer = visit.page, visit.page.locator(".drawer")
        drawer.get_by_role("button", name="Disable").click()
        question = page.get_by_role("dialog", name="Disable max?")
        expect(question).to_contain_text("403 user_disabled")
        question.get_by_role("button", name="Disable max").click()
        expect(user(visit, "max")).to_contain_text("disabled")
        drawer.get_by_role("button", name="Enable").click()
        expect(user(visit, "max")).to_contain_text("active")
        drawer.get_by_role("button", name="Remove").click()
        question = page.get_by_role("dialog", name="Remove max?")
        expect(question.get_by_role("button", name="Remove max")).to_be_disabled()
        question.get_by_role("textbox").fill("max")
        question.get_by_role("button", name="Remove max").click()
        expect(user(visit, "max")).to_have_count(0)


def test_a_name_full_of_markup_is_refused_and_kept_as_text(stand):
    name = "<img src=x onerror=alert(1)>"
    with stand.visit("/users?make=yes", allows=("422",)) as visit:
        drawer = visit.page.get_by_role("dialog", name="New user")
        drawer.get_by_label("Name").fill(name)
        drawer.get_by_role("button", name="Make the user").click()
        expect(drawer.locator(".field.text .field-error").first).to_contain_text("1 to 32 of a-z")
        expect(drawer.get_by_label("Name")).to_have_value(name)
        visit.page.goto(f"{stand.url}/users?open=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
        expect(visit.page.locator(".drawer h2")).to_have_text(name)
        expect(visit.page.locator(".drawer img")).to_have_count(0)


def test_an_operator_has_no_page_of_users(stand):
    with stand.visit(role="operator") as visit:
        expect(visit.page.locator("#nav").get_by_role("link", name="Exits")).to_be_visible()
        expect(visit.page.locator("#nav").get_by_role("link", name="Users")).to_have_count(0)
