"""The program that `sandbox` runs: parses files that come in on its input, one after the other, within limits."""

import os
import resource
import signal
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from pydantic import TypeAdapter

from services.dossier.attachments import signatures
from services.dossier.attachments.domain import SignatureReport
from services.dossier.attachments.inspection import TOO_COMPLEX, Unfit, inspect
from services.dossier.attachments.signatures import TrustFiles

SECONDS = 15.0
"""Of one file; an ordinary one takes hundredths."""
MEMORY = 1024**3
"""Bytes of address space."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the program is asked, as one line of JSON; the file's bytes follow."""

    size: int
    content_type: str
    moment: datetime
    trust: TrustFiles


@dataclass(frozen=True, slots=True)
class Answer:
    """What it found, as one line of JSON: pages and signatures, or why the file cannot be taken."""

    pages: int = 0
    signatures: SignatureReport | None = None
    unfit: tuple[str, str] | None = None

    @property
    def report(self) -> SignatureReport:
        """What checking the signatures gave, of a file that can be taken."""
        if self.signatures is None:
            raise ValueError("the file was not taken apart")
        return self.signatures


WISH, ANSWER = TypeAdapter(Wish), TypeAdapter(Answer)


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answers until the input ends."""
    answers.write(b"ready\n")
    answers.flush()
    while line := requests.readline():
        wish = WISH.validate_json(line)
        signal.setitimer(signal.ITIMER_REAL, SECONDS * 2)  # should whoever asked be gone
        answers.write(ANSWER.dump_json(_answer(wish, requests.read(wish.size))) + b"\n")
        answers.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(wish: Wish, data: bytes) -> Answer:
    try:
        pages = inspect(data, wish.content_type)
        return Answer(pages, signatures.verify(data, wish.content_type, wish.trust, wish.moment))
    except Unfit as unfit:
        return Answer(unfit=(unfit.rule, unfit.message))
    except MemoryError:
        return Answer(unfit=TOO_COMPLEX)


if __name__ == "__main__":
    for ignored in (signal.SIGTERM, signal.SIGINT):  # its end is that of whoever asks
        signal.signal(ignored, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    serve(sys.stdin.buffer, own)
