"""Virus scanners: what they are asked, and one module for each kind."""

from typing import Protocol

from kit.problems import Unavailable


class FileNotExamined(Unavailable):
    """The scanner gave no answer one can trust. Nothing is lost: the file waits, and the call may be repeated."""

    title = "Chưa kiểm tra được tệp, xin thử lại sau ít phút"
    title_en = "The file could not be examined yet, try again"


class Scanner(Protocol):
    """Something that knows harmful files."""

    async def scan(self, data: bytes) -> str | None:
        """The name of what is in there, none when it is clean. FileNotExamined without a clear answer: fail closed."""
        ...
