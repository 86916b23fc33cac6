"""Services and stand-ins as real processes on free ports: for tests, benchmarks and whoever wants to kill them."""

import secrets as random
from collections.abc import Iterable, Mapping
from pathlib import Path
from signal import Signals

from deploy.local import databases, ports, programs
from deploy.local.infra import Infra
from deploy.local.names import SERVICES, STANDINS
from deploy.local.secrets import ensure_secrets
from deploy.local.site import Site
from deploy.local.system import START_TIMEOUT, System


class Stack:
    """Nothing here is started again by itself: a test that kills decides when the dead come back."""

    def __init__(self, infra: Infra, folder: Path, told: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """`folder`: for secrets and logs; the databases are this stack's own, the topics are shared.

        `told`: what a service, by name, is told beside what the site says.
        """
        self.infra, self.logs, self._told = infra, folder / "logs", told or {}
        self.site = Site(
            ports.free(ports.DEFAULT),
            ensure_secrets(folder / "secrets"),
            infra.kafka,
            infra.postgres,
            infra.s3,
            prefix=f"stack_{random.token_hex(3)}_",
        )
        self.system = System()
        self._replica_of: dict[str, str] = {}

    async def up(self, *names: str, env: Mapping[str, str] | None = None) -> None:
        """Starts these services and stand-ins (all, if none are named) and returns when they are ready."""
        wanted = names or (*STANDINS, *SERVICES)
        for name in wanted:
            if name in STANDINS:
                self.system.add(programs.standin(self.site, name, self.logs))
            else:
                self.add(name, env=env)
        await self.system.bring_up(wanted)

    def add(
        self,
        service: str,
        *,
        name: str = "",
        roles: str = "http,worker,timers",
        port: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """One more process of a service, not started yet; give a second one a `name` of its own. Returns its name."""
        called = name or service
        if called != service:
            port = port or ports.free([called])[called]
        extra = {"MOTCUA_ROLES": roles, **self._told.get(service, {}), **(env or {})}
        self.system.add(programs.service(self.site, service, self.logs, replica=called, port=port, env=extra))
        self._replica_of[called] = service
        return called

    async def prepare(self, *services: str) -> None:
        """Databases and schemas of services that are not to be started yet."""
        for service in services:
            await programs.prepare(self.site, service, self.logs)

    def start(self, name: str) -> None:
        """Starts a process that was added or killed, without waiting."""
        self.system.start(name)

    async def wait_ready(self, name: str, within: float = START_TIMEOUT) -> None:
        await self.system.wait_ready(name, within)

    def kill(self, name: str, sig: Signals = Signals.SIGKILL) -> None:
        self.system.kill(name, sig)

    async def wait_dead(self, name: str) -> int:
        """Returns the exit code when the process is gone."""
        return await self.system.units[name].running.wait()

    async def stop(self, name: str) -> None:
        await self.system.stop(name)

    def url(self, name: str) -> str:
        """Where a service, a replica or a stand-in answers."""
        unit = self.system.units.get(name)
        return f"http://{ports.HOST}:{unit.server.port}" if unit else self.site.url(name)

    def pid(self, name: str) -> int:
        return self.system.pid(name)

    def env(self, name: str) -> dict[str, str]:
        """What a service or a stand-in was told."""
        if name in self.system.units:
            return dict(self.system.units[name].server.command.env)
        return self.site.environment(name)

    def log(self, name: str) -> str:
        """All that a process wrote."""
        return (self.logs / f"{name}.log").read_text(errors="replace")

    async def close(self) -> None:
        """Stops every process and drops the databases."""
        await self.system.stop_all()
        for service in self._services():
            await databases.drop(self.infra.postgres, self.site.place(service).database)

    def _services(self) -> Iterable[str]:
        return set(self._replica_of.values())
