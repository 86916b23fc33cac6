"""The receivers of docs/subscribe, as processes of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

EXAMPLES = Path(__file__).parents[3] / "docs" / "subscribe" / "examples" / "webhook"


class Program:
    """A receiver that listens."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}/mot-cua"

    async def line(self) -> str:
        """The next line that it prints; TimeoutError after a while."""
        assert self._process.stdout
        return (await asyncio.wait_for(self._process.stdout.readline(), 30)).decode().strip()


@asynccontextmanager
async def running(key: str, *command: str, port: int = 0) -> AsyncIterator[Program]:
    """`key` as the subscriber has it; a free port unless one is named."""
    environment = {"MOTCUA_WEBHOOK_KEY": key, "PYTHONUTF8": "1"}
    process = await asyncio.create_subprocess_exec(*command, str(port), env=environment, stdout=asyncio.subprocess.PIPE)
    try:
        said = await Program(process, port).line()
        yield Program(process, int(said.removeprefix("listening on ")))
    finally:
        process.terminate()
        await process.wait()
