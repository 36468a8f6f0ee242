"""Runs of equal lines that stand in more than one place."""

import re
from collections import defaultdict

LENGTH = 4


def duplicated(texts):
    """The runs of at least `LENGTH` lines that stand in more than one place, and the lines that these hold beyond the first place.

    Blank lines, imports and lines without a letter don't count, nor does indentation. `texts` holds a text for each path.
    """
    lines = {path: significant(text) for path, text in texts.items()}
    places = defaultdict(list)
    for path, of in lines.items():
        for at in range(len(of) - LENGTH + 1):
            places[tuple(of[at : at + LENGTH])].append((path, at))
    runs, extra = 0, set()
    for found in places.values():
        # The places after the first are the repeated ones.
        for path, at in found[1:]:
            extra.update((path, line) for line in range(at, at + LENGTH))
    for path, line in extra:
        runs += (path, line - 1) not in extra
    return runs, len(extra)


def significant(text):
    lines = (line.strip() for line in text.split("\n"))
    return [
        line
        for line in lines
        if re.search("[A-Za-z]", line) and not re.match(r"(package |public |internal )?import |from .* import ", line)
    ]
