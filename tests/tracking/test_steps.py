"""Who had a dossier, how long, and whether they kept their time."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.tracking.steps.domain import Holder, Step, Told, hand_overs, steps

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
UNIT, OTHER = "H99.02.01", "H99.03"


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def told(kind: str, hours: float, unit: str | None = UNIT, **detail: Any) -> Told:
    return Told(kind, at(hours), unit, detail)


WHOLE_WAY = [
    told("DossierSubmitted", 0),
    told("DossierAccepted", 1),
    told("DossierForwarded", 1, step="specialist", step_due_at=at(9).isoformat()),
    told("StepCompleted", 10, step="specialist", step_due_at=at(9).isoformat()),
    told("StepCompleted", 12, step="division_head", step_due_at=at(13).isoformat()),
    told("StepCompleted", 14, step="leader"),
    told("ResultSigned", 15, None),
    told("ResultIssued", 15, None),
    told("ResultDelivered", 40, None),
]


def test_every_hand_has_it_in_turn_without_a_gap() -> None:
    way = steps(WHOLE_WAY)
    assert [(step.holder, step.since, step.until) for step in way] == [
        (Holder.DESK, at(0), at(1)),
        (Holder.SPECIALIST, at(1), at(10)),
        (Holder.DIVISION_HEAD, at(10), at(12)),
        (Holder.LEADER, at(12), at(14)),
        (Holder.CLERK, at(14), at(15)),
        (Holder.DESK_RETURN, at(15), at(40)),
    ]


def test_a_step_is_late_when_it_took_longer_than_it_should_and_unknown_without_a_time() -> None:
    late = {step.holder: step.late(at(50)) for step in steps(WHOLE_WAY)}
    assert late[Holder.SPECIALIST] is True
    assert late[Holder.DIVISION_HEAD] is False
    assert late[Holder.DESK] is None


def test_the_running_step_has_no_end_and_becomes_late_by_itself() -> None:
    *_, running = steps(WHOLE_WAY[:3])
    assert running == Step(Holder.SPECIALIST, UNIT, at(1), None, at(9))
    assert [running.late(at(hours)) for hours in (8, 9, 10)] == [False, False, True]


def test_a_supplement_is_the_applicants_time_and_comes_back_to_the_desk() -> None:
    way = steps(
        [
            told("DossierSubmitted", 0),
            told("SupplementRequested", 2, due_at=at(100).isoformat()),
            told("SupplementSubmitted", 30, None),
        ]
    )
    assert [(step.holder, step.unit) for step in way] == [
        (Holder.DESK, UNIT),
        (Holder.APPLICANT, None),
        (Holder.DESK, UNIT),
    ]
    assert way[1].late(at(30)) is False


def test_a_consultation_runs_beside_the_work() -> None:
    way = steps(
        [
            *WHOLE_WAY[:3],
            told("ConsultationRequested", 2, consulted_unit=OTHER, due_at=at(5).isoformat()),
            told("ConsultationAnswered", 6, OTHER),
        ]
    )
    assert way[-1] == Step(Holder.CONSULTED, OTHER, at(2), at(6), at(5))
    assert way[-1].late(at(7)) is True
    assert way[-2].until is None


def test_work_sent_back_is_a_step_again() -> None:
    way = steps([*WHOLE_WAY[:4], told("StepReturned", 11, step="leader", returned_to="specialist")])
    assert [step.holder for step in way] == [Holder.DESK, Holder.SPECIALIST, Holder.LEADER, Holder.SPECIALIST]


def test_a_missed_deadline_tells_until_when_the_desk_had_time() -> None:
    way = steps(
        [told("DossierSubmitted", 0), told("DeadlineMissed", 8, deadline="reception", due_at=at(8).isoformat())]
    )
    assert way[0].late(at(9)) is True


def test_nothing_told_is_no_step_and_an_ended_dossier_has_none_running() -> None:
    assert steps([]) == []
    assert steps([told("DossierSubmitted", 0), told("DossierRejected", 1)]) == [Step(Holder.DESK, UNIT, at(0), at(1))]


def test_the_control_sheet_goes_from_hand_to_hand() -> None:
    assert [(giver.holder, taker.holder, taker.since) for giver, taker in hand_overs(steps(WHOLE_WAY))][:2] == [
        (Holder.DESK, Holder.SPECIALIST, at(1)),
        (Holder.SPECIALIST, Holder.DIVISION_HEAD, at(10)),
    ]
