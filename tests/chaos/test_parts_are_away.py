"""A part is away while somebody sends a dossier: it is recorded whole, or refused whole, and no code is lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from deploy.demo.papers import declaration
from deploy.local.stack import Stack
from deploy.local.system import System
from tests.chaos import checker
from tests.chaos.citizens import Citizen, History
from tests.chaos.faults import database


@asynccontextmanager
async def away(system: System, name: str) -> AsyncIterator[None]:
    """Killed at first, started again afterwards."""
    system.kill(name)
    await system.units[name].running.wait()
    try:
        yield
    finally:
        system.start(name)
        await system.wait_ready(name)


async def recorded(stack: Stack) -> tuple[int, int, int]:
    """Dossiers, their files, and events that were said."""
    async with database(stack, "dossier") as conn:
        return (
            await conn.fetchval("SELECT count(*) FROM dossier"),
            await conn.fetchval("SELECT count(*) FROM component_file"),
            await conn.fetchval("SELECT count(*) FROM outbox"),
        )


def code_of(answer: httpx2.Response) -> str:
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


@pytest.mark.timeout(300)
async def test_a_dossier_is_recorded_whole_or_refused_whole(stack: Stack) -> None:
    """Scenario 17."""
    await stack.up("identity", "dossier", "tracking", "clamav")
    citizen = Citizen(stack, History(), declaration("To khai"))
    first, second = await citizen.prepare(), await citizen.prepare()

    async with away(stack.infra.system, "s3"):
        assert (await citizen.submit(first)).status_code == 503
        assert await recorded(stack) == (0, 0, 0)
    async with away(stack.system, "clamav"):
        refused = await citizen.submit(first)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:motcua:problem:file-not-examined")
        assert await recorded(stack) == (0, 0, 0)
    codes = [code_of(await citizen.submit(first))]
    assert await recorded(stack) == (1, 1, 1)

    async with away(stack.infra.system, "kafka"):
        codes.append(code_of(await citizen.submit(second)))
        assert await recorded(stack) == (2, 2, 2)
        assert code_of(await citizen.submit(second)) == codes[1], "sent again, it has the code it had"

    assert await checker.settled(stack, ["tracking"], within=90)
    assert await checker.findings(stack, ["tracking"], codes, set()) == []
