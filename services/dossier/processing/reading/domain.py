"""Who may read a dossier, and by what right. Every reading by an officer is remembered with it (I-A5)."""

from datetime import timedelta
from enum import StrEnum

from contracts.dossier import DeliveryMethod
from contracts.refusal import Refusal
from services.dossier.processing.domain import Actor, Dossier, Role, State

INSPECTION_LASTS = timedelta(hours=8)
"""So long after its reason was given, an inspector reads the dossier."""
WORKS_WITH_CONTENT = frozenset(
    {Role.DESK, Role.SPECIALIST, Role.DIVISION_HEAD, Role.LEADER, Role.CLERK, Role.SUPERVISOR}
)


class NoContentForYourRole(Refusal):
    """Who runs the system, keeps the catalogue or the till does not see what people write."""

    status = 403
    title = "Vai trò của bạn không được xem nội dung hồ sơ"
    title_en = "Your role does not see the content of dossiers"


class ReasonToReadMissing(Refusal):
    """An inspector says first why this dossier is looked at."""

    status = 403
    title = "Phải ghi lý do trước khi xem hồ sơ"
    title_en = "Say first why you look at this dossier"


class Right(StrEnum):
    """By what an officer reads."""

    UNIT = "unit"
    """Their unit has it, had it, takes it in, decides it, or is asked."""
    HANDOVER = "handover"
    """Any desk hands over a result that waits to be collected."""
    INSPECTION = "inspection"


def units_of(dossier: Dossier) -> frozenset[str]:
    """Every unit that reads the dossier."""
    facts = dossier.facts
    return frozenset({facts.receiving_unit, facts.competent_unit, dossier.current_unit, *dossier.reader_units})


def right_of(dossier: Dossier, by: Actor) -> Right | None:
    """The officer's right to read this dossier; None where it is none of their business."""
    if not by.roles & (WORKS_WITH_CONTENT | {Role.INSPECTOR}):
        raise NoContentForYourRole
    if by.roles & WORKS_WITH_CONTENT and by.unit in units_of(dossier):
        return Right.UNIT
    if Role.DESK in by.roles and dossier.state is State.RESULT_READY and dossier.facts.delivery == DeliveryMethod.DESK:
        return Right.HANDOVER
    return Right.INSPECTION if Role.INSPECTOR in by.roles else None
