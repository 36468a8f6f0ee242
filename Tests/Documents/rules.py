"""What must be true of the pages. Each rule yields a line for each mistake."""

import re

from .pages import Page

# Pages whose tables name tests by their sentences.
NAMES_TESTS = ("docs/failure-modes.md", "docs/threat-model.md", "docs/faults-2026-11.md")
FOLDERS = ("Sources/", "Tests/", "containers/", "docs/", "haproxy/", "traefik/")
DECISIONS = "docs/decisions/"


def mistakes(root, pages):
    for page in pages:
        yield from wrong_links(page, root)
        if page.path != "CHANGELOG.md":
            yield from wrong_paths(page, root)
    yield from unknown_tests(root, [page for page in pages if page.path in NAMES_TESTS])
    yield from unlisted_decisions(pages)


def wrong_links(page, root):
    for target in page.links:
        path, _, anchor = target.partition("#")
        file = (page.file.parent / path).resolve() if path else page.file
        if not file.exists():
            yield f"{page.path}: {target}: no such file"
        elif anchor and file.suffix == ".md" and anchor not in Page(root, file.relative_to(root.resolve()) if path else page.path).anchors:
            yield f"{page.path}: {target}: no such heading"


def wrong_paths(page, root):
    """Code spans that begin with a folder of the project; patterns and placeholders are left out."""
    for span in page.spans:
        path = span.split(" ")[0]
        if path.startswith(FOLDERS) and not re.search(r"[*<>{}…]", path) and not (root / path).exists():
            yield f"{page.path}: `{path}`: no such file"


def unknown_tests(root, pages):
    """Sentences of five words and more in the column of tests are names of test functions."""
    functions = {name for file in (root / "Tests").glob("**/*.swift") for name in re.findall(r"func `([^`]+)`", file.read_text())}
    for page in pages:
        for span in page.spans:
            if span.count(" ") >= 4 and span[0].isalpha() and span not in functions:
                yield f"{page.path}: `{span}`: no such test"


def unlisted_decisions(pages):
    """Each decision is in the list once, in order, with its own title."""
    decisions = [page for page in pages if page.path.startswith(DECISIONS) and not page.path.endswith("README.md")]
    wanted = []
    for page in sorted(decisions, key=lambda page: page.path):
        name = page.path.removeprefix(DECISIONS)
        number, _, title = page.title.partition(": ")
        if not name.startswith(f"{number}-"):
            yield f"{page.path}: its title has the number {number}"
        wanted.append(f"| [{number}]({name}) | {title} |")
    overview = next(page for page in pages if page.path == f"{DECISIONS}README.md")
    listed = [line for line in overview.text.splitlines() if line.startswith("| [")]
    for row in listed:
        if row not in wanted:
            yield f"{overview.path}: {row}: no decision has this number, file and title"
    for row in wanted:
        if row not in listed:
            yield f"{overview.path}: {row} is missing"
    if sorted(listed) == sorted(wanted) and listed != wanted:
        yield f"{overview.path}: the list is not in order"
