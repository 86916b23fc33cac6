"""A service that is careless with somebody's data, for a test of what reaches its logs."""

import asyncio

import structlog
from pydantic import BaseModel

from kit import auth, http
from kit.service import service

log = structlog.get_logger()
router = http.Router(dependencies=[auth.Public])


class Person(BaseModel):
    number: int


@router.get("/people/{number}")
async def look(number: str, q: str) -> str:
    log.info("looked", count=1, identity_number=number, query=q, body={"number": number})
    return number


@router.post("/people")
async def add(person: Person) -> None:
    """Never reached by the test: its bodies are invalid."""


@router.get("/mistakes/{number}")
async def fail(number: str) -> None:
    asyncio.get_running_loop().create_task(fail_alone(number))
    raise LookupError(f"nobody has the number {number}")


async def fail_alone(number: str) -> None:
    raise LookupError(f"nobody has the number {number}")


app = service("kit", api=router)
