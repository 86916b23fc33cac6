"""ClamAV's daemon over TCP: the INSTREAM command of clamd(8).

`zINSTREAM\\0`, then pieces of at most `PIECE` bytes, each after its length as four bytes in network order, an empty
piece at the end; the answer is `stream: OK`, `stream: <name> FOUND`, or `… ERROR`, closed by a zero byte. clamd's
`StreamMaxLength` has to be above the largest file that the catalogue allows (20 MB).
"""

import asyncio
import re
from urllib.parse import urlsplit

import structlog

from services.dossier.attachments.providers import FileNotExamined

PIECE = 128 * 1024
PATIENCE = 30.0
"""Seconds for everything: clamd reloads its signatures now and then, and big archives take a while."""
LONGEST_ANSWER = 4096
ANSWER = re.compile(rb"stream: (?:OK|(?P<found>[^\x00\r\n]{1,200}) FOUND)\x00")

log = structlog.get_logger()


class ClamAV:
    def __init__(self, url: str) -> None:
        """`tcp://host:port` of clamd. ValueError for anything else; an empty one refuses every scan."""
        parts = urlsplit(url)
        if url and (parts.scheme != "tcp" or not parts.hostname or not parts.port):
            raise ValueError("the scanner's address must be tcp://host:port")
        self.host, self.port = parts.hostname or "", parts.port or 0

    async def scan(self, data: bytes) -> str | None:
        if not self.host:
            log.error("scanner.not_configured")
            raise FileNotExamined
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._ask(data)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as exc:
            # away, gone in the middle, silent (a timeout is an OSError), or talking without end
            log.warning("scanner.away", error=type(exc).__name__)
            raise FileNotExamined from exc
        return _understood(answer)

    async def _ask(self, data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=LONGEST_ANSWER)
        try:
            writer.write(b"zINSTREAM\0")
            for start in range(0, len(data), PIECE):
                piece = data[start : start + PIECE]
                writer.write(len(piece).to_bytes(4) + piece)
                await writer.drain()
            writer.write(bytes(4))
            await writer.drain()
            return await reader.readuntil(b"\0")
        finally:
            writer.close()


def _understood(answer: bytes) -> str | None:
    said = ANSWER.fullmatch(answer)
    if said is None:
        log.error("scanner.answer_not_understood", error=answer[:60].decode("ascii", "replace"))
        raise FileNotExamined
    found = said["found"]
    return found.decode("ascii", "replace") if found else None
