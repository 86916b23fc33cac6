"""Paying for real: HTTP and PostgreSQL, with VNPAY's calls signed as VNPAY signs them."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from contracts.dossier import DossierAwaitingPayment, DossierSubmitted, DossierWithdrawn
from services.payment import store
from services.payment.timers import timers
from tests.payment.counter import (
    COPIES,
    FILING,
    NOW,
    OWNER,
    PORTAL,
    SEARCH,
    Counter,
    acceptance,
    said,
)

# What is owed.


async def test_an_accepted_dossier_shows_what_it_costs_and_nobody(payment: Counter) -> None:
    code = await payment.accepted(COPIES, SEARCH)

    fees = await payment.fees(code)

    assert (fees["state"], fees["amount"], fees["outstanding"]) == ("requested", 21_000, 21_000)
    assert [line["name"] for line in fees["lines"]] == ["Bản sao trích lục", "Tra cứu sổ gốc"]
    assert str(OWNER) not in str(fees)
    assert await payment.events(code) == [(1, "FeeRequested")]


async def test_hearing_an_acceptance_twice_asks_once(payment: Counter) -> None:
    code = await payment.accepted(COPIES)
    await payment.hears(acceptance(code, COPIES))
    await payment.hears(acceptance(code, COPIES, version=3, again=True))

    assert await payment.events(code) == [(1, "FeeRequested")]


async def test_a_dossier_without_a_fee_owes_nothing(payment: Counter) -> None:
    code = await payment.accepted()

    assert (await payment.fees(code))["state"] == "none"
    answer = await payment.http.post(f"/api/v1/dossiers/{code}/attempts", json={"return_url": f"{PORTAL}/x"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:motcua:problem:nothing-to-pay"


async def test_a_fee_before_acceptance_is_asked_for_when_the_dossier_is_sent(payment: Counter) -> None:
    code, due = "H99.02.01-261122-0900", NOW + timedelta(days=3)
    await payment.hears(
        DossierAwaitingPayment(version=1, dossier_code=code, fee_lines=(COPIES,), amount=16_000, due_at=due, **FILING)
    )

    assert await payment.vnpay_says(await payment.starts(code)) == "00"
    await payment.hears(DossierSubmitted(version=2, dossier_code=code, submitted_at=NOW, components=(), **FILING))
    await payment.hears(acceptance(code, version=3))

    assert await payment.events(code) == [(1, "FeeRequested"), (2, "FeePaid"), (3, "ReceiptIssued")]


async def test_an_unknown_dossier_has_no_fees(payment: Counter) -> None:
    assert (await payment.http.get("/api/v1/dossiers/H99.02.01-261122-9999/fees")).status_code == 404
    answer = await payment.http.post("/api/v1/dossiers/X/attempts", json={"return_url": f"{PORTAL}/x"})
    assert answer.status_code == 404


async def test_the_payer_never_comes_back_to_a_strangers_page(payment: Counter) -> None:
    code = await payment.accepted(COPIES)

    for url in ("https://evil.example/x", f"{PORTAL}.evil.example/x", "//evil.example", "javascript:alert(1)"):
        answer = await payment.http.post(f"/api/v1/dossiers/{code}/attempts", json={"return_url": url})
        assert answer.status_code == 422, url


# What VNPAY says.


async def test_a_signed_success_pays_and_gives_a_receipt(payment: Counter) -> None:
    code = await payment.accepted(COPIES)
    reference = await payment.starts(code)

    assert await payment.vnpay_says(reference) == "00"

    assert await payment.state(reference) == "succeeded"
    assert (await payment.fees(code))["state"] == "paid"
    assert (await payment.fees(code))["outstanding"] == 0
    assert await payment.events(code) == [(1, "FeeRequested"), (2, "FeePaid"), (3, "ReceiptIssued")]
    assert await payment.ledger(code) == {"provider:vnpay": 16_000, "le_phi": -16_000}


async def test_fifty_copies_of_one_call_at_the_same_moment_pay_once(payment: Counter) -> None:
    code = await payment.accepted(COPIES, SEARCH)
    reference = await payment.starts(code)

    answers = await asyncio.gather(*[payment.vnpay_says(reference, vnp_Amount="2100000") for _ in range(50)])

    assert sorted(answers) == ["00"] + ["02"] * 49
    assert [name for _, name in await payment.events(code)] == [
        "FeeRequested", "FeePaid", "ReceiptIssued", "ReceiptIssued",
    ]  # fmt: skip
    assert await payment.count("receipt") == 2
    assert await payment.count("posting") == 1
    assert await payment.count("refund_case") == 0
    assert await payment.count("provider_call") == 50


async def test_of_many_attempts_at_the_same_moment_one_pays_and_the_others_are_owed_back(payment: Counter) -> None:
    code = await payment.accepted(COPIES)
    references = [await payment.starts(code) for _ in range(10)]

    answers = await asyncio.gather(
        *[payment.vnpay_says(r, vnp_TransactionNo=str(n)) for n, r in enumerate(references, start=1) for _ in range(3)]
    )

    assert sorted(answers) == ["00"] * 10 + ["02"] * 20
    assert [name for _, name in await payment.events(code)].count("FeePaid") == 1
    assert await payment.count("receipt") == 1
    assert await payment.count("refund_case") == 9
    assert await payment.ledger(code) == {
        "provider:vnpay": 160_000, "le_phi": -16_000, "owed_back": -144_000,
    }  # fmt: skip


async def test_receipt_numbers_have_no_gap_however_many_pay_at_once(payment: Counter) -> None:
    references = [await payment.starts(await payment.accepted(COPIES)) for _ in range(20)]
    wrong = [payment.vnpay_says(r, vnp_Amount="1") for r in references]
    right = [payment.vnpay_says(r, vnp_TransactionNo=str(n)) for n, r in enumerate(references, start=1)]

    await asyncio.gather(*wrong, *right)

    rows = await payment.db.fetch("SELECT number FROM receipt ORDER BY number")
    assert [row["number"] for row in rows] == list(range(1, 21))


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"vnp_Amount": "1600100"}, "04"),
        ({"vnp_Amount": "1600050"}, "04"),
        ({"vnp_TmnCode": "SOMEONE1"}, "97"),
        ({"vnp_TxnRef": "nobody"}, "01"),
        ({"vnp_PayDate": "soon"}, "99"),
    ],
)
async def test_a_call_that_does_not_fit_is_answered_as_vnpay_expects_and_has_no_effect(
    payment: Counter, changes: dict[str, str], answer: str
) -> None:
    code = await payment.accepted(COPIES)
    reference = await payment.starts(code)

    assert await payment.vnpay_says(reference, **changes) == answer

    assert (await payment.fees(code))["state"] == "requested"
    assert await payment.db.fetchval("SELECT answer FROM provider_call") == answer
    assert await payment.vnpay_says(reference) == "00", "a right call afterwards still pays"


async def test_a_forged_call_is_refused_and_recorded_without_what_a_stranger_added(payment: Counter) -> None:
    code = await payment.accepted(COPIES)
    forged = {**said(await payment.starts(code)), "vnp_SecureHash": "0" * 128, "ho_ten": "Nguyễn Thị An", "vnp_x": "\0"}

    answer = await payment.http.get("/api/v1/callbacks/vnpay", params=forged)

    assert answer.json() == {"RspCode": "97", "Message": "Invalid signature"}
    assert (await payment.fees(code))["state"] == "requested"
    fields = await payment.db.fetchval("SELECT fields FROM provider_call")
    assert "ho_ten" not in fields
    assert fields["vnp_TransactionNo"] == "14226112"


async def test_an_empty_call_is_refused(payment: Counter) -> None:
    answer = await payment.http.get("/api/v1/callbacks/vnpay")

    assert answer.json()["RspCode"] == "97"


async def test_cancelled_payments_have_no_transaction_number_and_are_told_apart(payment: Counter) -> None:
    code = await payment.accepted(COPIES)
    first, second = await payment.starts(code), await payment.starts(code)
    gave_up = {"vnp_ResponseCode": "24", "vnp_TransactionStatus": "02", "vnp_TransactionNo": "0"}

    assert await payment.vnpay_says(first, **gave_up) == "00"
    assert await payment.vnpay_says(second, **gave_up) == "00"
    assert await payment.vnpay_says(second, **gave_up) == "02"

    assert [await payment.state(first), await payment.state(second)] == ["cancelled", "cancelled"]
    assert await payment.vnpay_says(await payment.starts(code)) == "00"


async def test_a_failure_told_after_the_success_changes_nothing(payment: Counter) -> None:
    code = await payment.accepted(COPIES)
    reference = await payment.starts(code)
    await payment.vnpay_says(reference)

    late = await payment.vnpay_says(reference, vnp_ResponseCode="51", vnp_TransactionStatus="02", vnp_TransactionNo="0")

    assert late == "02"
    assert (await payment.fees(code))["state"] == "paid"


async def test_an_attempt_expires_by_itself_and_money_that_comes_later_is_owed_back(payment: Counter) -> None:
    code = await payment.accepted(COPIES)
    reference = await payment.starts(code)
    assert not await timers.fire_next(payment.db), "not before its time"

    assert await payment.fire("attempt.expiry")
    assert await payment.state(reference) == "expired"
    assert await payment.vnpay_says(reference) == "00"

    assert await payment.db.fetchval("SELECT reason FROM refund_case") == "too_late"
    assert (await payment.fees(code))["state"] == "requested"
    assert await payment.ledger(code) == {"provider:vnpay": 16_000, "owed_back": -16_000}


async def test_money_for_a_withdrawn_dossier_is_owed_back(payment: Counter) -> None:
    code = await payment.accepted(COPIES)
    reference = await payment.starts(code)
    await payment.hears(DossierWithdrawn(version=3, occurred_at=NOW, dossier_code=code))

    assert await payment.vnpay_says(reference) == "00"

    assert await payment.db.fetchval("SELECT reason FROM refund_case") == "nothing_owed"
    assert await payment.events(code) == [(1, "FeeRequested")]


# What the database itself holds up.


async def test_a_posting_that_does_not_balance_cannot_be_committed(payment: Counter) -> None:
    code = await payment.accepted(COPIES)
    await payment.vnpay_says(await payment.starts(code))
    one = await payment.db.fetchval("SELECT posting_id FROM posting")

    with pytest.raises(asyncpg.CheckViolationError):
        await payment.db.execute("INSERT INTO ledger_entry VALUES ($1, 'phi', -1)", one)
    with pytest.raises(asyncpg.CheckViolationError):
        await payment.db.execute(
            "INSERT INTO posting SELECT gen_random_uuid(), dossier_code, assessment_id, attempt_id, provider, 'other', "
            "moved_at, false, now(), movement, amount FROM posting"
        )


@pytest.mark.parametrize(
    ("table", "column"), [("posting", "provider"), ("ledger_entry", "account"), ("provider_call", "answer")]
)
async def test_what_is_written_stays_written(payment: Counter, table: str, column: str) -> None:
    code = await payment.accepted(COPIES)
    await payment.vnpay_says(await payment.starts(code))

    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = 'x'"):  # noqa: S608
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await payment.db.execute(statement)
    assert await payment.count(table)


async def test_a_receipt_number_taken_in_vain_is_given_back(payment: Counter) -> None:
    async with payment.db.connection() as tx:
        await tx.execute("BEGIN")
        assert await store.take_number(tx, "LA-26E", 2026) == 1
        await tx.execute("ROLLBACK")
    async with payment.db.transaction() as tx:
        assert await store.take_number(tx, "LA-26E", 2026) == 1
        assert await store.take_number(tx, "LA-27E", 2027) == 1, "each year begins at 1"
