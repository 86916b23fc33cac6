"""The history of a dossier as a hash chain, and how anybody checks it without us.

Each line carries the hash of the line before it, so a line cannot be changed, removed or moved without every later
hash changing too; the head, the hash of the newest line, is printed on the forms and on the signed result. A reason,
the only free text, takes part as a salted digest: without its text and salt the chain can be checked all the same.

A history file (`motcua-history/1`) is UTF-8, one canonical JSON object (RFC 8785) a line, each ended by a newline:
first the head `{"dossier","format","hash","lines"}`, then every line of the history. A line's hash is the SHA-256 of
its canonical JSON without `hash`, `reason` and `salt`.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FORMAT = "motcua-history/1"
VERSION = 1
START = "0" * 64
"""What the first line names as the hash before it."""
COVERED = ("act", "actor", "at", "dossier", "from", "label", "no", "prev", "reason_digest", "to", "unit", "v")
"""What a line's hash is made from."""
TOLD = (*COVERED, "hash", "reason", "salt")
HEAD = re.compile(r"(?:^|[#&]lich-su=)(?P<no>[1-9]\d{0,6})\.(?P<hash>[0-9a-f]{64})$")
"""A head as it is printed, alone or at the end of a look-up address: `…#lich-su=7.5d41…`."""

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """How far a history was at some moment: the number and hash of its newest line then."""

    no: int
    hash: str

    def __str__(self) -> str:
        return f"{self.no}.{self.hash}"


class NotAHead(ValueError):
    """The text is not a head as it is printed."""


def head_of(text: str) -> Head:
    """The head in what a QR code of ours says; NotAHead for anything else."""
    found = HEAD.search(text.strip())
    if found is None:
        raise NotAHead(text)
    return Head(int(found["no"]), found["hash"])


def with_head(lookup_url: str, head: Head | str) -> str:
    """What the QR code says: the look-up address, and behind `#`, which no server ever sees, the head."""
    return f"{lookup_url}#lich-su={head}" if head else lookup_url


def canonical(value: Mapping[str, Any]) -> str:
    """RFC 8785 for what we use of JSON: objects of strings, whole numbers and null."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def line_hash(line: Line) -> str:
    return _sha256(canonical({name: line[name] for name in COVERED}))


def reason_digest(salt: str, reason: str) -> str:
    return _sha256(f"{salt}:{reason}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def write(dossier: str, lines: Sequence[Line]) -> str:
    """The history file of these lines."""
    head = {"dossier": dossier, "format": FORMAT, "hash": lines[-1]["hash"], "lines": len(lines)}
    return "".join(f"{canonical(entry)}\n" for entry in (head, *lines))


# ── checking ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and at which line of the history (0: the file's head; None: nowhere in particular)."""

    line: int | None
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}" if self.line else self.why


class NotAHistory(ValueError):
    """The file cannot be read as a history at all."""


def check(text: str, *heads: Head) -> list[Fault]:
    """Everything that is wrong with a history file, in the order of its lines; empty when it is as it was written.

    `heads` are known from elsewhere, such as a signed result: a chain that was forged as a whole does not lead to them.
    """
    first, *rest = _entries(text)
    faults = [*_of_head(first, rest), *_of_lines(first, rest)]
    return faults or [fault for head in heads for fault in _against(head, rest)]


def read(text: str) -> tuple[Line, list[Line]]:
    """Head and lines of a file, unchecked; NotAHistory when it is none."""
    first, *rest = _entries(text)
    return first, rest


def _entries(text: str) -> list[Line]:
    if not text.endswith("\n"):
        raise NotAHistory("it does not end with a newline: something was cut off or added")
    return [_entry(number, line) for number, line in enumerate(text[:-1].split("\n"))]


def _entry(number: int, text: str) -> Line:
    try:
        entry = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        raise NotAHistory(f"{place(number)} is not JSON: it was changed") from None
    wanted = set(TOLD) if number else {"dossier", "format", "hash", "lines"}
    if not isinstance(entry, dict) or set(entry) != wanted or not all(map(_is_plain, entry.values())):
        raise NotAHistory(f"{place(number)} has not the fields of {FORMAT}: it was changed")
    if canonical(entry) != text:
        raise NotAHistory(f"{place(number)} is not written canonically: it was changed")
    return entry


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def _is_plain(value: object) -> bool:
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def place(number: int) -> str:
    """How a line of the file is called, counted from 0."""
    return f"line {number}" if number else "the head of the file"


def _of_head(first: Line, rest: Sequence[Line]) -> Iterator[Fault]:
    if first["format"] != FORMAT:
        yield Fault(0, f"the format is not {FORMAT}")
    if first["lines"] != len(rest):
        yield Fault(0, f"the head of the file counts {first['lines']} lines, and there are {len(rest)}")
    elif rest and first["hash"] != rest[-1]["hash"]:
        yield Fault(0, "the head of the file does not name the last line")


def _of_lines(first: Line, rest: Iterable[Line]) -> Iterator[Fault]:
    number, before = 0, START
    for line in rest:
        yield from _of_place(line, number, before)
        yield from _of_line(line, number + 1, first["dossier"])
        number, before = line["no"] if isinstance(line["no"], int) else number + 1, line["hash"]


def _of_place(line: Line, number: int, before: str) -> Iterator[Fault]:
    """Whether it follows the line before it."""
    no = line["no"]
    if no == number + 1:
        if line["prev"] != before:
            yield Fault(no, "it does not continue the line before it: one of the two was replaced")
    elif isinstance(no, int) and no > number + 1:
        missing = f"line {number + 1} is" if no == number + 2 else f"lines {number + 1} to {no - 1} are"
        yield Fault(no, f"{missing} missing before it")
    else:
        yield Fault(number + 1, f"line {no} stands in its place: lines were moved or repeated")


def _of_line(line: Line, number: int, dossier: str) -> Iterator[Fault]:
    """Whether it still is what its hash says."""
    no = line["no"] if isinstance(line["no"], int) else number
    if line["v"] != VERSION:
        yield Fault(no, f"version {line['v']} of the format is not known")
    elif line_hash(line) != line["hash"]:
        yield Fault(no, "it was changed: its content does not give its hash")
    elif line["dossier"] != dossier:
        yield Fault(no, f"it belongs to dossier {line['dossier']}")
    elif not _reason_fits(line):
        yield Fault(no, "its reason was changed")


def _reason_fits(line: Line) -> bool:
    reason, salt, digest = line["reason"], line["salt"], line["reason_digest"]
    if reason is None:
        return salt is None  # a file without the reasons can be checked all the same
    return isinstance(salt, str) and digest == reason_digest(salt, str(reason))


def _against(head: Head, rest: Sequence[Line]) -> Iterator[Fault]:
    """Whether the chain leads over a head that is known from elsewhere."""
    if head.no > len(rest):
        yield Fault(None, f"the known head is line {head.no}, and the file ends at line {len(rest)}: lines are missing")
    elif rest[head.no - 1]["hash"] != head.hash:
        yield Fault(head.no, "its hash is not that of the known head: the history up to here was written anew")
