"""The files of a revision, or of the working tree, that the figures are counted in."""

import io
import pathlib
import subprocess
import tarfile

from . import swift

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKING_TREE = "working tree"
FOLDERS = ("Sources", "Tests", "containers")


class SwiftFile:
    """A Swift file under `Sources`: `text` as it is, `code` with blanks for comments and quoted text, line by line the same."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.code = swift.blanked(text)
        self.lines = text.count("\n")
        self.declarations = swift.Declarations(self.code)

    @property
    def target(self):
        return self.path.split("/")[1]


class Revision:
    """What a revision holds, by its name for git or `WORKING_TREE`."""

    def __init__(self, name):
        self.name = name
        texts = dict(sorted(on_disk() if name == WORKING_TREE else in_git(name)))
        self.swift = [SwiftFile(path, text) for path, text in texts.items() if path.startswith("Sources/") and path.endswith(".swift")]
        self.python = {path: text for path, text in texts.items() if is_python(path, text)}


def is_python(path, text):
    return path.endswith(".py") or text.startswith("#!/usr/bin/env python3")


def on_disk():
    """What git knows, or would add."""
    words = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z", *FOLDERS]
    for path in filter(None, subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")):
        if (ROOT / path).is_file():
            yield path, (ROOT / path).read_text(errors="replace")


def in_git(revision):
    words = ["git", "-C", str(ROOT), "archive", "--format=tar", revision, *FOLDERS]
    packed = subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            if member.isfile():
                yield member.name, archive.extractfile(member).read().decode(errors="replace")
