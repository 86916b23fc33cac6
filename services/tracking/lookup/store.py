"""The look-up by code: one indexed statement for every question."""

import asyncpg

from kit.db import Connection, Database

LOOK_UP = """
SELECT d.*, submitter.masked_name, owner.masked_name AS owner_name,
       owner.identity_digest AS owner_digest, submitter.identity_digest AS submitter_digest,
       (SELECT max(heard_at) FROM freshness) AS updated_at
FROM (SELECT $1::text AS code) AS asked
LEFT JOIN dossier_view AS d ON d.code = asked.code AND d.version > 0
LEFT JOIN account_view AS owner ON owner.account_ref = d.owner_ref
LEFT JOIN account_view AS submitter ON submitter.account_ref = d.submitter_ref
"""


async def look_up(db: Database | Connection, code: str) -> asyncpg.Record:
    """What is known under that code. There is always a row: knowing nothing takes as long as knowing all."""
    row = await db.fetchrow(LOOK_UP, code)
    assert row is not None  # noqa: S101 (the statement starts from the question)
    return row
