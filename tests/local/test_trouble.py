"""What goes wrong on other people's machines is answered with a sentence that says what to do."""

import socket
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.local import jars, kafka, places, ports, postgres
from deploy.local.trouble import Trouble


def test_a_used_port_is_named_with_its_user() -> None:
    with socket.socket() as other:
        other.bind((ports.HOST, 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(Trouble, match=f"Port {port}, wanted for gateway, is used by .*process.*--port-base"):
            ports.need_free({"gateway": port})


def test_all_ports_can_be_moved() -> None:
    assert sorted(ports.chosen(20_000).values()) == list(range(20_000, 20_000 + len(ports.DEFAULT)))


def test_a_port_that_cannot_be_is_refused() -> None:
    with pytest.raises(Trouble, match="choose a number"):
        ports.chosen(70_000)


async def test_a_data_folder_of_postgresql_that_is_not_whole_is_named(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    server = postgres.server(tmp_path / "postgres", tmp_path, 1, "secret")

    with pytest.raises(Trouble, match=r"not whole: `./motcua reset`"):
        await server.prepare()


async def test_a_data_folder_of_kafka_that_is_not_whole_is_named(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    server = kafka.server(tmp_path / "kafka", tmp_path, 1, 2, 3)

    with pytest.raises(Trouble, match=r"not whole: `./motcua reset`"):
        await server.prepare()


async def test_a_first_start_that_was_killed_half_way_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.unfinished").mkdir()
    (tmp_path / "postgres.unfinished" / "PG_VERSION").write_text("18\n")
    server = postgres.server(tmp_path / "postgres", tmp_path, 1, "secret")

    await server.prepare()

    assert (tmp_path / "postgres" / "global" / "pg_control").exists()
    assert not (tmp_path / "postgres.unfinished").exists()


async def test_data_of_another_version_of_postgresql_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    (data / "global").mkdir(parents=True)
    (data / "global" / "pg_control").write_text("")
    (data / "PG_VERSION").write_text("15\n")

    with pytest.raises(Trouble, match="written by PostgreSQL 15"):
        await postgres.server(data, tmp_path, 1, "secret").prepare()


def test_a_disk_that_is_too_full_is_named(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=f"The disk of {tmp_path} has"):
        places.need_space(tmp_path, 10**9)


def test_a_folder_that_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")

    with pytest.raises(Trouble, match="Cannot make the folder"):
        places.make(tmp_path / "state")


@pytest.mark.parametrize("program", jars.programs())
def test_the_lock_names_what_was_asked_for(program: str) -> None:
    asked = tomllib.loads((jars.LOCKS / program / "jgo.toml").read_text())["dependencies"]["coordinates"]
    locked = {jar.path.rsplit("/", 1)[1] for jar in jars.locked(program)}

    assert {"{1}-{2}.jar".format(*coordinate.split(":")) for coordinate in asked} <= locked


def test_no_network_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTCUA_CACHE", str(tmp_path))
    monkeypatch.setenv("MOTCUA_MAVEN", "http://127.0.0.1:9/maven")
    monkeypatch.setattr("deploy.local.jars.TRIES", 0)

    with pytest.raises(Trouble, match="connect to the network"):
        jars.fetch()


def test_a_jar_with_another_checksum_never_reaches_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository answers, but not with what the lock file names."""
    monkeypatch.setenv("MOTCUA_CACHE", str(tmp_path / "cache"))
    jar = jars.Jar("forged.jar", "0" * 64)
    monkeypatch.setattr("deploy.local.jars.locked", lambda program: [jar])
    monkeypatch.setattr("deploy.local.jars.TRIES", 0)
    (tmp_path / "forged.jar").write_bytes(b"not what was locked")

    with _repository(tmp_path) as url:
        monkeypatch.setenv("MOTCUA_MAVEN", url)
        with pytest.raises(Trouble, match="Could not download"):
            jars.fetch()

    assert not jar.file.exists()


@contextmanager
def _repository(folder: Path) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer((ports.HOST, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{ports.HOST}:{server.server_port}"
        server.shutdown()
