"""The contracts as strangers install them: one wheel, pydantic, and nothing of ours besides."""

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from contracts import asyncapi
from contracts.asyncapi import EXAMPLES, HERE
from contracts.registry import CHANNELS

LISTENER = """
import sys
from contracts.dossier import DOSSIERS
event = DOSSIERS.event_named("vn.motcua.dossier.DossierSubmitted.v1").model_validate_json(sys.stdin.read())
print(type(event).__name__, event.dossier_code, sorted(m for m in sys.modules if m.startswith(("yaml", "kit"))))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=HERE, check=True, capture_output=True)
    (built,) = folder.glob("motcua_contracts-*.whl")
    return built


@pytest.fixture(scope="module")
def stranger(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, what it asks for, and no more."""
    home = tmp_path_factory.mktemp("stranger")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    for name in _needed(importlib.metadata.PathDistribution(next(packages.glob("*.dist-info")))):
        _install(importlib.metadata.distribution(name), packages)
    return home / "bin" / "python"


def _needed(package: importlib.metadata.Distribution) -> set[str]:
    wanted = {r.name for r in map(Requirement, package.requires or []) if not r.marker or r.marker.evaluate()}
    return wanted.union(*(_needed(importlib.metadata.distribution(name)) for name in wanted))


def _install(package: importlib.metadata.Distribution, where: Path) -> None:
    for top in {file.parts[0] for file in package.files or [] if ".." not in file.parts}:
        if not (where / top).exists():
            (where / top).symlink_to(Path(str(package.locate_file(top))))


def test_the_package_has_the_version_of_the_language(wheel: Path) -> None:
    assert wheel.name.split("-")[1] == asyncapi.INFO["version"]


def test_the_package_needs_pydantic_and_nothing_else(wheel: Path) -> None:
    metadata = zipfile.ZipFile(wheel).read(next(n for n in zipfile.ZipFile(wheel).namelist() if n.endswith("METADATA")))
    asked = [line for line in metadata.decode().splitlines() if line.startswith("Requires-Dist")]
    assert [line.split()[1].partition("<")[0] for line in asked] == ["pydantic"]


def test_the_package_holds_every_schema_and_example_and_no_tool(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"contracts/schemas/{path.name}" for path in (HERE / "schemas").glob("*.json")}
    wanted |= {f"contracts/examples/{path.name}" for path in EXAMPLES.glob("*.json")}
    wanted |= {"contracts/asyncapi.yaml", "contracts/py.typed", "contracts/README.md"}
    assert wanted <= names
    assert names & {"contracts/asyncapi.py", "contracts/release.py"} == set()
    assert len(wanted) > sum(len(channel.events) for channel in CHANNELS)


def test_a_stranger_reads_an_event_with_the_package_alone(stranger: Path) -> None:
    example = (EXAMPLES / "DossierSubmitted.v1.json").read_text("utf-8")
    said = subprocess.run([stranger, "-I", "-c", LISTENER], input=example, capture_output=True, text=True, check=True)
    assert said.stdout.split()[0] == "DossierSubmitted"
    assert said.stdout.endswith("[]\n")
