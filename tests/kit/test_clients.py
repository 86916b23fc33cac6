"""Calls between services: our own token, the trace, and patience where repeating does no harm."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from kit import clients, telemetry
from kit.clients import Answered, ServiceClient
from kit.problems import Unavailable
from kit.settings import Settings
from tests.support import eventually


class Shop:
    """The other side, and identity too; `answers` are given before the usual one."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.requests: list[dict[str, str]] = []
        self.tokens = 0
        self.answers: list[JSONResponse] = []
        self.app.post("/oauth/token")(self.give_token)
        self.app.api_route("/{path:path}", methods=["GET", "POST"])(self.serve)
        self.server = uvicorn.Server(uvicorn.Config(self.app, port=0, log_config=None))

    async def give_token(self, request: Request) -> dict[str, Any]:
        form = dict([pair.split("=", 1) for pair in (await request.body()).decode().split("&")])
        assert (form["client_id"], form["client_secret"], form["audience"]) == ("kit", "s3cret", "shop")
        self.tokens += 1
        return {"access_token": f"token-{self.tokens}", "expires_in": 300}

    async def serve(self, request: Request, path: str, authorization: str = Header("")) -> Any:
        self.requests.append(dict(request.headers))
        if self.answers:
            return self.answers.pop(0)
        return {"path": path, "query": str(request.query_params), "token": authorization}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"


@pytest.fixture
async def shop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    it = Shop()
    serving = asyncio.create_task(it.server.serve())
    await eventually(lambda: it.server.started)
    monkeypatch.setenv("MOTCUA_SHOP_URL", it.address)
    monkeypatch.setattr("kit.settings._loaded", {Settings: Settings(identity_url=it.address, client_secret="s3cret")})
    monkeypatch.setattr(clients, "_own_name", "kit")
    yield it
    it.server.should_exit = True
    await serving


@pytest.fixture
async def client(shop: Shop) -> AsyncIterator[ServiceClient]:
    ours = ServiceClient("shop")
    yield ours
    await ours.close()


def problem(status: int, **more: Any) -> JSONResponse:
    return JSONResponse({"type": "urn:motcua:problem:sold-out", **more}, status, media_type="application/problem+json")


async def test_a_call_bears_our_own_token_which_is_asked_for_once(shop: Shop, client: ServiceClient) -> None:
    first = await client.get("/api/v1/things", colour="red")
    second = await client.post("/api/v1/things", {"colour": "blue"})

    assert first == {"path": "api/v1/things", "query": "colour=red", "token": "Bearer token-1"}
    assert second["token"] == "Bearer token-1"
    assert shop.tokens == 1


async def test_a_token_is_renewed_before_it_ends(
    shop: Shop, client: ServiceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.get("/")
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 280)

    assert (await client.get("/"))["token"] == "Bearer token-2"


async def test_a_callers_token_is_passed_on_and_none_is_sent_when_none_is_wanted(
    shop: Shop, client: ServiceClient
) -> None:
    assert (await client.get("/", token="theirs"))["token"] == "Bearer theirs"
    assert (await client.get("/", token=""))["token"] == ""
    assert shop.tokens == 0


async def test_the_trace_and_the_idempotency_key_go_along(
    shop: Shop, client: ServiceClient, spans: InMemorySpanExporter
) -> None:
    with telemetry.span("cause") as cause:
        await client.post("/", {}, idempotency_key="once")

    assert format(cause.get_span_context().trace_id, "032x") in shop.requests[-1]["traceparent"]
    assert shop.requests[-1]["idempotency-key"] == "once"


async def test_reading_is_repeated_while_the_other_side_is_in_trouble(shop: Shop, client: ServiceClient) -> None:
    shop.answers = [problem(503), problem(502)]

    assert (await client.get("/again"))["path"] == "again"

    assert len(shop.requests) == 3


async def test_a_command_is_not_repeated_by_itself(shop: Shop, client: ServiceClient) -> None:
    shop.answers = [problem(503)]

    with pytest.raises(Unavailable):
        await client.post("/", {})

    assert len(shop.requests) == 1


async def test_a_no_is_told_with_its_reason(shop: Shop, client: ServiceClient) -> None:
    shop.answers = [problem(409, left=0)]

    with pytest.raises(Answered) as no:
        await client.get("/")

    assert (no.value.status, no.value.problem["type"], no.value.problem["left"]) == (
        409,
        "urn:motcua:problem:sold-out",
        0,
    )


async def test_nobody_there_is_unavailable(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTCUA_SHOP_URL", "http://127.0.0.1:1")
    ours = ServiceClient("shop")

    for call in (ours.get("/"), ours.post("/", {})):
        with pytest.raises(Unavailable):
            await call
    await ours.close()
