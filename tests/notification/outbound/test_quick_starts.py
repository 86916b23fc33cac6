"""What subscribers copy from docs/subscribe is run, against the sender itself."""

import asyncio
import base64
import json
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest

from services.notification.systems.delivery.domain import Accepted, Deferred, Trouble
from services.notification.systems.delivery.words import EXPLAINED
from services.notification.systems.journal.domain import structured
from services.notification.systems.outbound import signatures
from services.notification.systems.outbound.clients import Endpoint, Limits, Sender
from services.notification.systems.outbound.signatures import Scheme, SigningKey, SigningKeys
from tests import java
from tests.notification.outbound.conftest import LOOPBACK
from tests.notification.outbound.programs import EXAMPLES, Program, running

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "subscribe" / "webhooks.md").read_text("utf-8")
PATIENT = Limits(total=20, connect=5)
"""A Java that has just started takes its time for the first signature."""


def event(version: int = 2) -> bytes:
    """The contracts' example, as a webhook carries it."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": "019aaf55-2000-7000-8000-000000000001",
        "ce_type": "vn.motcua.dossier.DossierAccepted.v1",
        "ce_source": "/services/dossier",
        "ce_subject": "H99.02.01-261123-0001",
        "ce_time": "2026-11-23T01:40:05.902Z",
        "ce_dataschema": "urn:motcua:schema:DossierAccepted.v1",
        "ce_aggregateversion": str(version),
        "content-type": "application/json",
    }
    example = json.loads((ROOT / "contracts" / "examples" / "DossierAccepted.v1.json").read_bytes())
    body = json.dumps(example, ensure_ascii=False, separators=(",", ":"))
    return structured(headers, body.encode())


async def takes_what_is_signed_and_nothing_else(program: Program, key: SigningKey) -> list[str]:
    """What it printed of one message that came twice."""
    async with Sender(LOOPBACK, PATIENT) as sender:
        there, message, now = Endpoint(program.url, SigningKeys(key), frozenset()), uuid4(), datetime.now(UTC)
        rotated = SigningKeys(key).rotated(SigningKey.new(Scheme.HMAC), now + timedelta(hours=24))
        stranger = SigningKeys(SigningKey.new(key.scheme))
        refused = Deferred(Trouble.STATUS, 401)

        assert await sender.post(there, message, event(), now) == Accepted(204)
        assert await sender.post(replace(there, keys=rotated), message, event(), now) == Accepted(204)
        assert await sender.post(replace(there, keys=stranger), uuid4(), event(), now) == refused
        assert await sender.post(there, uuid4(), event(), now - timedelta(minutes=6)) == refused
    await _tampering_is_noticed(program, key, now)
    return [await program.line(), await program.line()]


async def _tampering_is_noticed(program: Program, key: SigningKey, at: datetime) -> None:
    good = signatures.headers(SigningKeys(key), "a", event(), at)
    async with httpx2.AsyncClient() as http:
        for changed in (good | {"webhook-id": "b"}, good | {"webhook-signature": "v1,!"}, {}):
            assert (await http.post(program.url, content=event(), headers=changed)).status_code == 401
        assert (await http.post(program.url, content=event() + b" ", headers=good)).status_code == 401


@pytest.mark.parametrize("scheme", list(Scheme))
async def test_the_receiver_in_python(scheme: Scheme) -> None:
    key = SigningKey.new(scheme)
    async with running(key.shown, sys.executable, str(EXAMPLES / "receive.py")) as program:
        printed = await takes_what_is_signed_and_nothing_else(program, key)
    assert printed == [
        "event: vn.motcua.dossier.DossierAccepted.v1 H99.02.01-261123-0001 2",
        "repeated: 019aaf55-2000-7000-8000-000000000001",
    ]


async def test_the_receiver_in_python_notices_a_gap() -> None:
    key, other = SigningKey.new(Scheme.HMAC), UUID("019aaf55-2000-7000-8000-000000000009")
    later = event(5).replace(b"019aaf55-2000-7000-8000-000000000001", str(other).encode())
    async with running(key.shown, sys.executable, str(EXAMPLES / "receive.py")) as program, Sender(LOOPBACK) as sender:
        there, now = Endpoint(program.url, SigningKeys(key), frozenset()), datetime.now(UTC)
        await sender.post(there, uuid4(), event(2), now, headers={"motcua-previous-version": "1"})
        await sender.post(there, other, later, now, headers={"motcua-previous-version": "4"})
        await program.line()
        assert await program.line() == "gap: H99.02.01-261123-0001 had 2, expected 4: ask for a replay"


@pytest.fixture(scope="module")
async def receiver_in_java(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    return await java.compiled(EXAMPLES / "Receive.java", tmp_path_factory.mktemp("java"))


@pytest.mark.parametrize("scheme", list(Scheme))
async def test_the_receiver_in_java(receiver_in_java: tuple[str, ...], scheme: Scheme) -> None:
    key = SigningKey.new(scheme)
    async with running(key.shown, *receiver_in_java) as program:
        first, second = await takes_what_is_signed_and_nothing_else(program, key)
    assert first.startswith("event: ")
    assert second == first.replace("event", "repeated")


@pytest.mark.parametrize(("scheme", "version"), [(Scheme.HMAC, "v1"), (Scheme.ED25519, "v1a")])
async def test_the_check_at_a_shell(tmp_path: Path, scheme: Scheme, version: str) -> None:
    key, stranger = SigningKey.new(scheme), SigningKey.new(scheme)
    (tmp_path / "body.json").write_bytes(event())
    both = SigningKeys(stranger).rotated(key, datetime.now(UTC) + timedelta(hours=1))
    sent = signatures.headers(both, "7", event(), datetime.now(UTC))

    assert await _verify(tmp_path, stranger, sent) == (0, f"good: {version}\n")
    assert await _verify(tmp_path, key, sent) == (0, f"good: {version}\n")
    assert (await _verify(tmp_path, key, sent | {"webhook-id": "8"}))[0] == 1
    assert (await _verify(tmp_path, SigningKey.new(scheme), sent))[0] == 1


async def _verify(folder: Path, key: SigningKey, sent: dict[str, str]) -> tuple[int | None, str]:
    values = [sent[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")]
    process = await asyncio.create_subprocess_exec(
        EXAMPLES / "verify.sh",
        *values,
        "body.json",
        cwd=folder,
        env={"MOTCUA_WEBHOOK_KEY": key.shown, "PATH": "/usr/local/bin:/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


def test_the_page_shows_the_body_as_it_is() -> None:
    shown = re.search(r"```json\n(\{\s*\"specversion\".*?)```", PAGE, re.DOTALL)
    assert shown
    assert json.loads(shown[1]) == json.loads(event())


def test_the_page_explains_every_trouble_in_the_words_of_the_list_of_attempts() -> None:
    for trouble, (vietnamese, english) in EXPLAINED.items():
        if trouble.value not in ("rejected", "answer"):
            assert f"| `{trouble}` | {english} | {vietnamese} |" in PAGE


def test_the_page_shows_signatures_that_are_good() -> None:
    """The example that readers may try their own code with."""
    key = re.search(r"whsec_[A-Za-z0-9+/=]+", PAGE)
    public = re.search(r"whpk_[A-Za-z0-9+/=]+", PAGE)
    assert key
    assert public
    at = datetime.fromtimestamp(1614265330, UTC)
    example = b'{"test": 2432232314}'
    hmac = signatures.headers(SigningKeys(SigningKey.read(key[0])), "msg_p5jXN8AQM9LWM0D4loKWxJek", example, at)
    assert hmac["webhook-signature"] in PAGE
    assert len(base64.b64decode(public[0].removeprefix("whpk_"))) == 32
