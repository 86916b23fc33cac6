"""How a stand-in starts badly: with a sentence, not with a trace."""

import os
import socket
import subprocess
import sys

from tests.standins.conftest import ROOT, free_port


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
