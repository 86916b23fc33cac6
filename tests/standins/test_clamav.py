"""The virus scanner's protocol, as clamd(8) has it, and the page of what was scanned."""

import socket
from collections.abc import Iterator

import httpx2
import pytest

from deploy.standins.clamav.app import EICAR, FOUND, VERSION
from tests.standins.conftest import free_port, running


@pytest.fixture(scope="module")
def clamav() -> Iterator[tuple[int, str]]:
    port, http = free_port(), free_port()
    with running("clamav", http, "--port", str(port), "--http-port", str(http)) as address:
        yield port, address


def ask(port: int, said: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(said)
        answer = b""
        while more := client.recv(4096):
            answer += more
        return answer


def stream(*pieces: bytes) -> bytes:
    return b"zINSTREAM\0" + b"".join(len(piece).to_bytes(4) + piece for piece in (*pieces, b""))


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"zPING\0", b"PONG\0"),
        (b"nPING\n", b"PONG\n"),
        (b"zVERSION\0", VERSION.encode() + b"\0"),
        (b"zSHUTDOWN\0", b"UNKNOWN COMMAND\0"),
        (b"GET / HTTP/1.1\r\n", b"UNKNOWN COMMAND\n"),
        (stream(b"harmless"), b"stream: OK\0"),
        (stream(EICAR[:30], EICAR[30:]), f"stream: {FOUND} FOUND".encode() + b"\0"),
    ],
)
def test_what_is_answered(clamav: tuple[int, str], said: bytes, answer: bytes) -> None:
    assert ask(clamav[0], said) == answer


def test_what_was_scanned_is_shown(clamav: tuple[int, str]) -> None:
    port, address = clamav
    ask(port, stream(EICAR))

    newest = httpx2.get(f"{address}/scans").json()[0]

    assert (newest["size"], newest["verdict"]) == (len(EICAR), f"{FOUND} FOUND")
    assert FOUND in httpx2.get(address).text
