"""Two providers of text messages over real HTTP: who is asked, what their noes mean, and that nobody hears twice."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI, Response

from contracts.notification import FailureReason
from deploy.standins.sms.app import Gateway, Mood
from deploy.standins.sms.app import create as sms_gateway
from deploy.standins.sms.soap import Contract
from services.notification.people.providers import NotTaken, Unclear, Undeliverable, email, sms, weights
from services.notification.people.providers.esms import Esms
from services.notification.people.providers.sms import Providers
from services.notification.people.providers.viettel import Viettel
from services.notification.people.providers.weights import Health
from tests.notification.outside import serving

TEXT = "Ho so H99.02.01-261122-0001 da co ket qua & phieu hen."
MESSAGE = UUID(int=1)
ESMS, VIETTEL = "esms", "viettel"


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def gateway() -> Gateway:
    return Gateway("key", "secret", Contract("smsbrand", "password", "ANBINH"))


@pytest.fixture
async def both(stack: AsyncExitStack, gateway: Gateway) -> list[sms.SmsProvider]:
    address = await stack.enter_async_context(serving(sms_gateway(gateway)))
    json = f"{address}/MainService.svc/json/SendMultipleMessage_V4_post_json/"
    return [
        Esms(json, "key", "secret", "AnBinh"),
        Viettel(f"{address}/bulkapi", "smsbrand", "password", "ANBINH", "AnBinh"),
    ]


@pytest.mark.parametrize("which", [0, 1], ids=[ESMS, VIETTEL])
async def test_a_text_reaches_its_phone_over_either_and_a_repetition_reaches_nobody(
    both: list[sms.SmsProvider], gateway: Gateway, which: int
) -> None:
    for _ in range(2):
        await both[which].send(MESSAGE, sms.number("+84 900 000 001"), TEXT, None)
    (message,) = gateway.messages.newest_first()
    assert message.phone == "0900000001"
    assert message.provider == both[which].name
    assert message.content.startswith("Ho so H99.02.01-261122-0001")


@pytest.mark.parametrize("which", [0, 1], ids=[ESMS, VIETTEL])
@pytest.mark.parametrize(("mood", "means"), [("refuses", NotTaken), ("loses_answers", Unclear)])
async def test_a_no_at_the_door_is_not_a_lost_answer(
    both: list[sms.SmsProvider], gateway: Gateway, which: int, mood: Mood, means: type[Exception]
) -> None:
    gateway.moods[both[which].name] = mood
    with pytest.raises(means):
        await both[which].send(MESSAGE, "900000001", TEXT, None)
    assert len(gateway.messages) == (means is Unclear)


async def test_nobody_there_surely_took_nothing() -> None:
    with pytest.raises(NotTaken):
        await Esms("http://127.0.0.1:9/", "key", "secret", "AnBinh").send(MESSAGE, "900000001", TEXT, None)


async def test_wrong_keys_are_ours_to_mend_and_a_wrong_number_is_final(
    both: list[sms.SmsProvider], gateway: Gateway
) -> None:
    for provider in both:
        with pytest.raises(Undeliverable):
            await provider.send(MESSAGE, "12", TEXT, None)
    gateway.key, gateway.viettel = "another", Contract("another", "password", "ANBINH")
    for provider, code in zip(both, ("101", "WRONG_INFORMATION"), strict=True):
        with pytest.raises(NotTaken, match=code):
            await provider.send(MESSAGE, "900000001", TEXT, None)


BOMB = b"""<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><E><return><message>&a;</message><result>1</result></return></E>"""


@pytest.mark.parametrize(
    "answer",
    [BOMB, b"", b"<html>", b'{"CodeResult": []', b"\xff\xfe", b"[1]", b"x" * 100_000],
    ids=["xxe", "empty", "html", "half", "bytes", "list", "endless"],
)
async def test_an_answer_that_is_none_is_unclear_whatever_it_is(stack: AsyncExitStack, answer: bytes) -> None:
    app = FastAPI()

    @app.post("/")
    async def say() -> Response:
        return Response(answer)

    url = await stack.enter_async_context(serving(app))
    for provider in (Esms(url, "key", "secret", "AnBinh"), Viettel(url, "user", "password", "ANBINH", "AnBinh")):
        with pytest.raises(Unclear):
            await provider.send(uuid4(), "900000001", TEXT, None)


@pytest.mark.parametrize("phone", ["0900000001", "84900000001", "+84 900.000-001"])
def test_a_number_is_understood_as_people_write_it(phone: str) -> None:
    assert len(sms.number(phone)) == 9


@pytest.mark.parametrize("phone", ["", "900000001", "0900", "+1 202 555 0100", "0900000001; 0900000002", "٠٩٠٠٠٠٠٠٠١"])
def test_what_is_no_number_of_ours_is_final(phone: str) -> None:
    with pytest.raises(Undeliverable):
        sms.number(phone)


@pytest.mark.parametrize("mailbox", ["an.nguyen@example.vn", " an+1@mail.example.vn ", "đỗ@example.vn"])
def test_a_mailbox_is_taken_as_it_is(mailbox: str) -> None:
    assert email.address(mailbox) == mailbox.strip()


@pytest.mark.parametrize(
    "mailbox",
    ["", "an", "an@", "an@vn", "a@example.vn, b@example.vn", "An <a@example.vn>", "a@example.vn\r\nBcc: b@x.vn"],
)
def test_what_is_no_mailbox_is_final(mailbox: str) -> None:
    with pytest.raises(Undeliverable) as no:
        email.address(mailbox)
    assert no.value.reason is FailureReason.REJECTED


# ── weights ──


def test_who_fails_is_asked_less_and_comes_back_by_itself() -> None:
    fine = Health()
    worse = weights.failed(weights.failed(fine, 100), 100)
    assert weights.share(1, worse, 100) == 1 / 16
    assert weights.share(1, worse, 100 + weights.HALF_LIFE) == 1 / 4
    assert weights.share(1, weights.worked(worse, 100), 100) == 1 / 4
    assert weights.share(1, worse, 1000) > 0.99


def test_the_first_is_drawn_by_share_and_the_rest_wait_in_order() -> None:
    shares = {"a": 1.0, "b": 6.0, "c": 3.0}
    assert weights.order(shares, 0.0) == ["b", "c", "a"]
    assert weights.order(shares, 0.65) == ["c", "b", "a"]
    assert weights.order(shares, 0.95) == ["a", "b", "c"]
    assert weights.order({"a": 0.0}, 0.5) == ["a"]
    assert weights.order({}, 0.5) == []


def test_a_provider_that_may_have_the_message_is_asked_alone(both: list[sms.SmsProvider]) -> None:
    providers = Providers(both, {ESMS: 1, VIETTEL: 0})
    assert [one.name for one in providers.to_ask()] == [ESMS, VIETTEL]
    assert [one.name for one in providers.to_ask(VIETTEL)] == [VIETTEL]
    assert [one.name for one in providers.to_ask("gone")] == [ESMS, VIETTEL]


def test_a_failing_provider_soon_gets_next_to_nothing(both: list[sms.SmsProvider]) -> None:
    providers = Providers(both, {ESMS: 9, VIETTEL: 1})
    for _ in range(5):
        providers.failed(ESMS)
    first = [providers.to_ask()[0].name for _ in range(300)]
    assert first.count(ESMS) < 30
