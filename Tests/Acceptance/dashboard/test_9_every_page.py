"""What must be true of every page."""

from .visit import NARROW


def test_on_every_page_nothing_is_complained_of_in_light_and_dark_and_nothing_is_cut_off_at_375_px(stand):
    stand.need_pools(us=1, de=1)
    for path in stand.pages():
        name = path.strip("/") or "overview"
        with stand.visit(path) as visit:
            visit.has_no_serious_finding()
            visit.fits()
            visit.picture(f"{name}-light")
            visit.page.emulate_media(color_scheme="dark")
            visit.has_no_serious_finding("color-contrast")
            visit.picture(f"{name}-dark")
            width, height = NARROW
            visit.page.set_viewport_size({"width": width, "height": height})
            visit.fits()
            visit.picture(f"{name}-narrow")
