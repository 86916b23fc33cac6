"""`bench messages`: 100,000 text messages and letters wait, and one process of notification sends them.

How many go out a second over each channel, and whether the process's memory stays flat with so many waiting. What it
meets outside answers at once: the figures are what our own part allows.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.bench.figures import Amount, Figures, Rates, Repeated
from deploy.bench.measuring import measured, say
from deploy.bench.report import Report
from deploy.bench.rig import Child, Rig
from deploy.local.process import memory_mb
from kit.db import Database

GOAL = 50.0
"""Messages a second: a province's day, some 20,000, in a few minutes."""
WORDS = {
    "code": "H99.02.01-261122-0001", "procedure_name": "Cấp bản sao Trích lục hộ tịch", "time": "08:40 22/11/2026",
    "unit_name": "UBND xã Bình Minh", "host": "dvc.example.vn", "lookup_url": "https://dvc.example.vn/tra-cuu",
}  # fmt: skip
QUEUE = """
WITH made AS (
    INSERT INTO message (id, dossier_code, event, version, template, template_version, recipient_ref, channel, words,
                         happened_at, unit)
    SELECT gen_random_uuid(), 'H99.02.01-261122-' || n, 'DossierSubmitted', n, 'dossier_submitted', 1,
           gen_random_uuid(), $1, $2, $3, 'H99.02.01'
    FROM generate_series(1, $4::int) n RETURNING id)
INSERT INTO timer (kind, key, due_at) SELECT 'deliver', id::text, $3 FROM made
"""
SENT = "SELECT count(*) FROM message WHERE state = 'sent'"
EMPTY = "DELETE FROM timer WHERE kind = 'deliver'"


@dataclass(frozen=True)
class Extent:
    waiting: int
    seconds: float


FULL, QUICK = Extent(100_000, 30), Extent(100_000, 8)


def measure(*, quick: bool = False) -> Report:
    return measured("messages", lambda rig: _figures(rig, QUICK if quick else FULL))


async def _figures(rig: Rig, much: Extent) -> Figures:
    outside = await Child.start("outside")
    ports = await outside.ask(do="ports")
    http = f"http://127.0.0.1:{ports['http']}"
    told = {
        "MOTCUA_IDENTITY_URL": http, "MOTCUA_DOSSIER_URL": http, "MOTCUA_SMS_URL": f"{http}/esms",
        "MOTCUA_VIETTEL_URL": "", "MOTCUA_SMTP_URL": f"smtp://127.0.0.1:{ports['smtp']}",
    }  # fmt: skip
    await rig.stack.up("notification", env=told)
    db = await Database.open(rig.stack.site.place("notification").database_url)
    try:
        begun = memory_mb(rig.stack.pid("notification"))
        runs = [await _run(rig, db, channel, much) for channel in ("sms", "email")]
    finally:
        await db.close()
        await outside.end()
    rates = [Rates(f"{title} sent by one process", Repeated((run.rate,)), "/s", GOAL) for title, run in runs]
    memory = [Amount(f"notification, while 100,000 wait: {title}", run.megabytes, "MB") for title, run in runs]
    return Figures([], [], rates, [Amount("notification, before", begun, "MB"), *memory])


@dataclass(frozen=True)
class Run:
    rate: float
    megabytes: int
    """The most that the process was seen to hold."""


async def _run(rig: Rig, db: Database, channel: str, much: Extent) -> tuple[str, Run]:
    say("messages", f"{much.waiting:,} by {channel} wait")
    await db.execute(QUEUE, channel, WORDS, datetime.now(UTC), much.waiting)
    await asyncio.sleep(2)
    before, began, held = await db.fetchval(SENT), time.perf_counter(), 0
    while time.perf_counter() - began < much.seconds:
        held = max(held, memory_mb(rig.stack.pid("notification")))
        await asyncio.sleep(0.5)
    rate = (await db.fetchval(SENT) - before) / (time.perf_counter() - began)
    await db.execute(EMPTY)
    return {"sms": "text messages", "email": "letters"}[channel], Run(rate, held)
