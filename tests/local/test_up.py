"""`./motcua up` as a person meets it: the whole system, started once for this file."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local import ports, screen
from deploy.local.names import INFRA, SERVICES, STANDINS
from deploy.local.places import ROOT, cache
from tests.support import eventually

pytestmark = pytest.mark.timeout(400)


@dataclass
class Machine:
    """A state folder of its own, and ports that nobody uses."""

    state: Path
    base: int

    def motcua(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), env=self.env(), cwd=ROOT, capture_output=True, text=True)

    def in_the_foreground(self, *arguments: str) -> "subprocess.Popen[str]":
        command, out, both = self.command(*arguments), subprocess.PIPE, subprocess.STDOUT
        return subprocess.Popen(command, env=self.env(), cwd=ROOT, stdout=out, stderr=both, text=True)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "deploy.local", *arguments]

    def env(self) -> dict[str, str]:
        return {
            **os.environ,
            "MOTCUA_STATE": str(self.state),
            "MOTCUA_CACHE": str(cache()),
            "MOTCUA_PORT_BASE": str(self.base),
        }

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.motcua("status", "--json").stdout)
        return found

    async def look(self, name: str) -> dict[str, Any]:
        """What `status` says of one server, without a process for each look."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MOTCUA_STATE", str(self.state))
            found = await screen.look()
        return next((one for one in found["servers"] if one["name"] == name), {"ready": False})

    def processes(self) -> list[psutil.Process]:
        """All that runs for this state folder, zombies apart."""
        return [one for one in psutil.process_iter() if self._is_ours(one)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            told = " ".join([*process.cmdline(), *process.environ().values()])
            return str(self.state) in told and process.pid != os.getpid()
        except psutil.Error:
            return False


def row_of_free_ports() -> int:
    while True:
        base = random.randrange(20_000, 31_000)  # noqa: S311 (no secret)
        if not any(ports.is_used(port) for port in ports.chosen(base).values()):
            return base


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    folder.chmod(0o755)
    made = Machine(folder / "state", row_of_free_ports())
    started = made.motcua("up", "--detach")
    assert started.returncode == 0, started.stderr
    yield made
    stopped = made.motcua("down")
    assert stopped.returncode == 0, stopped.stderr


def test_status_tells_pid_port_and_memory_of_every_process(machine: Machine) -> None:
    found = machine.status()

    assert found["ready"]
    assert {one["name"] for one in found["servers"]} == {*INFRA, *SERVICES, *STANDINS}
    for one in found["servers"]:
        assert psutil.pid_exists(one["pid"])
        assert one["memory_mb"] > 0
        assert one["port"] in range(machine.base, machine.base + len(ports.DEFAULT))


def test_the_six_services_idle_below_800_mb_together(machine: Machine) -> None:
    held = {one["name"]: one["memory_mb"] for one in machine.status()["servers"] if one["name"] in SERVICES}

    assert sum(held.values()) < 800, held


def test_up_twice_says_that_it_runs(machine: Machine) -> None:
    again = machine.motcua("up")

    assert again.returncode == 0
    assert "is running already" in again.stdout


@pytest.mark.parametrize("name", ["payment", "kafka"])
async def test_what_is_killed_comes_back(machine: Machine, name: str) -> None:
    before = await machine.look(name)

    os.kill(before["pid"], signal.SIGKILL)

    async def is_back() -> bool:
        now = await machine.look(name)
        return bool(now["ready"] and now["pid"] != before["pid"] and now["restarts"] == before["restarts"] + 1)

    await eventually(is_back, within=120, every=0.2)


def test_an_operators_command_gets_the_environment_of_its_service(machine: Machine) -> None:
    said = machine.motcua("payment", "migrate")

    assert said.returncode == 0, said.stderr
    assert "nothing to do" in said.stdout


def test_a_subscribers_engineer_is_told_how_to_subscribe_here(machine: Machine) -> None:
    said = machine.motcua("subscriber", "giam-sat")
    told = dict(line.split("=", 1) for line in said.stdout.splitlines())
    assert set(told) == {"IDENTITY", "EVENTS", "NAME", "SECRET"}
    assert len(told["SECRET"]) == 64

    stranger = machine.motcua("subscriber", "nobody")
    assert (stranger.returncode, "subscribers.yaml has no nobody; it has cong-an" in stranger.stderr) == (1, True)


def test_logs_of_an_unknown_name_tell_the_known_ones(machine: Machine) -> None:
    said = machine.motcua("logs", "paymnet")

    assert said.returncode == 1
    assert "payment" in said.stderr


def test_a_second_installation_on_the_same_ports_names_port_and_user(machine: Machine, tmp_path: Path) -> None:
    said = Machine(tmp_path / "other", machine.base).motcua("up", "--detach")

    assert said.returncode == 1
    assert f"Port {machine.base}" in said.stderr
    assert "--port-base" in said.stderr
    assert "Traceback" not in said.stderr


async def test_a_supervisor_that_is_killed_takes_everything_with_it_and_up_goes_on(machine: Machine) -> None:
    os.kill(machine.status()["supervisor"]["pid"], signal.SIGKILL)
    await eventually(lambda: machine.processes() == [], within=60, every=0.5)

    again = machine.motcua("up", "--detach")

    assert again.returncode == 0, again.stderr
    assert machine.status()["ready"]


def test_after_down_no_process_is_left(machine: Machine) -> None:
    machine.motcua("down")

    assert machine.processes() == []
    assert not machine.status()["running"]


async def test_ctrl_c_in_the_middle_of_a_start_leaves_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "state", row_of_free_ports())
    foreground = machine.in_the_foreground("up")
    await eventually(lambda: len(machine.processes()) > 3, within=60)

    foreground.send_signal(signal.SIGINT)
    said, _ = foreground.communicate(timeout=60)

    assert foreground.returncode == 130
    assert "Traceback" not in said
    assert machine.processes() == []
