"""`./motcua kafka …` on a real cluster, as an operator runs it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from deploy.kafka.commands import app
from deploy.local import topics
from deploy.local.infra import Secured
from deploy.local.trouble import Trouble
from kit import outbox
from kit.settings import Settings
from tests.kafka.test_access import gets_in
from tests.kit.kafka import Kafka
from tests.support import eventually

Operator = Callable[..., Awaitable[Result]]


@pytest.fixture
def operator(secured: Secured, kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """`await operator("access", "--apply")`: in a thread, since kafka-python blocks."""
    monkeypatch.setenv("MOTCUA_KAFKA", secured.plain)
    return lambda *arguments: asyncio.to_thread(CliRunner().invoke, app, list(arguments))


async def test_missing_topics_are_shown_and_made_when_asked(operator: Operator, secured: Secured) -> None:
    await operator("topics", "--apply", "--replicas", "1")

    again = await operator("topics")
    async with Kafka(secured.plain) as observer:
        there = {topic.name: await observer._writer.partitions_for(topic.name) for topic in topics.wanted()}

    assert (again.exit_code, again.output) == (0, "")
    assert {name: len(parts) for name, parts in there.items()} == {t.name: t.partitions for t in topics.wanted()}


async def test_a_cluster_that_is_in_line_is_an_exit_code(operator: Operator) -> None:
    given = await operator("access", "--apply")
    assert given.exit_code == 0, given.output

    async def nothing_differs() -> bool:
        found = await operator("access")
        return (found.exit_code, found.output) == (0, "")

    await eventually(nothing_differs)


async def test_who_gets_a_password_is_told_all_that_the_quick_starts_ask_for_and_can_log_in(
    operator: Operator, secured: Secured
) -> None:
    told = dict(line.split("=", 1) for line in (await operator("password", "giam-sat")).output.splitlines())

    assert set(told) == {"KAFKA_USERNAME", "KAFKA_PASSWORD", "KAFKA_GROUP", "KAFKA_REPLAY"}
    await _log_in(secured, told["KAFKA_USERNAME"], told["KAFKA_PASSWORD"])


async def test_a_password_may_come_from_a_mounted_secret_and_is_not_shown(
    operator: Operator, secured: Secured, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("from the vault\n")

    said = await operator("password", "dossier", "--file", str(tmp_path / "password"))

    assert (said.exit_code, said.output) == (0, "")
    await _log_in(secured, "dossier", "from the vault")


async def _log_in(secured: Secured, name: str, password: str) -> None:
    told: dict[str, Any] = {"kafka_username": name, "kafka_password": password, "kafka_ca": str(secured.authority)}
    await eventually(lambda: gets_in(secured, outbox.security(Settings(**told))))


async def test_nobody_else_gets_a_password(operator: Operator) -> None:
    said = await operator("password", "somebody")
    assert isinstance(said.exception, Trouble)
    assert "somebody is neither" in str(said.exception)
