"""Checks a release: checksums, the SPDX document against the standard and against the images, and that its package removes nothing.

python3 -m Tests.Release FOLDER    the folder of a release; `make release` calls this
python3 -m Tests.Release           the document of the exits' image alone, made twice; `make test` calls this
"""

import os
import sys
import tempfile

from ..Harness import environment
from ..Harness.programs import ROOT, read, run

IMAGES = f"{ROOT}/.build/images"


def expect(what, seen, wanted=True):
    if seen != wanted:
        sys.exit(f"release: {what}: got {seen}, want {wanted}")


def packages_of(image):
    """Name and version of each Debian package that a file of an image comes from."""
    rows = [line.split("\t") for line in read(f"{IMAGES}/{image}.contents").splitlines()]
    used = {row[2] for row in rows if row[0] == "file"} - {"ours"}
    listed = {(row[1], row[2]) for row in rows if row[0] == "package"}
    expect(f"packages of {image}", {name for name, _ in listed}, used)
    return listed


def check_document(path, images):
    from spdx_tools.spdx.model import RelationshipType
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    document = parse_file(path)
    expect("the document is valid", [message.validation_message for message in validate_full_spdx_document(document)], [])
    by_id = {package.spdx_id: package for package in document.packages}
    for image in images:
        id = next(id for id in by_id if id.startswith("SPDXRef-artefact-") and image in id)
        inside = {
            relation.related_spdx_element_id
            for relation in document.relationships
            if relation.spdx_element_id == id and relation.relationship_type == RelationshipType.CONTAINS
        }
        debian = {(by_id[one].name, by_id[one].version) for one in inside if "-debian-" in one}
        expect(f"Debian packages in {image}", debian, packages_of(image))
        expect(f"programs of ours in {image}", any("-program-" in one for one in inside))
    print(f"release: a valid SPDX document of {len(by_id)} packages")
    return document


def check_exit_image():
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/{number}.spdx.json" for number in (1, 2)]
        for file in files:
            run(f"{ROOT}/containers/sbom", "0.0.0", "1700000000", file, f"{IMAGES}/exit.tar={IMAGES}/exit.contents")
        expect("the same document twice", read(files[0]) == read(files[1]))
        check_document(files[0], ["exit"])


def check_package(path):
    for field in ("Conflicts", "Breaks", "Replaces"):
        expect(f"{field} of {os.path.basename(path)}, by which apt would remove something", run("dpkg-deb", "-f", path, field).strip(), "")


def check_release(folder):
    run("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=folder)
    listed = {line.split("  ", 1)[1] for line in read(f"{folder}/SHA256SUMS").splitlines()}
    expect("files with a checksum", listed, set(os.listdir(folder)) - {"SHA256SUMS"})
    for name in listed:
        expect(f"{name} has something in it", os.path.getsize(f"{folder}/{name}") > 0)
    (document,) = [f"{folder}/{name}" for name in listed if name.endswith(".spdx.json")]
    check_document(document, ["exit", "controller"])
    for package in (f"{folder}/{name}" for name in listed if name.endswith(".deb")):
        check_package(package)
    print(f"release: {len(listed)} files with right checksums")


if __name__ == "__main__":
    environment.enter("Tests.Release")
    if len(sys.argv) > 1:
        check_release(sys.argv[1])
    else:
        check_exit_image()
