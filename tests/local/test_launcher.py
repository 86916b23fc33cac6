"""`./motcua` on a machine that has nothing but Python."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.places import ROOT

NOWHERE = "http://127.0.0.1:9/simple"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which nothing was installed yet."""
    for name in ("motcua", "pyproject.toml", "uv.lock", "README.md"):
        shutil.copy2(ROOT / name, tmp_path / name)
    for member in ROOT.glob("**/pyproject.toml"):
        if not member.is_relative_to(ROOT / ".venv"):
            copy = tmp_path / member.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(member, copy)
    return tmp_path


def launch(checkout: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    offline = {
        "UV_DEFAULT_INDEX": NOWHERE,
        "UV_CACHE_DIR": str(checkout / "uv-cache"),
        "UV_HTTP_RETRIES": "0",
        "PIP_INDEX_URL": NOWHERE,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_FIND_LINKS": "",
        "PATH": f"{ROOT / '.uv/bin'}:{os.environ['PATH']}",  # one of them has the uv that brought us here
    }
    command = [sys.executable, str(checkout / "motcua"), *arguments]
    return subprocess.run(command, env={**offline, **env}, capture_output=True, text=True, timeout=120)


def test_a_first_start_without_network_says_what_to_do(checkout: Path) -> None:
    said = launch(checkout, "up")

    assert said.returncode == 1
    assert "could not be downloaded. Connect to the network" in said.stderr
    assert "Traceback" not in said.stderr


def test_without_network_and_without_uv_it_says_what_to_do(checkout: Path) -> None:
    said = launch(checkout, "up", PATH="/nowhere")

    assert said.returncode == 1
    assert "uv could not be downloaded. Connect to the network" in said.stderr
    assert "Traceback" not in said.stderr
    assert not (checkout / ".uv").exists()


def test_an_old_python_can_read_it_far_enough_to_say_that_it_is_old() -> None:
    ast.parse((ROOT / "motcua").read_text(), feature_version=(3, 6))


def test_it_works_from_any_folder(tmp_path: Path) -> None:
    said = subprocess.run([ROOT / "motcua", "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert said.returncode == 0
    assert "Usage: motcua" in said.stdout
