"""Apache Kafka, the real one: broker and controller in one process, with the topics of the registry."""

import asyncio
import contextlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from pathlib import Path
from signal import Signals

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from deploy.local import certificates, jars, places, topics
from deploy.local.ports import HOST
from deploy.local.process import Command, run
from deploy.local.server import Server, accepts
from deploy.local.trouble import Trouble

SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},SASL_SSL://{host}:{secured},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port},SASL_SSL://{host}:{secured}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={folder}

# Systems outside come over TLS with a password, and may do what they were given. The plain listener is ours: whoever
# reaches loopback may do everything.
ssl.keystore.type=PEM
ssl.keystore.location={identity}
ssl.enabled.protocols=TLSv1.3,TLSv1.2
listener.name.sasl_ssl.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
  org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:ANONYMOUS

# Topics come from the registry; a client that asks for another one has a mistake.
auto.create.topics.enable=false

# One broker.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# A broker that was killed may come back after this, not after 9 s.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500

# A group of one process is complete at once, and its commits need no batching.
group.initial.rebalance.delay.ms=0
group.coordinator.append.linger.ms=0

# A developer's machine: events stay until `reset`, and little memory is taken.
log.retention.ms=-1
offsets.retention.minutes=525600
log.cleaner.dedupe.buffer.size=8388608
"""

_MEMORY = ("-Xms128m", "-Xmx320m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")
_QUIET = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)
_SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m")


def server(folder: Path, logs: Path, port: int, controller: int, secured: int) -> Server:
    """`secured`: the port where TLS and a password are asked for, and rights count."""
    settings = folder.with_name(folder.name + ".properties")
    identity = folder.with_name(folder.name + ".pem")
    told = {"host": HOST, "port": port, "controller": controller, "secured": secured, "identity": identity}
    options = (*_MEMORY, *_QUIET, f"-XX:ErrorFile={logs}/kafka-crash.log")
    return Server(
        name="kafka",
        port=port,
        command=Command(
            argv=jars.java("kafka", "kafka.Kafka", str(settings), options=options),
            log=logs / "kafka.log",
            orphan_signal=Signals.SIGTERM,
            grace=20,
        ),
        prepare=partial(_prepare, folder, logs, identity, partial(SETTINGS.format, **told)),
        is_ready=partial(is_ready, f"{HOST}:{port}"),
        settle=partial(create_topics, f"{HOST}:{port}"),
    )


async def _prepare(folder: Path, logs: Path, identity: Path, settings: Callable[..., str]) -> None:
    places.make(folder.parent)
    await asyncio.to_thread(certificates.ensure_listener, identity, authority(folder), (HOST, "localhost"))
    await _format(folder, logs, settings)


def authority(folder: Path) -> Path:
    """PEM of whoever vouches for the broker with this data folder: what clients of the secured listener trust."""
    return folder.with_name(folder.name + "-ca.pem")


async def _format(folder: Path, logs: Path, settings: Callable[..., str]) -> None:
    """A new data folder is made beside its place and moved there whole: half of one is never found."""
    file = folder.with_name(folder.name + ".properties")
    if not _is_there(folder):
        unfinished = places.anew(folder.with_name(folder.name + ".unfinished"))
        file.write_text(settings(folder=unfinished))
        await run(Command(_storage_tool(file), logs / "kafka.log"), "Making Kafka's data folder")
        unfinished.rename(folder)
    file.write_text(settings(folder=folder))


def _is_there(folder: Path) -> bool:
    if folder.exists() and not (folder / "meta.properties").exists():
        raise Trouble(f"Kafka's data in {folder} is not whole: `./motcua reset` makes it anew.")
    return folder.exists()


def _storage_tool(settings: Path) -> tuple[str, ...]:
    cluster = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
    arguments = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", str(settings))
    return jars.java("kafka", *arguments, options=(*_SHORT_LIVED, *_QUIET))


async def is_ready(bootstrap: str) -> bool:
    """Whether a broker answers and names itself in the cluster."""
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    if not await accepts(host, int(port)):
        return False
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3000)
        try:
            await admin.start()
            return bool((await admin.describe_cluster())["brokers"])
        finally:
            await admin.close()
    return False


async def create_topics(bootstrap: str) -> None:
    """Every topic of the registry that is not there yet; retried while the broker is still settling."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        async with asyncio.timeout(30):
            while wanted := await _missing(admin):
                await admin.create_topics(wanted)
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise Trouble(f"Kafka at {bootstrap} does not create the topics: does this user have the right to?") from None
    finally:
        await admin.close()


async def _missing(admin: AIOKafkaAdminClient) -> list[NewTopic]:
    there = set(await admin.list_topics())
    return [_new(topic) for topic in topics.wanted() if topic.name not in there]


def _new(topic: topics.Topic) -> NewTopic:
    return NewTopic(topic.name, topic.partitions, 1, topic_configs=dict(topic.settings))
