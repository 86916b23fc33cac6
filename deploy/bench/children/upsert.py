"""Bare batched upserts into tracking's own table: one statement and one transaction for 500 rows, nothing else."""

import time

import uvloop

from deploy.bench.children import orders, tell
from deploy.bench.rig import submissions
from kit.db import Database
from kit.settings import Settings
from services.tracking.projection import domain, store

ROWS = 500


async def upsert() -> None:
    db = await Database.open(Settings().database_url)
    async for order in orders():
        changes = [(e.dossier_code, domain.dossier_change(e)) for e in submissions(order["count"], order["prefix"])]
        batches = [dict(changes[n : n + ROWS]) for n in range(0, len(changes), ROWS)]
        began = time.perf_counter()
        for batch in batches:
            async with db.transaction() as tx:
                await store.project_dossiers(tx, batch)
        tell(seconds=time.perf_counter() - began)


uvloop.run(upsert())
