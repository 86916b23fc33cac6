"""The services and the stand-ins as servers: how each is prepared, started and asked."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from signal import Signals

import asyncpg

from deploy.local import databases
from deploy.local.names import INFRA
from deploy.local.places import ROOT
from deploy.local.ports import HOST
from deploy.local.process import Command, run
from deploy.local.server import Server, answers, nothing
from deploy.local.site import Site, has_database
from deploy.local.trouble import Trouble
from kit.db import MigrationRefused, migrate

SERVE = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
"""No access log: an address line may hold an identity number."""


def service(
    site: Site,
    name: str,
    logs: Path,
    *,
    replica: str = "",
    port: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Server:
    """A process of a service. `replica`: its name among several of the same service; `env`: what more it is told."""
    called, listens = replica or name, port or site.ports[name]
    where = ("--host", HOST, "--port", str(listens), "--timeout-graceful-shutdown", "5")
    return Server(
        name=called,
        port=listens,
        command=Command(
            argv=(sys.executable, "-m", "uvicorn", f"services.{name}.app:app", *where, *SERVE),
            log=logs / f"{called}.log",
            env={**site.environment(name), **(env or {})},
        ),
        prepare=partial(prepare, site, name, logs) if has_database(name) else nothing,
        is_ready=partial(answers, HOST, listens, "/ready"),
        prepares_after=("postgres",),
        starts_after=INFRA,
    )


async def prepare(site: Site, service: str, logs: Path) -> None:
    """Database, roles, schema and the data that must be there before the first start."""
    place = site.place(service)
    try:
        await databases.ensure(place)
        await migrate(place.migration_url, service, place.database_url)
    except (MigrationRefused, asyncpg.PostgresError) as error:
        raise Trouble(f"The database of {service} cannot be brought to the newest schema: {error}.") from error
    if (ROOT / "services" / service / "seed.py").exists():
        env = {**site.environment(service), "MOTCUA_DEMO_PASSWORD": site.secrets.demo_password}
        argv = (sys.executable, "-m", f"services.{service}.seed")
        await run(Command(argv, logs / f"{service}.log", env), f"Seeding {service}")


def standin(site: Site, name: str, logs: Path) -> Server:
    return Server(
        name=name,
        port=site.ports[name],
        command=Command(
            argv=(sys.executable, "-m", f"deploy.standins.{name}", *site.standin_ports(name)),
            log=logs / f"{name}.log",
            env=site.standin_environment(name),
            stop_signal=Signals.SIGTERM,
            grace=5,
        ),
        is_ready=partial(answers, HOST, site.ports[name], "/live"),
        starts_after=INFRA,
    )
