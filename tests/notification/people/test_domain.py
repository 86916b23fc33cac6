"""Who is told what, over which channels."""

from uuid import UUID

import pytest

from contracts.dossier import DeliveryMethod, DossierEvent, DossierSubmitted, InterlinkedSubmitted
from contracts.notification import MessageChannel
from contracts.payment import PaymentEvent
from services.notification.people import domain
from services.notification.people.domain import Correspondence, Province
from tests.notification import story

IN_APP, EMAIL, SMS = MessageChannel.IN_APP, MessageChannel.EMAIL, MessageChannel.SMS

PROVINCE = Province(
    host="dvc.example.vn",
    portal="https://dvc.example.vn",
    unit_names={"H99.02.01": "Ủy ban nhân dân xã Bình Minh"},
    result_places={"H99.02.01": "Bộ phận Một cửa xã Bình Minh"},
)
ABOUT = domain.correspondence(story.submitted())
OPTED_OUT = domain.correspondence(story.submitted(sms_opt_in=False))


def channels(event: DossierEvent | PaymentEvent, about: Correspondence) -> list[MessageChannel]:
    return [message.channel for message in domain.messages(event, about, PROVINCE)]


@pytest.mark.parametrize(
    ("event", "opted_in", "opted_out"),
    [
        (story.submitted(), [IN_APP, EMAIL, SMS], [IN_APP, EMAIL, SMS]),
        (story.accepted(2), [IN_APP, EMAIL, SMS], [IN_APP, EMAIL]),
        (story.requested(1), [IN_APP, EMAIL, SMS], [IN_APP, EMAIL]),
        (story.receipt(3), [IN_APP, EMAIL], [IN_APP, EMAIL]),
        (story.issued(5), [IN_APP, EMAIL, SMS], [IN_APP, EMAIL]),
        (story.delivered(6), [IN_APP, SMS], [IN_APP]),
        (story.proposed(3), [], []),
        (story.paid(2), [], []),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_code_is_texted_to_everybody_and_the_rest_to_those_who_asked(
    event: DossierEvent | PaymentEvent, opted_in: list[MessageChannel], opted_out: list[MessageChannel]
) -> None:
    assert channels(event, ABOUT) == opted_in
    assert channels(event, OPTED_OUT) == opted_out


def test_news_goes_to_whoever_sent_the_dossier() -> None:
    event = story.submitted(submitter=UUID(int=2))
    assert {m.recipient_ref for m in domain.messages(event, domain.correspondence(event), PROVINCE)} == {UUID(int=2)}


def test_the_same_cause_gives_the_same_ids_and_every_message_its_own() -> None:
    once, again = (domain.messages(story.submitted(), ABOUT, PROVINCE) for _ in range(2))
    later = domain.messages(story.submitted(version=2), ABOUT, PROVINCE)
    assert once == again
    assert len({message.id for message in (*once, *later)}) == 6


def test_words_are_written_for_people() -> None:
    (message, *_) = domain.messages(story.accepted(2), ABOUT, PROVINCE)
    assert message.words["date"] == "23/11/2026"
    assert message.words["due"] == "16:30 23/11/2026"
    assert message.words["unit_name"] == "Ủy ban nhân dân xã Bình Minh"
    assert domain.dong(1_016_000) == "1.016.000"


@pytest.mark.parametrize(
    ("delivery", "place"),
    [
        (DeliveryMethod.ONLINE, "Cổng dịch vụ công, mục Kho quản lý dữ liệu điện tử"),
        (DeliveryMethod.DESK, "Bộ phận Một cửa xã Bình Minh"),
        (DeliveryMethod.POST, "địa chỉ đã đăng ký, qua bưu chính"),
    ],
)
def test_the_place_of_the_result_follows_the_delivery(delivery: DeliveryMethod, place: str) -> None:
    (message, *_) = domain.messages(story.issued(5, delivery=delivery), ABOUT, PROVINCE)
    assert message.words["place"] == place


def test_the_phone_gets_the_code_of_the_interlinked_dossier_and_not_those_of_its_members() -> None:
    told: dict[str, InterlinkedSubmitted | DossierSubmitted] = {
        "parent": story.interlinked(),
        "member": story.submitted().model_copy(update={"parent_code": story.CODE}),
    }
    ways = {
        name: [message.channel for message in domain.messages(event, domain.correspondence(event), PROVINCE)]
        for name, event in told.items()
    }
    assert SMS in ways["parent"]
    assert ways["member"] == [IN_APP, EMAIL]
