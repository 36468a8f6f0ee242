"""The core, by its modules alone: what every page relies on."""

from playwright.sync_api import expect

MODULES = "const load = (name) => import(`/assets/lib/${name}.js`);"


def run(visit, body):
    """Runs the body of an async function on the page; it can `await load("dom")`."""
    return visit.page.evaluate(f"async () => {{ {MODULES} {body} }}")


def test_a_patch_keeps_focus_selection_and_what_is_typed(stand):
    with stand.visit() as visit:
        kept = run(
            visit,
            """
            const { h, patch } = await load("dom");
            const form = (text) => h("form", h("p", text), h("input", { value: "from the server" }), h("details", h("summary", "more"), text));
            const old = document.body.appendChild(form("before"));
            const [input, details] = [old.querySelector("input"), old.querySelector("details")];
            input.focus(); input.value = "half filled"; input.setSelectionRange(2, 4); details.open = true;
            patch(old, form("after"));
            return [old.querySelector("p").textContent, input.isConnected, document.activeElement === input, input.value, input.selectionStart, input.selectionEnd, details.open];
            """,
        )
        assert kept == ["after", True, True, "half filled", 2, 4, True]


def test_handlers_are_those_of_the_newest_rendering(stand):
    with stand.visit() as visit:
        clicked = run(
            visit,
            """
            const { h, patch } = await load("dom"), clicks = [];
            const button = h("button", { onclick: () => clicks.push("old"), onfocus: () => clicks.push("focus") });
            patch(document.body.appendChild(button), h("button", { onclick: () => clicks.push("new") }));
            button.click(); button.focus();
            return clicks;
            """,
        )
        assert clicked == ["new"]


def test_rows_are_moved_and_patched_in_place_and_the_focus_stays(stand):
    with stand.visit() as visit:
        seen = run(
            visit,
            """
            const { h, list } = await load("dom");
            const parent = document.body.appendChild(h("ul")), renders = [];
            const items = Object.fromEntries(["a", "b", "c", "d"].map((id) => [id, { id, text: id }]));
            const show = (...all) => list(parent, all, { key: ({ id }) => id, render: ({ id, text }) => (renders.push(id), h("li", h("a", { href: "#" }, text))) });
            show(items.a, items.b, items.c);
            const [a, , c] = parent.children;
            c.firstChild.focus();
            renders.length = 0;
            show(items.d, items.c, { ...items.a, text: "changed" });
            return [[...parent.children].map(({ textContent }) => textContent), parent.children[1] === c, parent.children[2] === a, document.activeElement === c.firstChild, renders];
            """,
        )
        assert seen == [["d", "c", "changed"], True, True, True, ["d", "a"]]


def test_markup_in_a_name_stays_text(stand):
    with stand.visit() as visit:
        name = "<img src=x onerror=alert(1)>"
        seen = run(
            visit,
            f"""
            const {{ h }} = await load("dom"), {{ exitLink }} = await load("links");
            const box = h("p", {{ title: {name!r} }}, exitLink({name!r}));
            return [box.querySelectorAll("img").length, box.textContent];
            """,
        )
        assert seen == [0, name]


def test_a_table_of_10000_rows_has_only_those_in_sight_in_the_document(stand):
    with stand.visit() as visit:
        seen = run(
            visit,
            """
            const { table } = await load("table"), { Context } = await load("page"), { h } = await load("dom");
            const context = new Context("/", new AbortController().signal);
            const rows = table(context, { caption: "Many", key: ({ id }) => id, open: ({ id }) => id, empty: () => h("p", "none"),
              columns: [{ name: "id", title: "Id", value: ({ id }) => id }, { name: "load", title: "Load", numeric: true, value: ({ load }) => load }] });
            document.querySelector("main").replaceChildren(rows.element);
            const items = Array.from({ length: 10000 }, (_, index) => ({ id: `x-${index}`, load: index % 101 }));
            rows.update(items);
            const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            await frame();
            const scroller = rows.element.querySelector(".table-scroller");
            const height = scroller.scrollHeight;
            scroller.scrollTop = height;
            await frame();
            const start = performance.now();
            for (let time = 0; time < 10; time += 1) rows.update(items.map((item) => (item.id.endsWith("7") ? { ...item, load: time } : item)));
            return { rows: rows.element.querySelectorAll("tbody tr").length, height, last: rows.element.querySelector("tbody:nth-of-type(2) tr:last-child").textContent, ms: (performance.now() - start) / 10 };
            """,
        )
        print(f"     a change of 1,000 of 10,000 rows takes {seen['ms']:.1f} ms")
        assert seen["rows"] < 120 and seen["height"] > 250_000
        assert seen["last"].startswith("x-9999")


def test_a_form_shows_the_apis_errors_at_their_fields_and_keeps_what_was_typed(stand):
    with stand.visit(allows=["422"]) as visit:
        page = visit.page
        run(
            visit,
            """
            const { form } = await load("form"), { api } = await load("api");
            const made = form({ submit: "Save", onSubmit: (values) => api.put("/api/pools/us", values),
              fields: [{ name: "size", label: "Size", kind: "number" }, { name: "city", label: "City", kind: "text" }] });
            document.querySelector("main").replaceChildren(made.element);
            """,
        )
        page.get_by_label("Size").fill("99")
        page.get_by_label("City").fill("New York")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_label("Size")).to_have_attribute("aria-invalid", "true")
        expect(page.locator(".field.number .field-error")).not_to_be_empty()
        expect(page.get_by_label("City")).to_have_value("New York")
        expect(page.get_by_label("Size")).to_be_focused()
