"""Statements against the ledger, both ways; broken ones are refused whole with the line."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.payment.reconciliation import fetching
from tests.payment.counter import COPIES, SEARCH, Counter
from tests.payment.outside import Outside

HEAD = "type,transaction,reference,amount,moved_at,settled_on"
AT = "2026-11-22T10:01:30+07:00"


@pytest.fixture
def outside(bank: str) -> Outside:
    return Outside(bank)


async def imported(
    payment: Counter, data: bytes | str, provider: str = "vnpay", kind: str = "csv", expect: int = 202
) -> dict[str, Any]:
    """The statement after it was compared, or the problem."""
    body = data.encode() if isinstance(data, str) else data
    path = f"/statements/{provider}?format={kind}&file_name=sao-ke"
    taken: dict[str, Any] = await payment.call("POST", path, payment.officer("cashier"), expect, content=body)
    if expect != 202:
        return taken
    await payment.fire("statement.reconcile")
    compared: dict[str, Any] = await payment.call("GET", f"/statements/{taken['id']}", payment.officer("cashier"))
    assert compared["done_at"]
    return compared


async def test_matched_found_theirs_only_ours_only_and_differing_lines_are_told_apart(payment: Counter) -> None:
    matched, _ = await payment.paid()
    differs, _ = await payment.paid(SEARCH)
    ours, _ = await payment.paid()
    silent = await payment.accepted(COPIES)
    reference = (await payment.begins(silent, "vnpay"))["reference"]
    ref = {code: await payment.reference_of(code) for code in (matched, differs)}
    lines = [
        f"capture,77001,{ref[matched]},16000,{AT},2026-11-23",
        f"capture,77002,{ref[differs]},4000,{AT},",
        f"capture,90001,{reference},16000,{AT},2026-11-23",
        f"capture,90002,nobody,50000,{AT},",
    ]

    statement = await imported(payment, "\n".join([HEAD, *lines]))

    assert statement["buckets"] == {"matched": 1, "differs": 1, "found": 1, "theirs_only": 1}
    assert (await payment.fees(silent))["state"] == "paid", "late success is found"
    cases = {case["kind"]: case for case in await payment.cases()}
    assert cases["amount_differs"]["dossier_code"] == differs
    assert (cases["amount_differs"]["amount"], cases["amount_differs"]["expected"]) == (4_000, 5_000)
    assert cases["theirs_only"]["transaction"] == "90002"
    assert cases["ours_only"]["dossier_code"] == ours
    settled = await payment.db.fetchval("SELECT sum(amount) FROM ledger_entry WHERE account = 'bank'")
    assert settled == 32_000


async def test_the_same_statement_twice_changes_nothing(payment: Counter) -> None:
    await payment.paid()
    text = f"{HEAD}\ncapture,77001,x,16000,{AT},2026-11-23\ncapture,1,y,1000,{AT},"

    first, second = await imported(payment, text), await imported(payment, text)

    assert first["id"] == second["id"]
    assert len(await payment.cases()) == 1
    assert await payment.db.fetchval("SELECT count(*) FROM posting WHERE movement = 'settlement'") == 1


async def test_the_banks_real_statement_agrees_with_the_ledger(payment: Counter, outside: Outside) -> None:
    code = await payment.accepted(COPIES)
    first, second = await payment.begins(code, "momo"), await payment.begins(code, "momo")
    await outside.behave(never=True)
    await outside.pay(first)
    await outside.pay(second)
    await payment.fire("attempt.question")
    await payment.fire("refund")

    statement = await imported(payment, await _of(outside, "/statements/momo.csv", first, second), "momo")

    assert statement["buckets"] == {"matched": 3}, "two captures and a refund"
    held = await payment.db.fetchval("SELECT sum(amount)::int FROM ledger_entry WHERE account = 'provider:momo'")
    assert held == 0, "what the provider held is paid out"


async def _of(outside: Outside, path: str, *started: dict[str, Any]) -> str:
    """The lines of the statement about these attempts: the stand-in is shared by all tests."""
    head, *lines = (await outside.statement(path)).decode().splitlines()
    return "\n".join([head, *[line for line in lines if any(s["reference"] in line for s in started)]])


async def test_a_reversal_becomes_a_case_for_a_person(payment: Counter, outside: Outside) -> None:
    code = await payment.accepted(COPIES)
    started = await payment.begins(code, "vnpay")
    await outside.behave(never=True, reversed=True)
    await outside.pay(started)
    await payment.fire("attempt.question")

    await imported(payment, await _of(outside, "/statements/vnpay.csv", started))

    (case,) = await payment.cases()
    assert (case["kind"], case["dossier_code"], case["amount"]) == ("reversed", code, 16_000)
    assert (await payment.ledger(code))["reversed"] == 16_000
    note = {"note": "Đã liên hệ người nộp, nộp lại tiền mặt"}
    path = f"/review-cases/{case['id']}/resolution"
    await payment.call("POST", path, payment.officer("cashier"), 204, json=note)
    await payment.call("POST", path, payment.officer("cashier"), 409, json=note)
    assert await payment.cases() == []


async def test_a_transfer_by_qr_code_is_found_on_the_statement_by_purpose_and_amount(
    payment: Counter, outside: Outside
) -> None:
    right, wrong = await payment.accepted(COPIES), await payment.accepted(COPIES)
    first, second = await payment.begins(right, "vietqr"), await payment.begins(wrong, "vietqr")
    await outside.behave()
    await outside.transfer(qr=first["qr"])
    await outside.transfer(amount=15_000, purpose=second["reference"])
    await outside.transfer(amount=9_000, purpose="ung ho")

    statement = await imported(payment, await outside.statement("/account/statement"), "vietqr", "camt.053")

    assert (await payment.fees(right))["state"] == "paid"
    assert (await payment.said(right, "FeePaid"))["method"] == "qr"
    assert (await payment.fees(wrong))["state"] == "requested"
    assert statement["buckets"] == {"found": 1, "differs": 1, "theirs_only": 1}
    assert {case["kind"] for case in await payment.cases()} == {"amount_differs", "theirs_only"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("type,transaction\n", 1),
        (f"{HEAD}\n", 1),
        (f"{HEAD}\ncapture,1,a,16000,{AT},\ncapture,2,b,16.000,{AT},", 3),
        (f"{HEAD}\ncapture,1,a,-5,{AT},", 2),
        (f"{HEAD}\ncapture,1,a,5,2026-11-22 10:00:00,", 2),
        (f"{HEAD}\ngift,1,a,5,{AT},", 2),
        (f"{HEAD}\ncapture,,a,5,{AT},", 2),
        (f"{HEAD}\ncapture,1,a,5", 2),
        (f"{HEAD}\ncapture,1,a,5,{AT},\n\ncapture,1,b,5,{AT},", 4),
        (f"{HEAD}\ncapture,1,a,5,{AT},tomorrow", 2),
    ],
)
async def test_a_broken_line_refuses_the_whole_statement(payment: Counter, text: str, line: int) -> None:
    problem = await imported(payment, text, expect=422)

    assert problem["line"] == line
    assert await payment.count("statement_line") == 0


@pytest.mark.parametrize(
    "data",
    [
        b"not xml",
        b"<Document/>",
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Document>&a;</Document>',
        b"<Document><BkToCstmrStmt><Stmt><Ntry><Amt Ccy='USD'>5</Amt><CdtDbtInd>CRDT</CdtDbtInd>"
        b"<BookgDt><Dt>2026-11-22</Dt></BookgDt><AcctSvcrRef>1</AcctSvcrRef></Ntry></Stmt></BkToCstmrStmt></Document>",
        b"<Document><BkToCstmrStmt><Stmt><Ntry><Amt Ccy='VND'>5.50</Amt><CdtDbtInd>CRDT</CdtDbtInd>"
        b"<BookgDt><Dt>2026-11-22</Dt></BookgDt><AcctSvcrRef>1</AcctSvcrRef></Ntry></Stmt></BkToCstmrStmt></Document>",
    ],
)
async def test_a_broken_camt_statement_is_refused_whole(payment: Counter, data: bytes) -> None:
    problem = await imported(payment, data, "vietqr", "camt.053", expect=422)

    assert problem["type"] == "urn:motcua:problem:statement-unreadable"


async def test_a_statement_is_fetched_by_itself(
    payment: Counter, outside: Outside, bank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.settings._loaded", {})
    monkeypatch.setenv("MOTCUA_STATEMENT_URLS", json.dumps({"vietqr": f"{bank}/account/statement"}))
    code = await payment.accepted(COPIES)
    await outside.behave()
    await outside.transfer(qr=(await payment.begins(code, "vietqr"))["qr"])
    await fetching.plan_all(payment.db)

    await payment.fire("statement.%")
    await payment.fire("statement.reconcile")

    assert (await payment.fees(code))["state"] == "paid"
    assert await payment.db.fetchval("SELECT count(*) FROM timer WHERE kind = 'statement.fetch'") == 1, (
        "and again later"
    )


async def test_only_the_cashier_imports(payment: Counter) -> None:
    await payment.call("POST", "/statements/vnpay", payment.officer("leader"), 403, content=HEAD)


async def test_an_interrupted_comparison_goes_on(payment: Counter) -> None:
    at = datetime.now(UTC) - timedelta(days=1)
    lines = [f"capture,{n},nobody-{n},1000,{at.isoformat()}," for n in range(450)]

    statement = await imported(payment, "\n".join([HEAD, *lines]))

    assert statement["buckets"] == {"theirs_only": 450}
    assert await payment.count("review_case") == 450
