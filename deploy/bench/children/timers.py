"""kit's timers alone, as they run in every service; each deadline writes down when it fired, and in which process."""

import os

import uvloop

from deploy.bench.children import tell
from kit.db import Connection, Database
from kit.settings import Settings
from kit.timers import Timer, Timers

FIRED = "INSERT INTO fired (key, due_at, at, process) VALUES ($1, $2, clock_timestamp(), $3)"

timers = Timers()


@timers.due("bench")
async def note(tx: Connection, timer: Timer) -> None:
    await tx.execute(FIRED, timer.key, timer.due_at, os.getpid())


async def run() -> None:
    db = await Database.open(Settings().database_url)
    tell(ready=True)
    await timers.run(db)


uvloop.run(run())
