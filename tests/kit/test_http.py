"""One request is one transaction, committed before it is answered; every no is a problem with a stable name."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI, Response
from pydantic import BaseModel, Field
from starlette.types import Message, Receive, Scope, Send

from contracts.refusal import Refusal
from deploy.local.infra import Infra
from kit import auth, http
from kit import db as kit_db
from kit.db import Database
from kit.http import Db, IfMatch, Later, Tx
from kit.problems import VersionConflict
from kit.service import service
from kit.settings import Settings
from tests.kit import tokens
from tests.kit.conftest import administrator, end_sessions
from tests.support import eventually

router = http.Router(prefix="/api/v1", dependencies=[auth.Public])

ADD = "INSERT INTO effect (parcel, version) VALUES ($1, $2)"
COUNT = "SELECT count(*) FROM effect"


class ParcelTooHeavy(Refusal):
    title = "Bưu kiện quá nặng"
    title_en = "The parcel is too heavy"


class Parcel(BaseModel):
    name: str
    weight: int = Field(gt=0)


class Gate:
    """Holds requests until the test lets them go on."""

    def __init__(self) -> None:
        self.inside = asyncio.Event()
        self.open = asyncio.Event()

    async def pass_through(self) -> None:
        self.inside.set()
        await self.open.wait()


@dataclass
class Post:
    """The service under test, and what its handlers ask of the test."""

    db: Database
    http: httpx2.AsyncClient
    app: FastAPI
    gate: Gate = field(default_factory=Gate)
    meeting: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(2))
    calls: int = 0

    async def count(self) -> int:
        return int(await self.db.fetchval(COUNT))


post: Post


@router.post("/parcels", status_code=201)
async def send_parcel(tx: Tx, parcel: Parcel, response: Response) -> dict[str, Any]:
    post.calls += 1
    await tx.execute(ADD, parcel.name, parcel.weight)
    if parcel.weight > 1000:
        raise ParcelTooHeavy("Bưu kiện nặng nhất là 1 kg", limit=1000)
    http.etag(response, 1)
    response.headers["Location"] = f"/api/v1/parcels/{parcel.name}"
    return {"name": parcel.name, "calls": post.calls}


@router.post("/mistakes")
async def make_a_mistake(tx: Tx) -> None:
    await tx.execute(ADD, "secret-000190000001", 1)
    await tx.execute("SELECT 1 / 0")


@router.post("/held")
async def hold(tx: Tx) -> dict[str, int]:
    await tx.execute(ADD, "held", 1)
    await post.gate.pass_through()
    return {"version": 1}


@router.post("/held-outside")
async def hold_outside(later: Later) -> dict[str, int]:
    await post.gate.pass_through()
    tx = await later.begin()
    assert tx is await later.begin()
    await tx.execute(ADD, "held", 1)
    return {"version": 1}


@router.post("/races")
async def race(tx: Tx) -> dict[str, int]:
    await tx.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
    post.calls += 1
    seen = int(await tx.fetchval(COUNT))
    if post.calls <= 2:
        await post.meeting.wait()
    await tx.execute(ADD, "race", seen)
    return {"seen": seen}


@router.post("/lost-races")
async def lose(tx: Tx) -> None:
    post.calls += 1
    await tx.execute("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$")


@router.put("/parcels/{name}")
async def change(name: str, tx: Tx, expected: IfMatch) -> dict[str, int | None]:
    if expected not in (None, 7):
        raise VersionConflict
    return {"expected": expected}


@router.get("/parcels")
async def count(db: Db) -> dict[str, int]:
    return {"count": int(await db.fetchval(COUNT))}


@router.get("/parcels/{name}")
async def look(name: str, tx: Tx) -> dict[str, int]:
    post.calls += 1
    return {"calls": post.calls}


@pytest.fixture
async def running_post(effects: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Post]:
    async for each in start(effects, settings, monkeypatch):
        yield each


async def start(db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Post]:
    global post
    ours = settings.model_copy(update={"roles": "http", "identity_url": tokens.ISSUER, "database_pool": 2})
    monkeypatch.setattr("kit.settings._loaded", {Settings: ours})
    app = service("kit", api=router)
    async with app.router.lifespan_context(app):
        app.state.verifier.keys.use(tokens.JWKS)
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://post.test/api/v1") as client:
            post = Post(db, client, app)
            yield post


def a(weight: int = 500, name: str = "p") -> dict[str, Any]:
    return {"name": name, "weight": weight}


# ── the transaction ───────────────────────────────────────────────────────────────────────────────────────────


async def test_what_was_done_is_there_before_the_answer_leaves(running_post: Post) -> None:
    seen: list[int] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.append(await running_post.count())
            await send(message)

        await running_post.app(scope, receive, watch)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(watched), base_url="http://post.test") as client:
        answer = await client.post("/api/v1/parcels", json=a())

    assert answer.status_code == 201
    assert answer.headers["etag"] == '"1"'
    assert seen == [1]


async def test_a_refusal_leaves_no_trace(running_post: Post) -> None:
    answer = await running_post.http.post("/parcels", json=a(weight=2000))

    assert answer.status_code == 409
    assert await running_post.count() == 0


async def test_a_mistake_of_ours_leaves_no_trace_and_tells_nothing(running_post: Post) -> None:
    answer = await running_post.http.post("/mistakes")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "division" not in answer.text
    assert await running_post.count() == 0


async def test_two_requests_that_met_are_both_answered_after_one_began_anew(running_post: Post) -> None:
    answers = await asyncio.gather(*[running_post.http.post("/races") for _ in range(2)])

    assert [answer.status_code for answer in answers] == [200, 200]
    assert sorted(answer.json()["seen"] for answer in answers) == [0, 1]
    assert running_post.calls == 3


async def test_who_loses_every_race_is_told_to_come_again(running_post: Post) -> None:
    answer = await running_post.http.post("/lost-races")

    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:motcua:problem:unavailable"
    assert int(answer.headers["retry-after"]) > 0
    assert running_post.calls == http.ATTEMPTS


async def test_when_no_connection_is_free_the_answer_is_503_and_not_silence(
    running_post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit_db, "ACQUIRE_TIMEOUT", 0.1)
    holders = [asyncio.create_task(running_post.http.post("/held")) for _ in range(2)]
    await eventually(
        lambda: running_post.db.fetchval(
            "SELECT count(*) >= 2 FROM pg_stat_activity WHERE state = 'idle in transaction'"
        )
    )

    refused = await running_post.http.post("/parcels", json=a())
    running_post.gate.open.set()
    held = await asyncio.gather(*holders)

    assert (refused.status_code, refused.json()["type"]) == (503, "urn:motcua:problem:unavailable")
    assert [answer.status_code for answer in held] == [200, 200]


async def test_a_handler_that_talks_to_the_network_first_holds_no_connection(running_post: Post) -> None:
    holders = [asyncio.create_task(running_post.http.post("/held-outside")) for _ in range(5)]
    await running_post.gate.inside.wait()

    answer = await running_post.http.post("/parcels", json=a())
    running_post.gate.open.set()
    held = await asyncio.gather(*holders)

    assert answer.status_code == 201
    assert [each.status_code for each in held] == [200] * 5
    assert await running_post.count() == 6


async def test_a_connection_that_breaks_is_told_as_unavailable(infra: Infra, running_post: Post) -> None:
    holder = asyncio.create_task(running_post.http.post("/held"))
    await running_post.gate.inside.wait()
    assert await end_sessions(infra, running_post.db, that="state = 'idle in transaction'") == 1
    running_post.gate.open.set()

    answer = await holder
    after = await running_post.http.post("/parcels", json=a())

    assert (answer.status_code, after.status_code) == (503, 201)
    assert await running_post.count() == 1


# ── Idempotency-Key ───────────────────────────────────────────────────────────────────────────────────────────


async def test_the_same_call_twice_is_done_once_and_answered_the_same(running_post: Post) -> None:
    first, second = [await running_post.http.post("/parcels", json=a(), headers={"Idempotency-Key": "k"}) for _ in "12"]

    assert (second.status_code, second.content) == (first.status_code, first.content) == (201, first.content)
    assert (second.headers["etag"], second.headers["location"]) == ('"1"', "/api/v1/parcels/p")
    assert second.headers["content-type"] == first.headers["content-type"] == "application/json"
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert running_post.calls == await running_post.count() == 1


async def test_a_key_for_another_request_is_refused(running_post: Post) -> None:
    keyed = {"Idempotency-Key": "k"}
    await running_post.http.post("/parcels", json=a(), headers=keyed)

    other_body = await running_post.http.post("/parcels", json=a(weight=600), headers=keyed)
    other_path = await running_post.http.post("/held", json=a(), headers=keyed)

    for answer in (other_body, other_path):
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:motcua:problem:key-reused")
    assert await running_post.count() == 1


async def test_keys_belong_to_their_callers(running_post: Post) -> None:
    for caller in (tokens.claims(), tokens.claims(sub="00000000-0000-7000-8000-00000000000b"), None):
        headers = {"Idempotency-Key": "k", **(tokens.bearer(caller) if caller else {})}
        for _ in range(2):
            assert (await running_post.http.post("/parcels", json=a(), headers=headers)).status_code == 201

    assert await running_post.count() == 3


async def test_a_renewed_token_is_the_same_caller(running_post: Post) -> None:
    for _ in range(2):
        headers = {"Idempotency-Key": "k", **tokens.bearer(tokens.claims())}
        assert (await running_post.http.post("/parcels", json=a(), headers=headers)).status_code == 201

    assert await running_post.count() == 1


async def test_the_same_call_while_it_is_being_worked_on_is_told_to_wait(running_post: Post) -> None:
    keyed = {"Idempotency-Key": "k"}
    first = asyncio.create_task(running_post.http.post("/held", headers=keyed))
    await running_post.gate.inside.wait()

    meanwhile = await running_post.http.post("/held", headers=keyed)
    running_post.gate.open.set()
    answer, afterwards = await first, await running_post.http.post("/held", headers=keyed)

    assert (meanwhile.status_code, meanwhile.json()["type"]) == (409, "urn:motcua:problem:still-running")
    assert (answer.status_code, afterwards.content) == (200, answer.content)
    assert await running_post.count() == 1


async def test_an_answer_that_was_lost_on_its_way_is_given_again(running_post: Post) -> None:
    async def dies_before_answering(scope: Scope, receive: Receive, send: Send) -> None:
        async def lose(message: Message) -> None:
            raise ConnectionResetError

        await running_post.app(scope, receive, lose)

    keyed = {"Idempotency-Key": "k"}
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(dies_before_answering), base_url="http://post.test"
    ) as client:
        with pytest.raises(AssertionError):  # httpx2 says that it got no answer
            await client.post("/api/v1/parcels", json=a(), headers=keyed)
    answer = await running_post.http.post("/parcels", json=a(), headers=keyed)

    assert (answer.status_code, answer.json()["calls"]) == (201, 1)
    assert await running_post.count() == 1


async def test_what_was_refused_may_be_tried_again_under_its_key(running_post: Post) -> None:
    keyed = {"Idempotency-Key": "k"}

    for _ in range(2):
        assert (await running_post.http.post("/parcels", json=a(weight=2000), headers=keyed)).status_code == 409

    assert running_post.calls == 2
    assert await running_post.db.fetchval("SELECT count(*) FROM idempotency_key") == 0


async def test_a_reading_call_takes_no_notice_of_a_key(running_post: Post) -> None:
    answers = [await running_post.http.get("/parcels/p", headers={"Idempotency-Key": "k"}) for _ in "12"]

    assert [answer.json()["calls"] for answer in answers] == [1, 2]


# ── If-Match ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("header", "status"), [('"7"', 200), ('W/"7"', 200), ("*", 200), ('"6"', 409), ("x", 409)])
async def test_if_match_names_the_version_that_the_caller_saw(running_post: Post, header: str, status: int) -> None:
    answer = await running_post.http.put("/parcels/p", headers={"If-Match": header})

    assert answer.status_code == status
    if status == 409:
        assert answer.json()["type"] == "urn:motcua:problem:version-conflict"


async def test_without_if_match_any_version_will_do(running_post: Post) -> None:
    assert (await running_post.http.put("/parcels/p")).json() == {"expected": None}


# ── problems ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_refusal_is_a_problem_in_vietnamese_or_english(running_post: Post) -> None:
    vietnamese = await running_post.http.post("/parcels", json=a(weight=2000))
    english = await running_post.http.post("/parcels", json=a(weight=2000), headers={"Accept-Language": "en-GB,en"})

    assert vietnamese.headers["content-type"] == "application/problem+json"
    assert vietnamese.json() == {
        "type": "urn:motcua:problem:parcel-too-heavy",
        "title": "Bưu kiện quá nặng",
        "status": 409,
        "detail": "Bưu kiện nặng nhất là 1 kg",
        "limit": 1000,
    }
    assert english.json()["title"] == "The parcel is too heavy"


async def test_invalid_fields_are_named_and_their_values_never_repeated(running_post: Post) -> None:
    secret = "000190000001"
    answers = [
        await running_post.http.post("/parcels", json={"name": 1, "weight": f"{secret} g"}),
        await running_post.http.post("/parcels", content=b'{"name": ' + secret.encode()),
        await running_post.http.post("/parcels", json=[secret]),
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert all(answer.json()["type"] == "urn:motcua:problem:invalid-request" for answer in answers)
    assert {error["field"] for error in answers[0].json()["errors"]} == {"name", "weight"}
    assert all(secret not in answer.text for answer in answers)


async def test_an_unknown_address_is_a_problem_too(running_post: Post) -> None:
    unknown = await running_post.http.get("/nothing-here")
    wrong_method = await running_post.http.delete("/parcels/p")

    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:motcua:problem:not-found")
    assert unknown.json()["title"] == "Không tìm thấy"
    assert wrong_method.status_code == 405
    assert wrong_method.headers["content-type"] == "application/problem+json"
    assert "allow" in wrong_method.headers


async def test_a_bad_token_is_refused_even_where_none_is_needed(running_post: Post) -> None:
    answer = await running_post.http.get("/parcels", headers={"Authorization": "Bearer nonsense"})

    assert (answer.status_code, answer.json()["type"]) == (401, "urn:motcua:problem:unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


# ── operations ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_service_says_that_it_lives_and_is_ready_and_shows_its_numbers(running_post: Post) -> None:
    await running_post.http.post("/parcels", json=a())
    live, ready, metrics = [
        await running_post.http.get(f"http://post.test/{name}") for name in ("live", "ready", "metrics")
    ]

    assert live.json() == {"live": True}
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "database": True, "roles": ["http"]})
    assert re.search(r'motcua_http_seconds_count{method="POST",route="[^"]*/parcels",status="201"}', metrics.text)


async def test_a_service_without_its_database_is_alive_but_not_ready(
    infra: Infra, running_post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = running_post.db.url.rpartition("/")[2]
    admin = await asyncpg.connect(infra.postgres)
    await admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    await end_sessions_of(admin, name)
    try:
        live, ready = [await running_post.http.get(f"http://post.test/{name}") for name in ("live", "ready")]
        refused = await running_post.http.post("/parcels", json=a())
    finally:
        await admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        await admin.close()

    assert live.status_code == 200
    assert (ready.status_code, ready.json()["database"]) == (503, False)
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:motcua:problem:unavailable")
    assert (await running_post.http.post("/parcels", json=a())).status_code == 201


async def end_sessions_of(admin: Any, name: str) -> None:
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)


async def test_a_service_whose_migrations_did_not_run_says_which_and_ends(
    infra: Infra, db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await administrator(infra, db)
    await admin.execute("DELETE FROM schema_migration WHERE name LIKE 'kit/0002%'")
    await admin.close()
    monkeypatch.setattr("kit.settings._loaded", {Settings: settings.model_copy(update={"roles": "http"})})
    app = service("kit", api=router)

    with pytest.raises(SystemExit, match=r"kit/0002_late_months.sql.*migrate"):
        await app.router.lifespan_context(app).__aenter__()
