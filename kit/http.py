"""HTTP in: one request is one transaction, committed before it is answered."""

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Annotated, Any

import asyncpg
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute

from kit import auth
from kit.clock import now
from kit.db import Connection, Database, is_transient, may_retry
from kit.idempotency import Key
from kit.problems import InvalidRequest, Unavailable, VersionConflict

ATTEMPTS = 4
"""How often a request is begun anew after losing a race for its rows."""

_NOT_TEXT = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""What PostgreSQL says of a NUL, in a text and in jsonb."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Answered(Exception):
    """The request was answered before: send that answer again."""

    def __init__(self, response: Response) -> None:
        self.response = response


class Transaction:
    """The request's one transaction, opened when it is first needed."""

    def __init__(self, db: Database, key: Key | None) -> None:
        self._db, self._key = db, key
        self._stack = AsyncExitStack()
        self._tx: Connection | None = None

    async def begin(self) -> Connection:
        """Open it (once). Do network calls before this, never after."""
        if self._tx is None:
            self._tx = await self._stack.enter_async_context(self._db.transaction())
            if self._key and (stored := await self._key.claim(self._tx)):
                raise Answered(stored)
        return self._tx

    async def finish(self, answer: Response) -> None:
        if self._tx is not None and self._key and answer.status_code < 400:
            await self._key.keep(self._tx, answer)

    async def __aenter__(self) -> "Transaction":
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._stack.__aexit__(*exc)


class Route(APIRoute):
    """Runs a request in its transaction; begins it anew when it lost a race; honours `Idempotency-Key`."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def run(request: Request) -> Response:
            db: Database | None = request.app.state.db
            if db is None:
                return await handle(request)  # a service without a database
            await auth.identify(request)
            key = await Key.of(request)
            if key and (stored := await key.stored(db)):
                return stored
            return await _attempt(handle, request, db, key)

        return run


async def _attempt(handle: Handler, request: Request, db: Database, key: Key | None) -> Response:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with Transaction(db, key) as transaction:
                request.state.transaction = transaction
                answer = await handle(request)
                await transaction.finish(answer)
            return answer
        except Answered as before:
            return before.response
        except Exception as exc:
            if may_retry(exc) and attempt < ATTEMPTS:
                continue
            if isinstance(exc, _NOT_TEXT):
                raise InvalidRequest("Văn bản gửi lên có ký tự không được phép (NUL)") from exc
            if is_transient(exc) and not isinstance(exc, Unavailable):
                raise Unavailable from exc
            raise
    raise AssertionError("unreachable")


class Router(APIRouter):
    """FastAPI's router with our routes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=Route, **options)


async def _now() -> datetime:
    return now()


async def _db(request: Request) -> Database:
    db: Database = request.app.state.db
    return db


async def _later(request: Request) -> Transaction:
    transaction: Transaction = request.state.transaction
    return transaction


async def _tx(transaction: Annotated[Transaction, Depends(_later)]) -> Connection:
    return await transaction.begin()


async def _if_match(
    if_match: Annotated[str | None, Header(description='Version that the caller saw, `"7"`')] = None,
) -> int | None:
    if if_match is None or if_match == "*":
        return None
    try:
        return int(if_match.removeprefix("W/").strip('"'))
    except ValueError:
        raise VersionConflict('If-Match phải là phiên bản đã nhận ở ETag, ví dụ "7"') from None


Tx = Annotated[Connection, Depends(_tx)]
"""The request's transaction, open before the handler runs; it commits before the answer leaves."""
Db = Annotated[Database, Depends(_db)]
"""The database in autocommit, for reads of a handler that then talks to the network."""
Later = Annotated[Transaction, Depends(_later)]
"""The request's transaction, not open yet: `tx = await later.begin()` after the network calls."""
IfMatch = Annotated[int | None, Depends(_if_match)]
Now = Annotated[datetime, Depends(_now)]


def etag(response: Response, version: int) -> None:
    response.headers["ETag"] = f'"{version}"'
