"""How a stand-in starts badly and how it ends: with a sentence or silently, not with a trace."""

import os
import secrets
import signal
import socket
import subprocess
import sys

import pytest

from tests.standins.conftest import ROOT, Bank, free_port, wait_until_live
from tests.standins.test_bank import decide, request_of


def start(*options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", *options]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
    return subprocess.run(
        command, cwd=ROOT, env={**bare, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_used_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        ended = start("deploy.standins.mail", "--port", str(port), "--http-port", str(free_port()))

    assert ended.returncode != 0
    assert f"Port {port} on 127.0.0.1 cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_setting_is_named() -> None:
    ended = start("deploy.standins.sms", "--port", str(free_port()), MOTCUA_SMS_KEY="key")

    assert ended.returncode != 0
    assert "MOTCUA_SMS_SECRET" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_bank_that_still_calls_the_merchant_ends_silently(how: signal.Signals) -> None:
    port, secret = free_port(), secrets.token_hex(8)
    nobody_there = f"http://127.0.0.1:{free_port()}/"
    told = {
        "MOTCUA_VNPAY_TMN_CODE": "ANBINH01",
        "MOTCUA_VNPAY_SECRET": secret,
        "MOTCUA_VNPAY_IPN_URL": nobody_there,
    }
    command = [sys.executable, "-m", "deploy.standins.bank", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **told}, stderr=subprocess.PIPE)
    bank = Bank(f"http://127.0.0.1:{port}", "ANBINH01", secret)
    wait_until_live(process, bank.address)
    decide(bank, request_of(bank))

    process.send_signal(how)

    _, said = process.communicate(timeout=10)
    assert said == b""
