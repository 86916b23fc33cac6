"""A message goes out: over real SMTP and HTTP, to an outside world that may refuse, be away, or hear twice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from contracts.dossier import DossierEvent
from contracts.payment import PaymentEvent
from deploy.standins.sms.app import Gateway
from deploy.standins.sms.app import create as sms_gateway
from deploy.standins.sms.soap import Contract
from kit import settings as kit_settings
from kit.clients import Answered, ServiceClient
from kit.clock import now
from kit.db import Database
from kit.timers import Timer
from services.notification.people import clients, tenant
from services.notification.people.attempts import store as attempts
from services.notification.people.providers import NotTaken, Unclear, sms
from services.notification.people.timers import ATTEMPTS, PATIENCE, deliver
from services.notification.settings import Settings
from services.notification.subscribers import inbox
from tests.notification import story
from tests.notification.outside import MailServer, Papers, identity, serving
from tests.tracking.hearing import hear

MakeDatabase = Callable[[str], Awaitable[Database]]

EMAIL, PHONE = "an.nguyen@example.vn", "0900000001"
VIETTEL = Contract("smsbrand", "password", "ANBINH")
FIND = "SELECT id FROM message WHERE channel = $1"
TRIED = "SELECT provider, outcome, code FROM sending_attempt WHERE message_id = $1 ORDER BY no"
BECAME = "SELECT state, reason, attempts FROM message WHERE id = $1"
SAID = "SELECT convert_from(payload, 'UTF8') AS body FROM outbox WHERE key = $1"


@dataclass
class World:
    """Everything a delivery meets."""

    db: Database
    mail: MailServer
    sms: Gateway

    async def message(self, channel: str) -> UUID:
        found: UUID = await self.db.fetchval(FIND, channel)
        return found

    async def deliver(self, message: UUID, attempt: int = 1) -> None:
        await deliver(self.db, Timer("deliver", str(message), now(), {}, attempt, None))

    async def became(self, message: UUID) -> tuple[str, str | None, int]:
        row = await self.db.fetchrow(BECAME, message)
        assert row
        return row["state"], row["reason"], row["attempts"]

    async def tried(self, message: UUID) -> list[tuple[str, str | None, str | None]]:
        return [tuple(row) for row in await self.db.fetch(TRIED, message)]

    async def said(self, message: UUID) -> list[str]:
        return [row["body"] for row in await self.db.fetch(SAID, str(message))]


MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def make_world(make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeWorld]:
    async with AsyncExitStack() as stack:

        async def make(
            email: str | None = EMAIL,
            phone: str | None = PHONE,
            refusal: str = "",
            filed: dict[str, str] | None = None,
            viettel: bool = False,
            papers: Papers | None = None,
        ) -> World:
            mail, gateway = MailServer(refusal), Gateway("key", "secret", VIETTEL)
            phones = await stack.enter_async_context(serving(sms_gateway(gateway)))
            fields: dict[str, Any] = {
                "identity_url": await stack.enter_async_context(serving(identity(email, phone, filed, papers))),
                "sms_url": f"{phones}/MainService.svc/json/SendMultipleMessage_V4_post_json/",
                "viettel_url": f"{phones}/bulkapi" if viettel else "",
                "smtp_url": await stack.enter_async_context(mail.listening()),
            }
            shown = {
                "viettel_user": VIETTEL.user,
                "viettel_password": VIETTEL.password,
                "viettel_cp_code": VIETTEL.cp_code,
            }
            weights = {"esms": 1, "viettel": 0}  # eSMS first, always
            configure(monkeypatch, **fields, **shown, sms_key="key", sms_secret="secret", sms_weights=weights)
            db = await make_database("notification")
            await hear(db, story.submitted(), inbox=inbox)
            return World(db, mail, gateway)

        yield make
        await clients.identity.close()
        await clients.dossier.close()
        await clients.payment.close()
        sms.providers.cache_clear()


def configure(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    monkeypatch.setenv("MOTCUA_IDENTITY_URL", fields["identity_url"])
    monkeypatch.setenv("MOTCUA_DOSSIER_URL", fields["identity_url"])
    monkeypatch.setenv("MOTCUA_PAYMENT_URL", fields["identity_url"])
    loaded: dict[Any, Any] = kit_settings._loaded
    monkeypatch.setitem(loaded, Settings, Settings(**fields))
    monkeypatch.setitem(loaded, kit_settings.Settings, Settings(**fields))
    for name in ("identity", "dossier", "payment"):
        monkeypatch.setattr(clients, name, ServiceClient(name))
    tenant.province.cache_clear()
    sms.providers.cache_clear()


async def test_a_letter_reaches_its_mailbox_under_the_messages_own_id(make_world: MakeWorld) -> None:
    world = await make_world()
    message = await world.message("email")
    await world.deliver(message)
    (mail,) = world.mail.mails
    assert mail.recipients == [EMAIL]
    assert mail.subject == f"Hồ sơ {story.CODE} đã được gửi"
    assert "Cấp bản sao Trích lục hộ tịch" in mail.text
    assert mail.headers["Message-ID"].strip().startswith(f"<{message}@")
    assert await world.became(message) == ("sent", None, 1)


async def test_a_text_goes_to_the_number_that_was_given_with_the_dossier(make_world: MakeWorld) -> None:
    world = await make_world(filed={"sms_number": "+84900000077"})
    await world.deliver(await world.message("sms"))
    (text,) = world.sms.messages.newest_first()
    assert text.phone.endswith("900000077")


async def test_who_has_no_account_is_reached_as_was_said_at_the_desk(make_world: MakeWorld) -> None:
    world = await make_world(None, None, filed={"email": "me@example.vn", "phone": "+84900000078"})
    for channel in ("sms", "email"):
        await world.deliver(await world.message(channel))
    (text,) = world.sms.messages.newest_first()
    assert text.phone.endswith("900000078")
    assert [mail.recipients for mail in world.mail.mails] == [["me@example.vn"]]


async def test_every_subject_arrives_as_it_was_written(make_world: MakeWorld) -> None:
    world = await make_world()
    await hear(world.db, *story.all_events(), inbox=inbox)
    for row in await world.db.fetch("SELECT id FROM message WHERE channel = 'email'"):
        await world.deliver(row["id"])
    written = await world.db.fetch("SELECT subject FROM message WHERE channel = 'in_app'")
    assert {mail.subject for mail in world.mail.mails} <= {row["subject"] for row in written}
    assert len(world.mail.mails) == 5


async def test_a_text_reaches_its_phone_once_even_when_it_is_sent_twice(make_world: MakeWorld) -> None:
    world = await make_world()
    message = await world.message("sms")
    await world.deliver(message)
    await world.db.execute("UPDATE message SET state = 'queued', settled_at = NULL")  # died between sending and marking
    await world.deliver(message, attempt=2)
    (text,) = world.sms.messages.newest_first()
    assert text.phone == PHONE
    assert story.CODE in text.content
    assert not text.unicode
    assert await world.became(message) == ("sent", None, 2)


async def test_a_message_that_was_sent_is_not_sent_again(make_world: MakeWorld) -> None:
    world = await make_world()
    message = await world.message("email")
    await world.deliver(message)
    await world.deliver(message, attempt=2)
    assert len(world.mail.mails) == 1
    assert len(await world.said(message)) == 1


async def test_what_is_said_of_a_message_names_neither_content_nor_address(make_world: MakeWorld) -> None:
    world = await make_world()
    message = await world.message("email")
    await world.deliver(message)
    (body,) = await world.said(message)
    assert '"channel":"email"' in body
    for personal in (EMAIL, PHONE, "Nguyễn", "Trích lục"):
        assert personal not in body


@pytest.mark.parametrize("channel", ["email", "sms"])
async def test_an_account_without_an_address_fails_for_good(make_world: MakeWorld, channel: str) -> None:
    world = await make_world(email=None, phone=None)
    message = await world.message(channel)
    await world.deliver(message)
    assert await world.became(message) == ("failed", "no_address", 1)


async def test_a_mailbox_that_does_not_exist_fails_for_good(make_world: MakeWorld) -> None:
    world = await make_world(refusal="550 5.1.1 no such mailbox")
    message = await world.message("email")
    await world.deliver(message)
    assert await world.became(message) == ("failed", "rejected", 1)
    assert '"reason":"rejected"' in (await world.said(message))[0]


async def test_a_phone_number_that_is_none_fails_for_good(make_world: MakeWorld) -> None:
    world = await make_world(phone="12")
    message = await world.message("sms")
    await world.deliver(message)
    assert await world.became(message) == ("failed", "rejected", 1)


async def test_a_busy_mailbox_is_tried_again(make_world: MakeWorld) -> None:
    world = await make_world(refusal="450 4.2.1 busy")
    message = await world.message("email")
    with pytest.raises(Exception, match="450"):
        await world.deliver(message)
    assert (await world.became(message))[0] == "queued"
    world.mail.refusal = ""
    await world.deliver(message, attempt=2)
    assert await world.became(message) == ("sent", None, 2)


async def test_our_own_wrong_key_is_tried_again_and_not_held_against_the_citizen(make_world: MakeWorld) -> None:
    world = await make_world()
    world.sms.key = "another"
    message = await world.message("sms")
    with pytest.raises(Exception, match="101"):
        await world.deliver(message)
    assert (await world.became(message))[0] == "queued"


async def test_after_the_last_attempt_it_is_given_up(make_world: MakeWorld) -> None:
    world = await make_world(refusal="450 4.2.1 busy")
    message = await world.message("email")
    with pytest.raises(Exception, match="450"):
        await world.deliver(message, attempt=ATTEMPTS)
    assert await world.became(message) == ("failed", "unavailable", ATTEMPTS)


async def test_a_message_whose_last_attempt_ended_its_process_is_given_up_and_not_forgotten(
    make_world: MakeWorld,
) -> None:
    world = await make_world()
    message = await world.message("email")
    await world.deliver(message, attempt=ATTEMPTS + 1)
    assert (await world.became(message))[:2] == ("failed", "unavailable")


# ── two providers ──


async def test_what_one_provider_refuses_at_the_door_goes_by_the_other_at_once(make_world: MakeWorld) -> None:
    world = await make_world(viettel=True)
    world.sms.moods["esms"] = "refuses"
    message = await world.message("sms")
    await world.deliver(message)
    assert [one.provider for one in world.sms.messages.newest_first()] == ["viettel"]
    assert await world.tried(message) == [("esms", "not_taken", "HTTP 503"), ("viettel", "taken", None)]
    assert await world.became(message) == ("sent", None, 2)


async def test_what_one_provider_may_have_is_never_sent_by_the_other(make_world: MakeWorld) -> None:
    world = await make_world(viettel=True)
    world.sms.moods["esms"] = "loses_answers"
    message = await world.message("sms")
    for attempt, mood in ((1, "refuses"), (2, "well")):
        with pytest.raises((Unclear, NotTaken)):
            await world.deliver(message, attempt)
        world.sms.moods["esms"] = mood  # type: ignore[assignment]
    await world.deliver(message, 3)
    assert [one.provider for one in world.sms.messages.newest_first()] == ["esms"]
    assert [(who, what) for who, what, _ in await world.tried(message)] == [
        ("esms", "unclear"), ("esms", "not_taken"), ("esms", "taken"),
    ]  # fmt: skip


async def test_who_died_while_asking_leaves_word_of_whom(make_world: MakeWorld) -> None:
    world = await make_world(viettel=True)
    message = await world.message("sms")
    await attempts.begin(world.db, message, "viettel", now())
    await world.deliver(message, 2)
    assert [one.provider for one in world.sms.messages.newest_first()] == ["viettel"]


async def test_an_attempt_names_no_address(make_world: MakeWorld) -> None:
    world = await make_world(refusal=f"550 5.1.1 no mailbox {EMAIL}")
    message = await world.message("email")
    await world.deliver(message)
    assert await world.tried(message) == [("smtp", "refused", "550")]


async def test_a_refusal_by_policy_is_ours_to_mend(make_world: MakeWorld) -> None:
    world = await make_world(refusal="550 5.7.1 your server is on a list")
    message = await world.message("email")
    with pytest.raises(NotTaken, match="550"):
        await world.deliver(message)
    assert (await world.became(message))[0] == "queued"


# ── documents that go with a letter ──

PDF = b"%PDF-1.7 signed"
LETTER = "SELECT id FROM message WHERE channel = 'email' AND template = $1"


async def letter_of(world: World, event: DossierEvent | PaymentEvent, template: str) -> UUID:
    await hear(world.db, event, inbox=inbox)
    found: UUID = await world.db.fetchval(LETTER, template)
    return found


async def test_the_acceptance_brings_the_signed_slip_and_the_payment_its_receipt(make_world: MakeWorld) -> None:
    receipt = story.receipt(1).model_copy(update={"receipt_ref": "LA-26E.2026.0000001"})
    world = await make_world(papers={"slip": PDF, "LA-26E.2026.0000001": PDF + b" receipt"})
    for event, template in ((story.accepted(2), "dossier_accepted"), (receipt, "fee_paid")):
        await world.deliver(await letter_of(world, event, template))
    slip, paid = world.mail.mails
    assert [(one.name, one.content_type, one.content) for one in slip.attachments] == [
        (f"giay-tiep-nhan-{story.CODE}.pdf", "application/pdf", PDF)
    ]
    assert "Ngày hẹn trả kết quả" in slip.text
    assert slip.subject == f"Hồ sơ {story.CODE} đã được tiếp nhận"
    assert [one.name for one in paid.attachments] == ["bien-lai-LA-26E.2026.0000001.pdf"]


@pytest.mark.parametrize("papers", [{}, {"slip": b"%" * (clients.LARGEST + 1)}], ids=["none", "too large"])
async def test_a_letter_without_its_document_has_the_link(make_world: MakeWorld, papers: Papers) -> None:
    world = await make_world(papers=papers)
    await world.deliver(await letter_of(world, story.accepted(2), "dossier_accepted"))
    (mail,) = world.mail.mails
    assert mail.attachments == []
    assert f"/tra-cuu?ma={story.CODE}" in mail.text


async def test_a_document_whose_keeper_is_broken_is_waited_for_and_then_left_out(make_world: MakeWorld) -> None:
    world = await make_world(papers={"slip": 500})
    message = await letter_of(world, story.accepted(2), "dossier_accepted")
    with pytest.raises(Answered):
        await world.deliver(message)
    assert await world.tried(message) == []
    await world.deliver(message, PATIENCE + 1)
    assert [mail.attachments for mail in world.mail.mails] == [[]]
