"""HTTP in: server-sent events, so that an open page says by itself when a dossier moves on."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Any

import asyncpg
from fastapi import Header, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import AwareDatetime, BaseModel
from starlette.types import Receive, Scope, Send

from kit.auth import Citizen, Public
from kit.http import Db, Router
from kit.settings import load
from services.tracking import answers
from services.tracking.answers import Completion, DossierNotFound, State, Status
from services.tracking.live import store
from services.tracking.live.watch import Listener, Watch
from services.tracking.lookup.api import count
from services.tracking.lookup.store import look_up
from services.tracking.mine.domain import may_follow
from services.tracking.settings import Settings

router = Router(prefix="/api/v1", tags=["Cập nhật trực tiếp"])

HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent, so that nobody on the way thinks the connection dead."""
LIFE = 240.0
"""Seconds after which a stream ends by itself; its reader comes back at once and is asked again who they are."""
RETRY = 3000
"""Milliseconds after which a browser comes back."""

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=40)]
Said = Callable[[asyncpg.Record], "Moved"]


class Moved(BaseModel):
    """A dossier's status, as everybody may know it by its code (level A)."""

    code: str
    revision: str
    """Another one whenever anything of this is another: `<status>.<completion>`."""
    status: Status
    completion: Completion
    read_at: AwareDatetime


class MovedOn(Moved):
    """The same for its owner; `revision` is `<version of the dossier>.<version of its payment>`."""

    version: int
    state: State
    folder: str


EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Events named `status`; comments in between."}
}


@router.get("/dossiers/{code}/events", dependencies=[Public], response_class=StreamingResponse, responses=EVENTS)
async def listen(code: str, request: Request, db: Db, last_event_id: LastEventId = None) -> StreamingResponse:
    """Live updates by code alone: an event `status` at once, and whenever status or completion change.

    The event's id is the dossier's version: with `Last-Event-ID` nothing is repeated. Silence is filled with comments,
    a stream ends after four minutes, and `retry` says when to come back. Counted as a look-up; the number of streams is
    bounded for each address and process (429).
    """
    count(request)
    row = await look_up(db, code.strip().upper())
    if row["code"] is None:
        raise DossierNotFound(updated_at=answers.text(row["updated_at"]))
    return await _stream(request, row["code"], _moved, last_event_id)


@router.get("/my/dossiers/{code}/events", response_class=StreamingResponse, responses=EVENTS)
async def listen_to_mine(
    code: str, citizen: Citizen, request: Request, db: Db, last_event_id: LastEventId = None
) -> StreamingResponse:
    """Live updates of one's own dossier: an event `status` at once, and whenever anything happens to it or its fee."""
    row = await look_up(db, code.strip().upper())
    if not may_follow(citizen.ref, row["owner_ref"], row["submitter_ref"]):
        raise DossierNotFound(updated_at=answers.text(row["updated_at"]))
    return await _stream(request, row["code"], _moved_on, last_event_id)


def _moved(row: asyncpg.Record) -> Moved:
    status, completion = answers.status(row), answers.completion(row)
    return Moved(
        code=row["code"],
        revision=f"{status.code}.{completion.done}",
        status=status,
        completion=completion,
        read_at=row["read_at"],
    )


def _moved_on(row: asyncpg.Record) -> MovedOn:
    known = _moved(row).model_dump() | {"revision": answers.revision(row)}
    return MovedOn(**known, version=row["version"], state=answers.state(row), folder=row["folder"])


# ── the stream ─────────────────────────────────────────────────────────────────────────────────────


def watch(request: Request) -> Watch:
    """The one watch of this process."""
    state = request.app.state
    if getattr(state, "watch", None) is None:
        settings = load(Settings)
        read = partial(store.watched, state.db)
        stopping = getattr(state, "stopping", None) or asyncio.Event()
        state.watch = Watch(read, stopping, most=settings.listeners, per_address=settings.listeners_per_address)
    found: Watch = state.watch
    return found


async def _stream(request: Request, code: str, said: Said, last_seen: str | None) -> StreamingResponse:
    """The answer begins once there is room for it; its place is given back when it ends, however it ends."""
    stack = AsyncExitStack()
    address = request.client.host if request.client else ""
    listener = await stack.enter_async_context(watch(request).listening(code, address))
    return Stream(stack, _events(listener, said, last_seen))


class Stream(StreamingResponse):
    """Events for one reader; what it holds is given back also when the reader left before the first one."""

    def __init__(self, held: AsyncExitStack, events: AsyncIterator[bytes]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # a proxy that collects would keep it back
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)


async def _events(listener: Listener, said: Said, last_seen: str | None) -> AsyncIterator[bytes]:
    yield format_sse_event(retry=RETRY, comment="theo dõi hồ sơ")
    ends, shown = time.monotonic() + LIFE, ""
    while not listener.ended and time.monotonic() < ends:
        row = await listener.next(HEARTBEAT)
        if row is None:
            yield format_sse_event(comment="")
            continue
        told = said(row)
        if told.revision != shown and not (shown == "" and _id(row, told) == last_seen):
            yield format_sse_event(data_str=told.model_dump_json(), event="status", id=_id(row, told))
        shown = told.revision


def _id(row: asyncpg.Record, told: Moved) -> str:
    """What the reader gives back as `Last-Event-ID`: the version; with a payment's, where that shows too."""
    return told.revision if isinstance(told, MovedOn) else str(row["version"])
