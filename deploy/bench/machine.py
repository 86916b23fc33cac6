"""What a figure was measured on: without it, a figure says nothing."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import asyncpg
import psutil

from deploy.bench.rig import Rig
from deploy.local import jars

LIBRARIES = ("aiokafka", "asyncpg", "faststream", "fastapi", "uvicorn", "uvloop")


async def describe(rig: Rig, load_before: float) -> dict[str, str]:
    return {
        "date": f"{datetime.now(UTC):%d/%m/%Y %H:%M} UTC",
        "machine": f"{_processor()}, {_cores()} cores, {_gigabytes():.0f} GB, {platform.system()}",
        "load before": f"{load_before:.1f} (processes wanting a core, average of the minute before)",
        "PostgreSQL": await _postgres(rig),
        "Kafka": _kafka(),
        "Python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }


def _gigabytes() -> float:
    return psutil.virtual_memory().total / 1e9


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


async def _postgres(rig: Rig) -> str:
    admin = await asyncpg.connect(rig.infra.postgres)
    try:
        number: str = await admin.fetchval("SHOW server_version")
        durable: str = await admin.fetchval(
            "SELECT current_setting('fsync') || '/' || current_setting('synchronous_commit')"
        )
        return f"{number} (fsync/synchronous_commit {durable})"
    finally:
        await admin.close()


def _kafka() -> str:
    """From the name of the jar that runs."""
    return next(jar.path.split("/")[-2] for jar in jars.locked("kafka") if "/kafka-clients/" in jar.path)
