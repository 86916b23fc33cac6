"""Servers that run together: brought up in parallel, watched, and stopped in the opposite order."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from signal import Signals

from deploy.local.process import Process
from deploy.local.server import Server
from deploy.local.trouble import Trouble

START_TIMEOUT = 120.0
"""Seconds that a server may take until it serves."""

LOOK_AGAIN = 0.1
PATIENCE = 30.0
"""Longest pause, in seconds, before a server that keeps dying is started again."""

CALM = 60.0
"""Seconds of running after which earlier deaths are forgotten."""


class Phase(StrEnum):
    WAITING = "waiting"
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass
class Unit:
    """A server and how it is doing."""

    server: Server
    phase: Phase = Phase.WAITING
    process: Process | None = None
    restarts: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def running(self) -> Process:
        if self.process is None:
            raise Trouble(f"{self.server.name} was not started.")
        return self.process


class System:
    def __init__(self, servers: Iterable[Server] = (), on_change: Callable[[], None] = lambda: None) -> None:
        self.units = {server.name: Unit(server) for server in servers}
        self.on_change = on_change

    def add(self, server: Server) -> None:
        self.units[server.name] = Unit(server)

    async def bring_up(self, names: Iterable[str] | None = None) -> None:
        """Prepares and starts these servers (all, if none are named) and returns when every one serves."""
        chosen = [self.units[name] for name in (self.units if names is None else names)]
        try:
            async with asyncio.TaskGroup() as tasks:
                for unit in chosen:
                    tasks.create_task(self._bring_up(unit))
        except* Trouble as troubles:
            raise _first(troubles) from None

    async def _bring_up(self, unit: Unit) -> None:
        await self._served(unit.server.prepares_after)
        self._enter(unit, Phase.PREPARING)
        await unit.server.prepare()
        await self._served(unit.server.starts_after)
        self.start(unit.server.name)
        await self.wait_ready(unit.server.name)

    async def _served(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.units:
                await self.units[name].ready.wait()

    def start(self, name: str) -> None:
        """Starts the process, without waiting for it to serve."""
        unit = self.units[name]
        unit.process = Process(unit.server.command)
        self._enter(unit, Phase.STARTING)

    async def wait_ready(self, name: str, within: float = START_TIMEOUT) -> None:
        """Returns when the server serves; Trouble if it dies before, or takes too long."""
        unit = self.units[name]
        until = time.monotonic() + within
        while not await unit.server.is_ready():
            if not unit.running.alive:
                raise Trouble(f"{name} did not start; {unit.server.command.log} ends with: {unit.running.last_words()}")
            if time.monotonic() > until:
                raise Trouble(f"{name} does not serve after {within:.0f} s: see {unit.server.command.log}.")
            await asyncio.sleep(LOOK_AGAIN)
        await unit.server.settle()
        unit.ready.set()
        self._enter(unit, Phase.READY)

    def pid(self, name: str) -> int:
        return self.units[name].running.pid

    def kill(self, name: str, sig: Signals = Signals.SIGKILL) -> None:
        """A signal to a server and all its processes; nobody restarts it unless `keep` runs."""
        self.units[name].running.kill(sig)

    async def keep(self) -> None:
        """Starts again whatever dies, until cancelled. A server that keeps dying is given longer and longer pauses."""
        async with asyncio.TaskGroup() as tasks:
            for unit in self.units.values():
                tasks.create_task(self._keep(unit))

    async def _keep(self, unit: Unit) -> None:
        pause = 0.25
        while True:
            began = time.monotonic()
            await unit.running.wait()
            pause = 0.25 if time.monotonic() - began > CALM else min(pause * 2, PATIENCE)
            unit.restarts += 1
            self._enter(unit, Phase.RESTARTING)
            await asyncio.sleep(pause)
            await self._restart(unit)

    async def _restart(self, unit: Unit) -> None:
        try:
            self.start(unit.server.name)
            await self.wait_ready(unit.server.name)
        except Trouble as trouble:
            print(f"{unit.server.name}: {trouble}", flush=True)

    async def stop(self, name: str) -> None:
        unit = self.units[name]
        if unit.process is not None:
            await unit.process.stop()
        unit.ready.clear()
        self._enter(unit, Phase.STOPPED)

    async def stop_all(self) -> None:
        """Those that need others first."""
        first = [name for name, unit in self.units.items() if unit.server.starts_after]
        await _all(self.stop(name) for name in first)
        await _all(self.stop(name) for name in self.units if name not in first)

    def _enter(self, unit: Unit, phase: Phase) -> None:
        unit.phase = phase
        self.on_change()


async def _all(acts: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*acts)


def _first(troubles: BaseExceptionGroup[Trouble]) -> Trouble:
    found: BaseException = troubles
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, Trouble)  # noqa: S101 (narrows the type)
    return found
