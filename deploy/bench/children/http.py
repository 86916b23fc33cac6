"""The other end of measured requests: as much of HTTP/1.1 as our own clients speak, so that it costs nearly nothing."""

import asyncio
from typing import Any


class Requests(asyncio.Protocol):
    """Takes one request after the other from a connection; whoever inherits this answers them."""

    def connection_made(self, transport: Any) -> None:
        self.transport, self._buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            whole = end + 4 + int(header(head, b"content-length") or 0)
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            self.take(head.split(b" ", 2)[1].decode(), head)

    def take(self, path: str, head: bytes) -> None:
        """One whole request; `head` is in small letters."""
        raise NotImplementedError


def header(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()
