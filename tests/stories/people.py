"""People who register by phone, as the portal registers them."""

import re
from typing import Any

import httpx2

from deploy.demo.people import Person
from deploy.demo.story import Story
from tests.support import eventually

PASSWORD = "trời mưa nhiều quá"


async def code_on(story: Story, phone: str, before: int = 0) -> str:
    """The newest one-time password that came to a phone, once more than `before` messages are there."""
    async with httpx2.AsyncClient(base_url=story.site.url("sms")) as phones:

        async def arrived() -> str:
            texts = [m["content"] for m in (await phones.get("/messages", params={"phone": phone})).json()]
            found = re.search(r"OTP cua ban la (\d{6})", texts[0]) if len(texts) > before else None
            return found[1] if found else ""

        return str(await eventually(arrived, within=30, what="a one-time password by text message"))


async def register(story: Story, phone: str, **declared: str) -> dict[str, Any]:
    """A local account, activated by its code; its owner is logged in."""
    sent = await story.portal._ask("registrations", {"phone": phone, **declared})
    given = {"code": await code_on(story, phone), "password": PASSWORD}
    return await story.portal._ask(f"registrations/{sent['challenge']}/confirmation", given)


def person(story: Story, session: dict[str, Any]) -> Person:
    return Person(story.portal, session)
