"""Freezes what subscribers may rely on: `python -m contracts.release` adds to released/, and changes nothing.

A schema whose shape differs from the newest frozen one of its event becomes the next numbered file; MANIFEST
gets the SHA-256 of it and of every new example. The tests hold today's schemas against all frozen ones.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts import asyncapi
from contracts.asyncapi import Json
from contracts.registry import CHANNELS

CONTRACTS = asyncapi.HERE
EXAMPLES = asyncapi.EXAMPLES
RELEASED = CONTRACTS / "released"
MANIFEST = RELEASED / "MANIFEST"
ANNOTATIONS = {"$schema", "$id", "title", "description", "default", "x-extensible-enum"}


def shape(schema: Json) -> Json:
    """The schema without what only explains: texts may be improved at any time."""
    return {key: _shape(key, value) for key, value in schema.items() if key not in ANNOTATIONS}


def _shape(key: str, value: Any) -> Any:
    if key in {"properties", "$defs"}:
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(item) if isinstance(item, dict) else item for item in value]
    return shape(value) if isinstance(value, dict) else value


def generations(stem: str) -> list[Path]:
    """Every frozen schema of one event (`FeePaid.v1`), oldest first."""
    return sorted((RELEASED / stem).glob("*.json"), key=lambda path: int(path.stem))


def manifest() -> dict[str, str]:
    """What must never change: path below contracts/ → SHA-256."""
    lines = MANIFEST.read_text("utf-8").splitlines() if MANIFEST.exists() else []
    return {path: digest for digest, path in (line.split("  ", 1) for line in lines)}


def broken() -> list[str]:
    """Frozen files that were changed or removed."""
    return [name for name, digest in manifest().items() if not _is(CONTRACTS / name, digest)]


def unlisted() -> list[str]:
    """Files that are not frozen yet."""
    frozen = manifest()
    return [name for name in map(_name, _freezable()) if name not in frozen]


def release() -> None:
    """Freezes what is new."""
    for channel in CHANNELS:
        for event in channel.events:
            _freeze(asyncapi.stem(channel, event), shape(asyncapi.schema(channel, event)))
    RELEASED.mkdir(exist_ok=True)
    with MANIFEST.open("a", encoding="utf-8") as out:
        out.writelines(f"{_digest(CONTRACTS / name)}  {name}\n" for name in unlisted())


def _freeze(stem: str, schema: Json) -> None:
    before = generations(stem)
    if before and json.loads(before[-1].read_text("utf-8")) == schema:
        return
    path = RELEASED / stem / f"{len(before) + 1}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(schema, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _freezable() -> Iterator[Path]:
    yield from sorted(EXAMPLES.glob("*.json"))
    yield from sorted(RELEASED.glob("*/*.json"))


def _name(path: Path) -> str:
    return path.relative_to(CONTRACTS).as_posix()


def _is(path: Path, digest: str) -> bool:
    return path.exists() and _digest(path) == digest


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    if broken():
        sys.stderr.write(f"frozen files were changed, put them back: {', '.join(broken())}\n")
        return 1
    release()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
