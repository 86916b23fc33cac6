"""What every benchmark does around its figures: servers of its own, the machine's state, and saying how far it is."""

import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from deploy.bench.figures import Figures
from deploy.bench.machine import describe
from deploy.bench.report import Report
from deploy.bench.rig import Rig, set_up


def measured(name: str, figures: Callable[[Rig], Awaitable[Figures]]) -> Report:
    """The benchmark's report: its figures, taken on servers that are thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="motcua-bench-") as folder:
        return uvloop.run(_measured(name, figures, Path(folder)))


async def _measured(name: str, figures: Callable[[Rig], Awaitable[Figures]], folder: Path) -> Report:
    load_before = os.getloadavg()[0]
    async with set_up(folder) as rig:
        return Report(name, await figures(rig), await describe(rig, load_before))


def say(name: str, what: str) -> None:
    """How far it is, for whoever waits."""
    print(f"bench {name}: {what} …", file=sys.stderr, flush=True)  # noqa: T201
