"""Who may do what on Kafka, as the registry says; no broker is asked."""

from collections import defaultdict

import pytest
import yaml
from typer.testing import CliRunner

from contracts.envelope import Audience
from contracts.registry import CHANNELS
from deploy import docs
from deploy.kafka import subscribers
from deploy.kafka.commands import app, wanted
from deploy.kafka.rights import Act, Kind, Right
from deploy.local import topics
from deploy.local.names import SERVICES
from deploy.local.trouble import Trouble

OUTSIDE = [one.name for one in subscribers.load()]
RIGHTS = {one.name: one.rights for one in wanted()}


def test_only_the_owner_writes_to_a_channel() -> None:
    for channel in CHANNELS:
        writers = [name for name, rights in RIGHTS.items() if Right(Kind.TOPIC, channel.name, Act.WRITE) in rights]
        assert writers == [channel.owner]


def test_a_service_reads_what_it_hears_and_nothing_else() -> None:
    for service in SERVICES:
        read = {one.name for one in RIGHTS.get(service, ()) if one.kind is Kind.TOPIC and one.act is Act.READ}
        assert {name for name in read if not name.endswith(".dlq")} == docs.heard_by(service)


def test_every_dead_letter_topic_has_one_who_may_use_it() -> None:
    users = defaultdict(set)
    for name, rights in RIGHTS.items():
        for right in rights:
            users[right.name].add(name)
    assert {topic: users for topic, users in users.items() if topic.endswith(".dlq") and len(users) > 1} == {}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_system_outside_reads_public_channels_its_replays_and_its_groups_and_writes_nothing(name: str) -> None:
    public = {channel.name for channel in CHANNELS if channel.audience is Audience.PUBLIC}
    may_read = {Right(Kind.TOPIC, topic, Act.READ) for topic in public | {f"replay.{name}"}}
    assert RIGHTS[name] == may_read | {Right(Kind.GROUP, f"{name}.", Act.READ, prefixed=True)}


def test_every_right_is_on_a_topic_that_is_made() -> None:
    made = {topic.name for topic in topics.wanted()}
    asked = {right.name for rights in RIGHTS.values() for right in rights if right.kind is Kind.TOPIC}
    assert asked <= made


def test_only_those_outside_are_held_to_a_rate() -> None:
    assert [one.name for one in wanted() if one.quotas] == OUTSIDE
    assert all(set(one.quotas) == {"consumer_byte_rate", "request_percentage"} for one in wanted() if one.quotas)


KAFKA = {"consumer_bytes_per_second": 1000}


@pytest.mark.parametrize("name", ["dossier", "Thue", "thue.dat-dai", "thue*", "", "x" * 41])
def test_a_name_that_would_give_the_rights_of_others_is_refused(name: str) -> None:
    with pytest.raises(Trouble, match="cannot be a name"):
        subscribers.read([{"name": name, "agency": "H99", "kafka": KAFKA}], SERVICES, "H99")


def test_two_systems_cannot_have_one_name() -> None:
    with pytest.raises(Trouble, match="used once"):
        subscribers.read([{"name": "thue", "agency": "H99", "kafka": KAFKA}, {"name": "thue"}], SERVICES, "H99")


@pytest.mark.parametrize("kafka", [{"consumer_bytes_per_second": "much"}, {"consumer_bytes_per_second": 0}, {"x": 1}])
def test_a_quota_that_is_none_is_refused(kafka: dict[str, object]) -> None:
    with pytest.raises(Trouble, match="thue"):
        subscribers.read([{"name": "thue", "agency": "H99", "kafka": kafka}], SERVICES, "H99")


def test_who_has_webhooks_only_gets_nothing_on_kafka() -> None:
    assert subscribers.read([{"name": "thue", "agency": "H99.07"}], SERVICES, "H99") == []


def test_who_may_hear_of_some_dossiers_only_gets_nothing_on_kafka() -> None:
    with pytest.raises(Trouble, match="webhooks, not kafka"):
        subscribers.read([{"name": "thue", "agency": "H99.07", "kafka": KAFKA}], SERVICES, "H99")


def test_strimzi_is_told_the_same() -> None:
    said = CliRunner().invoke(app, ["access", "--strimzi", "tinh"]).stdout
    users = {one["metadata"]["name"]: one for one in yaml.safe_load_all(said)}
    assert set(users) == set(RIGHTS)
    for name, user in users.items():
        assert user["metadata"]["labels"] == {"strimzi.io/cluster": "tinh"}
        assert len(user["spec"]["authorization"]["acls"]) == len(RIGHTS[name])
    assert users[OUTSIDE[0]]["spec"]["quotas"]["requestPercentage"] == 50
