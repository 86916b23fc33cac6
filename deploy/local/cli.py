"""The commands of `./motcua`."""

import asyncio
import importlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from deploy.local import jars, places, ports, running, screen
from deploy.local.names import SERVICES
from deploy.local.process import started_at, tail
from deploy.local.site import Site
from deploy.local.trouble import Trouble

app = typer.Typer(
    name="motcua",
    help="Một Cửa on this machine: the whole system, its tests and its benchmarks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

STOP_PATIENCE = 60.0
"""Seconds that the system gets to stop in good order before it is killed."""

Json = Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output.")]


@app.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when it serves; `down` stops it.")] = False,
    port_base: Annotated[
        int | None, typer.Option(envvar="MOTCUA_PORT_BASE", help="First of the ports, in place of the usual ones.")
    ] = None,
) -> None:
    """Start everything: Kafka, PostgreSQL, S3, the six services, and stand-ins for the outside world."""
    ports.chosen(port_base)
    if running.is_running():
        typer.echo("Một Cửa is running already.")
        show_status()
        return
    with screen.downloading() as progress:
        jars.fetch(progress)
    process = _spawn_supervisor(detach, port_base)
    try:
        screen.watch_start(process)
        _show_addresses()
        if not detach:
            typer.echo("\nCtrl-C stops it.")
            process.wait()
    except KeyboardInterrupt:
        _stop(process.pid)
        raise
    if process.poll():
        raise Trouble((running.read_state() or {}).get("trouble") or f"It ended: see {running.logs_folder()}.")


def _spawn_supervisor(detach: bool, port_base: int | None) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-m", "deploy.local.supervisor"]
    argv += [] if port_base is None else ["--port-base", str(port_base)]
    argv += [] if detach else ["--parent", str(os.getpid())]
    with (places.make(running.logs_folder()) / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            argv, cwd=places.ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def _show_addresses() -> None:
    state = running.read_state() or {}
    screen.addresses(running.site(state["ports"]))


@app.command()
def down() -> None:
    """Stop everything. The data stays."""
    state = running.read_state()
    if state is None or not running.is_running():
        asyncio.run(running.end_leftovers())
        typer.echo("Một Cửa is not running.")
        return
    _stop(state["pid"])
    typer.echo("Stopped. `./motcua up` goes on where it was.")


def _stop(pid: int) -> None:
    """Waits until the supervisor is gone with all its children, by force if need be. Ctrl-C does not interrupt that."""
    born = started_at(pid)
    until = time.monotonic() + STOP_PATIENCE
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with screen.working("Stopping …"):
            if born is not None:
                os.kill(pid, signal.SIGTERM)
            while born is not None and started_at(pid) == born:
                if time.monotonic() > until:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.1)
            asyncio.run(running.end_leftovers())
    finally:
        signal.signal(signal.SIGINT, before)


@app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Stop everything and forget all data, secrets and logs. Downloads stay."""
    folders = [places.state() / name for name in ("data", "secrets", "logs", "run")]
    if not yes:
        typer.confirm(f"Delete every dossier, payment and secret below {places.state()}?", abort=True)
    down()
    for folder in folders:
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Trouble(f"Cannot delete {folder} ({error.strerror}): delete it by hand.") from None
    typer.echo("Forgotten. `./motcua up` starts anew.")


@app.command()
def status(as_json: Json = False) -> None:
    """Show every process: pid, port, whether it is ready, and its memory. Exit code 1 if something is not ready."""
    show_status(as_json=as_json)


def show_status(*, as_json: bool = False) -> None:
    found = asyncio.run(screen.look())
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else screen.table(found), nl=as_json)
    if not found["ready"]:
        raise typer.Exit(1)


@app.command()
def logs(
    name: Annotated[
        str, typer.Argument(metavar="SERVICE", help="A service, a stand-in, kafka, postgres, s3, supervisor.")
    ],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on showing what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many lines to begin with.")] = 40,
) -> None:
    """Show what a process wrote."""
    log = running.logs_folder() / f"{name}.log"
    if not log.exists():
        known = sorted(path.stem for path in running.logs_folder().glob("*.log"))
        raise Trouble(f"There is no log of {name}; there is one of: {', '.join(known) or 'nothing yet'}.")
    typer.echo(tail(log, lines))
    if follow:
        _follow(log)


def _follow(log: Path) -> NoReturn:
    position = log.stat().st_size
    while True:
        size = log.stat().st_size
        if size < position:  # it was rotated
            position = 0
        if size > position:
            with log.open("rb") as file:
                file.seek(position)
                new = file.read()
            position += len(new)
            typer.echo(new.decode(errors="replace"), nl=False)
        time.sleep(0.2)


CHECKS = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy", "contracts", "kit", "services", "deploy", "tests"),
    ("lint-imports",),
)
"""What the test command asks of the code before it runs it."""


@app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run_tests(
    context: typer.Context,
    infra: Annotated[
        str, typer.Option(metavar="embedded|containers|external", help="Where Kafka, PostgreSQL and S3 come from.")
    ] = "embedded",
) -> None:
    """Run every check and test, or the tests at some paths. Other options are pytest's."""
    if infra not in ("embedded", "containers", "external"):
        raise Trouble(f"--infra {infra}: choose embedded, containers or external.")
    arguments = [_from_where_you_are(argument) for argument in context.args]
    if not any(not argument.startswith("-") for argument in arguments):
        _check()
    if infra == "embedded":
        with screen.downloading() as progress:
            jars.fetch(progress)
    raise typer.Exit(_call("pytest", f"--infra={infra}", *arguments))


def _check() -> None:
    for check in CHECKS:
        typer.echo(f"── {' '.join(check)}")
        if _call(*check) != 0:
            raise typer.Exit(1)


def _call(tool: str, *arguments: str) -> int:
    """A tool of the virtual environment, its exit code kept. Ctrl-C reaches it as it reaches us: wait for it."""
    process = subprocess.Popen([str(Path(sys.executable).with_name(tool)), *arguments], cwd=places.ROOT)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _from_where_you_are(argument: str) -> str:
    """A path that the user gave, from the folder where the user is."""
    path, colons, rest = argument.partition("::")
    here = Path(os.environ.get("MOTCUA_CWD", places.ROOT)) / path
    return f"{here}{colons}{rest}" if path and not argument.startswith("-") and here.exists() else argument


def _dispatch(module: str, what: str, command: str) -> Callable[[typer.Context], None]:
    """A command that lives in a module of its own, which has a typer application `app`."""

    def call(context: typer.Context) -> None:
        if importlib.util.find_spec(module) is None:
            raise Trouble(f"This checkout has no {what} ({module}).")
        application = importlib.import_module(module).app
        application(context.args, prog_name=f"motcua {command}")

    call.__doc__ = ABOUT[command]
    return call


ABOUT = {
    "bench": "Run the benchmarks, or one of them.",
    "demo": "Play a dossier's whole way.",
    "load": "Fill a sandbox with fictional dossiers.",
    "docs": "Write all public events as one page that needs no network.",
    "kafka": "Topics, rights, quotas and passwords of a Kafka cluster, from the registry.",
}


PASS_ON: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
}
app.command("demo", **PASS_ON)(_dispatch("deploy.demo", "demonstration", "demo"))
app.command("load", **PASS_ON)(_dispatch("deploy.load", "load generator", "load"))
app.command("docs", **PASS_ON)(_dispatch("deploy.reference", "page of events", "docs"))
app.command("kafka", **PASS_ON)(_dispatch("deploy.kafka.commands", "commands for Kafka", "kafka"))
app.command("bench", **PASS_ON)(_dispatch("deploy.bench", "benchmarks", "bench"))


@app.command()
def subscriber(name: Annotated[str, typer.Argument(help="A system of subscribers.yaml.")]) -> None:
    """Show how another agency's system subscribes a webhook here: lines for the shell, its secret among them."""
    site = _running_site()
    if name not in site.secrets.subscribers:
        raise Trouble(f"subscribers.yaml has no {name}; it has {', '.join(site.secrets.subscribers)}.")
    typer.echo(f"IDENTITY={site.url('identity')}\nEVENTS={site.url('notification')}")
    typer.echo(f"NAME={name}\nSECRET={site.secrets.subscriber_secret(name)}")


def _environment_of(service: str) -> dict[str, str]:
    """What the running system told this service; ops reads its settings from there."""
    return _running_site().environment(service)


def _running_site() -> Site:
    state = running.read_state()
    if state is None or not running.is_running():
        raise Trouble("Một Cửa is not running: start it with `./motcua up --detach`.")
    return running.site(state["ports"])


def _operate(service: str) -> Callable[[typer.Context], None]:
    def call(context: typer.Context) -> None:
        from kit import ops

        arguments = context.args
        if arguments and ops.needs_nothing(service, arguments[0]):
            arguments = [arguments[0], *map(_from_where_you_are, arguments[1:])]
        else:
            os.environ.update(_environment_of(service))
        ops.cli(service)(arguments, prog_name=f"motcua {service}")

    call.__doc__ = f"Operate {service}: migrate, check, dlq, replay."
    return call


for _service in SERVICES:
    app.command(_service, **PASS_ON)(_operate(_service))


def main() -> None:
    try:
        app(prog_name="motcua")
    except Trouble as trouble:
        typer.secho(str(trouble), fg="red", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
