"""What must be true of every page."""

from .visit import NARROW


def name_of(path):
    return path.strip("/") or "overview"


def test_light_nothing_is_complained_of(stand):
    stand.need_pools(us=1, de=1)
    for path in stand.pages():
        with stand.visit(path) as visit:
            visit.has_no_serious_finding()
            visit.fits()
            visit.picture(f"{name_of(path)}-light")


def test_dark_nothing_is_complained_of(stand):
    stand.need_pools(us=1, de=1)
    for path in stand.pages():
        with stand.visit(path, scheme="dark") as visit:
            visit.has_no_serious_finding()
            visit.picture(f"{name_of(path)}-dark")


def test_at_375_px_nothing_is_cut_off(stand):
    stand.need_pools(us=1, de=1)
    for path in stand.pages():
        with stand.visit(path, size=NARROW) as visit:
            visit.fits()
            visit.picture(f"{name_of(path)}-narrow")
