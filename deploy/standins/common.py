"""What the stand-ins share: ports, pages, required settings, and a memory that does not grow.

They are the outside world of a local run and of the tests: separate processes that speak the real protocols.
They keep everything in memory, forget it when they stop, and write no access log (addresses and numbers of
people stand in it).
"""

import argparse
import os
import socket
import sys
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

T = TypeVar("T")

# Viet Nam has had no summer time since 1975; a fixed offset needs no time zone database.
VIET_NAM = timezone(timedelta(hours=7))

PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=True, undefined=StrictUndefined
)
PAGES.filters["local_time"] = lambda at: at.astimezone(VIET_NAM).strftime("%H:%M:%S %d/%m/%Y")
PAGES.filters["dong"] = lambda amount: f"{amount:,} đ".replace(",", ".")


class Recent(OrderedDict[str, T]):
    """A dictionary that forgets the oldest entry when it holds too many."""

    def __init__(self, at_most: int) -> None:
        super().__init__()
        self.at_most = at_most

    def __setitem__(self, key: str, value: T) -> None:
        super().__setitem__(key, value)
        if len(self) > self.at_most:
            self.popitem(last=False)

    def newest_first(self) -> list[T]:
        return list(reversed(self.values()))


def now() -> datetime:
    """The present in UTC."""
    return datetime.now(UTC)


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of `pages/`; it runs no script and is never cached."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
    }
    return HTMLResponse(PAGES.get_template(name).render(values), status, headers)


def standin(name: str, lifespan: Any = None) -> FastAPI:
    """An application with `/live` and no documentation pages."""
    app = FastAPI(title=name, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/live")
    async def live() -> dict[str, str]:
        return {"status": "live", "standin": name}

    return app


def arguments(doc: str | None, ports: Sequence[str]) -> argparse.Namespace:
    """`--host` (loopback unless said otherwise) and one required option for each port."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    for port in ports:
        parser.add_argument(f"--{port}", type=int, required=True, metavar="PORT")
    return parser.parse_args()


def setting(name: str, default: str | None = None) -> str:
    """An environment variable; the process ends with a sentence when a needed one is missing."""
    value = os.environ.get(name) or default
    if value is None:
        stop(f"The environment variable {name} is missing.")
    return value


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to that port; the process ends with a sentence when somebody else has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        stop(f"Port {port} on {host} cannot be used: {error.strerror}. End the program that has it.")
    return bound


def serve(app: FastAPI, host: str, port: int) -> None:
    """Answers until SIGTERM or SIGINT."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=3)
    with suppress(KeyboardInterrupt):  # uvicorn raises it after it has ended in good order
        uvicorn.Server(config).run(sockets=[listen(host, port)])


def stop(sentence: str) -> NoReturn:
    sys.exit(sentence)
