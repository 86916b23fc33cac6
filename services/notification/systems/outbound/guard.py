"""The one door to the network for requests to addresses that strangers chose.

Names are looked up once, every address is looked at, and only those are connected to.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from services.notification.systems.outbound.domain import Reach, may_connect

LOOKUPS_AT_ONCE = 16
"""Threads of our own: a name server that hangs may not hold up what else the process does in threads."""


class AddressNotAllowed(OSError):
    """The name leads into a network where webhooks may not go."""


class Guard(AbstractResolver):
    """Resolver and maker of sockets for aiohttp's connector."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE, "webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses behind the name, if all of them are good: one bad among them is somebody's trick.

        What is answered here is what is connected to; the name is not looked up a second time.
        """
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._look_up, host, port, family)
        for address in found:
            self._check(address["host"])
        return found

    @staticmethod
    def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        infos = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return [
            ResolveResult(
                hostname=host,
                host=str(sockaddr[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, protocol, _, sockaddr in infos
        ]

    def open_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Every connection begins here, also to an address that needed no look-up."""
        family, kind, protocol, _, sockaddr = info
        self._check(str(sockaddr[0]))
        return socket.socket(family, kind, protocol)

    def _check(self, address: str) -> None:
        if not may_connect(address, self._reach):
            raise AddressNotAllowed(f"webhooks may not go to {address}")

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
