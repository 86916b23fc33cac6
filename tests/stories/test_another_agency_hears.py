"""A system of another agency subscribes with what docs/subscribe gives it, and hears of a citizen's dossier."""

import asyncio
import json
import os
import sys
from typing import Any

import httpx2
import pytest

from deploy.demo.story import Story
from deploy.local import ports
from deploy.local.stack import Stack
from tests.notification.outbound.programs import EXAMPLES, running

NAME = "giam-sat"


async def subscribe(stack: Stack, url: str) -> dict[str, Any]:
    """What `subscribe.sh` prints."""
    about = {"IDENTITY": stack.url("identity"), "EVENTS": stack.url("notification"), "NAME": NAME}
    secret = {"SECRET": stack.site.secrets.subscriber_secret(NAME)}
    process = await asyncio.create_subprocess_exec(
        EXAMPLES / "subscribe.sh", url, env={**os.environ, **about, **secret}, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    made: dict[str, Any] = json.loads(said)
    return made


async def token(stack: Stack, audience: str) -> httpx2.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": NAME,
        "client_secret": stack.site.secrets.subscriber_secret(NAME),
        "audience": audience,
    }
    async with httpx2.AsyncClient() as http:
        return await http.post(f"{stack.url('identity')}/oauth/token", data=form)


class Agency:
    """The subscriber's engineer at a shell."""

    def __init__(self, stack: Stack, subscription: str, bearer: str) -> None:
        self._path = f"{stack.url('notification')}/api/v1/subscriptions/{subscription}"
        self._headers = {"Authorization": f"Bearer {bearer}"}

    async def asks(self, method: str, what: str, **body: Any) -> dict[str, Any]:
        async with httpx2.AsyncClient(timeout=20) as http:
            answer = await http.request(method, f"{self._path}/{what}", json=body or None, headers=self._headers)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.mark.timeout(200)
async def test_another_agency_subscribes_hears_verifies_rotates_and_replays(stack: Stack) -> None:
    port = ports.free(["webhook"])["webhook"]
    made = await subscribe(stack, f"http://127.0.0.1:{port}/mot-cua")
    agency = Agency(stack, made["id"], (await token(stack, "notification")).json()["access_token"])
    story = Story(stack.site)
    try:
        async with running(made["signing_key"], sys.executable, str(EXAMPLES / "receive.py"), port=port) as receiver:
            ping = await agency.asks("POST", "ping")
            assert (ping["accepted"], ping["status"]) == (True, 204)
            assert (await receiver.line()).startswith("event: vn.motcua.notification.Ping.v1")

            await agency.asks("POST", "signing-keys", signing="ed25519")
            for scene in (Story.log_in, Story.draft, Story.upload, Story.send):
                await scene(story)
            assert await heard_of(story, receiver) == f"event: vn.motcua.dossier.DossierSubmitted.v1 {story.code} 1"

            await agency.asks("POST", "replays", dossier_code=story.code)
            assert (await receiver.line()).startswith("repeated: ")
    finally:
        await story.close()
        await agency.asks("POST", "pause")


async def heard_of(story: Story, receiver: Any) -> str:
    """The first line about the story's dossier; the stack's other dossiers are heard of, too."""
    while story.code not in (line := await receiver.line()):
        pass
    return str(line)


async def test_its_tokens_open_nobody_elses_door(stack: Stack) -> None:
    for audience in ("dossier", "identity", "payment", "tracking", "gateway"):
        assert (await token(stack, audience)).status_code == 422
    bearer = (await token(stack, "notification")).json()["access_token"]
    async with httpx2.AsyncClient() as http:
        answer = await http.get(
            f"{stack.url('dossier')}/api/v1/dossiers/H99.02.01-261122-0001",
            headers={"Authorization": f"Bearer {bearer}"},
        )
    assert answer.status_code == 401
