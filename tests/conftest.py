"""Real servers for every test that asks: started once a session, in a folder that is thrown away."""

import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest

from deploy.local import containers, databases
from deploy.local import infra as infrastructure
from deploy.local.databases import Place, Role
from deploy.local.infra import Infra
from deploy.local.stack import Stack
from deploy.local.trouble import Trouble
from kit.db import Database, migrate
from tests import scanners
from tests.collector import Collector
from tests.kafka.logins import logins
from tests.scanners import Listening

MakeDatabase = Callable[..., Awaitable[Database]]
Fill = Callable[[Database], Awaitable[None]]

KINDS: dict[str, Callable[[], AbstractAsyncContextManager[Infra]]] = {
    "embedded": partial(infrastructure.embedded, durable=False),
    "containers": containers.containers,
    "external": infrastructure.external,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    where = "where Kafka, PostgreSQL and S3 come from"
    signer = "where the signing keys of the dossier tests are kept; pkcs11 needs the package softhsm2"
    parser.addoption("--keys", choices=["pkcs12", "pkcs11", "csc"], default="pkcs12", help=signer)
    parser.addoption("--infra", choices=sorted(KINDS), default="embedded", help=where)
    listener = "secured: services log in with their own names, and have the registry's rights only (embedded servers)"
    parser.addoption("--kafka", choices=["plain", "secured"], default="plain", help=listener)
    which = "the virus scanner: ours that stands in, or Debian's clamd with a database made by hand"
    parser.addoption("--scanner", choices=sorted(scanners.KINDS), default="standin", help=which)


@pytest.fixture(scope="session")
async def infra(request: pytest.FixtureRequest) -> AsyncIterator[Infra]:
    """Kafka with all topics, PostgreSQL, and S3 with its bucket."""
    try:
        async with KINDS[request.config.getoption("--infra")]() as servers:
            yield servers
    except Trouble as trouble:
        pytest.exit(str(trouble), returncode=1)


@pytest.fixture(scope="session")
async def scanner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Listening]:
    """A virus scanner that knows EICAR's test string."""
    kind = scanners.KINDS[request.config.getoption("--scanner")]
    async with kind(tmp_path_factory.mktemp("scanner")) as listening:
        yield listening


@pytest.fixture(scope="session")
async def templates(infra: Infra) -> AsyncIterator[dict[str, Place]]:
    """Databases that were migrated once: by service, filled as they are needed."""
    made: dict[str, Place] = {}
    yield made
    for place in made.values():
        await databases.drop(infra.postgres, place.database)


@pytest.fixture
async def make_database(infra: Infra, templates: dict[str, Place]) -> AsyncIterator[MakeDatabase]:
    """`await make_database("payment")`: a new database of that service, seen as the service sees it.

    What many tests begin with is put in once: `make_database("dossier", "its catalogue", publish)`.
    """
    opened: list[tuple[Database, Place]] = []

    async def make(service: str, filled_with: str = "", fill: Fill | None = None) -> Database:
        if service + filled_with not in templates:
            templates[service + filled_with] = await _template(infra, service, fill)
        template = templates[service + filled_with]
        place = await databases.copy(template, f"{template.database.replace('template', 'copy')}_{next(_numbers)}")
        database = await Database.open(place.database_url)
        opened.append((database, place))
        return database

    yield make
    for database, place in opened:
        await database.close()
        await databases.drop(infra.postgres, place.database)


async def _template(infra: Infra, service: str, fill: Fill | None) -> Place:
    run = f"{_session}_{next(_numbers)}"
    owner, app = (Role(f"test_{service}_{kind}_{run}", "test") for kind in ("owner", "app"))
    place = Place(infra.postgres, f"test_{service}_template_{run}", owner, app)
    await databases.ensure(place)
    await migrate(place.migration_url, service, place.database_url)
    if fill:
        database = await Database.open(place.database_url)
        await fill(database)
        await database.close()
    return place


_session = secrets.token_hex(3)
"""Several people may test on the same servers at once (`--infra external`)."""
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Keeps the spans that the stack's processes export."""
    collecting = Collector()
    yield collecting
    collecting.close()


@pytest.fixture(scope="session")
async def stack(
    infra: Infra, collector: Collector, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Stack]:
    """Every service and stand-in as a process of its own, on the session's servers."""
    secured = infra.secured if request.config.getoption("--kafka") == "secured" else None
    if request.config.getoption("--kafka") == "secured" and not secured:
        pytest.exit("--kafka secured needs the embedded servers", returncode=1)
    running = Stack(infra, tmp_path_factory.mktemp("stack"), await logins(secured) if secured else {})
    try:
        await running.up(env={"MOTCUA_OTLP_URL": collector.url})
        yield running
    finally:
        await running.close()
