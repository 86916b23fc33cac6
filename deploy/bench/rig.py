"""What the benchmarks are measured on: real servers of their own, and events to move."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contracts.dossier import DOSSIERS, DossierSubmitted
from contracts.envelope import Audience, Channel
from deploy.local import databases
from deploy.local import infra as infrastructure
from deploy.local.databases import Place, Role
from deploy.local.infra import Infra
from deploy.local.places import ROOT
from deploy.local.stack import Stack
from kit import ids, outbox
from kit.db import Database, migrate

RELAYED = Channel(
    "bench.relayed.v1",
    owner="bench",
    audience=Audience.INTERNAL,
    key="dossier_code",
    events=(DossierSubmitted,),
    doc="What the relay benchmark sends: nobody else listens.",
)
EXAMPLE = ROOT / "contracts/examples/DossierSubmitted.v1.json"


@dataclass(frozen=True)
class Rig:
    infra: Infra
    stack: Stack
    scratch: Place
    """A database with kit's tables only."""
    folder: Path
    """For files of the run; thrown away with it."""


@asynccontextmanager
async def set_up(folder: Path) -> AsyncIterator[Rig]:
    """Embedded Kafka, PostgreSQL and S3 on free ports; thrown away afterwards."""
    async with infrastructure.embedded() as infra:
        await _create_topic(infra.kafka, RELAYED)
        scratch = Place(infra.postgres, "bench", Role("bench_owner", "bench"), Role("bench_app", "bench"))
        await databases.ensure(scratch)
        await migrate(scratch.migration_url, "bench", scratch.database_url)
        stack = Stack(infra, folder)
        try:
            yield Rig(infra, stack, scratch, folder)
        finally:
            await stack.close()


async def _create_topic(bootstrap: str, channel: Channel) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(channel.name, channel.partitions, 1)])
    finally:
        await admin.close()


def submissions(count: int, prefix: str) -> list[DossierSubmitted]:
    """Events like the published example, each of another dossier."""
    example = DossierSubmitted.model_validate_json(EXAMPLE.read_text("utf-8"))
    owner = ids.new()
    return [
        example.model_copy(
            update={"dossier_code": f"H99.02.01-{prefix}-{n:06d}", "owner_ref": owner, "submitter_ref": owner}
        )
        for n in range(1, count + 1)
    ]


Written = tuple[str, bytes, bytes, list[tuple[str, bytes]]]
"""A record as a producer takes it: topic, value, key, headers."""


async def written(db: Database, events: Sequence[DossierSubmitted]) -> list[Written]:
    """The same bytes and headers that the relay would send for these events; none of them is left to be sent."""
    async with db.transaction() as tx:
        first = await tx.fetchval("SELECT coalesce(max(id), 0) FROM outbox")
        await outbox.record(tx, DOSSIERS, *events)
        await tx.execute("UPDATE outbox SET published_at = now() WHERE id > $1", first)
        rows = await tx.fetch("SELECT channel, payload, key, headers FROM outbox WHERE id > $1 ORDER BY id", first)
    return [
        (row["channel"], row["payload"], row["key"].encode(), [(k, v.encode()) for k, v in row["headers"].items()])
        for row in rows
    ]


class Child:
    """A process of deploy.bench.children."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, role: str, *, database_url: str = "", kafka: str = "") -> Self:
        env = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "MOTCUA_DATABASE_URL": database_url,
            "MOTCUA_KAFKA": kafka,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"deploy.bench.children.{role}", cwd=ROOT, env=env,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**28,
        )  # fmt: skip
        child = cls(process)
        await child._answer()
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def peak_megabytes(self) -> float:
        """The most memory that it ever held (VmHWM)."""
        status = Path(f"/proc/{self.pid}/status")
        if not status.exists():  # not Linux
            return psutil.Process(self.pid).memory_info().rss / 1e6
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    async def ask(self, **order: Any) -> dict[str, Any]:
        """Do this; what came of it."""
        assert self._process.stdin is not None  # noqa: S101 (it was asked for)
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 (it was asked for)
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a benchmark process ended with {await self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        """As when its machine dies: no farewell."""
        self._process.kill()

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
