"""Tells the merchant how payments ended until it has understood, with the misbehaviour that was asked for."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx2

from deploy.standins.bank.behaviour import Behaviour

TRIES = 10
TIMEOUT = 15.0

Tell = Callable[[httpx2.AsyncClient, bool], Awaitable[str]]
"""One call to the merchant, forged if True; the answer's code, or what went wrong."""


class Callbacks:
    def __init__(self, client: httpx2.AsyncClient, tasks: asyncio.TaskGroup, retry_seconds: float) -> None:
        self.behaviour = Behaviour()
        self._client = client
        self._tasks = tasks
        self._retry_seconds = retry_seconds
        self._running: set[asyncio.Task[None]] = set()
        self._waiting: list[asyncio.Event] = []

    def begin(self, tell: Tell, settled: tuple[str, ...], said: list[str]) -> None:
        """Call until the code is one of `settled`; each code is added to `said`."""
        task = self._tasks.create_task(self._run(tell, settled, said, self.behaviour.model_copy()))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def stop(self) -> None:
        for task in self._running:
            task.cancel()

    async def _run(self, tell: Tell, settled: tuple[str, ...], said: list[str], how: Behaviour) -> None:
        if how.never:
            return
        await asyncio.sleep(how.late)
        if how.reordered and await self._wait_for_the_next():
            await self._insist(tell, settled, said)
            return
        if how.forged:
            said.append(await tell(self._client, True))
        await self._insist(tell, settled, said)
        if how.twice:
            said.append(await tell(self._client, False))
        self._let_go()

    async def _wait_for_the_next(self) -> bool:
        """Whether this call waited; the second of two goes first."""
        if self._waiting:
            return False
        turn = asyncio.Event()
        self._waiting.append(turn)
        await turn.wait()
        return True

    def _let_go(self) -> None:
        while self._waiting:
            self._waiting.pop().set()

    async def _insist(self, tell: Tell, settled: tuple[str, ...], said: list[str]) -> None:
        for _ in range(TRIES):
            said.append(await tell(self._client, False))
            if said[-1] in settled:
                return
            await asyncio.sleep(self._retry_seconds)
