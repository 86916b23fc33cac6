"""Strangers' files are parsed in a process of its own, with a limit of memory and of time.

A file that is too much for it is refused; it costs us that process, which the next file starts anew. Whatever else ends
the process says nothing about the file, which is examined again later. Besides, parsing leaves the event loop alone.
The process is told no secret: it gets the names of the files with roots and revocation lists, and nothing else.
"""

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import cache, partial
from typing import IO

import structlog

from services.dossier.attachments import parsing
from services.dossier.attachments.inspection import TOO_COMPLEX, Unfit
from services.dossier.attachments.parsing import ANSWER, SECONDS, WISH, Answer, Wish
from services.dossier.attachments.providers import FileNotExamined
from services.dossier.attachments.signatures import TrustFiles

FILES = 500
"""After so many the process is replaced."""
PROCESSES = 2

log = structlog.get_logger()


class Sandbox:
    """A few threads, each with its own child process, which starts at the first file."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(PROCESSES, thread_name_prefix="sandbox")
        self._mine = threading.local()

    async def parse(self, data: bytes, content_type: str, trust: TrustFiles, moment: datetime) -> Answer:
        """What the file is; Unfit when it cannot be taken; FileNotExamined when that could not be found out."""
        wish = Wish(len(data), content_type, moment, trust)
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(self._parse, wish, data))

    def _parse(self, wish: Wish, data: bytes) -> Answer:
        child: Child | None = getattr(self._mine, "child", None)
        if child is None or child.is_spent:
            child = self._mine.child = Child()
        answer = child.parse(wish, data)
        if answer.unfit:
            raise Unfit(*answer.unfit)
        return answer


@cache
def shared() -> Sandbox:
    """The one of this process."""
    return Sandbox()


class Child:
    """One process that parses one file after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (our own program, no argument of anybody's)
            [sys.executable, "-m", parsing.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._files = 0
        self._too_slow = False
        self._pipe(self._process.stdout).readline()  # it has started

    @property
    def is_spent(self) -> bool:
        return self._files >= FILES or self._process.poll() is not None

    def parse(self, wish: Wish, data: bytes) -> Answer:
        alarm = threading.Timer(SECONDS, self._end_slow)
        alarm.start()
        try:
            return self._ask(wish, data)
        except (OSError, ValueError) as exc:  # it ended, or was ended, before it answered
            self._process.kill()
            code = self._process.wait()
            if self._too_slow:
                raise Unfit(*TOO_COMPLEX) from exc
            log.error("sandbox.ended", error=f"exit code {code}")
            raise FileNotExamined from exc
        finally:
            alarm.cancel()

    def _ask(self, wish: Wish, data: bytes) -> Answer:
        self._files += 1
        to = self._pipe(self._process.stdin)
        to.write(WISH.dump_json(wish) + b"\n" + data)
        to.flush()
        return ANSWER.validate_json(self._pipe(self._process.stdout).readline())

    def _pipe(self, pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise ValueError("the process was started without pipes")
        return pipe

    def _end_slow(self) -> None:
        self._too_slow = True
        self._process.kill()

    def __del__(self) -> None:
        """A spent process, or one whose thread is gone, reads the end of its input and ends by itself."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                self._pipe(pipe).close()
