"""Where things lie on this machine: everything the system keeps is in one folder that git ignores."""

import os
import shutil
from pathlib import Path

from deploy.local.trouble import Trouble

ROOT = Path(__file__).resolve().parents[2]


def state() -> Path:
    """Data, secrets and logs of the running system; `reset` forgets it. MOTCUA_STATE moves it."""
    return Path(os.environ.get("MOTCUA_STATE") or ROOT / ".motcua").resolve()


def cache() -> Path:
    """What was downloaded; `reset` keeps it. MOTCUA_CACHE lets several checkouts share one."""
    return Path(os.environ.get("MOTCUA_CACHE") or ROOT / ".motcua" / "cache").resolve()


def make(folder: Path, *, mode: int = 0o755) -> Path:
    """The folder, made if it was missing; Trouble if this user cannot have it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
    except OSError as error:
        raise Trouble(f"Cannot make the folder {folder} ({error.strerror}): free its path or its disk.") from None
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise Trouble(f"This user may not read and write {folder}: change its owner, or set MOTCUA_STATE elsewhere.")
    return folder


def anew(folder: Path, *, mode: int = 0o755) -> Path:
    """The folder, made and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    return make(folder, mode=mode)


def need_space(folder: Path, megabytes: int) -> None:
    """Trouble if the disk below a folder has less than so much left."""
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < megabytes:
        raise Trouble(
            f"The disk of {folder} has {free} MB left and {megabytes} MB are needed: free some, then try again."
        )
