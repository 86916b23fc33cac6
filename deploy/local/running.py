"""The running system as other processes see it: what its supervisor wrote, and what an earlier one left behind."""

import asyncio
import fcntl
import json
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.local import databases, places, ports
from deploy.local.process import end_leftover, started_at
from deploy.local.site import Site
from deploy.local.store import Store
from deploy.local.trouble import Trouble

if TYPE_CHECKING:
    from deploy.local.secrets import Secrets

LEFTOVER_PATIENCE = 15.0
"""Seconds that processes of an earlier run get to end in good order."""


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


def site(at: Mapping[str, int]) -> Site:
    """The installation of this checkout."""
    known = secrets()
    store = Store(f"http://{ports.HOST}:{at['s3']}", known.s3_access_key, known.s3_secret_key)
    admin = databases.admin_url(at["postgres"], known.postgres_password)
    return Site(at, known, f"{ports.HOST}:{at['kafka']}", admin, store)


def secrets() -> "Secrets":
    """Of this checkout; made at first use."""
    from deploy.local.secrets import ensure_secrets  # late: cryptography is slow to load

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
