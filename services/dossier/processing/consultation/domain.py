"""Asking another unit for its opinion (lấy ý kiến): the applicant's clock runs on, and silence is the asked unit's
responsibility (NĐ 61/2018/NĐ-CP, Art. 19(5))."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from contracts.dossier import ConsultationAnswered, ConsultationOutcome, ConsultationRequested
from contracts.refusal import Refusal
from services.dossier.clocks.calendar import WorkingCalendar
from services.dossier.processing.domain import Act, Actor, Dossier, allowed, envelope, move, person
from services.dossier.processing.work.domain import own_work


class ConsultedUnitUnfit(Refusal):
    """Another unit of the province is asked, not one's own."""

    status = 422
    title = "Cơ quan được lấy ý kiến phải là cơ quan khác của tỉnh"
    title_en = "Ask another unit of the province"


class QuestionMissing(Refusal):
    status = 422
    title = "Phải ghi rõ nội dung cần lấy ý kiến"
    title_en = "Say what the opinion is asked on"


class ConsultationClosed(Refusal):
    """This question was answered, or is not about this dossier."""

    title = "Việc lấy ý kiến này đã kết thúc"
    title_en = "This consultation is over"


class ConsultationStillOpen(Refusal):
    """Nobody goes on without the answer before it is overdue."""

    title = "Chưa hết hạn trả lời ý kiến"
    title_en = "The time to answer has not passed"


@dataclass(frozen=True, slots=True)
class Consultation:
    """One question to another unit."""

    id: UUID
    dossier_code: str
    asking_unit: str
    consulted_unit: str
    question: str
    asked_by: UUID
    asked_at: datetime
    due_at: datetime
    outcome: ConsultationOutcome | None = None
    answer: str | None = None
    answered_by: UUID | None = None
    answered_at: datetime | None = None

    def overdue(self, now: datetime) -> bool:
        """Not answered in time: the consulted unit's fault, also once the answer is there."""
        return (self.answered_at or now) > self.due_at


@dataclass(frozen=True, slots=True)
class Question:
    """Who is asked what, and within how many working hours."""

    id: UUID
    unit: str
    text: str
    hours: float


def consult(
    dossier: Dossier, by: Actor, now: datetime, question: Question, calendar: WorkingCalendar, units: Collection[str]
) -> tuple[Dossier, Consultation, ConsultationRequested]:
    """The specialist asks (D13). One question at a time: the next one may build on the answer."""
    own_work(dossier, Act.CONSULT, by)
    if question.unit not in units or question.unit == dossier.current_unit:
        raise ConsultedUnitUnfit
    if not question.text.strip():
        raise QuestionMissing
    moved = replace(
        move(dossier, Act.CONSULT, by, now, question.text), consulted_unit=question.unit,
        reader_units=tuple(sorted({*dossier.reader_units, question.unit})),
    )  # fmt: skip
    asked = Consultation(
        question.id, dossier.code, dossier.current_unit, question.unit, question.text, person(by), now,
        calendar.after_working_hours(now, question.hours),
    )  # fmt: skip
    said = ConsultationRequested(
        **envelope(moved, now), consultation_id=asked.id, asking_unit=asked.asking_unit,
        consulted_unit=asked.consulted_unit, due_at=asked.due_at,
    )  # fmt: skip
    return moved, asked, said


def answer(
    dossier: Dossier, asked: Consultation, by: Actor, now: datetime, outcome: ConsultationOutcome, text: str
) -> tuple[Dossier, Consultation, ConsultationAnswered]:
    """An officer of the unit that was asked, and nobody else, answers (D13')."""
    allowed(dossier, Act.ANSWER_CONSULTATION, by)
    return _end(dossier, asked, Act.ANSWER_CONSULTATION, by, now, outcome, text)


def continue_unanswered(
    dossier: Dossier, asked: Consultation, by: Actor, now: datetime
) -> tuple[Dossier, Consultation, ConsultationAnswered]:
    """The time has passed: the work goes on without the opinion, and whose silence it was stays on record (D13'')."""
    own_work(dossier, Act.CONTINUE_UNANSWERED, by)
    if not asked.overdue(now):
        raise ConsultationStillOpen(due_at=asked.due_at.isoformat())
    return _end(dossier, asked, Act.CONTINUE_UNANSWERED, by, now, ConsultationOutcome.UNANSWERED, None)


def _end(
    dossier: Dossier, asked: Consultation, act: Act, by: Actor, now: datetime, outcome: ConsultationOutcome,
    text: str | None,
) -> tuple[Dossier, Consultation, ConsultationAnswered]:  # fmt: skip
    if asked.answered_at or asked.dossier_code != dossier.code:
        raise ConsultationClosed
    moved = replace(move(dossier, act, by, now, text), consulted_unit=None)
    ended = replace(asked, outcome=outcome, answer=text, answered_by=person(by), answered_at=now)
    said = ConsultationAnswered(
        **envelope(moved, now), consultation_id=asked.id, consulted_unit=asked.consulted_unit, outcome=outcome
    )
    return moved, ended, said
