"""Clocks in the database, with the timer that notices when one runs out, and the policy profiles ever used."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from kit import timers
from kit.db import Connection, Database
from services.dossier.clocks import domain
from services.dossier.clocks.calendar import Limit, Step
from services.dossier.clocks.domain import SILENT, STANDS_IN, Clock, Kind, Pause
from services.dossier.clocks.policy import Policy
from services.dossier.processing.domain import Dossier

LIMIT: TypeAdapter[Limit] = TypeAdapter(Limit)
STEPS: TypeAdapter[tuple[Step, ...]] = TypeAdapter(tuple[Step, ...])
PAUSES: TypeAdapter[tuple[Pause, ...]] = TypeAdapter(tuple[Pause, ...])
POLICY: TypeAdapter[Policy] = TypeAdapter(Policy)

START = """
INSERT INTO clock (id, dossier_code, kind, key, unit, started_at, due_at, limit_rule, steps, provisional,
    policy_version, calendar_version, pauses, passed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""


async def start(tx: Connection, *clocks: Clock) -> None:
    """These clocks begin: they are written down, and timers are set that will notice when they run out.

    The caller holds the dossier's row. All clocks are of one dossier.
    """
    await tx.executemany(START, [(*_begun(clock), clock.passed_at) for clock in clocks])
    for clock in clocks:
        await _set_timer(tx, clock)
    if clocks:
        await _stand(tx, clocks[0].dossier_code)


def _begun(clock: Clock) -> tuple[Any, ...]:
    return (
        clock.id, clock.dossier_code, clock.kind, clock.key, clock.unit, clock.started_at, clock.due_at,
        LIMIT.dump_python(clock.limit, mode="json"), STEPS.dump_python(clock.steps, mode="json"), clock.provisional,
        clock.policy_version, clock.calendar_version, PAUSES.dump_python(clock.pauses, mode="json"),
    )  # fmt: skip


async def _set_timer(tx: Connection, clock: Clock) -> None:
    if clock.kind not in SILENT and clock.passed_at is None:
        await timers.schedule(tx, clock.kind, clock.timer_key, clock.due_at, {"clock": str(clock.id)})


SAVE = """
UPDATE clock SET due_at = $2, steps = $3, provisional = $4, calendar_version = $5, pauses = $6, passed_at = $7,
    stopped_at = $8
WHERE id = $1
"""


async def save(tx: Connection, clock: Clock) -> None:
    """A clock that was paused, resumed, moved, or ran out; its timer follows."""
    await tx.execute(
        SAVE, clock.id, clock.due_at, STEPS.dump_python(clock.steps, mode="json"), clock.provisional,
        clock.calendar_version, PAUSES.dump_python(clock.pauses, mode="json"), clock.passed_at, clock.stopped_at,
    )  # fmt: skip
    if clock.is_paused or clock.stopped_at:
        await timers.cancel(tx, clock.kind, clock.timer_key)
    else:
        await _set_timer(tx, clock)
    await _stand(tx, clock.dossier_code)


RAN_OUT = "UPDATE clock SET passed_at = $2 WHERE id = $1"


async def passed(tx: Connection, clock: Clock) -> None:
    """The clock ran out; its timer is gone already."""
    await tx.execute(RAN_OUT, clock.id, clock.passed_at)
    await _stand(tx, clock.dossier_code)


STAND = """
UPDATE dossier SET
    next_due_at = (SELECT min(due_at) FROM clock WHERE dossier_code = $1 AND stopped_at IS NULL
        AND kind IN ('reception_sla', 'processing_deadline', 'supplement_completion_deadline')),
    sla_state = coalesce((
        SELECT CASE WHEN bool_or(kind <> 'due_soon') THEN 'overdue' ELSE 'due_soon' END FROM clock
        WHERE dossier_code = $1 AND stopped_at IS NULL AND passed_at IS NOT NULL
          AND kind IN ('reception_sla', 'processing_deadline', 'due_soon')
        HAVING count(*) > 0), 'on_time')
WHERE code = $1
"""


async def _stand(tx: Connection, code: str) -> None:
    """What the dossier shows of its clocks: the next deadline, and how it stands against it."""
    await tx.execute(STAND, code)


STOP = """
UPDATE clock SET stopped_at = $3
WHERE dossier_code = $1 AND kind = ANY($2::text[]) AND stopped_at IS NULL AND ($4::text IS NULL OR key = $4)
  AND NOT ($5 AND pauses @> '[{"until": null}]')
RETURNING kind, key
"""


async def stop(tx: Connection, code: str, kinds: Iterable[Kind], at: datetime, key: str | None = None) -> None:
    """The work is done, or nobody waits for it any more: these clocks stand for good."""
    await _stop(tx, code, [*kinds], at, key)


async def _stop(
    tx: Connection, code: str, kinds: list[Kind], at: datetime, key: str | None = None, *, spare_paused: bool = False
) -> None:
    stopped = await tx.fetch(STOP, code, kinds, at, key, spare_paused)
    for row in stopped:
        await timers.cancel(tx, row["kind"], f"{code} {row['key']}".rstrip())
    if stopped:
        await _stand(tx, code)


async def follow(tx: Connection, dossier: Dossier, at: datetime) -> None:
    """Stop the clocks that do not go on in the state that the dossier has come to; those that stand paused may wait."""
    kinds = [kind for kind in Kind if not domain.runs(kind, dossier)]
    await _stop(tx, dossier.code, kinds, at, spare_paused=dossier.state in STANDS_IN)


RUNNING = "SELECT * FROM clock WHERE id = $1 AND stopped_at IS NULL"
RUNNING_OF = "SELECT * FROM clock WHERE dossier_code = $1 AND kind = $2 AND stopped_at IS NULL ORDER BY started_at"
LATEST_OF = "SELECT * FROM clock WHERE dossier_code = $1 AND kind = $2 ORDER BY started_at DESC, id DESC LIMIT 1"
ALL_OF = "SELECT * FROM clock WHERE dossier_code = $1 ORDER BY started_at, kind, id"


async def running(tx: Connection, clock_id: UUID) -> Clock | None:
    """The clock, while it runs or stands paused. The caller holds the dossier's row."""
    row = await tx.fetchrow(RUNNING, clock_id)
    return _clock(row) if row else None


async def running_of(tx: Connection | Database, code: str, kind: Kind) -> list[Clock]:
    return [_clock(row) for row in await tx.fetch(RUNNING_OF, code, kind)]


async def latest_of(tx: Connection | Database, code: str, kind: Kind) -> Clock | None:
    """The newest clock of the kind, stopped or not."""
    row = await tx.fetchrow(LATEST_OF, code, kind)
    return _clock(row) if row else None


async def all_of(db: Connection | Database, code: str) -> list[Clock]:
    """Every clock the dossier ever had, in the order they began."""
    return [_clock(row) for row in await db.fetch(ALL_OF, code)]


def _clock(row: asyncpg.Record) -> Clock:
    fields = dict(row)
    return Clock(
        **{name: fields[name] for name in ("id", "dossier_code", "key", "unit", "started_at", "due_at", "provisional",
           "policy_version", "calendar_version", "stopped_at", "passed_at")},
        kind=Kind(fields["kind"]),
        limit=LIMIT.validate_python(fields["limit_rule"]),
        steps=STEPS.validate_python(fields["steps"]),
        pauses=PAUSES.validate_python(fields["pauses"]),
    )  # fmt: skip


ALARMS = """
SELECT c.dossier_code, c.kind, c.key, c.due_at, c.passed_at, d.procedure_name, d.state
FROM clock c JOIN dossier d ON d.code = c.dossier_code
WHERE c.passed_at IS NOT NULL AND c.stopped_at IS NULL AND c.kind <> 'due_soon'
  AND CASE c.kind WHEN 'consultation_deadline' THEN c.unit ELSE d.current_unit END = $1
ORDER BY c.due_at, c.id LIMIT $2
"""


async def alarms(db: Database, unit: str, limit: int) -> list[asyncpg.Record]:
    """Clocks of the unit that ran out and whose work is still not done, the oldest first."""
    return await db.fetch(ALARMS, unit, limit)


# ── policy ────────────────────────────────────────────────────────────────────────────────────────────────────

PUBLISH = """
INSERT INTO policy (version, effective_from, effective_to, definition) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""


async def publish(tx: Connection, profiles: Iterable[Policy]) -> None:
    """Keep every profile that this installation was ever told of: dossiers are decided by the one they name."""
    await tx.executemany(
        PUBLISH,
        [
            (profile.version, profile.effective_from, profile.effective_to, POLICY.dump_python(profile, mode="json"))
            for profile in profiles
        ],
    )


PROFILE = "SELECT definition FROM policy WHERE version = $1"

_profiles: dict[str, Policy] = {}
"""Profiles that were read before; one never changes."""


async def profile(db: Connection | Database, version: str) -> Policy | None:
    """The profile of that version, however long ago it was in force."""
    if version not in _profiles and (row := await db.fetchrow(PROFILE, version)):
        _profiles[version] = POLICY.validate_python(row["definition"])
    return _profiles.get(version)
