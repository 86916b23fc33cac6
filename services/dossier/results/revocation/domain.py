"""A published result turns out to be wrong or to have been got unlawfully: the leader revokes it (thu hồi).

Its file, number and signatures never change (I-R2). The dossier stays what it is, returned: it was settled.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from contracts.dossier import ResultRevoked
from contracts.refusal import Refusal
from services.dossier.processing.domain import Act, Actor, Dossier, envelope, move, person
from services.dossier.results.domain import Result, ResultNotReady, ResultState


class ResultNoLongerInForce(Refusal):
    """The result was revoked; the owner finds it, marked so, in their document store."""

    title = "Kết quả đã bị thu hồi, không còn giá trị sử dụng"
    title_en = "The result was revoked and is no longer in force"


@dataclass(frozen=True, slots=True)
class Revocation:
    """Why, and by which law, a document is no longer in force."""

    dossier_code: str
    sha256: str
    number: str
    """Number and symbol as they are printed."""
    reason: str
    legal_basis: str
    officer_ref: UUID
    unit: str
    at: datetime


def revoke(
    dossier: Dossier, result: Result, by: Actor, now: datetime, reason: str, legal_basis: str
) -> tuple[Dossier, Result, Revocation, ResultRevoked]:
    """The leader of the deciding unit ends the validity of a result that was handed over."""
    moved = move(dossier, Act.REVOKE_RESULT, by, now, reason)
    if result.state is not ResultState.PUBLISHED:
        raise ResultNotReady
    unit, officer = by.unit or dossier.current_unit, person(by)
    kept = Revocation(dossier.code, result.sha256, result.full_number, reason, legal_basis, officer, unit, now)
    said = ResultRevoked(
        **envelope(moved, now), result_ref=f"{dossier.code}/result", number=str(result.number), symbol=result.symbol,
        unit=unit, officer_ref=officer, reason=reason, legal_basis=legal_basis, revoked_at=now,
    )  # fmt: skip
    return moved, replace(result, state=ResultState.REVOKED), kept, said
