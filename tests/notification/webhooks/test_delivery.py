"""Events reach other systems: all of them, in order for each dossier, whatever happens on the way."""

import asyncio
import os
import random
import signal
import sys
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from aiohttp import web

from deploy.local.places import ROOT
from kit.clock import now
from services.notification.systems.delivery import domain, engine, forgetting
from tests.notification.webhooks.conftest import INSURANCE, POLICE, PROVINCE, House, code, filing, life
from tests.notification.webhooks.receiver import Received, Receiver, receiving, says, silence
from tests.support import eventually
from tests.tracking import story


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of seconds and hours are a moment."""
    monkeypatch.setattr(domain, "PAUSES", (timedelta(seconds=0.05),))
    monkeypatch.setattr(domain, "LONGEST_BREAK", timedelta(seconds=0.2))
    monkeypatch.setattr(engine, "FAREWELL", 0.5)
    monkeypatch.setattr(engine, "LOOK_AT_ROWS", 0.05)
    monkeypatch.setattr(engine, "SYNC", 0.2)


def histories(dossiers: int, events: int) -> dict[tuple[str, str], list[int]]:
    return {("/services/dossier", code(n)): list(range(1, events + 1)) for n in range(dossiers)}


async def test_everything_arrives_once_and_in_order(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        await house.subscribe(receiver.url)
        lives = [life(n, 5) for n in range(20)]
        for batch in zip(*lives, strict=True):
            await house.hear(*batch)
        await eventually(lambda: len(receiver.received) == 100)
    assert receiver.histories() == histories(20, 5)
    assert len({got.id for got in receiver.received}) == 100


async def test_a_webhook_is_the_event_as_kafka_has_it(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        await house.subscribe(receiver.url)
        await house.hear(*life(1, 2))
        await eventually(lambda: len(receiver.received) == 2)
    sent, worked = receiver.received
    assert sent.event["type"] == "vn.motcua.dossier.DossierSubmitted.v1"
    assert sent.event["id"] == sent.id
    assert sent.event["data"]["dossier_code"] == code(1)
    assert sent.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert "motcua-previous-version" not in sent.headers
    assert worked.headers["motcua-previous-version"] == "1"


async def test_a_subscriber_hears_of_its_own_agency_only(house: House) -> None:
    async with receiving() as police, receiving() as insurance, receiving() as province, house.delivering():
        for receiver, name in ((police, POLICE), (insurance, INSURANCE), (province, PROVINCE)):
            await house.subscribe(receiver.url, name=name)
        await house.hear(
            filing(1, receiving_unit="H99.05.02", competent_unit="H99.02.01"),
            filing(2, receiving_unit="H99.02.01", competent_unit="H99.06"),
            filing(3, receiving_unit="H99.050", competent_unit="H99.02.01"),
        )
        await eventually(lambda: len(province.received) == 3)
        assert [got.event["subject"] for got in police.received] == [code(1)]
        assert [got.event["subject"] for got in insurance.received] == [code(2)]


async def test_filters_let_through_what_they_name(house: House) -> None:
    async with receiving() as by_type, receiving() as by_unit, receiving() as none, house.delivering():
        await house.subscribe(by_type.url, types=["StepCompleted"])
        await house.subscribe(by_unit.url, units=["H99.07"])
        await house.subscribe(none.url, procedures=["9.999999"])
        await house.hear(*life(1, 3), filing(2, competent_unit="H99.07.01"))
        await eventually(lambda: len(by_type.received) == 2 and by_unit.received)
        assert [got.headers.get("motcua-previous-version") for got in by_type.received] == [None, "2"]
        assert [got.event["subject"] for got in by_unit.received] == [code(2)]
        assert none.received == []


async def test_fees_that_are_heard_before_their_dossier_wait_for_it(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        await house.subscribe(receiver.url)
        await house.hear(story.requested(1, code(1)), story.paid(2, code(1)))
        await house.hear(filing(2))
        await eventually(lambda: receiver.received)
        await house.hear(filing(1))
        await eventually(lambda: len(receiver.received) == 4)
    assert receiver.histories()["/services/payment", code(1)] == [1, 2]


async def test_nothing_is_lost_or_out_of_order_with_a_subscriber_that_fails_at_random(house: House) -> None:
    chance = random.Random(7)  # noqa: S311

    async def moody(_: Received) -> web.Response:
        await asyncio.sleep(chance.uniform(0, 0.01))
        return web.Response(status=chance.choices([204, 500, 429, 404], [6, 2, 1, 1])[0])

    async with receiving(moody) as receiver, house.delivering():
        await house.subscribe(receiver.url)
        for n in range(0, 12, 3):
            await house.hear(*[event for one in range(n, n + 3) for event in life(one, 4)])
        await eventually(lambda: receiver.histories() == histories(12, 4), within=20)
    before = {(got.version, got.headers.get("motcua-previous-version")) for got in receiver.received}
    assert before == {(1, None), (2, "1"), (3, "2"), (4, "3")}


async def test_a_subscriber_that_was_down_gets_all_it_missed_in_order(house: House) -> None:
    async with receiving(says(503)) as receiver, house.delivering():
        subscription = await house.subscribe(receiver.url)
        for n in range(0, 60, 20):
            await house.hear(*[event for one in range(n, n + 20) for event in life(one, 4)])
        await eventually(lambda: len(receiver.received) > 12)
        assert (await house.see(subscription))["failing_since"]
        tried = len(receiver.received)
        receiver.answers = None
        await eventually(lambda: receiver.histories() == histories(60, 4), within=20)
        assert tried < 150, "the circuit breaker did not open"
        await eventually(lambda: _is_up_to_date(house, subscription))


async def _is_up_to_date(house: House, subscription: UUID) -> bool:
    seen = await house.see(subscription)
    return (seen["behind_since"], seen["waiting"], seen["failing_since"]) == (None, 0, None)


async def test_a_dead_and_a_slow_subscriber_delay_nobody_else(house: House) -> None:
    async with receiving() as quick, receiving(silence) as silent, receiving(says(500)) as broken, house.delivering():
        for receiver in (quick, silent, broken):
            await house.subscribe(receiver.url)
        await house.hear(*life(0, 1))
        await eventually(lambda: quick.received and silent.received and broken.received)
        began = now()
        await house.hear(*[event for n in range(1, 20) for event in life(n, 3)])
        await eventually(lambda: len(quick.accepted) == 58)
        assert now() - began < timedelta(seconds=3)


async def test_410_disables_and_resuming_goes_on_where_it_stopped(house: House) -> None:
    async with receiving(says(410)) as receiver, house.delivering():
        subscription = await house.subscribe(receiver.url)
        await house.hear(*life(1, 3))
        await eventually(lambda: _state(house, subscription, "disabled", "gone"))
        receiver.answers = None
        await house.hear(*life(2, 2))
        url = f"/api/v1/subscriptions/{subscription}/resume"
        assert (await house.http.post(url, headers=house.as_system(PROVINCE))).json()["state"] == "active"
        await eventually(lambda: len(receiver.accepted) == 5)
    assert receiver.versions(code(1)) == [1, 2, 3]


async def _state(house: House, subscription: UUID, state: str, reason: str | None) -> bool:
    seen = await house.see(subscription)
    return (seen["state"], seen["reason"]) == (state, reason)


async def test_what_happens_while_paused_is_sent_afterwards(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        subscription = await house.subscribe(receiver.url)
        await house.hear(*life(1, 1))
        await eventually(lambda: receiver.received)
        url, whose = f"/api/v1/subscriptions/{subscription}", house.as_system(PROVINCE)
        await house.http.post(f"{url}/pause", headers=whose)
        await eventually(lambda: _is_let_go(house, subscription))
        await house.hear(*life(2, 2))
        assert len(receiver.received) == 1
        await house.http.post(f"{url}/resume", headers=whose)
        await eventually(lambda: len(receiver.received) == 3)


async def _is_let_go(house: House, subscription: UUID) -> bool:
    courier = "SELECT courier FROM delivery_line WHERE subscription_id = $1"
    return await house.db.fetchval(courier, subscription) is None


async def test_everything_since_a_time_is_sent_again_in_order_with_the_same_ids(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        subscription = await house.subscribe(receiver.url)
        await house.hear(*life(1, 2))
        await eventually(lambda: _is_up_to_date(house, subscription))
        since = now()
        await house.hear(*life(2, 4))
        await eventually(lambda: _is_up_to_date(house, subscription) if len(receiver.received) == 6 else False)
        await _ask(house, subscription, "replays", since=since.isoformat())
        await eventually(lambda: len(receiver.received) == 10)
        await house.hear(*life(3, 1))
        await eventually(lambda: len(receiver.received) == 11)
    first, again, last = receiver.received[2:6], receiver.received[6:10], receiver.received[10]
    assert [got.id for got in again] == [got.id for got in first]
    assert {got.headers.get("motcua-replayed") for got in again} == {"true"}
    assert {got.body for got in again} == {got.body for got in first}
    assert "motcua-replayed" not in last.headers


async def test_a_dossier_is_sent_again_from_a_version_on(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        subscription = await house.subscribe(receiver.url)
        await house.hear(*life(1, 5), *life(2, 2))
        await eventually(lambda: _is_up_to_date(house, subscription) if len(receiver.received) == 7 else False)
        asked = await _ask(house, subscription, "replays", dossier_code=code(1), from_version=3)
        assert asked == {"events": 3}
        await eventually(lambda: len(receiver.received) == 10)
        await eventually(lambda: _is_up_to_date(house, subscription))
        await house.hear(story.proposed(6, code(1)))
        await eventually(lambda: len(receiver.received) == 11)
    assert receiver.versions(code(1)) == [1, 2, 3, 4, 5, 3, 4, 5, 6]


async def test_one_event_is_sent_again_and_every_attempt_is_listed(house: House) -> None:
    async with receiving(says(500)) as receiver, house.delivering():
        subscription = await house.subscribe(receiver.url)
        await house.hear(*life(1, 1))
        await eventually(lambda: receiver.received)
        receiver.answers = None
        await eventually(lambda: receiver.accepted)
        event_id = receiver.received[0].id
        await eventually(lambda: _is_up_to_date(house, subscription))
        await _ask(house, subscription, "resends", event_id=event_id)
        await eventually(lambda: len(receiver.accepted) == 2)
        await eventually(lambda: _is_up_to_date(house, subscription))
        whose, url = house.as_system(PROVINCE), f"/api/v1/subscriptions/{subscription}/attempts"
        listed = (await house.http.get(url, headers=whose, params={"event_id": event_id})).json()["items"]
        failed = (await house.http.get(url, headers=whose, params={"failed": True})).json()["items"]
    assert [one["accepted"] for one in listed][:2] == [True, True]
    assert listed[-1]["status"] == 500
    assert listed[-1]["trouble"] == "status"
    assert listed[-1]["next_at"]
    assert listed[-1]["dossier_code"] == code(1)
    assert {one["accepted"] for one in failed} == {False}
    assert "nguyen" not in str(listed).lower()


async def _ask(house: House, subscription: UUID, what: str, **asked: object) -> object:
    url = f"/api/v1/subscriptions/{subscription}/{what}"
    answer = await house.http.post(url, json=asked, headers=house.as_system(PROVINCE))
    assert answer.status_code == 202, answer.text
    return answer.json()


async def test_nobody_is_sent_again_what_is_not_theirs(house: House) -> None:
    async with receiving() as receiver:
        subscription = await house.subscribe(receiver.url, name=POLICE)
        await house.hear(*life(1, 2))
        event_id = await house.db.fetchval("SELECT event_id FROM journal LIMIT 1")
        url, whose = f"/api/v1/subscriptions/{subscription}/resends", house.as_system(POLICE)
        answer = await house.http.post(url, json={"event_id": str(event_id)}, headers=whose)
        assert answer.status_code == 404


async def test_two_processes_share_the_subscriptions_and_send_everything_once(house: House) -> None:
    async with receiving() as receiver, house.delivering(), house.delivering():
        for _ in range(14):  # that chance gives them all to one happens once in eight thousand runs
            await house.subscribe(receiver.url)
        await eventually(lambda: house.db.fetchval("SELECT count(DISTINCT courier) = 2 FROM delivery_line"), within=15)
        await house.hear(*[event for n in range(5) for event in life(n, 3)])
        await eventually(lambda: len(receiver.received) >= 210)
        await eventually(lambda: house.db.fetchval("SELECT count(*) = 210 FROM attempt"))
    assert len(receiver.received) == 210


CHILD = """
import asyncio, sys
from kit.db import Database
from services.notification.systems import running

async def main():
    await running.deliver(await Database.open(sys.argv[1]))

asyncio.run(main())
"""


def _has_got(receiver: Receiver, events: int) -> bool:
    return len({got.id for got in receiver.received}) >= events


async def test_a_killed_process_repeats_at_worst_with_the_same_ids(house: House) -> None:
    async with receiving() as receiver:
        await house.subscribe(receiver.url)
        await house.hear(*[event for n in range(60) for event in life(n, 4)])
        for killed_at in (60, 240):
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", CHILD, house.db.url, cwd=ROOT)
            await eventually(partial(_has_got, receiver, killed_at), within=20)
            os.kill(child.pid, signal.SIGKILL)
            await child.wait()
            await house.db.execute("UPDATE delivery_line SET leased_until = now()")  # not to wait for ten seconds
            await house.db.execute("DELETE FROM courier")
        assert receiver.histories() == histories(60, 4)
        assert len({(got.unit, got.version) for got in receiver.received}) == len({got.id for got in receiver.received})


async def test_what_is_old_is_forgotten_and_blocks_nobody(house: House) -> None:
    async with receiving(says(500)) as receiver, house.delivering():
        subscription = await house.subscribe(receiver.url)
        await house.hear(*life(1, 3))
        await eventually(lambda: _waits(house, subscription, 3))
        await house.db.execute("UPDATE journal SET recorded_at = recorded_at - interval '401 days'")
        await house.db.execute("UPDATE attempt SET at = at - interval '31 days'")
        await house.hear(*life(2, 1))
        await forgetting.forget(house.db)
        receiver.answers = None
        await eventually(lambda: receiver.versions(code(2)) == [1])
    assert await house.db.fetchval("SELECT count(*) FROM journal") == 1
    assert await house.db.fetchval("SELECT count(*) FROM attempt WHERE at < now() - interval '30 days'") == 0


async def _waits(house: House, subscription: UUID, events: int) -> bool:
    return (await house.see(subscription))["waiting"] == events


async def test_a_subscription_that_cannot_be_opened_is_nobody_elses_trouble(house: House) -> None:
    async with receiving() as receiver, receiving() as unlucky, house.delivering():
        locked = await house.subscribe(unlucky.url, name=POLICE)
        await house.db.execute("UPDATE subscription SET key = $2, version = 2 WHERE id = $1", locked, bytes(64))
        await house.subscribe(receiver.url)
        await house.hear(*life(1, 2))
        await eventually(lambda: len(receiver.received) == 2)
    assert unlucky.received == []


HEARING = """
import asyncio, sys
from kit.db import Database
from services.notification.subscribers import inbox
from tests.notification.webhooks.conftest import life
from tests.tracking.hearing import hear

async def main():
    db = await Database.open(sys.argv[1])
    for n in range(0, 60, 3):
        await hear(db, *[event for one in range(n, n + 3) for event in life(one, 4)], inbox=inbox)

asyncio.run(main())
"""


async def test_a_process_that_is_killed_while_it_hears_loses_nothing(house: House) -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", HEARING, house.db.url, cwd=ROOT)
    await eventually(lambda: house.db.fetchval("SELECT count(*) > 40 FROM journal"), within=20)
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()
    assert 40 < await house.db.fetchval("SELECT count(*) FROM journal") < 240
    async with receiving() as receiver, house.delivering():
        await house.subscribe(receiver.url, start="beginning")
        await house.hear(*[event for n in range(60) for event in life(n, 4)])  # Kafka brings everything again
        await eventually(lambda: len(receiver.received) == 240, within=20)
    assert receiver.histories() == histories(60, 4)
