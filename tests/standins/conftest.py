"""The stand-ins as real processes on free ports, one of each for all tests here."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(name: str, http_port: int, *options: str, **environment: str) -> Iterator[str]:
    """The stand-in as a process; gives its HTTP address once it lives, ends it afterwards."""
    command = [sys.executable, "-m", f"deploy.standins.{name}", *options]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})
    try:
        address = f"http://127.0.0.1:{http_port}"
        wait_until_live(process, address)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def wait_until_live(process: "subprocess.Popen[bytes]", address: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{address} ended with {process.returncode}"
        try:
            if httpx2.get(f"{address}/live").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"{address} does not answer")


@dataclass(frozen=True)
class VNeID:
    address: str
    client_id: str
    client_secret: str
    redirect_uri: str


@contextmanager
def vneid_running(**environment: str) -> Iterator[VNeID]:
    port, secret = free_port(), secrets.token_hex(16)
    told = {
        "MOTCUA_VNEID_ISSUER": f"http://127.0.0.1:{port}",
        "MOTCUA_VNEID_CLIENT_ID": "portal",
        "MOTCUA_VNEID_CLIENT_SECRET": secret,
        "MOTCUA_GATEWAY_URL": "http://127.0.0.1:9",
        **environment,
    }
    with running("vneid", port, "--port", str(port), **told) as address:
        yield VNeID(address, "portal", secret, "http://127.0.0.1:9/dang-nhap/vneid")


@pytest.fixture(scope="session")
def vneid() -> Iterator[VNeID]:
    with vneid_running() as standin:
        yield standin


class Merchant(ThreadingHTTPServer):
    """Hears the bank's callbacks and answers what a test tells it to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Callback)
        self.heard: list[dict[str, str]] = []
        self.answers: dict[str, list[bytes]] = {}
        """vnp_TxnRef → the answers still to give; "00" when there is none."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/callbacks/vnpay"

    def heard_of(self, txn_ref: str) -> list[dict[str, str]]:
        return [said for said in self.heard if said["vnp_TxnRef"] == txn_ref]


class _Callback(BaseHTTPRequestHandler):
    server: Merchant

    def do_GET(self) -> None:
        said = dict(parse_qsl(urlsplit(self.path).query))
        waiting = self.server.answers.get(said["vnp_TxnRef"], [])
        body = waiting.pop(0) if waiting else b'{"RspCode": "00", "Message": "Confirm Success"}'
        self.server.heard.append(said)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


@pytest.fixture(scope="session")
def merchant() -> Iterator[Merchant]:
    with Merchant() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@dataclass(frozen=True)
class Bank:
    address: str
    tmn_code: str
    secret: str


@pytest.fixture(scope="session")
def bank(merchant: Merchant) -> Iterator[Bank]:
    port, secret = free_port(), secrets.token_hex(16)
    told = {
        "MOTCUA_VNPAY_TMN_CODE": "ANBINH01",
        "MOTCUA_VNPAY_SECRET": secret,
        "MOTCUA_VNPAY_IPN_URL": merchant.url,
        "MOTCUA_VNPAY_IPN_RETRY_SECONDS": "0.05",
    }
    with running("bank", port, "--port", str(port), **told) as address:
        yield Bank(address, "ANBINH01", secret)


@dataclass(frozen=True)
class Sms:
    address: str
    key: str
    secret: str


@pytest.fixture(scope="session")
def sms() -> Iterator[Sms]:
    port, key, secret = free_port(), secrets.token_hex(8), secrets.token_hex(16)
    environment = {"MOTCUA_SMS_KEY": key, "MOTCUA_SMS_SECRET": secret}
    with running("sms", port, "--port", str(port), **environment) as address:
        yield Sms(address, key, secret)


@dataclass(frozen=True)
class Mail:
    address: str
    smtp_port: int


@pytest.fixture(scope="session")
def mail() -> Iterator[Mail]:
    smtp, http = free_port(), free_port()
    with running("mail", http, "--port", str(smtp), "--http-port", str(http)) as address:
        yield Mail(address, smtp)
