"""Virus scanners to test with: the stand-in, or Debian's clamd with a signature database made by hand.

`pytest --scanner clamd` needs the package `clamav-daemon`; no database is downloaded.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.ports import free
from deploy.local.server import accepts
from deploy.standins.clamav.app import EICAR, FOUND
from tests.standins.conftest import running
from tests.support import eventually


@dataclass(frozen=True)
class Listening:
    """A scanner that listens on loopback."""

    port: int

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"


@asynccontextmanager
async def stand_in(_: Path) -> AsyncIterator[Listening]:
    chosen = free(["clamd", "http"])
    options = ("--port", str(chosen["clamd"]), "--http-port", str(chosen["http"]))
    with running("clamav", chosen["http"], *options):
        yield Listening(chosen["clamd"])


@asynccontextmanager
async def clamd(folder: Path) -> AsyncIterator[Listening]:
    """The real one, in the foreground, knowing EICAR's string wherever it stands in a file."""
    program = shutil.which("clamd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    assert program, "there is no clamd: install the package clamav-daemon"
    port = free(["clamd"])["clamd"]
    (folder / "db").mkdir()
    (folder / "db/made-by-hand.ndb").write_text(f"{FOUND}:0:*:{EICAR.hex()}\n")
    (folder / "clamd.conf").write_text(
        f"Foreground yes\nTCPAddr 127.0.0.1\nTCPSocket {port}\nDatabaseDirectory {folder}/db\n"
        f"TemporaryDirectory {folder}\nStreamMaxLength 25M\nMaxThreads 4\nDetectPUA no\n"
    )
    process = await asyncio.create_subprocess_exec(
        program, f"--config-file={folder}/clamd.conf", stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await eventually(lambda: accepts("127.0.0.1", port), within=60, what="clamd listens")
        yield Listening(port)
    finally:
        process.terminate()
        await process.wait()


KINDS = {"standin": stand_in, "clamd": clamd}
