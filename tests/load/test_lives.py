"""Generated lives: what the contracts say, the same for the same seed, in the order of their time."""

import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contracts.dossier import DOSSIERS, Punctuality, ResultIssued, SupplementRequested
from contracts.envelope import Event
from contracts.identity import ACCOUNTS
from contracts.registry import CHANNELS
from deploy.load.lives import Plan, number_of, records
from deploy.load.publishing import OURS, ForeignData, publish, refuse_foreign
from deploy.load.records import Written
from deploy.local.infra import Infra
from kit import ids
from kit.inbox import read
from kit.settings import Settings

PLAN = Plan(400, datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC), seed=7)
CHANNEL = {channel.name: channel for channel in CHANNELS}


@pytest.fixture(scope="module")
def told() -> list[Written]:
    return list(records(PLAN))


def event_of(told: Written) -> Event:
    letter = read(CHANNEL[told.topic], told.key, told.value, told.headers)
    assert letter.event is not None
    return letter.event


def test_every_record_is_what_its_contract_says_and_nothing_else(told: list[Written]) -> None:
    for one in told:
        event = event_of(one)
        assert set(json.loads(one.value)) <= set(type(event).model_fields)
        assert event.occurred_at == one.at


def test_versions_have_no_gap_and_time_never_goes_back(told: list[Written]) -> None:
    versions: dict[tuple[str, bytes], list[int]] = defaultdict(list)
    for one in told:
        versions[one.topic, one.key].append(event_of(one).version)
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())
    lived = [one.at for one in told if one.topic != ACCOUNTS.name]
    assert all(earlier <= later for earlier, later in pairwise(lived))
    assert lived[-1] <= PLAN.until


def test_the_same_seed_tells_the_same_lives_and_another_one_others(told: list[Written]) -> None:
    assert list(records(PLAN)) == told
    assert list(records(Plan(20, PLAN.since, PLAN.until, seed=8))) != list(records(Plan(20, PLAN.since, PLAN.until)))


def test_shares_make_up_the_whole(told: list[Written]) -> None:
    parts = [one for share in range(3) for one in records(PLAN, share, 3)]
    assert Counter((p.topic, p.key, p.value) for p in parts) == Counter((t.topic, t.key, t.value) for t in told)


def test_numbers_go_on_after_what_was_generated_before() -> None:
    before = {one.key for one in records(Plan(30, PLAN.since, PLAN.until)) if one.topic == DOSSIERS.name}
    after = {one.key for one in records(Plan(30, PLAN.since, PLAN.until, first=30)) if one.topic == DOSSIERS.name}
    assert not before & after
    assert all(OURS.fullmatch(key) for key in before | after)


def test_lives_take_every_turn(told: list[Written]) -> None:
    said = Counter(type(event_of(one)).__name__ for one in told)
    for turn in (
        "SupplementRequested",
        "DossierRejected",
        "DossierWithdrawn",
        "DeadlineMissed",
        "FeePaid",
        "FeeWaived",
    ):
        assert said[turn], turn
    outcomes = {event.outcome for event in map(event_of, told) if isinstance(event, ResultIssued)}
    assert outcomes == {Punctuality.EARLY, Punctuality.ON_TIME, Punctuality.LATE}
    assert 5 <= sum(one.topic == DOSSIERS.name for one in told) / PLAN.dossiers <= 7.5


def test_some_supplements_break_the_rule_and_most_do_not() -> None:
    events = map(event_of, records(Plan(1500, PLAN.since, PLAN.until)))
    asked = [event.violation for event in events if isinstance(event, SupplementRequested)]
    assert 0 < sum(asked) < len(asked) / 10


def test_people_are_of_a_province_that_does_not_exist() -> None:
    assert number_of(12) == "000000000012"


@pytest.fixture
async def prefix(infra: Infra, told: list[Written]) -> AsyncIterator[str]:
    """Topics of this test's own: what it puts there is nobody else's business."""
    prefix = f"load-{ids.new()}."
    topics = [prefix + topic for topic in sorted({one.topic for one in told})]
    admin = AIOKafkaAdminClient(bootstrap_servers=infra.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 3, 1) for topic in topics])
    yield prefix
    await admin.delete_topics(topics)
    await admin.close()


async def test_on_kafka_each_dossier_is_in_order_on_one_partition(
    infra: Infra, prefix: str, told: list[Written]
) -> None:
    moved = [one._replace(topic=prefix + one.topic) for one in told]
    assert await publish(Settings(kafka=infra.kafka), moved) == len(told)
    assert await _read(infra.kafka, sorted({one.topic for one in moved}), len(told)) == _by_key(moved)


async def _read(kafka: str, topics: list[str], count: int) -> dict[tuple[str, bytes], list[bytes]]:
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    found: dict[tuple[str, bytes], list[bytes]] = defaultdict(list)
    try:
        for _ in range(count):
            record = await consumer.getone()
            found[record.topic, record.key].append(record.value)
    finally:
        await consumer.stop()
    return found


def _by_key(told: list[Written]) -> dict[tuple[str, bytes], list[bytes]]:
    by_key: dict[tuple[str, bytes], list[bytes]] = defaultdict(list)
    for one in told:
        by_key[one.topic, one.key].append(one.value)
    return by_key


async def test_a_topic_with_a_real_dossier_is_refused(infra: Infra, prefix: str, told: list[Written]) -> None:
    settings, topic = Settings(kafka=infra.kafka), prefix + DOSSIERS.name
    ours = next(one for one in told if one.topic == DOSSIERS.name)._replace(topic=topic)
    await publish(settings, [ours])
    await refuse_foreign(settings, topic)
    await publish(settings, [ours._replace(key=b"H99.02.01-261122-0001")])
    with pytest.raises(ForeignData):
        await refuse_foreign(settings, topic)
