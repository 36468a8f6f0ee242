import pathlib
import sys

from .data import read
from .files import FILES

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    networks, is_check = read(ROOT / "haproxy/special-networks.txt"), sys.argv[1:] == ["--check"]
    stale = []
    for path, made in FILES.items():
        file = ROOT / path
        old = file.read_text() if file.exists() else ""
        if (new := made(networks, old)) != old:
            stale.append(path)
            if not is_check:
                file.write_text(new)
    if is_check and stale:
        sys.exit(f"not up to date with haproxy/special-networks.txt: {', '.join(stale)}; run `python3 -m Tests.Networks`")


if __name__ == "__main__":
    main()
