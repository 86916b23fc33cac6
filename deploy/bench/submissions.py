"""(c) how many submissions are taken a second, and (e) how soon look-up shows them."""

import asyncio
import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2

from deploy.bench.figures import Latency, Rates, Ratio, Repeated
from deploy.bench.rig import Rig
from deploy.demo.papers import declaration
from deploy.local import tokens
from deploy.local.places import ROOT
from kit import ids

CLIENTS = 16
"""Concurrent clients, over HTTP and of the bare transaction alike."""
FILE_NAME, FILE_TYPE = "to-khai.pdf", "application/pdf"
UNIT, COMPONENT = "H99.02.01", "TP-TL-01"
WITH_FILE, WITHOUT_FILE = "2.000635", "2.009999"
"""Codes of the procedure of An Bình, and of the same one asking for no file (see `tenant`)."""
ANSWERS = {"event_type": "birth", "person_name": "Nguyễn Thị An", "copies": 2, "authorised": False}

BARE_TABLES = """
CREATE TABLE IF NOT EXISTS bare_dossier
    (code text PRIMARY KEY, version int NOT NULL, state text NOT NULL, facts jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS bare_outbox
    (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL, payload bytea NOT NULL);
"""
BARE_DOSSIER = "INSERT INTO bare_dossier VALUES ($1, 1, 'submitted', $2)"
BARE_OUTBOX = "INSERT INTO bare_outbox (key, payload) VALUES ($1, $2)"


@dataclass(frozen=True)
class Citizens:
    """People who file, with tokens signed by the installation's own key."""

    rig: Rig
    dossier: httpx2.AsyncClient
    tracking: httpx2.AsyncClient
    ref: UUID

    def headers(self, audience: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {tokens.of_citizen(self.rig.stack.site, audience, self.ref)}"}

    async def draft(self, procedure: str) -> str:
        """A draft that can be sent: answers given and, if the procedure wants one, a real file uploaded."""
        made = await self.dossier.post("/api/v1/drafts", json={"procedure_code": procedure, "receiving_unit": UNIT})
        draft = f"/api/v1/drafts/{good(made)['id']}"
        good(await self.dossier.patch(draft, json={"answers": ANSWERS, "delivery": "online", "sms_opt_in": False}))
        if procedure == WITH_FILE:
            await self._upload(draft)
        return draft

    async def _upload(self, draft: str) -> None:
        data = declaration("To khai")
        wish = {
            "file_name": FILE_NAME,
            "content_type": FILE_TYPE,
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        upload = good(await self.dossier.post(f"{draft}/components/{COMPONENT}/uploads", json=wish))
        async with httpx2.AsyncClient() as browser:
            file = {"file": (FILE_NAME, data, FILE_TYPE)}
            (await browser.post(upload["url"], data=upload["fields"], files=file)).raise_for_status()

    async def drafts(self, count: int, procedure: str) -> list[str]:
        gate = asyncio.Semaphore(8)

        async def one() -> str:
            async with gate:
                return await self.draft(procedure)

        return list(await asyncio.gather(*[one() for _ in range(count)]))

    async def send(self, draft: str) -> str:
        """Submit; the dossier's code."""
        code: str = good(await self.dossier.post(f"{draft}/submission"))["code"]
        return code

    async def see(self, code: str) -> None:
        """Returns when look-up shows the dossier."""
        async with asyncio.timeout(30):
            while True:
                answer = await self.tracking.get(f"/api/v1/my/dossiers/{code}", params={"at_least": 1})
                if answer.status_code == 200:
                    return


def good(answer: httpx2.Response) -> dict[str, Any]:
    """What was answered; RuntimeError when it is a refusal."""
    if answer.is_error:
        raise RuntimeError(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:500]}"
        )
    body: dict[str, Any] = answer.json()
    return body


def tenant(folder: Path) -> Path:
    """The province An Bình with one procedure more, which asks for no file."""
    copied = folder / "tenant"
    shutil.copytree(ROOT / "deploy/tenants/an-binh", copied)
    procedures = copied / "procedures"
    text = (procedures / f"{WITH_FILE}.yaml").read_text("utf-8")
    changed = text.replace(WITH_FILE, WITHOUT_FILE).replace("requirement: mandatory", "requirement: optional")
    (procedures / f"{WITHOUT_FILE}.yaml").write_text(changed, "utf-8")
    return copied


async def people(rig: Rig) -> Citizens:
    limits = httpx2.Limits(max_connections=CLIENTS * 2)
    citizens = Citizens(
        rig,
        httpx2.AsyncClient(base_url=rig.stack.url("dossier"), limits=limits, timeout=30),
        httpx2.AsyncClient(base_url=rig.stack.url("tracking"), limits=limits, timeout=30),
        ids.new(),
    )
    citizens.dossier.headers.update(citizens.headers("dossier"))
    citizens.tracking.headers.update(citizens.headers("tracking"))
    return citizens


async def throughput(rig: Rig, citizens: Citizens, *, count: int, repetitions: int) -> tuple[Ratio, Rates]:
    """Drafts sent by concurrent clients, against a transaction of two inserts by as many, by turns.

    The fraction is of submissions without a file: the bare transaction has none either. With one PDF, which is
    fetched from S3, taken apart and written to its final place before the answer, the rate is given besides.
    """
    ours: dict[str, list[float]] = {WITHOUT_FILE: [], WITH_FILE: []}
    theirs: list[float] = []
    async with asyncpg.create_pool(rig.scratch.migration_url, min_size=CLIENTS, max_size=CLIENTS) as pool:
        await pool.execute(BARE_TABLES)
        for procedure in ours:
            await _all_sent(citizens, await citizens.drafts(CLIENTS, procedure))
        for n in range(repetitions):
            theirs.append(await _two_inserts(pool, f"t{n}", seconds=4))
            for procedure, many in ((WITHOUT_FILE, count), (WITH_FILE, count // 4)):
                drafts = await citizens.drafts(many, procedure)
                ours[procedure].append(many / await _all_sent(citizens, drafts))
    title = (
        f"dossier: submissions without a file over HTTP, against a bare two-insert transaction ({CLIENTS} clients each)"
    )
    ratio = Ratio(title, Repeated(tuple(ours[WITHOUT_FILE])), Repeated(tuple(theirs)), "submissions/s", goal=0.3)
    return ratio, Rates(
        "the same with one PDF, checked and kept in S3", Repeated(tuple(ours[WITH_FILE])), "submissions/s"
    )


async def _all_sent(citizens: Citizens, drafts: Sequence[str]) -> float:
    waiting = list(drafts)

    async def client() -> None:
        while waiting:
            await citizens.send(waiting.pop())

    began = time.perf_counter()
    await asyncio.gather(*[client() for _ in range(CLIENTS)])
    return time.perf_counter() - began


async def _two_inserts(pool: "asyncpg.Pool[asyncpg.Record]", prefix: str, *, seconds: float) -> float:
    """Transactions a second: the least that a durable submission with its event could be."""
    done = 0
    facts, payload = json.dumps(ANSWERS, ensure_ascii=False), b"x" * 800
    until = time.perf_counter() + seconds

    async def client(n: int) -> None:
        nonlocal done
        async with pool.acquire() as conn:
            while time.perf_counter() < until:
                code = f"{prefix}-{n}-{done}"
                async with conn.transaction():
                    await conn.execute(BARE_DOSSIER, code, facts)
                    await conn.execute(BARE_OUTBOX, code, payload)
                done += 1

    await asyncio.gather(*[client(n) for n in range(CLIENTS)])
    return done / seconds


async def freshness(citizens: Citizens, *, rate: int, seconds: float, repetitions: int) -> Latency:
    """From the answer to a submission until look-up shows the dossier, at a steady rate."""
    measured: list[float] = []
    for _ in range(repetitions):
        drafts = await citizens.drafts(round(rate * seconds), WITH_FILE)
        async with asyncio.TaskGroup() as senders:
            began = time.perf_counter()
            for n, draft in enumerate(drafts):
                await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
                senders.create_task(_sent_and_seen(citizens, draft, measured))
    title = "answer to a submission with one PDF → look-up shows it"
    return Latency(title, f"{rate} submissions/s", tuple(measured), goal_p99=300)


async def _sent_and_seen(citizens: Citizens, draft: str, measured: list[float]) -> None:
    code = await citizens.send(draft)
    answered = time.perf_counter()
    await citizens.see(code)
    measured.append((time.perf_counter() - answered) * 1000)
