"""Every way to pay on the real protocol of its stand-in: begun, paid at its page, told or asked, given back."""

import json
from typing import Any

import httpx2
import pytest

from kit.db import Database
from tests.payment.counter import COPIES, SEARCH, Counter
from tests.payment.outside import Outside

WAYS = ("vnpay", "momo", "national")


@pytest.fixture
def outside(bank: str) -> Outside:
    return Outside(bank)


async def test_all_configured_ways_are_offered(payment: Counter) -> None:
    code = await payment.accepted(COPIES)

    assert (await payment.fees(code))["providers"] == ["momo", "national", "vietqr", "vnpay"]
    answer = await payment.begins(code, "zalopay", expect=422)
    assert answer["offered"] == ["momo", "national", "vietqr", "vnpay"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_silent_provider_is_asked_and_tells(payment: Counter, outside: Outside, way: str) -> None:
    code = await payment.accepted(COPIES)
    started = await payment.begins(code, way)
    assert (await payment.state_of(started)) == "redirected"
    await outside.behave(never=True)
    await outside.pay(started)

    await payment.fire("attempt.question")

    assert (await payment.fees(code))["state"] == "paid"
    assert [name for _, name in await payment.events(code)] == ["FeeRequested", "FeePaid", "ReceiptIssued"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_payer_who_has_not_decided_is_asked_about_again_later(
    payment: Counter, outside: Outside, way: str
) -> None:
    code = await payment.accepted(COPIES)
    started = await payment.begins(code, way)

    await payment.fire("attempt.question")

    assert (await payment.fees(code))["state"] == "requested"
    assert await payment.questions(started) == [1], "the next question is planned"


@pytest.mark.parametrize("way", WAYS)
async def test_a_payer_who_gave_up_is_found_out(payment: Counter, outside: Outside, way: str) -> None:
    code = await payment.accepted(COPIES)
    started = await payment.begins(code, way)
    await outside.behave(never=True)
    await outside.pay(started, decision="cancel")

    await payment.fire("attempt.question")

    assert (await payment.state_of(started)) in ("cancelled", "failed")
    assert await payment.questions(started) == []


@pytest.mark.parametrize("way", ["momo", "national"])
async def test_a_call_is_believed_by_its_signature_only(payment: Counter, outside: Outside, way: str) -> None:
    code = await payment.accepted(COPIES)
    started = await payment.begins(code, way)
    await outside.behave(never=True)
    await outside.pay(started)
    call = await outside.call_of(started)

    strange: list[Any] = [{}, []]
    for forged in (
        *strange,
        {**call, "amount": 1, "SoTien": 1},
        {**call, "signature": "0" * 64, "MaXacThuc": "0" * 64},
    ):
        refused = await payment.provider_calls(way, json.dumps(forged).encode())
        assert not _took(way, refused)
    assert not _took(way, await payment.provider_calls(way, b"\xff not json"))
    assert (await payment.fees(code))["state"] == "requested"

    assert _took(way, await payment.provider_calls(way, json.dumps(call).encode()))
    assert _took(way, await payment.provider_calls(way, json.dumps(call).encode())), "a repetition is understood"
    assert [name for _, name in await payment.events(code)].count("FeePaid") == 1


def _took(way: str, answer: httpx2.Response) -> bool:
    return answer.status_code == 204 if way == "momo" else answer.json()["MaLoi"] == "00"


async def test_a_wallet_that_is_away_costs_nothing(payment: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.settings._loaded", {})
    monkeypatch.setenv("MOTCUA_MOMO_URL", "http://127.0.0.1:9")
    code = await payment.accepted(COPIES)

    problem = await payment.begins(code, "momo", expect=503)

    assert problem["type"] == "urn:motcua:problem:provider-away"
    assert (await payment.fees(code))["state"] == "requested"


async def test_news_of_an_unknown_payment_is_answered_and_kept(payment: Counter, outside: Outside) -> None:
    other = await payment.accepted(SEARCH)
    started = await payment.begins(other, "momo")
    await outside.behave(never=True)
    await outside.pay(started)
    call = await outside.call_of(started)
    await _forget(payment.db)

    answer = await payment.provider_calls("momo", json.dumps(call).encode())

    assert answer.status_code == 204
    assert await payment.count("provider_call") == 1


async def _forget(db: Database) -> None:
    await db.execute("UPDATE attempt SET reference = reference || 'x'")


async def test_too_long_a_call_is_not_read(payment: Counter) -> None:
    answer = await payment.provider_calls("momo", b"[" * 70_000)

    assert answer.status_code == 400


async def test_a_provider_that_does_not_exist_has_no_callback(payment: Counter) -> None:
    assert (await payment.provider_calls("bitcoin", b"{}")).status_code == 404


async def test_another_amount_than_asked_is_a_case_for_a_person(payment: Counter, outside: Outside) -> None:
    code = await payment.accepted(COPIES)
    started = await payment.begins(code, "momo")
    await outside.behave(never=True)
    await outside.pay(started)
    call: dict[str, Any] = await outside.call_of(started)
    await payment.db.execute("UPDATE attempt SET amount = 17000")

    assert (await payment.provider_calls("momo", json.dumps(call).encode())).status_code == 204
    await payment.provider_calls("momo", json.dumps(call).encode())

    cases = await payment.cases()
    assert [(c["kind"], c["amount"], c["expected"]) for c in cases] == [("amount_differs", 16_000, 17_000)]
