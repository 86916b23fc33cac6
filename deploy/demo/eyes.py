"""Seeing: tracking, the mailbox and the phone are looked at until they show what must be there."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from deploy.demo.people import Person, Profile
from deploy.demo.web import PATIENCE, Refused, Web
from deploy.local.site import Site

T = TypeVar("T")

LOOK_AGAIN = 0.02
"""Seconds between looks at tracking; the time that is told has this precision."""


class Unseen(Exception):
    """Something that had to be there was not."""


async def until(what: str, look: Callable[[], Awaitable[T]], *, every: float = 0.25, within: float = PATIENCE) -> T:
    """What `look` finds, as soon as it finds something; Unseen with `what` after so many seconds."""
    end = time.monotonic() + within
    while not (found := await look()):
        if time.monotonic() > end:
            raise Unseen(f"{what} sau {within:.0f} giây")
        await asyncio.sleep(every)
    return found


class Eyes:
    """What the citizen can see of the dossier."""

    def __init__(self, web: Web, site: Site, who: Profile) -> None:
        self._web, self._site, self._who = web, site, who
        self._known: set[tuple[str, str]] = set()

    async def news(
        self, citizen: Person, code: str, version: int, events: tuple[str, ...], status: int, folder: str
    ) -> tuple[str, ...]:
        """The events that tracking shows anew, once these are among them and status and folder are right."""

        async def shown() -> tuple[str, ...]:
            seen = await self._tracked(citizen, code, version)
            new = [told for told in seen.get("history", []) if (told["type"], told["at"]) not in self._known]
            types = tuple(told["type"] for told in new)
            if not set(events) <= set(types) or (seen["status"]["code"], seen["folder"]) != (status, folder):
                return ()
            self._known |= {(told["type"], told["at"]) for told in new}
            return types

        return await until(f"tra cứu chưa thấy {', '.join(events)} (tình trạng {status})", shown, every=LOOK_AGAIN)

    async def _tracked(self, citizen: Person, code: str, version: int) -> dict[str, Any]:
        """The dossier as its owner sees it; empty while tracking has not heard of it."""
        try:
            seen: dict[str, Any] = await citizen.get("tracking", f"my/dossiers/{code}", at_least=version)
        except Refused as no:
            if no.status != 404:
                raise
            return {}
        return seen

    async def mail(self, code: str, part: str) -> str:
        """The subject of the letter about this dossier that has such a part."""

        async def arrived() -> str:
            letters = await self._list("mail", to=self._who.email)
            return next((one["subject"] for one in letters if code in one["subject"] and part in one["subject"]), "")

        return await until(f"chưa thấy thư điện tử “{part}”", arrived)

    async def text(self, code: str, part: str) -> str:
        """The text message about this dossier that has such a part."""

        async def arrived() -> str:
            texts = await self._list("sms", phone=self._who.phone)
            return next((one["content"] for one in texts if code in one["content"] and part in one["content"]), "")

        return await until(f"chưa thấy tin nhắn “{part}”", arrived)

    async def _list(self, standin: str, **params: str) -> list[dict[str, Any]]:
        answer = await self._web.call("GET", f"{self._site.url(standin)}/messages", params=params)
        found: list[dict[str, Any]] = answer.json()
        return found
