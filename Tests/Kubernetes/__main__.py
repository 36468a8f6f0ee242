"""Checks containers/kubernetes: kustomize builds each folder, each resource fits Kubernetes' own schemas, and what the schemas can't know.

python3 -m Tests.Kubernetes    called by `make check`; kubectl and the schemas come from PyPI
"""

import subprocess
import sys
from pathlib import Path

from ..Harness import environment
from ..Harness.programs import ROOT
from .rules import mistakes

FOLDER = Path(ROOT) / "containers/kubernetes"


def built(folder):
    """The resources that kustomize makes of a folder."""
    import yaml

    words = [f"{environment.FOLDER}/bin/kubectl", "kustomize", str(folder)]
    ended = subprocess.run(words, capture_output=True, text=True)
    if ended.returncode or ended.stderr:
        sys.exit(f"kustomize: {folder}: {ended.stderr.strip()}")
    return list(yaml.safe_load_all(ended.stdout))


def against_schemas(name, resources):
    import kubernetes_validate

    for resource in resources:
        try:
            kubernetes_validate.validate(resource, "1.37", strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{name}: {resource['kind']} {resource['metadata']['name']}: {'.'.join(map(str, error.path))}: {error.message}"


def main():
    import yaml

    found, count = [], 0
    for file in sorted(FOLDER.glob("**/kustomization.yaml")):
        name = str(file.parent.relative_to(FOLDER))
        examples = [part for example in file.parent.glob("*.example.yaml") for part in yaml.safe_load_all(example.read_text())]
        resources = built(file.parent)
        count += len(resources)
        found += against_schemas(name, resources + examples)
        found += [f"{name}: {mistake}" for mistake in mistakes(resources, examples)]
    for line in found:
        print(line)
    if found:
        sys.exit(1)
    print(f"kubernetes: {count} resources")


if __name__ == "__main__":
    environment.enter("Tests.Kubernetes")
    main()
