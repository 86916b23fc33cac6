"""The events of scenario 1 that people are told of. Fictional people only."""

from pathlib import Path
from uuid import UUID

from contracts.dossier import (
    DeadlineExtended,
    DeliveryMethod,
    DossierClosed,
    DossierEvent,
    DossierRejected,
    DossierStopped,
    DossierSubmitted,
    InterlinkedSubmitted,
    MemberState,
    ResultIssued,
    ResultRevoked,
    SupplementRequested,
)
from contracts.payment import PaymentEvent
from tests.tracking import story
from tests.tracking.story import accepted, delivered, paid, proposed, receipt, requested, signed

__all__ = ["accepted", "all_events", "delivered", "issued", "paid", "proposed", "receipt", "requested", "submitted"]

CODE = "H99.02.01-261122-0001"
OWNER = story.OWNER
EXAMPLES = Path(__file__).parents[2] / "contracts/examples"


def submitted(version: int = 1, *, submitter: UUID | None = None, sms_opt_in: bool = True) -> DossierSubmitted:
    return story.submitted(version, submitter=submitter).model_copy(update={"sms_opt_in": sms_opt_in})


def interlinked() -> InterlinkedSubmitted:
    return story.interlinked(story.member("birth", MemberState.IN_PROGRESS, "H99.02.01-261122-0002"))


def issued(version: int, *, delivery: DeliveryMethod = DeliveryMethod.ONLINE) -> ResultIssued:
    return story.issued(version).model_copy(update={"delivery": delivery})


def of_the_clock() -> list[DossierEvent]:
    """What is asked, put off, closed, refused, stopped and revoked, each as in its published example."""
    events = (SupplementRequested, DeadlineExtended, DossierClosed, DossierRejected, DossierStopped, ResultRevoked)
    return [event.model_validate_json((EXAMPLES / f"{event.__name__}.v1.json").read_text("utf-8")) for event in events]


def all_events() -> list[DossierEvent | PaymentEvent]:
    """Scenario 1, fees where they fall."""
    return [
        submitted(),
        accepted(2),
        requested(1),
        paid(2),
        receipt(3),
        proposed(3),
        signed(4),
        issued(5),
        delivered(6),
    ]
