"""What each event means to somebody who looks a dossier up."""

from typing import get_args

import pytest

from contracts.dossier import DossierEvent
from contracts.payment import PaymentEvent
from services.tracking.lookup.domain import completion, proves
from services.tracking.projection import domain
from tests.tracking import story


def test_every_event_of_a_dossier_and_of_its_fees_has_a_line_in_the_history() -> None:
    heard = set(get_args(DossierEvent)) | set(get_args(PaymentEvent))
    assert heard == set(domain.TOLD)


def test_a_change_names_only_what_the_event_sets() -> None:
    assert domain.dossier_change(story.withdrawn(5)) == {"version": 5, "state": "withdrawn", "ended_at": story.at(5)}


def test_a_signature_that_comes_after_the_paper_result_takes_nothing_back() -> None:
    issued, later = domain.dossier_change(story.issued(5)), domain.dossier_change(story.signed(6))
    assert domain.merged([("A", issued), ("A", later)])["A"]["state"] == "result_ready"


def test_a_deadline_missed_changes_nothing_but_the_version() -> None:
    assert domain.dossier_change(story.deadline_missed(3)) == {"version": 3}


def test_changes_of_one_dossier_merge_and_the_later_wins() -> None:
    merged = domain.merged([("B", {"version": 1, "state": "submitted"}), ("A", {"version": 1}), ("B", {"version": 2})])
    assert list(merged.items()) == [("A", {"version": 1}), ("B", {"version": 2, "state": "submitted"})]


def test_a_payment_in_part_leaves_the_fee_open() -> None:
    assert "fee_state" not in domain.payment_change(story.paid(2, outstanding=8000))


def test_the_history_names_units_and_never_officers() -> None:
    told = domain.entry(story.accepted(2))
    assert told.unit == story.UNIT
    assert str(story.OFFICER) not in repr(told)


@pytest.mark.parametrize(
    ("status", "accepted", "done"),
    [
        (1, False, 1),
        (2, True, 2),
        (5, False, 1),
        (5, True, 2),
        (4, True, 2),
        (9, True, 3),
        (10, True, 4),
        (3, False, 4),
    ],
)
def test_completion_goes_forward_through_four_steps(status: int, accepted: bool, done: int) -> None:
    assert completion(status, accepted=accepted).done == done


def test_a_number_proves_only_under_its_own_digest() -> None:
    digest = story.digest(story.NUMBER)
    assert proves(story.NUMBER, story.KEY, None, digest)
    assert not proves("000190000002", story.KEY, digest, digest)
    assert not proves(story.NUMBER, "another key", digest)
    assert not proves(story.NUMBER, story.KEY, None, None)
