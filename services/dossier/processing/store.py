"""Dossiers in the database: the row, its history and its clocks."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from contracts.dossier import (
    DOSSIERS,
    DeliveryMethod,
    DossierEvent,
    OwnerType,
    ServiceLevel,
    SubmissionChannel,
)
from contracts.money import FeeLine, FeeTiming
from kit import outbox
from kit.db import Connection, Database
from kit.problems import NotFound
from services.dossier.catalogue.domain import fold
from services.dossier.clocks import store as clocks
from services.dossier.history import store as history
from services.dossier.interlinked import following
from services.dossier.processing.domain import Dossier, Facts, PaymentState, State

CREATE = """
INSERT INTO dossier (
    code, version, state, current_unit, payment_state, fee_timing, fee_lines, submitted_at, accepted_at, due_at,
    original_due_at, policy_version, acceptor_ref, assignee_ref, proposer_ref, result_at, outcome, returned_at,
    step, step_role, step_due_at, refusal_proposed, approved_at, consulted_unit, reader_units,
    procedure_id, procedure_code, procedure_version, procedure_name, case_code, level, receiving_unit,
    competent_unit, owner_ref, owner_type, owner_name, submitter_ref, channel, delivery, sms_opt_in, answers,
    parent_code, search_text, originals_by_post, assisted_by)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
    $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44,
    $45)
"""


async def create(tx: Connection, dossier: Dossier, *events: DossierEvent) -> None:
    """A dossier that is new, and its news."""
    facts = dossier.facts
    await tx.execute(
        CREATE, *_changing(dossier), facts.procedure_id, facts.procedure_code, facts.procedure_version,
        facts.procedure_name, facts.case, facts.level, facts.receiving_unit, facts.competent_unit, facts.owner_ref,
        facts.owner_type, facts.owner_name, facts.submitter_ref, facts.channel, facts.delivery, facts.sms_opt_in,
        facts.answers, facts.parent_code, fold(f"{dossier.code} {facts.owner_name} {facts.procedure_name}"),
        facts.originals_by_post, facts.assisted_by,
    )  # fmt: skip
    await _record(tx, dossier, events)


SAVE = """
UPDATE dossier SET version = $2, state = $3, current_unit = $4, payment_state = $5, fee_timing = $6, fee_lines = $7,
    submitted_at = $8, accepted_at = $9, due_at = $10, original_due_at = $11, policy_version = $12,
    acceptor_ref = $13, assignee_ref = $14, proposer_ref = $15, result_at = $16, outcome = $17, returned_at = $18,
    step = $19, step_role = $20, step_due_at = $21, refusal_proposed = $22, approved_at = $23, consulted_unit = $24,
    reader_units = $25
WHERE code = $1
"""


async def save(tx: Connection, dossier: Dossier, *events: DossierEvent) -> None:
    """The change and its news, together or not at all. The caller holds the row's lock.

    A member of an interlinked group has its parent looked at, soon and for certain, in the parent's own transaction.
    """
    await tx.execute(SAVE, *_changing(dossier))
    await _record(tx, dossier, events)
    await following.member_moved(tx, dossier, events)
    if dossier.unsaved and any(line.from_state is not line.to_state for line in dossier.unsaved):
        await clocks.follow(tx, dossier, dossier.unsaved[-1].at)


def _changing(dossier: Dossier) -> tuple[Any, ...]:
    return (
        dossier.code, dossier.version, dossier.state, dossier.current_unit, dossier.payment_state,
        dossier.fee_timing, [line.model_dump(mode="json") for line in dossier.fee_lines], dossier.submitted_at,
        dossier.accepted_at, dossier.due_at, dossier.original_due_at, dossier.policy_version, dossier.acceptor_ref,
        dossier.assignee_ref, dossier.proposer_ref, dossier.result_at, dossier.outcome, dossier.returned_at,
        dossier.step, dossier.step_role, dossier.step_due_at, dossier.refusal_proposed, dossier.approved_at,
        dossier.consulted_unit, list(dossier.reader_units),
    )  # fmt: skip


async def _record(tx: Connection, dossier: Dossier, events: Sequence[DossierEvent]) -> None:
    await history.append(tx, dossier.code, dossier.unsaved)
    await outbox.record(tx, DOSSIERS, *events)


READ = "SELECT * FROM dossier WHERE code = $1"
LOCK = "SELECT * FROM dossier WHERE code = $1 FOR UPDATE"


async def read(db: Database | Connection, code: str) -> Dossier:
    """The dossier as it is; NotFound when there is none."""
    return _dossier(await db.fetchrow(READ, code))


async def lock(tx: Connection, code: str) -> Dossier:
    """The dossier, held until the transaction ends; NotFound when there is none."""
    return _dossier(await tx.fetchrow(LOCK, code))


def _dossier(row: asyncpg.Record | None) -> Dossier:
    if row is None:
        raise NotFound("Không có hồ sơ với mã này")
    return Dossier(
        code=row["code"],
        facts=_facts(row),
        state=State(row["state"]),
        current_unit=row["current_unit"],
        version=row["version"],
        payment_state=PaymentState(row["payment_state"]),
        fee_timing=FeeTiming(row["fee_timing"]),
        fee_lines=tuple(FeeLine.model_validate(line) for line in row["fee_lines"]),
        submitted_at=row["submitted_at"],
        accepted_at=row["accepted_at"],
        due_at=row["due_at"],
        original_due_at=row["original_due_at"],
        policy_version=row["policy_version"],
        acceptor_ref=row["acceptor_ref"],
        assignee_ref=row["assignee_ref"],
        proposer_ref=row["proposer_ref"],
        result_at=row["result_at"],
        outcome=row["outcome"],
        returned_at=row["returned_at"],
        sla_state=row["sla_state"],
        next_due_at=row["next_due_at"],
        step=row["step"],
        step_role=row["step_role"],
        step_due_at=row["step_due_at"],
        refusal_proposed=row["refusal_proposed"],
        approved_at=row["approved_at"],
        consulted_unit=row["consulted_unit"],
        reader_units=tuple(row["reader_units"]),
    )


def _facts(row: asyncpg.Record) -> Facts:
    return Facts(
        procedure_id=row["procedure_id"],
        procedure_code=row["procedure_code"],
        procedure_version=row["procedure_version"],
        procedure_name=row["procedure_name"],
        case=row["case_code"],
        level=ServiceLevel(row["level"]),
        receiving_unit=row["receiving_unit"],
        competent_unit=row["competent_unit"],
        owner_ref=row["owner_ref"],
        owner_type=OwnerType(row["owner_type"]),
        owner_name=row["owner_name"],
        submitter_ref=row["submitter_ref"],
        channel=SubmissionChannel(row["channel"]),
        delivery=DeliveryMethod(row["delivery"]),
        sms_opt_in=row["sms_opt_in"],
        answers=row["answers"],
        parent_code=row["parent_code"],
        originals_by_post=row["originals_by_post"],
        assisted_by=row["assisted_by"],
    )
