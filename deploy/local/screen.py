"""What `./motcua` shows: progress, tables, addresses."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.spinner import Spinner
from rich.table import Table

from deploy.local import running
from deploy.local.jars import Progress as Report
from deploy.local.names import INFRA, STANDINS
from deploy.local.ports import HOST
from deploy.local.process import memory_mb, started_at
from deploy.local.server import accepts, answers
from deploy.local.site import Site
from deploy.local.trouble import Trouble

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)


@contextmanager
def downloading() -> Iterator[Report]:
    """A bar that appears only when there is something to download."""
    columns = (TextColumn("Downloading Kafka and S3"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=ERR, transient=True) as bar:
        task = bar.add_task("", total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    with ERR.status(what):
        yield


def watch_start(process: "subprocess.Popen[bytes]") -> None:
    """Returns when the system serves; Trouble in the supervisor's words if it does not come up."""
    with Live(console=ERR, refresh_per_second=8, transient=True) as live:
        began, told = time.monotonic(), dict[str, str]()
        while (state := _state_of(process))["phase"] == "starting":
            if process.poll() is not None:
                break
            live.update(_starting(state, time.monotonic() - began))
            _tell(state, told)
            time.sleep(0.1)
    state = _state_of(process)
    if state["phase"] != "up":
        process.wait()
        log = running.logs_folder() / "supervisor.log"
        raise Trouble(_state_of(process).get("trouble") or f"Một Cửa did not start: see {log}.")
    ERR.print(f"Một Cửa serves after {time.monotonic() - began:.0f} s.")


def _state_of(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    state = running.read_state() or {}
    return state if state.get("pid") == process.pid else {"phase": "starting", "servers": {}}


def _starting(state: dict[str, Any], seconds: float) -> Table:
    """On a terminal: one line for each server, with what it is doing."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row(Spinner("dots"), f"Starting, {seconds:.0f} s", "")
    for name, one in state["servers"].items():
        done = one["phase"] == "ready"
        grid.add_row("[green]✓[/]" if done else "", name, f"[dim]{one['phase']}[/]")
    return grid


def _tell(state: dict[str, Any], told: dict[str, str]) -> None:
    """Elsewhere (a log, CI): one line for each server that became ready."""
    for name, one in state["servers"].items():
        if told.get(name) != one["phase"] and one["phase"] == "ready" and not sys.stderr.isatty():
            ERR.print(f"{name} is ready")
        told[name] = one["phase"]


def addresses(site: Site) -> None:
    table = Table(box=None, padding=(0, 2), show_header=False)
    for what, where in (
        ("Citizens' site", f"{site.url('gateway')}/"),
        ("Officers' console", f"{site.url('gateway')}/can-bo"),
        ("Sent e-mails", f"{site.url('mail')}/"),
        ("Sent SMS", f"{site.url('sms')}/"),
        ("Post office", f"{site.url('post')}/"),
        ("Bank", f"{site.url('bank')}/transactions"),
        ("Kafka", site.kafka),
        ("Kafka for other systems", f"{HOST}:{site.ports['kafka-secured']}"),
        ("PostgreSQL", f"{HOST}:{site.ports['postgres']}"),
        ("S3", site.s3.url),
    ):
        table.add_row(what, f"[cyan]{where}[/]")
    OUT.print(table)
    OUT.print("\nLogins of the demonstration (people and papers are fictional):")
    OUT.print(_logins(site))


def _logins(site: Site) -> Table:
    table = Table(box=None, padding=(0, 2), show_header=False)
    table.add_row("citizen Nguyễn Thị An", "000190000001", "log in with VNeID")
    for name, role in (
        ("mot-cua", "desk"),
        ("chuyen-mon", "specialist"),
        ("lanh-dao", "leader"),
        ("van-thu", "clerk"),
        ("thu-ngan", "cashier"),
    ):
        table.add_row(f"{role} of UBND xã Bình Minh", name, site.secrets.demo_password)
    return table


async def look() -> dict[str, Any]:
    """How everything is doing now, asked of each process itself."""
    state = running.read_state() or {}
    alive = running.is_running()
    servers = state.get("servers", {}) if alive else {}
    rows = await asyncio.gather(*(_look_at(name, one) for name, one in servers.items()))
    return {
        "running": alive,
        "phase": state.get("phase", "stopped") if alive else "stopped",
        "ready": bool(rows) and all(row["ready"] for row in rows),
        "supervisor": {"pid": state["pid"], "memory_mb": memory_mb(state["pid"])} if alive and state else None,
        "servers": list(rows),
    }


async def _look_at(name: str, one: dict[str, Any]) -> dict[str, Any]:
    pid = one["pid"] if one["pid"] and started_at(one["pid"]) == one["created"] else None
    return {
        "name": name,
        "pid": pid,
        "port": one["port"],
        "phase": one["phase"],
        "ready": pid is not None and one["phase"] == "ready" and await _serves(name, one["port"]),
        "restarts": one["restarts"],
        "memory_mb": memory_mb(pid) if pid else 0,
    }


async def _serves(name: str, port: int) -> bool:
    """Without secrets: a server of the infrastructure serves when it accepts."""
    if name in INFRA:
        return await accepts(HOST, port)
    return await answers(HOST, port, "/live" if name in STANDINS else "/ready")


def table(found: dict[str, Any]) -> str:
    if not found["running"]:
        return "Một Cửa is not running: `./motcua up` starts it.\n"
    rows = Table(box=None, padding=(0, 2))
    for title in ("", "pid", "port", "ready", "restarts", "MB"):
        rows.add_column(title, justify="left" if title in ("", "ready") else "right")
    for one in found["servers"]:
        ready = "[green]yes[/]" if one["ready"] else f"[red]no[/] ({one['phase']})"
        cells = (one["name"], str(one["pid"] or "–"), str(one["port"]), ready, str(one["restarts"]))
        rows.add_row(*cells, str(one["memory_mb"]))
    with OUT.capture() as capture:
        OUT.print(rows)
    return capture.get()
