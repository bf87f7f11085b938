"""Check locked releases for known vulnerabilities with pip-audit, if its database can be reached.

    python .ci/audit.py

0: none is known, or the database could not be reached (printed). 1: some are known; they are listed with the fixed
releases.
"""

import json
import subprocess
import sys
from pathlib import Path


LOCKS = ("requirements.lock", "requirements-train.lock")
SECONDS = 120


def audit(lock: str) -> tuple[list[str], str]:
    """Known vulnerabilities of a lock's releases, one line each, and a summary."""
    argv = [sys.executable, "-m", "pip_audit", "-r", lock, "--disable-pip", "--require-hashes", "-f", "json"]
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            [*argv, "--progress-spinner", "off", "--timeout", "10"],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        found = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return [], f"{lock}: SKIPPED, no answer within {SECONDS} s."
    except (ValueError, KeyError):
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return [], f"{lock}: SKIPPED, the vulnerability database could not be reached ({reason[:200]})."
    return judge(lock, found)


def judge(lock: str, found: list[dict]) -> tuple[list[str], str]:
    """Like `audit`, from pip-audit's result for each package."""
    asked = [package for package in found if "skip_reason" not in package]
    if not asked:
        return [], f"{lock}: SKIPPED, the vulnerability database knows none of {len(found)} packages: out of reach."
    vulnerabilities = [
        f"{package['name']} {package['version']}: {known['id']}, fixed in {', '.join(known['fix_versions']) or 'none'}"
        for package in asked
        for known in package["vulns"]
    ]
    return (
        vulnerabilities,
        f"{lock}: {len(asked)} of {len(found)} packages checked, {len(vulnerabilities)} known vulnerabilities.",
    )


def main() -> int:
    """Check all locks."""
    vulnerabilities = []
    for lock in LOCKS:
        found, said = audit(lock)
        vulnerabilities += found
        sys.stdout.write("".join(f"{line}\n" for line in [*found, f"pip-audit, {said}"]))
    return 1 if vulnerabilities else 0


if __name__ == "__main__":
    sys.exit(main())
