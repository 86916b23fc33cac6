"""One child process: started, asked, signalled and stopped; it never outlives who started it."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

import psutil

from deploy.local import places
from deploy.local.leash import leash
from deploy.local.trouble import Trouble

POLL = 0.05
"""Seconds between two looks at a process that one waits for."""

LOG_LIMIT = 8_000_000
"""Bytes of a log file before it is moved to `NAME.log.1`."""


@dataclass(frozen=True)
class Command:
    """A program with all that it is given."""

    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to ours; MOTCUA_… of ours is not passed on."""
    stop_signal: Signals = Signals.SIGTERM
    orphan_signal: Signals = Signals.SIGKILL
    """What it gets when its supervisor is gone."""
    grace: float = 10.0
    """Seconds between the stop signal and SIGKILL."""
    drop_root: bool = False

    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
        return {**inherited, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(places.ROOT), **self.env}


class Process:
    def __init__(self, command: Command) -> None:
        self.command = command
        self._child = self._spawn()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        places.make(self.command.log.parent)
        try:
            with self.command.log.open("ab") as log:
                return subprocess.Popen(
                    self.command.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=places.ROOT,
                    env=self.command.environment(),
                    start_new_session=True,  # Ctrl-C reaches only us: we stop the rest in order
                    preexec_fn=leash(self.command.orphan_signal, drop_root=self.command.drop_root),
                )
        except (OSError, subprocess.SubprocessError) as error:
            raise Trouble(
                f"Cannot start {self.command.argv[0]} ({error}): is the disk full, or the checkout damaged?"
            ) from error

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._child.poll()

    @property
    def alive(self) -> bool:
        return self.exit_code is None

    def kill(self, sig: Signals = Signals.SIGKILL) -> None:
        """A signal to the program and all that it started. Nothing happens if it is gone.

        After SIGKILL it is gone on return, so that its port is free.
        """
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, sig)
        if sig == Signals.SIGKILL:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(5)

    async def wait(self) -> int:
        while (code := self.exit_code) is None:  # noqa: ASYNC110 (a process sets no event)
            await asyncio.sleep(POLL)
        return code

    async def stop(self) -> None:
        """In good order if it answers in time, and else by force."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, self.command.stop_signal)
        try:
            await asyncio.wait_for(self.wait(), self.command.grace)
        except TimeoutError:
            self.kill()
            await self.wait()

    def last_words(self, lines: int = 6) -> str:
        return tail(self.command.log, lines)


async def run(command: Command, what: str, *, within: float = 120) -> None:
    """Runs a program to its end; Trouble if it fails."""
    process = Process(command)
    try:
        code = await asyncio.wait_for(process.wait(), within)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if code != 0:
        raise Trouble(f"{what} failed; {command.log} says: {process.last_words()}")


def tail(log: Path, lines: int) -> str:
    """The last lines of a log, at most 4 kB of them."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            text = file.read().decode(errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.strip().splitlines()[-lines:])


def rotate(log: Path) -> None:
    """Keeps a log bounded. Its writer appends, so it may be cut while it is open."""
    with contextlib.suppress(OSError):
        if log.stat().st_size > LOG_LIMIT:
            log.with_suffix(".log.1").write_bytes(log.read_bytes())
            os.truncate(log, 0)


def memory_mb(pid: int) -> int:
    """Megabytes that a process and its children hold, shared pages counted once; 0 if it is gone."""
    try:
        process = psutil.Process(pid)
        return sum(_memory(one) for one in [process, *process.children(recursive=True)]) // 1_000_000
    except psutil.Error:
        return 0


def _memory(process: psutil.Process) -> int:
    try:
        info = process.memory_full_info()
        return int(getattr(info, "pss", info.uss))
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def started_at(pid: int) -> float | None:
    """When a process started (seconds since the epoch): together with its pid this names it for ever. None: gone."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def end_leftover(pid: int, created: float, sig: Signals = signal.SIGKILL) -> None:
    """Ends a process of an earlier run, and only that one."""
    if started_at(pid) == created:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, sig)
