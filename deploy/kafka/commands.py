"""`./motcua kafka …`: on the cluster that MOTCUA_KAFKA (…_USERNAME, …_PASSWORD, …_CA) names, else on the local one."""

import secrets
from pathlib import Path
from typing import Annotated

import typer
import yaml

from contracts.registry import CHANNELS
from deploy import docs
from deploy.kafka import subscribers
from deploy.kafka.cluster import Difference, connected
from deploy.kafka.rights import Principal, Right, principals
from deploy.local import places, running, topics
from deploy.local.kafka import authority
from deploy.local.names import SERVICES
from deploy.local.ports import HOST
from deploy.local.trouble import Trouble
from kit.ops import replay_topic
from kit.settings import Settings

app = typer.Typer(
    help="Topics, rights, quotas and passwords, made from the registry; clients make none.",
    no_args_is_help=True,
    add_completion=False,
)

Apply = Annotated[bool, typer.Option("--apply", help="Change the cluster; without it, only say what would change.")]


def wanted() -> list[Principal]:
    """Everybody who logs in, with their rights, as the registry, the services and the tenant say today."""
    return principals(CHANNELS, {name: docs.heard_by(name) for name in SERVICES}, subscribers.load())


def settings() -> Settings:
    """The cluster to work on. Trouble if there is none."""
    named = Settings()
    if named.kafka:
        return named
    return Settings(kafka=f"{HOST}:{_local_ports()['kafka']}")


def _local_ports() -> dict[str, int]:
    state = running.read_state()
    if state is None or not running.is_running():
        raise Trouble("Name a cluster in MOTCUA_KAFKA (host:port), or start the local one: `./motcua up --detach`.")
    ports: dict[str, int] = state["ports"]
    return ports


@app.command("topics")
def make_topics(
    apply: Apply = False,
    replicas: Annotated[int, typer.Option(help="Copies of each topic; at least as many brokers are needed.")] = 3,
) -> None:
    """Show the topics that are missing; with --apply, make them. Those that are there are not changed."""
    with connected(settings()) as cluster:
        missing = [topic for topic in topics.wanted() if topic.name not in cluster.topics()]
        for topic in missing:
            told = " ".join(f"{name}={value}" for name, value in topic.settings.items())
            typer.echo(f"+ {topic.name} partitions={topic.partitions} {told}".rstrip())
        if apply:
            cluster.make_topics(missing, replicas)
    _end(not missing or apply)


@app.command()
def access(
    apply: Apply = False,
    remove: Annotated[bool, typer.Option(help="With --apply: also take away what the registry does not say.")] = False,
    show: Annotated[
        bool, typer.Option("--print", help="Only show what the registry says; no cluster is asked.")
    ] = False,
    strimzi: Annotated[str, typer.Option(metavar="CLUSTER", help="The same as KafkaUser resources for Strimzi.")] = "",
) -> None:
    """Compare a cluster's rights and quotas with the registry, and bring them into line. Exit code 1 if they differ."""
    if show or strimzi:
        typer.echo(_kafka_users(wanted(), strimzi) if strimzi else _table(wanted()))
        return
    with connected(settings()) as cluster:
        difference = cluster.compare(wanted())
        _show(difference)
        if apply:
            cluster.give(difference)
        if apply and remove:
            cluster.take(difference)
    _end(difference.nothing or (apply and (remove or not difference.extra)))


@app.command()
def password(
    name: Annotated[str, typer.Argument(help="A service or a system of subscribers.yaml.")],
    file: Annotated[Path | None, typer.Option(help="Holds the password (a mounted secret); else one is made.")] = None,
) -> None:
    """Give somebody a new password, which is shown once; the old one ends. Rights are given too if they are missing."""
    if name not in {one.name for one in wanted()}:
        raise Trouble(f"{name} is neither a service that uses Kafka nor in subscribers.yaml with `kafka:`.")
    chosen = file.read_text("utf-8").strip() if file else secrets.token_urlsafe(32)
    with connected(settings()) as cluster:
        cluster.give(cluster.compare(wanted()))
        cluster.set_password(name, chosen)
    if not file:
        typer.echo(_card(name, chosen, is_local=not Settings().kafka))


def _card(name: str, chosen: str, *, is_local: bool) -> str:
    """What the other side must be told: all that the quick starts ask for."""
    lines = [f"KAFKA_USERNAME={name}", f"KAFKA_PASSWORD={chosen}"]
    if is_local:
        lines += [f"KAFKA_SERVERS={HOST}:{_local_ports()['kafka-secured']}"]
        lines += [f"KAFKA_CA={authority(places.state() / 'data' / 'kafka')}"]
    return "\n".join([*lines, f"KAFKA_GROUP={name}.test", f"KAFKA_REPLAY={replay_topic(name)}"])


def _show(difference: Difference) -> None:
    for name, right in difference.missing:
        typer.echo(f"+ {name}: {_words(right)}")
    for name, key, value in difference.changed:
        typer.echo(f"+ {name}: {key} = {value:.0f}")
    for acl in difference.extra:
        typer.echo(f"- {acl}")
    for name, key, value in difference.extra_quotas:
        typer.echo(f"- {name}: {key} = {value:.0f}")
    for name in difference.gone:
        typer.echo(f"- {name}: may not log in any more")


def _end(fine: bool) -> None:
    if not fine:
        raise typer.Exit(1)


def _words(right: Right) -> str:
    return f"{right.act.lower()} {right.kind.lower()} {right.name}{'*' if right.prefixed else ''}"


def _table(all_of_them: list[Principal]) -> str:
    lines = []
    for principal in all_of_them:
        lines += [f"{principal.name}:"]
        lines += [f"  {_words(right)}" for right in sorted(principal.rights)]
        lines += [f"  {key} = {value:.0f}" for key, value in principal.quotas.items()]
    return "\n".join(lines)


def _kafka_users(all_of_them: list[Principal], cluster: str) -> str:
    return yaml.safe_dump_all([_kafka_user(one, cluster) for one in all_of_them], sort_keys=False)


def _kafka_user(principal: Principal, cluster: str) -> dict[str, object]:
    """As Strimzi names things; its operator makes the password and keeps it in a Secret."""
    quotas = {"consumer_byte_rate": "consumerByteRate", "request_percentage": "requestPercentage"}
    spec: dict[str, object] = {
        "authentication": {"type": "scram-sha-512"},
        "authorization": {"type": "simple", "acls": [_strimzi_acl(right) for right in sorted(principal.rights)]},
    }
    if principal.quotas:
        spec["quotas"] = {quotas[key]: int(value) for key, value in principal.quotas.items()}
    metadata = {"name": principal.name, "labels": {"strimzi.io/cluster": cluster}}
    return {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser", "metadata": metadata, "spec": spec}


def _strimzi_acl(right: Right) -> dict[str, object]:
    pattern = "prefix" if right.prefixed else "literal"
    resource = {"type": right.kind.lower(), "name": right.name, "patternType": pattern}
    return {"resource": resource, "operations": [right.act.capitalize()]}
