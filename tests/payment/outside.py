"""The outside world: a payer at the bank's pages, and the bank's own calls and statements."""

from typing import Any
from urllib.parse import urlsplit

import httpx2


class Outside:
    def __init__(self, bank: str) -> None:
        self.bank = bank

    async def behave(self, **how: Any) -> None:
        """How the bank behaves from now on; nothing said: well."""
        await self._post("/behaviour", json=how)

    async def pay(self, started: dict[str, Any], decision: str = "pay") -> None:
        """The payer presses the button."""
        async with httpx2.AsyncClient() as browser:
            answer = await browser.post(started["redirect_url"], data={"decision": decision})
        assert answer.status_code == 303, answer.text

    async def call_of(self, started: dict[str, Any]) -> dict[str, Any]:
        """The call that the provider would make about this attempt."""
        answer = await self._get(f"/told/{_way(started)}/{started['reference']}")
        call: dict[str, Any] = answer.json()
        return call

    async def transfer(self, **asked: Any) -> dict[str, Any]:
        """A phone that scans and pays."""
        made: dict[str, Any] = (await self._post("/account/transfers", json=asked)).json()
        return made

    async def statement(self, path: str) -> bytes:
        return (await self._get(path)).content

    async def _get(self, path: str) -> httpx2.Response:
        async with httpx2.AsyncClient() as client:
            answer = await client.get(f"{self.bank}{path}")
        answer.raise_for_status()
        return answer

    async def _post(self, path: str, **options: Any) -> httpx2.Response:
        async with httpx2.AsyncClient() as client:
            answer = await client.post(f"{self.bank}{path}", **options)
        answer.raise_for_status()
        return answer


def _way(started: dict[str, Any]) -> str:
    return str(urlsplit(started["redirect_url"]).path.split("/")[1])
