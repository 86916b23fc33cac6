"""Asks over HTTP at a steady rate, or one question after the other, and says how long each answer took.

At a rate, a question's time counts from the moment it was due: who is late in asking does not hide who is late in
answering.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import aiohttp
import uvloop

from deploy.bench.children import orders, tell

AT_ONCE = 200
"""Connections."""

Question = tuple[str, str]
"""A URL and a token, which may be empty."""


async def ask() -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as http:
        async for order in orders():
            if order.get("rate"):
                took = await _at_rate(http, order["questions"], order["rate"], order["seconds"])
            else:
                took = [await _one(http, question, time.perf_counter()) for question in order["questions"]]
            failed = Counter(status for status, _ in took if status >= 400)
            tell(milliseconds=[round(ms, 2) for _, ms in took], statuses=failed)


async def _at_rate(
    http: aiohttp.ClientSession, questions: Sequence[Question], rate: float, seconds: float
) -> list[tuple[int, float]]:
    began, asked = time.perf_counter(), []
    for n in range(int(rate * seconds)):
        due = began + n / rate
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        asked.append(asyncio.create_task(_one(http, questions[n % len(questions)], due)))
    return list(await asyncio.gather(*asked))


async def _one(http: aiohttp.ClientSession, question: Question, due: float) -> tuple[int, float]:
    url, token = question
    headers: dict[str, Any] = {"Authorization": f"Bearer {token}"} if token else {}
    async with http.get(url, headers=headers) as answer:
        await answer.read()
        return answer.status, (time.perf_counter() - due) * 1000


if __name__ == "__main__":
    uvloop.run(ask())
