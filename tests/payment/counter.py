"""The payment service on a fresh database, and those who talk to it: dossiers, payers, VNPAY, officers."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx2

from contracts.dossier import DossierAccepted, DossierEvent, DossierSubmitted, SubmissionChannel
from contracts.money import FeeKind, FeeLine, FeeTiming
from kit.db import Database
from services.payment import subscribers
from services.payment.providers import vnpay
from services.payment.timers import timers
from tests.dossier.office import Identity

UNIT = "H99.02.01"
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


class Counter:
    """The payment service on a fresh database, and those who talk to it."""

    def __init__(self, db: Database, http: httpx2.AsyncClient, identity: Identity) -> None:
        self.db, self.http, self.identity = db, http, identity
        self._codes, self._transactions = 0, 77_000

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

    async def begins(self, code: str, provider: str, expect: int = 201) -> dict[str, Any]:
        """An attempt to pay in that way."""
        wish = {"provider": provider, "return_url": f"{PORTAL}/x"}
        answer = await self.http.post(f"/api/v1/dossiers/{code}/attempts", json=wish)
        assert answer.status_code == expect, answer.text
        started: dict[str, Any] = answer.json()
        return started

    async def state_of(self, started: dict[str, Any]) -> str:
        answer = await self.http.get(f"/api/v1/attempts/{started['attempt_id']}")
        state: str = answer.json()["state"]
        return state

    async def questions(self, started: dict[str, Any]) -> list[int]:
        """How often the provider was asked about the attempt, for each question that is still planned."""
        rows = await self.db.fetch(
            "SELECT payload FROM timer WHERE kind = 'attempt.question' AND key = $1", started["reference"]
        )
        return [row["payload"]["asked"] for row in rows]

    async def reference_of(self, code: str) -> str:
        """Our name for the one attempt of the dossier."""
        reference: str = await self.db.fetchval(
            "SELECT reference FROM attempt JOIN assessment a ON a.id = assessment_id WHERE dossier_code = $1", code
        )
        return reference

    async def said(self, code: str, name: str) -> dict[str, Any]:
        """What the newest event of that name says."""
        rows = await self.db.fetch("SELECT type, payload FROM outbox WHERE key = $1 ORDER BY id DESC", code)
        found: dict[str, Any] = next(json.loads(row["payload"]) for row in rows if row["type"].split(".")[-2] == name)
        return found

    async def provider_calls(self, way: str, body: bytes) -> httpx2.Response:
        return await self.http.post(f"/api/v1/callbacks/{way}", content=body)

    async def cases(self) -> list[dict[str, Any]]:
        """What waits for a person."""
        found = await self.call("GET", "/review-cases", self.officer("cashier"))
        items: list[dict[str, Any]] = found["items"]
        return items

    async def fire(self, kind: str = "%") -> int:
        """Let every timer of that kind be due, and fire them all; how many there were."""
        await self.db.execute("UPDATE timer SET due_at = now() WHERE kind LIKE $1", kind)
        fired = 0
        while await timers.fire_next(self.db) or await timers.work_next(self.db):
            fired += 1
        return fired

    def officer(self, role: str, n: int = 0, unit: str = UNIT) -> dict[str, str]:
        """The Authorization header of somebody with that role; `n` tells several apart."""
        return self.identity.token(UUID(int=0x100 + n), "officer", aud="payment", unit=unit, roles=[role])

    def citizen(self, ref: UUID) -> dict[str, str]:
        return self.identity.token(ref, "citizen", aud="payment", acr=2)

    async def call(self, method: str, path: str, who: dict[str, str], expect: int = 200, **options: Any) -> Any:
        answer = await self.http.request(method, f"/api/v1{path}", headers=who, **options)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def paid(self, *lines: FeeLine) -> tuple[str, str]:
        """A dossier whose fee VNPAY took: its code, and the assessment."""
        code = await self.accepted(*lines or (COPIES,))
        started = await self.begins(code, "vnpay")
        self._transactions += 1
        told = {"vnp_Amount": str(started["amount"] * 100), "vnp_TransactionNo": str(self._transactions)}
        assert await self.vnpay_says(started["reference"], **told) == "00"
        return code, (await self.fees(code))["assessments"][0]["id"]

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
            "SELECT account, sum(e.amount)::bigint AS balance FROM ledger_entry e JOIN posting USING (posting_id) "
            "WHERE dossier_code = $1 GROUP BY account HAVING sum(e.amount) <> 0",
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
