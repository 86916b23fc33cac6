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
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy.local import infra, places, ports, postgres, programs
from deploy.local.process import end_leftover, rotate, started_at
from deploy.local.s3 import Store
from deploy.local.secrets import SERVICES, Secrets, ensure_secrets
from deploy.local.site import STANDINS, Site
from deploy.local.system import System
from deploy.local.trouble import Trouble

LEFTOVER_PATIENCE = 15.0
"""Seconds that processes of an earlier run get to end in good order."""

LOOK_AROUND = 1.0


def run_folder() -> Path:
    return places.state() / "run"


def logs_folder() -> Path:
    return places.state() / "logs"


def read_state() -> dict[str, Any] | None:
    """What the last supervisor wrote; None if there is nothing, or nothing that can be read."""
    try:
        state: dict[str, Any] = json.loads((run_folder() / "state.json").read_text())
    except (OSError, ValueError):
        return None
    return state


def is_running() -> bool:
    """Whether a supervisor holds the lock."""
    try:
        with (run_folder() / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    with (places.make(run_folder()) / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Trouble("Một Cửa is running already: `./motcua status` shows it.") from None
        yield


def site(at: Mapping[str, int], secrets: Secrets) -> Site:
    """The installation of this checkout."""
    store = Store(f"http://{ports.HOST}:{at['s3']}", secrets.s3_access_key, secrets.s3_secret_key)
    admin = postgres.admin_url(at["postgres"], secrets.postgres_password)
    return Site(at, secrets, f"{ports.HOST}:{at['kafka']}", admin, store)


def system_of(here: Site) -> System:
    data, logs, secrets = places.state() / "data", logs_folder(), here.secrets
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
            self._trouble = f"A mistake of ours ({mistake!r}); {logs_folder() / 'supervisor.log'} has the details."
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
            for log in logs_folder().glob("*.log"):
                rotate(log)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), LOOK_AROUND)

    async def _live(self) -> None:
        await end_leftovers()
        self._save()
        ports.need_free(self._ports)
        places.need_space(places.make(places.state()), 500)
        secrets = await asyncio.to_thread(_secrets)
        self._system = system_of(site(self._ports, secrets))
        self._system.on_change = self._save
        await self._system.bring_up()
        self._enter("up")
        await self._system.keep()

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._save()

    def _save(self) -> None:
        """The file has the old content or the new one, never half of it."""
        new = run_folder() / "state.json.new"
        with contextlib.suppress(OSError):  # a full disk must not end what runs
            new.write_text(json.dumps(self._describe()))
            new.replace(run_folder() / "state.json")

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


def _secrets() -> Secrets:
    folder = places.state() / "secrets"
    try:
        return ensure_secrets(folder)
    except OSError as error:
        raise Trouble(
            f"Cannot read or write {folder} ({error.strerror}): run as its owner, or `./motcua reset`."
        ) from None


async def end_leftovers() -> None:
    """Ends what an earlier supervisor left behind when it was killed: first asked, then forced."""
    until = time.monotonic() + LEFTOVER_PATIENCE
    asked = False
    while left := _leftovers():
        for pid, created in left:
            if time.monotonic() > until:
                end_leftover(pid, created, signal.SIGKILL)
            elif not asked:
                end_leftover(pid, created, signal.SIGINT)
        asked = True
        await asyncio.sleep(0.1)


def _leftovers() -> list[tuple[int, float]]:
    servers = (read_state() or {}).get("servers", {}).values()
    known = [(one["pid"], one["created"]) for one in servers if one["pid"] and one["created"]]
    return [(pid, created) for pid, created in known if started_at(pid) == created]


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
