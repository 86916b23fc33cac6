"""At the desk: cash, transfers found by a cashier, and waivers."""

import asyncio
from typing import Any
from uuid import UUID

from tests.payment.counter import COPIES, Counter

CASH: dict[str, Any] = {"method": "cash", "amount": 16_000}


async def test_cash_pays_and_the_cashier_is_named(payment: Counter) -> None:
    code = await payment.accepted(COPIES)

    settled = await payment.call("POST", f"/dossiers/{code}/cash-payments", payment.officer("cashier"), 201, json=CASH)

    assert settled["outstanding"] == 0
    assert [name for _, name in await payment.events(code)] == ["FeeRequested", "FeePaid", "ReceiptIssued"]
    assert (await payment.said(code, "FeePaid"))["method"] == "cash"
    assert await payment.ledger(code) == {"provider:cashier": 16_000, "le_phi": -16_000}
    assert await payment.db.fetchval("SELECT cashier_ref FROM cashier_entry") == UUID(int=0x100)


async def test_a_doubled_click_at_the_desk_takes_the_money_once(payment: Counter) -> None:
    code = await payment.accepted(COPIES)

    async def click() -> int:
        path = f"/api/v1/dossiers/{code}/cash-payments"
        return (await payment.http.post(path, headers=payment.officer("cashier"), json=CASH)).status_code

    assert sorted(await asyncio.gather(*[click() for _ in range(8)])) == [201] + [409] * 7
    assert await payment.count("receipt") == 1


async def test_the_desk_takes_exactly_what_is_owed(payment: Counter) -> None:
    code = await payment.accepted(COPIES)
    path = f"/dossiers/{code}/cash-payments"

    wrong = await payment.call("POST", path, payment.officer("cashier"), 422, json={**CASH, "amount": 10_000})
    assert wrong["expected"] == 16_000
    await payment.call("POST", path, payment.officer("cashier"), 422, json={**CASH, "method": "transfer"})
    await payment.call("POST", path, payment.officer("desk"), 403, json=CASH)
    await payment.call("POST", path, payment.officer("cashier", unit="H99.02.02"), 403, json=CASH)
    assert (await payment.fees(code))["outstanding"] == 16_000


async def test_one_bank_transfer_pays_one_dossier(payment: Counter) -> None:
    first, second = await payment.accepted(COPIES), await payment.accepted(COPIES)
    found = {"method": "transfer", "amount": 16_000, "transaction": "FT26112200001"}

    await payment.call("POST", f"/dossiers/{first}/cash-payments", payment.officer("cashier"), 201, json=found)
    problem = await payment.call(
        "POST", f"/dossiers/{second}/cash-payments", payment.officer("cashier"), 409, json=found
    )

    assert problem["type"] == "urn:motcua:problem:transfer-used"
    assert (await payment.fees(second))["outstanding"] == 16_000


async def test_a_waiver_names_its_ground_and_lets_the_dossier_go_on(payment: Counter) -> None:
    code = await payment.accepted(COPIES)
    (assessment,) = (await payment.fees(code))["assessments"]
    wish = {"assessment_id": assessment["id"], "reason": "Người có công với cách mạng", "document_ref": "GT-01"}

    await payment.call("POST", f"/dossiers/{code}/waivers", payment.officer("desk"), 403, json=wish)
    await payment.call("POST", f"/dossiers/{code}/waivers", payment.officer("leader"), 201, json=wish)

    assert (await payment.fees(code))["state"] == "waived"
    assert (await payment.said(code, "FeeWaived"))["amount"] == 16_000
    await payment.call("POST", f"/dossiers/{code}/waivers", payment.officer("leader"), 409, json=wish)
    await payment.begins(code, "vnpay", expect=409)


async def test_money_that_comes_after_the_waiver_goes_back(payment: Counter) -> None:
    code = await payment.accepted(COPIES)
    reference = await payment.starts(code)
    (assessment,) = (await payment.fees(code))["assessments"]
    wish = {"assessment_id": assessment["id"], "reason": "Hộ nghèo theo xác nhận"}
    await payment.call("POST", f"/dossiers/{code}/waivers", payment.officer("leader"), 201, json=wish)

    assert await payment.vnpay_says(reference) == "00"

    assert await payment.db.fetchval("SELECT reason FROM refund_case") == "nothing_owed"
