"""Supervision, tried on the smallest programs there are."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from deploy.local import ports
from deploy.local.places import ROOT
from deploy.local.process import Command, rotate
from deploy.local.server import Server, accepts
from deploy.local.system import Phase, System
from deploy.local.trouble import Trouble
from tests.support import eventually


def small_server(logs: Path, name: str, *, after: tuple[str, ...] = ()) -> Server:
    port = ports.free([name])[name]
    argv = (sys.executable, "-m", "http.server", str(port), "--bind", ports.HOST, "--directory", str(logs))
    return Server(
        name=name,
        port=port,
        command=Command(argv, logs / f"{name}.log"),
        is_ready=lambda: accepts(ports.HOST, port),
        starts_after=after,
    )


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    made = System([small_server(tmp_path, "below"), small_server(tmp_path, "above", after=("below",))])
    yield made
    await made.stop_all()


async def test_a_killed_server_comes_back_with_another_pid(system: System) -> None:
    await system.bring_up()
    keeper = asyncio.create_task(system.keep())
    before = system.pid("below")

    system.kill("below")

    await eventually(lambda: system.pid("below") != before and system.units["below"].phase == Phase.READY, within=20)
    assert system.units["below"].restarts == 1
    keeper.cancel()


async def test_a_server_starts_when_what_it_needs_serves(system: System) -> None:
    seen: list[tuple[Phase, bool]] = []

    def look() -> None:
        seen.append((system.units["below"].phase, system.units["above"].process is not None))

    system.on_change = look
    await system.bring_up()

    assert all(phase == Phase.READY for phase, above_started in seen if above_started)


async def test_stopping_leaves_no_process(system: System) -> None:
    await system.bring_up()
    pids = [system.pid("below"), system.pid("above")]

    await system.stop_all()

    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_a_server_that_dies_at_once_is_named_with_its_last_words(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", "raise SystemExit('the reactor is on fire')")
    system = System([Server("reactor", 1, Command(argv, tmp_path / "reactor.log"), is_ready=lambda: accepts("", 1))])

    with pytest.raises(Trouble, match=r"reactor did not start.*on fire"):
        await system.bring_up()


async def test_a_program_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    system = System([Server("ghost", 1, Command(("/nowhere/ghost",), tmp_path / "g.log"), lambda: accepts("", 1))])

    with pytest.raises(Trouble, match="Cannot start /nowhere/ghost"):
        await system.bring_up()


PARENT = """
import sys, time
from pathlib import Path
from deploy.local.process import Command, Process

sleeper = (sys.executable, "-c", "import time; time.sleep(600)")
print(Process(Command(sleeper, Path(sys.argv[1]))).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not tell children that their parent is gone")
def test_children_do_not_outlive_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "child.log")], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with supervisor:
        assert supervisor.stdout
        child = int(supervisor.stdout.readline())
        assert psutil.pid_exists(child)

        supervisor.kill()

    assert wait_until_gone(child)


def wait_until_gone(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(10)
    return True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has anything to give up")
async def test_a_program_that_refuses_root_runs_as_nobody_and_still_enters_closed_folders(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "inside").write_text("")
    code = f"import os; print(os.geteuid(), os.listdir({str(closed)!r}))"
    system = System()
    command = Command((sys.executable, "-c", code), tmp_path / "who.log", drop_root=True)
    system.add(Server("who", 1, command, is_ready=lambda: accepts("", 1)))

    system.start("who")
    await system.units["who"].running.wait()

    assert system.units["who"].running.last_words() == "65534 ['inside']"


def test_a_long_log_is_cut_and_its_beginning_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.local.process.LOG_LIMIT", 10)
    log = tmp_path / "x.log"
    with log.open("ab") as writer:
        writer.write(b"a long story\n")
        writer.flush()

        rotate(log)
        writer.write(b"goes on\n")
        writer.flush()

    assert log.read_text() == "goes on\n"
    assert (tmp_path / "x.log.1").read_text() == "a long story\n"


DEAF = """
import signal, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


async def test_a_server_that_does_not_listen_to_reason_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    command = Command((sys.executable, "-c", code), tmp_path / "deaf.log", grace=0.2)
    system = System([Server("deaf", 1, command, is_ready=lambda: accepts("", 1))])
    system.start("deaf")
    await eventually(lambda: system.units["deaf"].running.last_words() == "deaf")

    await system.stop("deaf")

    assert system.units["deaf"].running.exit_code == -signal.SIGKILL
