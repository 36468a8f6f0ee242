"""Markdown pages as far as the checks read them: headings, links and code spans outside of code blocks."""

import re
import subprocess
from functools import cached_property

CODE_BLOCK = re.compile(r"^ *(```|~~~).*?^ *\1[^\n]*$", re.S | re.M)
CODE_SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.*)$", re.M)


def project_pages(root):
    """The paths of all pages that git knows or would add, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()
    return [path for path in dict.fromkeys(listed) if (root / path).exists()]


def anchor(heading):
    """The anchor that GitHub and GitLab make of a heading."""
    text = LINK.sub(lambda link: link[0][1 : link[0].index("]")], heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


class Page:
    def __init__(self, root, path):
        self.path = path
        self.file = root / path
        self.text = CODE_BLOCK.sub("", self.file.read_text())

    @cached_property
    def anchors(self):
        """A heading that comes again has its number behind the anchor."""
        found = {}
        for heading in HEADING.findall(self.text):
            name = anchor(heading)
            found[name] = found.get(name, -1) + 1
        return {name if not number else f"{name}-{number}" for name, last in found.items() for number in range(last + 1)}

    @property
    def links(self):
        """Targets of links, those to other sites left out."""
        return [target for target in LINK.findall(CODE_SPAN.sub("", self.text)) if not re.match(r"[a-z]+:", target)]

    @property
    def spans(self):
        """Code spans, each with its blanks and line ends as one blank."""
        return [" ".join(span.split()) for span in CODE_SPAN.findall(self.text)]

    @property
    def title(self):
        return HEADING.search(self.text)[1]
