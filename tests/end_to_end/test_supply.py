"""The package supply chain: locks match the requirements, licences are known, vulnerabilities are reported."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


ROOT = Path(__file__).parents[2]


def tool(name: str) -> ModuleType:
    """A script of `.ci`, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


licences, audit = tool("licences"), tool("audit")


@pytest.mark.parametrize("name", ["requirements", "requirements-train"])
def test_lock_matches_requirements(name: str) -> None:
    """Every pin and all its dependencies are locked, each with an exact release and digests."""
    text = (ROOT / f"{name}.lock").read_text()
    entries = re.split(r"\n(?=\S)", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    locked: dict[str, set[str]] = {}
    for entry in entries:
        head, *digests = [part.strip(" \\") for part in entry.splitlines()]
        requirement = Requirement(head)
        (pin,) = requirement.specifier
        assert pin.operator == "==" and digests, head
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", digest) for digest in digests), head
        locked.setdefault(canonicalize_name(requirement.name), set()).add(pin.version)
    for requirement in licences.requirements(ROOT / f"{name}.txt"):
        (pin,) = requirement.specifier
        assert locked[canonicalize_name(requirement.name)] == {pin.version}, f"{requirement}: run `make lock`"
    assert set(licences.closure(ROOT / f"{name}.txt")) <= set(locked), "run `make lock`"


def test_node_packages_have_digests_and_known_licences() -> None:
    packages = json.loads((ROOT / "tests" / "node" / "package-lock.json").read_text())["packages"]
    wanted = packages.pop("")["dependencies"]
    assert len(packages) > 40 and all(packages[f"node_modules/{name}"]["version"] == wanted[name] for name in wanted)
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert licences.wrong(name, package["license"], []) is None, name


def test_licences_of_all_installed_packages_are_known() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "licences.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert lines[-1] == f"{len(lines) - 1} packages, 0 to be looked at." and len(lines) > 100


@pytest.mark.parametrize(
    ("name", "said", "brings", "why"),
    [
        ("a", "MIT License", [], None),
        ("a", "Apache-2.0 AND BSD-3-Clause", [], None),
        ("a", "GPL-3.0-or-later", [], "not a licence we know"),
        ("a", "nothing", [], "not a licence we know"),
        ("a", "MIT; GNU Affero General Public License v3", [], "AGPL"),
        ("pycocotools", "AGPL-3.0-only", [], "AGPL"),
        ("pycocotools", "FreeBSD", [], None),
        ("a", "MIT", ["libx265"], "it brings libx265 (GPL)"),
        ("nvidia-cublas", "Other/Proprietary License", [], None),
    ],
)
def test_licence_check_accepts_known_and_rejects_other_licences(
    name: str, said: str, brings: list[str], why: str | None
) -> None:
    found = licences.wrong(name, said, brings)
    assert found is None if why is None else found.startswith(why)


def test_audit_lists_vulnerabilities_with_fixed_releases() -> None:
    """Also without vulnerabilities, and with packages that the database does not know."""
    vulnerable = {"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2", "3"]}]}
    clean, unknown = {"name": "b", "version": "1", "vulns": []}, {"name": "c", "skip_reason": "not found"}
    vulnerabilities, said = audit.judge("x.lock", [vulnerable, clean, unknown])
    assert vulnerabilities == ["a 1: CVE-1, fixed in 2, 3"]
    assert said == "x.lock: 2 of 3 packages checked, 1 known vulnerabilities."
    assert audit.judge("x.lock", [clean]) == ([], "x.lock: 1 of 1 packages checked, 0 known vulnerabilities.")
    vulnerabilities, said = audit.judge("x.lock", [unknown])
    assert not vulnerabilities and "SKIPPED" in said


@pytest.mark.parametrize("failing", [subprocess.TimeoutExpired("pip-audit", 1), "no network"])
def test_audit_does_not_fail_offline(
    failing: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*args: object, **kwargs: object) -> object:
        if isinstance(failing, Exception):
            raise failing
        return subprocess.CompletedProcess(args, 1, stdout="", stderr=failing)

    monkeypatch.setattr(audit.subprocess, "run", run)
    assert audit.main() == 0
    assert capsys.readouterr().out.count("SKIPPED") == len(audit.LOCKS)
