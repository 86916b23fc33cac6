"""Money goes back by itself when it pays nothing, and through two persons when it rightly paid."""

import asyncio
from typing import Any

import pytest

from tests.payment.counter import COPIES, SEARCH, Counter
from tests.payment.outside import Outside

REASON = "Hồ sơ được rút trước khi giải quyết"


@pytest.fixture
def outside(bank: str) -> Outside:
    return Outside(bank)


async def paid_at_the_bank(payment: Counter, outside: Outside, way: str = "vnpay", code: str = "") -> str:
    """A dossier paid at that provider's own page."""
    code = code or await payment.accepted(COPIES)
    started = await payment.begins(code, way)
    await outside.behave(never=True)
    await outside.pay(started)
    await payment.fire("attempt.question")
    return code


async def asked(payment: Counter, code: str, expect: int = 201) -> dict[str, Any]:
    (assessment,) = (await payment.fees(code))["assessments"]
    wish = {"assessment_id": assessment["id"], "reason": REASON}
    refund: dict[str, Any] = await payment.call(
        "POST", f"/dossiers/{code}/refunds", payment.officer("cashier", 1), expect, json=wish
    )
    return refund


async def decided(payment: Counter, refund: dict[str, Any], expect: int = 200, **decision: Any) -> dict[str, Any]:
    path = f"/refunds/{refund['id']}/decision"
    answer: dict[str, Any] = await payment.call(
        "POST", path, payment.officer("leader", 2), expect, json={"approve": True, **decision}
    )
    return answer


@pytest.mark.parametrize("way", ["vnpay", "momo"])
async def test_what_was_paid_twice_goes_back_by_itself(payment: Counter, outside: Outside, way: str) -> None:
    code = await payment.accepted(COPIES)
    first, second = await payment.begins(code, way), await payment.begins(code, way)
    await outside.behave(never=True)
    await outside.pay(first)
    await outside.pay(second)
    await payment.fire("attempt.question")

    await payment.fire("refund")

    assert await payment.ledger(code) == {f"provider:{way}": 16_000, "le_phi": -16_000}
    assert (await payment.fees(code))["state"] == "paid"
    said = await payment.said(code, "FeeRefunded")
    assert (said["amount"], said["reason"]) == (16_000, "Khoản nộp trùng")


@pytest.mark.parametrize("way", ["vnpay", "momo"])
async def test_a_fee_goes_back_through_two_persons_and_its_receipt_is_cancelled(
    payment: Counter, outside: Outside, way: str
) -> None:
    code = await paid_at_the_bank(payment, outside, way)
    refund = await asked(payment, code)
    assert not await payment.fire("refund"), "one person is not enough"

    assert (await decided(payment, refund))["state"] == "approved"
    await payment.fire("refund")

    assert (await payment.fees(code))["state"] == "refunded"
    assert await payment.ledger(code) == {}
    assert (await payment.said(code, "FeeRefunded"))["reason"] == REASON
    assert await payment.db.fetchval("SELECT state FROM receipt") == "cancelled"
    assert (await payment.call("GET", "/refunds?closed=true", payment.officer("leader")))["items"][0]["state"] == "done"


async def test_whoever_asks_does_not_approve(payment: Counter, outside: Outside) -> None:
    refund = await asked(payment, await paid_at_the_bank(payment, outside))
    path = f"/refunds/{refund['id']}/decision"

    await payment.call("POST", path, payment.officer("leader", 1), 403, json={"approve": True})
    await payment.call("POST", path, payment.officer("cashier", 2), 403, json={"approve": True})
    await payment.call("POST", path, payment.officer("leader", 2, unit="H99.02.02"), 403, json={"approve": True})


async def test_a_refund_is_asked_for_once_and_may_be_asked_for_again_after_a_no(
    payment: Counter, outside: Outside
) -> None:
    code = await paid_at_the_bank(payment, outside)
    refund = await asked(payment, code)
    await asked(payment, code, expect=409)

    await decided(payment, refund, approve=False, note="Đã giải quyết xong")
    await decided(payment, refund, expect=409)
    again = await asked(payment, code)

    assert again["state"] == "requested"


async def test_only_what_was_paid_can_be_given_back(payment: Counter) -> None:
    code = await payment.accepted(COPIES)

    await asked(payment, code, expect=409)


async def test_where_the_provider_refuses_people_transfer_the_money(payment: Counter, outside: Outside) -> None:
    code = await paid_at_the_bank(payment, outside)
    refund = await asked(payment, code)
    await decided(payment, refund)
    await outside.behave(refuses_refunds=True)
    await payment.fire("refund")

    (open_,) = (await payment.call("GET", "/refunds", payment.officer("cashier")))["items"]
    assert open_["by_hand"]
    assert "từ chối" in open_["note"]
    path, transfer = f"/refunds/{refund['id']}/transfer", {"transaction": "FT-OUT-1"}
    await payment.call("POST", path, payment.officer("cashier", 2), 403, json=transfer)  # approved it
    done = await payment.call("POST", path, payment.officer("cashier", 1), json=transfer)

    assert (done["state"], done["transaction"]) == ("done", "FT-OUT-1")
    assert (await payment.fees(code))["state"] == "refunded"


async def test_cash_goes_back_by_hand(payment: Counter) -> None:
    code = await payment.accepted(SEARCH)
    cash = {"method": "cash", "amount": 5_000}
    await payment.call("POST", f"/dossiers/{code}/cash-payments", payment.officer("cashier", 1), 201, json=cash)
    await decided(payment, await asked(payment, code))

    await payment.fire("refund")

    (open_,) = (await payment.call("GET", "/refunds", payment.officer("cashier")))["items"]
    assert open_["by_hand"]


async def test_a_provider_that_is_away_is_asked_until_it_answers_and_pays_back_once(
    payment: Counter, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await paid_at_the_bank(payment, outside)
    await decided(payment, await asked(payment, code))
    with monkeypatch.context() as broken:
        broken.setattr("kit.settings._loaded", {})
        broken.setenv("MOTCUA_VNPAY_API_URL", "http://127.0.0.1:9/")
        await payment.fire("refund")
    assert (await payment.fees(code))["state"] == "paid"

    await payment.fire("refund")

    assert (await payment.fees(code))["state"] == "refunded"


async def test_racing_decisions_have_one_outcome(payment: Counter, outside: Outside) -> None:
    refund = await asked(payment, await paid_at_the_bank(payment, outside))
    path = f"/api/v1/refunds/{refund['id']}/decision"

    async def decide(n: int) -> int:
        body = {"approve": n % 2 == 0, "note": "x"}
        return (await payment.http.post(path, headers=payment.officer("leader", 2 + n), json=body)).status_code

    assert sorted(await asyncio.gather(*[decide(n) for n in range(8)])) == [200] + [409] * 7
