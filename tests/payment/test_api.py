"""Paying for real: HTTP and PostgreSQL, with VNPAY's calls signed as VNPAY signs them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from contracts.dossier import (
    DossierAccepted,
    DossierAwaitingPayment,
    DossierEvent,
    DossierSubmitted,
    DossierWithdrawn,
    SubmissionChannel,
)
from contracts.money import FeeKind, FeeLine, FeeTiming
from kit import auth
from kit.db import Database
from kit.timers import Timers
from services.payment import store, subscribers
from services.payment.app import app as service
from services.payment.providers import vnpay
from services.payment.timers import timers

MakeDatabase = Callable[[str], Awaitable[Database]]

PORTAL = "http://127.0.0.1:8080"
SECRET = "a secret of tests only"
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
OWNER, SUBMITTER = UUID(int=1), UUID(int=2)
COPIES = FeeLine(
    kind=FeeKind.LE_PHI, code="LP-TRICH-LUC", name="Bản sao trích lục", unit_price=8_000, quantity=2, amount=16_000
)
SEARCH = FeeLine(kind=FeeKind.PHI, code="P-TRA-CUU", name="Tra cứu sổ gốc", unit_price=5_000, amount=5_000)
FILING: dict[str, Any] = {
    "occurred_at": NOW,
    "procedure_code": "2.000635",
    "procedure_version": 1,
    "procedure_name": "Cấp bản sao Trích lục hộ tịch, bản sao Giấy khai sinh",
    "case": "default",
    "level": "full",
    "receiving_unit": "H99.02.01",
    "competent_unit": "H99.02.01",
    "owner_ref": OWNER,
    "owner_type": "citizen",
    "submitter_ref": SUBMITTER,
    "channel": SubmissionChannel.PROVINCIAL_PORTAL,
    "delivery": "online",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.settings._loaded", {})
    for name, value in {
        "GATEWAY_URL": PORTAL,
        "VNPAY_URL": "http://127.0.0.1:8202/paymentv2/vpcpay.html",
        "VNPAY_TMN_CODE": "ANBINH01",
        "VNPAY_SECRET": SECRET,
    }.items():
        monkeypatch.setenv(f"MOTCUA_{name}", value)


class Payment:
    """The payment service on a fresh database, and those who talk to it."""

    def __init__(self, db: Database, http: httpx2.AsyncClient, app: FastAPI) -> None:
        self.db, self.http, self.app = db, http, app
        self._codes = 0

    async def hears(self, event: DossierEvent) -> None:
        async with self.db.transaction() as tx:
            await subscribers.on_dossier(tx, event)

    async def accepted(self, *lines: FeeLine) -> str:
        """A dossier that was sent and accepted; its code."""
        self._codes += 1
        code = f"H99.02.01-261122-{self._codes:04d}"
        await self.hears(DossierSubmitted(version=1, dossier_code=code, submitted_at=NOW, components=(), **FILING))
        await self.hears(acceptance(code, *lines))
        return code

    async def starts(self, code: str) -> str:
        """An attempt to pay; its reference at VNPAY."""
        answer = await self.http.post(f"/api/v1/dossiers/{code}/attempts", json={"return_url": f"{PORTAL}/x"})
        assert answer.status_code == 201, answer.text
        query: dict[str, str] = dict(parse_qsl(urlsplit(answer.json()["redirect_url"]).query))
        return query["vnp_TxnRef"]

    async def vnpay_says(self, reference: str, **changes: str) -> str:
        """VNPAY's call; our RspCode."""
        call = said(reference, **changes)
        answer = await self.http.get("/api/v1/callbacks/vnpay", params=call)
        assert answer.status_code == 200, answer.text
        code: str = answer.json()["RspCode"]
        return code

    async def fees(self, code: str) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.http.get(f"/api/v1/dossiers/{code}/fees")).json()
        return answer

    async def state(self, reference: str) -> str:
        answer = await self.http.get(f"/api/v1/attempts/{UUID(reference)}")
        state: str = answer.json()["state"]
        return state

    async def events(self, code: str) -> list[tuple[int, str]]:
        """What was said about the dossier's money: (version, name of the event)."""
        rows = await self.db.fetch("SELECT version, type FROM outbox WHERE key = $1 ORDER BY id", code)
        return [(row["version"], row["type"].split(".")[-2]) for row in rows]

    async def ledger(self, code: str) -> dict[str, int]:
        rows = await self.db.fetch(
            "SELECT account, sum(amount)::bigint AS balance FROM ledger_entry JOIN posting USING (posting_id) "
            "WHERE dossier_code = $1 GROUP BY account",
            code,
        )
        return {row["account"]: row["balance"] for row in rows}

    async def count(self, table: str) -> int:
        number: int = await self.db.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608
        return number


def acceptance(code: str, *lines: FeeLine, version: int = 2, again: bool = False) -> DossierAccepted:
    return DossierAccepted(
        version=version, occurred_at=NOW, dossier_code=code, accepted_at=NOW, unit="H99.02.01", officer_ref=UUID(int=3),
        fee_lines=lines, fee_timing=FeeTiming.AT_ACCEPTANCE, again=again, policy_version="1",
    )  # fmt: skip


def said(reference: str, **changes: str) -> dict[str, str]:
    call = {
        "vnp_Amount": "1600000",
        "vnp_BankCode": "NCB",
        "vnp_OrderInfo": "Nop phi ho so",
        "vnp_PayDate": "20261122100130",
        "vnp_ResponseCode": "00",
        "vnp_TmnCode": "ANBINH01",
        "vnp_TransactionNo": "14226112",
        "vnp_TransactionStatus": "00",
        "vnp_TxnRef": reference,
    } | changes
    return {**call, "vnp_SecureHash": vnpay.sign(call, SECRET)}


@pytest.fixture
async def payment(make_database: MakeDatabase) -> AsyncIterator[Payment]:
    db = await make_database("payment")
    service.state.db = db
    transport = httpx2.ASGITransport(app=service)
    async with httpx2.AsyncClient(transport=transport, base_url="http://payment") as http:
        yield Payment(db, http, service)
    service.state.db = None
    service.dependency_overrides.clear()


# What is owed.


async def test_an_accepted_dossier_shows_what_it_costs_and_nobody(payment: Payment) -> None:
    code = await payment.accepted(COPIES, SEARCH)

    fees = await payment.fees(code)

    assert (fees["state"], fees["amount"], fees["outstanding"]) == ("requested", 21_000, 21_000)
    assert [line["name"] for line in fees["lines"]] == ["Bản sao trích lục", "Tra cứu sổ gốc"]
    assert str(OWNER) not in str(fees)
    assert await payment.events(code) == [(1, "FeeRequested")]


async def test_hearing_an_acceptance_twice_asks_once(payment: Payment) -> None:
    code = await payment.accepted(COPIES)
    await payment.hears(acceptance(code, COPIES))
    await payment.hears(acceptance(code, COPIES, version=3, again=True))

    assert await payment.events(code) == [(1, "FeeRequested")]


async def test_a_dossier_without_a_fee_owes_nothing(payment: Payment) -> None:
    code = await payment.accepted()

    assert (await payment.fees(code))["state"] == "none"
    answer = await payment.http.post(f"/api/v1/dossiers/{code}/attempts", json={"return_url": f"{PORTAL}/x"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:motcua:problem:nothing-to-pay"


async def test_a_fee_before_acceptance_is_asked_for_when_the_dossier_is_sent(payment: Payment) -> None:
    code, due = "H99.02.01-261122-0900", NOW + timedelta(days=3)
    await payment.hears(
        DossierAwaitingPayment(version=1, dossier_code=code, fee_lines=(COPIES,), amount=16_000, due_at=due, **FILING)
    )

    assert await payment.vnpay_says(await payment.starts(code)) == "00"
    await payment.hears(DossierSubmitted(version=2, dossier_code=code, submitted_at=NOW, components=(), **FILING))
    await payment.hears(acceptance(code, version=3))

    assert await payment.events(code) == [(1, "FeeRequested"), (2, "FeePaid"), (3, "ReceiptIssued")]


async def test_an_unknown_dossier_has_no_fees(payment: Payment) -> None:
    assert (await payment.http.get("/api/v1/dossiers/H99.02.01-261122-9999/fees")).status_code == 404
    answer = await payment.http.post("/api/v1/dossiers/X/attempts", json={"return_url": f"{PORTAL}/x"})
    assert answer.status_code == 404


async def test_the_payer_never_comes_back_to_a_strangers_page(payment: Payment) -> None:
    code = await payment.accepted(COPIES)

    for url in ("https://evil.example/x", f"{PORTAL}.evil.example/x", "//evil.example", "javascript:alert(1)"):
        answer = await payment.http.post(f"/api/v1/dossiers/{code}/attempts", json={"return_url": url})
        assert answer.status_code == 422, url


# What VNPAY says.


async def test_a_signed_success_pays_and_gives_a_receipt(payment: Payment) -> None:
    code = await payment.accepted(COPIES)
    reference = await payment.starts(code)

    assert await payment.vnpay_says(reference) == "00"

    assert await payment.state(reference) == "succeeded"
    assert (await payment.fees(code))["state"] == "paid"
    assert (await payment.fees(code))["outstanding"] == 0
    assert await payment.events(code) == [(1, "FeeRequested"), (2, "FeePaid"), (3, "ReceiptIssued")]
    assert await payment.ledger(code) == {"provider:vnpay": 16_000, "le_phi": -16_000}


async def test_fifty_copies_of_one_call_at_the_same_moment_pay_once(payment: Payment) -> None:
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


async def test_of_many_attempts_at_the_same_moment_one_pays_and_the_others_are_owed_back(payment: Payment) -> None:
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


async def test_receipt_numbers_have_no_gap_however_many_pay_at_once(payment: Payment) -> None:
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
    payment: Payment, changes: dict[str, str], answer: str
) -> None:
    code = await payment.accepted(COPIES)
    reference = await payment.starts(code)

    assert await payment.vnpay_says(reference, **changes) == answer

    assert (await payment.fees(code))["state"] == "requested"
    assert await payment.db.fetchval("SELECT answer FROM provider_call") == answer
    assert await payment.vnpay_says(reference) == "00", "a right call afterwards still pays"


async def test_a_forged_call_is_refused_and_recorded_without_what_a_stranger_added(payment: Payment) -> None:
    code = await payment.accepted(COPIES)
    forged = {**said(await payment.starts(code)), "vnp_SecureHash": "0" * 128, "ho_ten": "Nguyễn Thị An", "vnp_x": "\0"}

    answer = await payment.http.get("/api/v1/callbacks/vnpay", params=forged)

    assert answer.json() == {"RspCode": "97", "Message": "Invalid signature"}
    assert (await payment.fees(code))["state"] == "requested"
    fields = await payment.db.fetchval("SELECT fields FROM provider_call")
    assert "ho_ten" not in fields
    assert fields["vnp_TransactionNo"] == "14226112"


async def test_an_empty_call_is_refused(payment: Payment) -> None:
    answer = await payment.http.get("/api/v1/callbacks/vnpay")

    assert answer.json()["RspCode"] == "97"


async def test_cancelled_payments_have_no_transaction_number_and_are_told_apart(payment: Payment) -> None:
    code = await payment.accepted(COPIES)
    first, second = await payment.starts(code), await payment.starts(code)
    gave_up = {"vnp_ResponseCode": "24", "vnp_TransactionStatus": "02", "vnp_TransactionNo": "0"}

    assert await payment.vnpay_says(first, **gave_up) == "00"
    assert await payment.vnpay_says(second, **gave_up) == "00"
    assert await payment.vnpay_says(second, **gave_up) == "02"

    assert [await payment.state(first), await payment.state(second)] == ["cancelled", "cancelled"]
    assert await payment.vnpay_says(await payment.starts(code)) == "00"


async def test_a_failure_told_after_the_success_changes_nothing(payment: Payment) -> None:
    code = await payment.accepted(COPIES)
    reference = await payment.starts(code)
    await payment.vnpay_says(reference)

    late = await payment.vnpay_says(reference, vnp_ResponseCode="51", vnp_TransactionStatus="02", vnp_TransactionNo="0")

    assert late == "02"
    assert (await payment.fees(code))["state"] == "paid"


async def test_an_attempt_expires_by_itself_and_money_that_comes_later_is_owed_back(payment: Payment) -> None:
    code = await payment.accepted(COPIES)
    reference = await payment.starts(code)
    assert not await _fire(timers, payment.db), "not before its time"
    await payment.db.execute("UPDATE timer SET due_at = now()")

    assert await _fire(timers, payment.db)
    assert await payment.state(reference) == "expired"
    assert await payment.vnpay_says(reference) == "00"

    assert await payment.db.fetchval("SELECT reason FROM refund_case") == "too_late"
    assert (await payment.fees(code))["state"] == "requested"
    assert await payment.ledger(code) == {"provider:vnpay": 16_000, "owed_back": -16_000}


async def test_money_for_a_withdrawn_dossier_is_owed_back(payment: Payment) -> None:
    code = await payment.accepted(COPIES)
    reference = await payment.starts(code)
    await payment.hears(DossierWithdrawn(version=3, occurred_at=NOW, dossier_code=code))

    assert await payment.vnpay_says(reference) == "00"

    assert await payment.db.fetchval("SELECT reason FROM refund_case") == "nothing_owed"
    assert await payment.events(code) == [(1, "FeeRequested")]


async def _fire(of: Timers, db: Database) -> bool:
    return await of.fire_next(db)


# Receipts.


async def test_receipts_are_for_the_owner_the_submitter_and_the_unit(payment: Payment) -> None:
    code = await payment.accepted(COPIES, SEARCH)
    await payment.vnpay_says(await payment.starts(code), vnp_Amount="2100000")

    for who in (citizen(OWNER), citizen(SUBMITTER), officer("H99.02.01")):
        answer = await _receipts(payment, code, who)
        assert [(r["receipt_no"], r["kind"], r["amount_in_words"]) for r in answer.json()] == [
            ("0000001", "le_phi", "mười sáu nghìn đồng"),
            ("0000001", "phi", "năm nghìn đồng"),
        ]
    for stranger in (citizen(UUID(int=9)), officer("H99.02.02"), auth.SystemToken("tracking", "system", "tracking")):
        assert (await _receipts(payment, code, stranger)).status_code == 403


async def test_receipts_are_not_public(payment: Payment) -> None:
    code = await payment.accepted(COPIES)

    assert (await payment.http.get(f"/api/v1/dossiers/{code}/receipts")).status_code == 401


async def test_an_unknown_dossier_looks_like_a_strangers(payment: Payment) -> None:
    assert (await _receipts(payment, "X", citizen(OWNER))).status_code == 403


def citizen(ref: UUID) -> auth.CitizenToken:
    return auth.CitizenToken(str(ref), "citizen", ref, "", 2, NOW)


def officer(unit: str) -> auth.OfficerToken:
    return auth.OfficerToken(str(UUID(int=8)), "officer", UUID(int=8), unit, frozenset({"desk"}), NOW)


async def _receipts(payment: Payment, code: str, who: auth.Token) -> httpx2.Response:
    payment.app.dependency_overrides[auth.caller] = lambda: who
    return await payment.http.get(f"/api/v1/dossiers/{code}/receipts")


# What the database itself holds up.


async def test_a_posting_that_does_not_balance_cannot_be_committed(payment: Payment) -> None:
    code = await payment.accepted(COPIES)
    await payment.vnpay_says(await payment.starts(code))
    one = await payment.db.fetchval("SELECT posting_id FROM posting")

    with pytest.raises(asyncpg.CheckViolationError):
        await payment.db.execute("INSERT INTO ledger_entry VALUES ($1, 'phi', -1)", one)
    with pytest.raises(asyncpg.CheckViolationError):
        await payment.db.execute(
            "INSERT INTO posting SELECT gen_random_uuid(), dossier_code, assessment_id, attempt_id, provider, 'other', "
            "moved_at, false FROM posting"
        )


@pytest.mark.parametrize(
    ("table", "column"), [("posting", "provider"), ("ledger_entry", "account"), ("provider_call", "answer")]
)
async def test_what_is_written_stays_written(payment: Payment, table: str, column: str) -> None:
    code = await payment.accepted(COPIES)
    await payment.vnpay_says(await payment.starts(code))

    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = 'x'"):  # noqa: S608
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await payment.db.execute(statement)
    assert await payment.count(table)


async def test_a_receipt_number_taken_in_vain_is_given_back(payment: Payment) -> None:
    async with payment.db.connection() as tx:
        await tx.execute("BEGIN")
        assert await store.take_number(tx, "LA-26E", 2026) == 1
        await tx.execute("ROLLBACK")
    async with payment.db.transaction() as tx:
        assert await store.take_number(tx, "LA-26E", 2026) == 1
        assert await store.take_number(tx, "LA-27E", 2027) == 1, "each year begins at 1"
