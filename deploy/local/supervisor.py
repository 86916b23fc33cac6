"""The process that runs the whole system: `python -m deploy.local.supervisor`. `./motcua up` starts and watches it.

What it knows is in one file (`run/state.json`), written whole at every change; a lock on `run/lock`, which the kernel
takes back whatever happens, says that it lives.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.local import infra, places, ports, programs, running
from deploy.local.names import SERVICES, STANDINS
from deploy.local.process import rotate, started_at
from deploy.local.site import Site
from deploy.local.system import System
from deploy.local.trouble import Trouble

LOOK_AROUND = 1.0


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    with (places.make(running.run_folder()) / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Trouble("Một Cửa is running already: `./motcua status` shows it.") from None
        yield


def system_of(here: Site) -> System:
    data, logs, secrets = places.state() / "data", running.logs_folder(), here.secrets
    return System(
        [
            *infra.servers(data, logs, dict(here.ports), here.s3, secrets.postgres_password),
            *(programs.service(here, name, logs) for name in SERVICES),
            *(programs.standin(here, name, logs) for name in STANDINS),
        ]
    )


class Supervisor:
    def __init__(self, at: Mapping[str, int], parent: int | None) -> None:
        """`parent`: the process whose end is ours too; None: we stay until we are told to stop."""
        self._ports, self._parent = dict(at), parent
        self._system = System()
        self._phase, self._trouble = "starting", ""
        self._stop = asyncio.Event()

    async def run(self) -> int:
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(sig, self._stop.set)
        try:
            await self._until_stop(self._live())
        except Trouble as trouble:
            self._trouble = str(trouble)
            print(trouble, flush=True)
        except Exception as mistake:
            self._trouble = f"A mistake of ours ({mistake!r}): see {running.logs_folder() / 'supervisor.log'}."
            traceback.print_exc()
        self._enter("stopping")
        await self._system.stop_all()
        self._enter("failed" if self._trouble else "stopped")
        return 1 if self._trouble else 0

    async def _until_stop(self, life: Any) -> None:
        """Lives until it is told to stop, or cannot."""
        living, told = asyncio.create_task(life), asyncio.create_task(self._told_to_stop())
        await asyncio.wait((living, told), return_when=asyncio.FIRST_COMPLETED)
        for task in (living, told):
            task.cancel()
        results = await asyncio.gather(living, told, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]

    async def _told_to_stop(self) -> None:
        while not self._stop.is_set():
            if self._parent is not None and os.getppid() != self._parent:
                return
            for log in running.logs_folder().glob("*.log"):
                rotate(log)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), LOOK_AROUND)

    async def _live(self) -> None:
        await running.end_leftovers()
        self._save()
        ports.need_free(self._ports)
        places.need_space(places.make(places.state()), 500)
        self._system = system_of(await asyncio.to_thread(running.site, self._ports))
        self._system.on_change = self._save
        await self._system.bring_up()
        self._enter("up")
        await self._system.keep()

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._save()

    def _save(self) -> None:
        """The file has the old content or the new one, never half of it."""
        new = running.run_folder() / "state.json.new"
        with contextlib.suppress(OSError):  # a full disk must not end what runs
            new.write_text(json.dumps(self._describe()))
            new.replace(running.run_folder() / "state.json")

    def _describe(self) -> dict[str, Any]:
        units = self._system.units.values()
        return {
            "pid": os.getpid(),
            "phase": self._phase,
            "trouble": self._trouble,
            "ports": self._ports,
            "servers": {
                unit.server.name: {
                    "port": unit.server.port,
                    "phase": unit.phase,
                    "restarts": unit.restarts,
                    "pid": unit.process.pid if unit.process else None,
                    "created": started_at(unit.process.pid) if unit.process else None,
                }
                for unit in units
            },
        }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-base", type=int)
    parser.add_argument("--parent", type=int)
    options = parser.parse_args()
    try:
        with _alone():
            return asyncio.run(Supervisor(ports.chosen(options.port_base), options.parent).run())
    except Trouble as trouble:
        print(trouble)
        return 1


if __name__ == "__main__":
    sys.exit(main())
