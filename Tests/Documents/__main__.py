"""Checks the Markdown pages: links and their anchors, paths of the project, names of tests, the list of decisions.

python3 -m Tests.Documents [FOLDER]    exits with 1 and one line for each mistake
"""

import sys
from pathlib import Path

from .pages import Page, project_pages
from .rules import mistakes


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
    pages = [Page(root, path) for path in project_pages(root)]
    found = sorted(mistakes(root, pages))
    for mistake in found:
        print(mistake)
    if found:
        sys.exit(f"documents: {len(found)} mistakes in {len(pages)} pages")


main()
