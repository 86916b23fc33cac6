"""Who listens where on loopback."""

import random
import socket
from collections.abc import Iterable, Mapping

import psutil

from deploy.local.trouble import Trouble

HOST = "127.0.0.1"

DEFAULT: Mapping[str, int] = {
    "gateway": 8080,
    "identity": 8101,
    "dossier": 8102,
    "payment": 8103,
    "notification": 8104,
    "tracking": 8105,
    "vneid": 8201,
    "bank": 8202,
    "sms": 8203,
    "smtp": 8204,
    "mail": 8205,
    "clamd": 8206,
    "clamav": 8207,
    "databases": 8210,
    "post": 8208,
    "national_portal": 8211,
    "kafka": 19092,
    "kafka-controller": 19093,
    "postgres": 15432,
    "s3": 19000,
    "kafka-secured": 19094,
}

_BELOW_EPHEMERAL = range(20_000, 32_000)
"""Ports that systems do not hand to outgoing connections: a server that was killed finds its own free again."""


def chosen(base: int | None) -> dict[str, int]:
    """The usual ports, or all of them in a row from `base`."""
    if base is None:
        return dict(DEFAULT)
    last = 65535 - len(DEFAULT)
    if not 1024 <= base <= last:
        raise Trouble(f"{base} cannot be the first port: choose a number from 1024 to {last}.")
    return {name: base + place for place, name in enumerate(DEFAULT)}


def free(names: Iterable[str]) -> dict[str, int]:
    """A port for every name, used by nobody now."""
    candidates = random.sample(_BELOW_EPHEMERAL, len(_BELOW_EPHEMERAL))
    unused = (port for port in candidates if not is_used(port))
    return {name: next(unused) for name in names}


def need_free(ports: Mapping[str, int]) -> None:
    """Trouble that names the first port which somebody else uses, and who."""
    for name, port in ports.items():
        if is_used(port):
            raise Trouble(
                f"Port {port}, wanted for {name}, is used by {_user_of(port)}: stop that, "
                "or move all ports with `./motcua up --port-base 20000`."
            )


def is_used(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what just closed does not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def _user_of(port: int) -> str:
    try:
        listening = (one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN)
        pid = next(one.pid for one in listening if getattr(one.laddr, "port", 0) == port and one.pid)
        return f"{psutil.Process(pid).name()} (process {pid})"
    except (psutil.Error, StopIteration):
        return "another program"
