"""`bench payment`: signed callbacks taken durably, against a bare insert of one row, and how long a provider waits.

Every callback settles another dossier: ledger, receipt with its gap-free number, events and timers in one transaction,
answered after the commit.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
import httpx2

from contracts.dossier import DossierAccepted
from contracts.money import FeeKind, FeeLine, FeeTiming
from deploy.bench.figures import Amount, Figures, Latency, Ratio, Repeated
from deploy.bench.measuring import measured, say
from deploy.bench.report import Report
from deploy.bench.rig import Rig
from deploy.local.process import memory_mb
from kit import ids
from kit.clock import now
from kit.db import Database
from services.payment import domain, store, subscribers
from services.payment.providers import vnpay

CLIENTS = 16
CONNECTIONS = 5
GOAL, PROMISED_P99, RATE = 0.15, 250.0, 100
FEE = FeeLine(kind=FeeKind.LE_PHI, code="LP-TL", name="Lệ phí bản sao", unit_price=8_000, quantity=2, amount=16_000)
LIFE = timedelta(hours=1)
BARE = "CREATE TABLE bare_payment (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, fields jsonb NOT NULL)"
INSERT = "INSERT INTO bare_payment (fields) VALUES ($1)"
FIELDS = '{"reference": "019abf00000070008000000000000001", "amount": 16000, "transaction": "14226112"}'


def measure(*, quick: bool = False) -> Report:
    much = (200, 1, 2) if quick else (1_000, 3, 15)
    return measured("payment", lambda rig: _figures(rig, *much))


async def _figures(rig: Rig, count: int, repetitions: int, seconds: int) -> Figures:
    await rig.stack.up("payment")
    ours, theirs = [], []
    db = await Database.open(rig.stack.site.place("payment").database_url)
    bare = await _bare_database(rig)
    async with httpx2.AsyncClient(base_url=rig.stack.site.url("payment"), timeout=30) as provider:
        for n in range(repetitions):
            say("payment", f"callbacks, {n + 1} of {repetitions}")
            theirs.append(await _inserts(bare, count * 2))
            ours.append(await _callbacks(provider, await _calls(rig, db, count)))
        say("payment", f"callbacks at {RATE}/s")
        waited = await _paced(provider, await _calls(rig, db, RATE * seconds))
    await db.close()
    await bare.close()
    title = "callbacks settled durably, against a bare insert of one row"
    ratio = Ratio(title, Repeated(tuple(ours)), Repeated(tuple(theirs)), "callbacks/s", goal=GOAL)
    held = Amount("payment, after all this", memory_mb(rig.stack.pid("payment")), "MB")
    answer = Latency("a provider's call until it is answered", f"{RATE}/s", tuple(waited), PROMISED_P99)
    return Figures([ratio], [answer], [], [held])


async def _bare_database(rig: Rig) -> "asyncpg.Pool[asyncpg.Record]":
    pool = await asyncpg.create_pool(rig.scratch.migration_url, min_size=CLIENTS, max_size=CLIENTS)
    await pool.execute(BARE)
    return pool


async def _inserts(pool: "asyncpg.Pool[asyncpg.Record]", count: int) -> float:
    began = time.perf_counter()
    await _by_clients([FIELDS] * count, lambda fields: pool.execute(INSERT, fields))
    return count / (time.perf_counter() - began)


async def _callbacks(provider: httpx2.AsyncClient, calls: Sequence[str]) -> float:
    began = time.perf_counter()
    await _by_clients(calls, lambda call: _call(provider, call))
    return len(calls) / (time.perf_counter() - began)


async def _by_clients(work: Sequence[str], do: Callable[[str], Awaitable[object]]) -> None:
    waiting = iter(work)

    async def client() -> None:
        for each in waiting:
            await do(each)

    await asyncio.gather(*[client() for _ in range(CLIENTS)])


async def _paced(provider: httpx2.AsyncClient, calls: Sequence[str]) -> list[float]:
    """Milliseconds of each call, begun at a steady rate however long the others take."""
    began = time.perf_counter()

    async def one(n: int, call: str) -> float:
        due = began + n / RATE
        await asyncio.sleep(max(0, due - time.perf_counter()))
        await _call(provider, call)
        return (time.perf_counter() - due) * 1000

    return await asyncio.gather(*[one(n, call) for n, call in enumerate(calls)])


async def _call(provider: httpx2.AsyncClient, call: str) -> None:
    answer = await provider.get(f"/api/v1/callbacks/vnpay?{call}")
    if answer.json()["RspCode"] != "00":
        raise RuntimeError(answer.text)


async def _calls(rig: Rig, db: Database, count: int) -> list[str]:
    """VNPAY's calls about as many attempts, each for another accepted dossier."""
    gate = asyncio.Semaphore(CONNECTIONS)

    async def one() -> str:
        async with gate:
            return await _attempt(db)

    return [_signed(rig, reference) for reference in await asyncio.gather(*[one() for _ in range(count)])]


async def _attempt(db: Database) -> str:
    moment, attempt_id = now(), ids.new()
    code = f"H99.02.01-{moment:%y%m%d}-{attempt_id.hex[-12:].upper()}"
    accepted = DossierAccepted(
        version=2, occurred_at=moment, dossier_code=code, accepted_at=moment, unit="H99.02.01",
        officer_ref=UUID(int=3), fee_lines=(FEE,), fee_timing=FeeTiming.AT_ACCEPTANCE, policy_version="1",
    )  # fmt: skip
    async with db.transaction() as tx:
        await subscribers.on_dossier(tx, accepted)
        bill = await store.open_bill(tx, code)
        bill, attempt = domain.start_attempt(bill, attempt_id, vnpay.PROVIDER, attempt_id.hex, moment, LIFE)
        await store.save(tx, bill)
    return attempt.reference


def _signed(rig: Rig, reference: str) -> str:
    secrets = rig.stack.site.secrets
    call = {
        "vnp_Amount": str(FEE.amount * 100),
        "vnp_BankCode": "NCB",
        "vnp_OrderInfo": "Nop phi ho so",
        "vnp_PayDate": "20261122100130",
        "vnp_ResponseCode": "00",
        "vnp_TmnCode": secrets.vnpay_tmn_code,
        "vnp_TransactionNo": str(int(reference[-12:], 16)),
        "vnp_TransactionStatus": "00",
        "vnp_TxnRef": reference,
    }
    return urlencode(call | {"vnp_SecureHash": vnpay.sign(call, secrets.vnpay_secret)})
