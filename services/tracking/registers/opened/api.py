"""HTTP in: one dossier as officers see it (level D), and its control sheet as data. Every look is written down."""

from dataclasses import replace

import asyncpg
from pydantic import AwareDatetime, BaseModel

from contracts.dossier import DeliveryMethod
from kit.auth import Officer
from kit.db import Connection
from kit.http import Now, Router, Tx
from services.tracking import answers
from services.tracking.access import store as access
from services.tracking.access.api import Reason, scope_of
from services.tracking.access.domain import right_of
from services.tracking.access.store import Looked
from services.tracking.answers import DossierNotFound
from services.tracking.lookup.store import look_up
from services.tracking.mine import store as mine
from services.tracking.mine.api import Detailed, detailed
from services.tracking.registers.api import Appointment, appointment
from services.tracking.steps.domain import Step, hand_overs, steps

router = Router(prefix="/api/v1/officers", tags=["Sổ theo dõi"])


class Opened(Detailed):
    """A dossier as an officer sees it in tracking: names masked; the content itself is the dossier service's."""

    owner: str | None
    """The owner's name, masked."""
    submitter: str | None
    """The submitter's name, masked."""
    receiving_unit: str | None
    competent_unit: str | None
    channel: str | None
    appointment: Appointment | None


class HandOver(BaseModel):
    """One line of Phiếu kiểm soát quá trình giải quyết hồ sơ (Mẫu 06): who gave the dossier to whom."""

    giver: str
    giving_unit: str | None
    receiver: str
    receiving_unit: str | None
    at: AwareDatetime
    due_at: AwareDatetime | None
    """Until when the giver had time; null where no time was set."""
    late: bool | None
    """Whether the giver took longer; null where no time was set."""


class ControlSheet(BaseModel):
    """Phiếu kiểm soát (Mẫu 06) as data; the printed and signed one is the dossier service's."""

    code: str
    procedure_name: str
    accepted_at: AwareDatetime | None
    due_at: AwareDatetime | None
    appointment: Appointment | None
    rows: list[HandOver]
    updated_at: AwareDatetime | None


@router.get("/dossiers/{code}")
async def open_dossier(code: str, who: Officer, tx: Tx, now: Now, reason: Reason = None) -> Opened:
    """One dossier of the officer's scope: status, history, steps, fee, what became of messages; names masked.

    Scope: dossiers that the officer's unit, or one below it, takes in, decides, has, had, or is asked about; results
    that wait at the desk are seen by every desk; an inspector sees all, with a reason. Anything else is not found.
    """
    row, history = await _opened(tx, code, who, reason, what="dossier")
    messages = await mine.messages_about(tx, row["code"])
    return Opened(
        **detailed(row, history, messages, now),
        owner=row["owner_name"],
        submitter=row["masked_name"],
        receiving_unit=row["receiving_unit"],
        competent_unit=row["competent_unit"],
        channel=row["channel"],
        appointment=appointment(row, now),
    )


@router.get("/dossiers/{code}/control-sheet")
async def control_sheet(code: str, who: Officer, tx: Tx, now: Now, reason: Reason = None) -> ControlSheet:
    """Phiếu kiểm soát (Mẫu 06): every hand-over until now, and whether who gave it kept their time."""
    row, history = await _opened(tx, code, who, reason, what="control_sheet")
    rows = hand_overs(steps(map(answers.told, history)))
    return ControlSheet(
        code=row["code"],
        procedure_name=row["procedure_name"],
        accepted_at=row["accepted_at"],
        due_at=row["due_at"],
        appointment=appointment(row, now),
        rows=[_line(giver, receiver) for giver, receiver in rows],
        updated_at=row["updated_at"],
    )


def _line(giver: Step, receiver: Step) -> HandOver:
    at = receiver.since
    return HandOver(
        giver=answers.holder(giver),
        giving_unit=giver.unit,
        receiver=answers.holder(receiver),
        receiving_unit=receiver.unit,
        at=at,
        due_at=giver.due_at,
        late=giver.late(at),
    )


async def _opened(
    tx: Connection, code: str, who: Officer, reason: str | None, *, what: str
) -> tuple[asyncpg.Record, list[asyncpg.Record]]:
    """The dossier and its history, once it is known by what right and written down."""
    scope = scope_of(who, reason)
    row = await look_up(tx, code.strip().upper())
    history = await mine.history(tx, row["code"] or "")
    waits = row["state"] == "result_ready" and row["delivery"] == DeliveryMethod.DESK
    right = right_of(scope, who.roles, _units(row, history), waits_at_desk=waits)
    if row["code"] is None or right is None:
        raise DossierNotFound(updated_at=answers.text(row["updated_at"]))
    await access.record(tx, who, replace(scope, right=right), Looked(what, {}, [row["code"]], 1))
    return row, history


def _units(row: asyncpg.Record, history: list[asyncpg.Record]) -> set[str | None]:
    """Every unit that has to do with it, now or before."""
    named = {line["unit"] for line in history}
    handed = {(line["detail"] or {}).get(name) for line in history for name in ("from_unit", "consulted_unit")}
    return {row["receiving_unit"], row["competent_unit"], row["unit"]} | named | handed
