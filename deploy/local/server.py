"""What the system is made of: servers, each with what it needs, how it starts and how one knows that it serves."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deploy.local.process import Command

Act = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """There is nothing to do."""


@dataclass(frozen=True)
class Server:
    name: str
    port: int
    command: Command
    is_ready: Callable[[], Awaitable[bool]]
    """Never raises."""
    prepare: Act = nothing
    """Done before it starts; may be done twice."""
    settle: Act = nothing
    """Done when it serves for the first time after `prepare`; may be done twice."""
    prepares_after: tuple[str, ...] = ()
    """Servers that `prepare` needs."""
    starts_after: tuple[str, ...] = ()
    """Servers that it needs itself."""


async def accepts(host: str, port: int) -> bool:
    """Whether anybody listens there."""
    try:
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


async def answers(host: str, port: int, path: str) -> bool:
    """Whether a GET is answered with 200. By hand: it is asked ten times a second while everything starts."""
    try:
        async with asyncio.timeout(3):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            status = await reader.readline()
    except OSError:  # a timeout is one
        return False
    writer.close()
    return b" 200 " in status
