"""`python -m deploy.docs`: draws README's map and the services' states from the code; `--check` tells what is stale.

The map is the registry, the subscribers and the HTTP clients. States come from `TRANSITIONS` in a service's domain.py,
either machine → (from, to) → why, or rows with `act`, `sources` and `target`. Drawings stand between two comments,
`<!-- map … -->` and `<!-- /map -->` (`states` likewise); everything around them is written by people.
"""

import importlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.envelope import Audience, Channel
from contracts.registry import CHANNELS

ROOT = Path(__file__).resolve().parents[1]
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml"))
CLIENT = re.compile(r'ServiceClient\("(\w+)"\)')
TOO_MANY = 3
"""A move from more states than this is told in words: its arrows would hide all others."""

Move = tuple[str, str, str]
"""From, to, why."""


@dataclass(frozen=True)
class Machine:
    name: str
    start: str
    moves: list[Move]
    besides: list[str]
    """Moves that are told, not drawn."""


# ── the map ──


def draw_map() -> str:
    """Who says what, who hears it, and who asks whom."""
    lines = ["flowchart LR", "    people([citizens and officers]) --> gateway"]
    lines += [f"    {service} -. HTTP .-> {' & '.join(asked)}" for service, asked in _asks()]
    for channel in CHANNELS:
        topic = channel.name.split(".")[1]
        lines += [f'    {channel.owner} --> {topic}[("{channel.name}")]']
        lines += [f"    {topic} --> {' & '.join(hearers)}" for hearers in [_hearers(channel)] if hearers]
    lines += ["    agencies([other government systems])"]
    return _mermaid(lines)


def _asks() -> Iterator[tuple[str, list[str]]]:
    for service in SERVICES:
        code = "".join(path.read_text("utf-8") for path in sorted((ROOT / "services" / service).rglob("*.py")))
        if asked := sorted(set(CLIENT.findall(code))):
            yield service, asked


def _hearers(channel: Channel) -> list[str]:
    hearers = [service for service in SERVICES if channel.name in heard_by(service)]
    return hearers + (["agencies"] if channel.audience is Audience.PUBLIC else [])


def heard_by(service: str) -> set[str]:
    """Names of the channels that the service subscribes to."""
    if not (ROOT / "services" / service / "subscribers.py").exists():
        return set()
    return set(importlib.import_module(f"services.{service}.subscribers").inbox.subscriptions)


# ── the states ──


def draw_states(service: str) -> str:
    """Every state machine of the service; empty if it has none."""
    return "\n\n".join(_draw(machine) for machine in machines(service))


def machines(service: str) -> Iterator[Machine]:
    for path in sorted((ROOT / "services" / service).rglob("domain.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        table = getattr(importlib.import_module(".".join(parts)), "TRANSITIONS", None)
        if isinstance(table, Mapping):
            yield from (_from_moves(name, moves) for name, moves in table.items())
        elif table:
            yield _from_rows(service.capitalize(), table)


def _from_moves(name: str, table: Mapping[tuple[str, str], str]) -> Machine:
    moves = [(str(before), str(after), why) for (before, after), why in table.items()]
    return Machine(name, _start(moves), moves, [])


def _start(moves: list[Move]) -> str:
    """The one state that nothing leads to."""
    (start,) = {before for before, _, _ in moves} - {after for before, after, _ in moves if before != after}
    return start


def _from_rows(name: str, table: Iterable[Any]) -> Machine:
    rows = [(str(row.act), sorted(map(str, row.sources - {None})), row.target, None in row.sources) for row in table]
    first = next(str(target) for _, _, target, begins in rows if begins)
    moves = [(before, str(to), act) for act, sources, to, _ in rows if _drawn(sources, to) for before in sources]
    begun = [("[*]", str(to), act) for act, _, to, begins in rows if begins and str(to) != first]
    told = [_told(act, sources, to) for act, sources, to, _ in rows if sources and not _drawn(sources, to)]
    return Machine(name, first, begun + [move for move in moves if move[0] != move[1]], told)


def _drawn(sources: list[str], target: str | None) -> bool:
    return target is not None and len(sources) <= TOO_MANY


def _told(act: str, sources: list[str], target: str | None) -> str:
    where = f"leads to `{target}`" if target else "changes no state"
    return f"- `{act}` {where}; possible in {', '.join(f'`{source}`' for source in sources)}"


def _draw(machine: Machine) -> str:
    arrows = [f"    {before} --> {after}: {why}" for before, after, why in machine.moves]
    drawing = _mermaid(["stateDiagram-v2", f"    [*] --> {machine.start}", *arrows])
    return "\n\n".join([f"**{machine.name}**", drawing, *(["\n".join(machine.besides)] if machine.besides else [])])


def _mermaid(lines: list[str]) -> str:
    return "\n".join(["```mermaid", *lines, "```"])


# ── the files ──


def wanted() -> Iterator[tuple[Path, str]]:
    """Every README that shows a drawing, as it should be."""
    yield _with(ROOT / "README.md", "map", "## The map", draw_map())
    for service in SERVICES:
        if any(machines(service)):
            readme = ROOT / "services" / service / "README.md"
            yield _with(readme, "states", "## States", draw_states(service))


def _with(readme: Path, what: str, heading: str, drawing: str) -> tuple[Path, str]:
    text = readme.read_text("utf-8") if readme.exists() else ""
    opening = f"<!-- {what}: drawn by `python -m deploy.docs` -->"
    block = f"{opening}\n\n{drawing}\n\n<!-- /{what} -->"
    between = re.compile(rf"<!-- {what}\b.*?-->.*?<!-- /{what} -->", re.DOTALL)
    if between.search(text):
        return readme, between.sub(lambda _: block, text)
    return readme, f"{text.rstrip()}\n\n{heading}\n\n{block}\n".lstrip()


def stale() -> list[Path]:
    return [path for path, text in wanted() if not path.exists() or path.read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    if "--check" not in arguments:
        for path, text in wanted():
            path.write_text(text, "utf-8")
        return 0
    for path in stale():
        sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run python -m deploy.docs\n")
    return 1 if stale() else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
