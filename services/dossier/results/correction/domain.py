"""A published result is replaced (đính chính, thay thế): another document, drafted, signed, numbered and sealed.

The old file never changes (I-R2); it is in force until the new one is published, in the same moment.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from contracts.dossier import ResultRevoked, SignatureStatus
from contracts.refusal import Refusal
from services.dossier.catalogue.domain import ResultKind
from services.dossier.processing.domain import (
    Act,
    Actor,
    Dossier,
    NotYourRole,
    NotYourUnit,
    Role,
    SeparationOfDuties,
    State,
    envelope,
    move,
    person,
)
from services.dossier.results import domain as results
from services.dossier.results.domain import Result, ResultNotReady, ResultState


class CorrectionMissing(Refusal):
    """Nobody has drafted a document in place of the published one, or it is not so far yet."""

    title = "Chưa có bản thay thế ở bước này"
    title_en = "There is no replacement at this step"


@dataclass(frozen=True, slots=True)
class Correction:
    """The document on its way, and why it is needed."""

    dossier_code: str
    proposer_ref: UUID
    reason: str
    legal_basis: str
    document: Result


def may(dossier: Dossier, result: Result, by: Actor, role: Role) -> None:
    """Whether somebody of the deciding unit may work on a replacement of what was handed over."""
    if role not in by.roles:
        raise NotYourRole
    if by.unit != dossier.current_unit:
        raise NotYourUnit
    if dossier.state is not State.RETURNED or result.state is not ResultState.PUBLISHED:
        raise ResultNotReady("Chỉ thay thế kết quả đã trả và còn giá trị")


def may_sign(correction: Correction, by: Actor) -> None:
    """The leader decides on what somebody else drafted."""
    if correction.document.state is not ResultState.DRAFT:
        raise CorrectionMissing
    if by.ref == correction.proposer_ref:
        raise SeparationOfDuties


def number(correction: Correction, taken: int, now: datetime) -> Correction:
    """The clerk's number, which the document keeps."""
    return replace(correction, document=results.number(correction.document, taken, now))


def publish(
    dossier: Dossier, old: Result, correction: Correction, kind: ResultKind, by: Actor, sha256: str, now: datetime
) -> tuple[Dossier, Result, ResultRevoked]:
    """The new document takes the old one's place. The dossier stays returned, as punctual as it was."""
    if correction.document.state is not ResultState.NUMBERED:
        raise CorrectionMissing
    moved = move(dossier, Act.REPLACE_RESULT, by, now, correction.reason)
    new = replace(
        correction.document, state=ResultState.PUBLISHED, sha256=sha256, verification=SignatureStatus.VALID,
        issued_at=now, valid_to=results.valid_to(kind, now),
    )  # fmt: skip
    said = ResultRevoked(
        **envelope(moved, now), result_ref=f"{dossier.code}/result", number=str(old.number), symbol=old.symbol,
        unit=by.unit or dossier.current_unit, officer_ref=new.signer_ref or person(by), reason=correction.reason,
        legal_basis=correction.legal_basis, revoked_at=now, replaced_by=new.full_number, replacement_sha256=sha256,
    )  # fmt: skip
    return moved, new, said
