"""The national status of the projection is the contracts' function, computed by the database."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from contracts.national import STATUSES, status_of
from kit.db import Database
from services.tracking.words import STATES

PUT = "INSERT INTO dossier_view (code, version, state, accepted_at) VALUES ($1, 1, $2, $3) RETURNING status"


@pytest.fixture
async def db(make_database: Callable[[str], Awaitable[Database]]) -> Database:
    return await make_database("tracking")


async def test_the_database_and_the_contracts_agree_about_every_state(db: Database) -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    for state in STATES:
        for accepted in (False, True):
            shown = await db.fetchval(PUT, f"{state} {accepted}", state, moment if accepted else None)
            assert shown == status_of(state, accepted=accepted), state
            assert shown in STATUSES
