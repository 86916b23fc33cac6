"""The projection on a real PostgreSQL: whatever Kafka repeats or interleaves, people see the same."""

import random
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.dossier import GroupState, MemberState
from contracts.envelope import Event
from contracts.identity import ACCOUNTS, AccountClosed
from contracts.money import FeeTiming
from kit.db import Database
from services.tracking.lookup.store import look_up
from services.tracking.mine.store import history, messages_about
from services.tracking.projection.store import updated_at
from tests.tracking import story
from tests.tracking.hearing import hear, tombstone

BIRTH = story.member("birth", MemberState.IN_PROGRESS, "H99.02.01-261122-0009")

MakeDatabase = Callable[[str], Awaitable[Database]]

FORGET = "DELETE FROM dossier_view; DELETE FROM history; DELETE FROM account_view; DELETE FROM freshness"
FORGET_POSITIONS = "DELETE FROM inbox_position; DELETE FROM inbox_parked"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("tracking")


async def start_over(db: Database) -> None:
    await db.execute(FORGET)
    await db.execute(FORGET_POSITIONS)


async def answer(db: Database, code: str = story.CODE) -> dict[str, Any]:
    """All that any look-up could show of the dossier, but for when the projection last heard anything."""
    row = dict(await look_up(db, code))
    row.pop("updated_at")
    return {**row, "history": [dict(told) for told in await history(db, code)]}


async def test_scenario_1_ends_with_the_result_returned(db: Database) -> None:
    await hear(db, story.standardised(), *story.dossier_events(), *story.payment_events())
    seen = await answer(db)
    assert (seen["status"], seen["folder"], seen["fee_state"]) == (10, "result_returned", "paid")
    assert seen["masked_name"] == story.MASKED
    assert [told["type"] for told in seen["history"]].count("ReceiptIssued") == 1
    assert len(seen["history"]) == 9


@pytest.mark.parametrize(
    ("events", "status", "folder"),
    [
        ([story.submitted()], 1, "sent"),
        ([story.submitted(), story.accepted(2)], 2, "in_progress"),
        ([story.submitted(), story.accepted(2), story.requested()], 2, "awaiting_payment"),
        ([story.submitted(), story.accepted(2), story.requested(), story.paid(2)], 2, "in_progress"),
        (
            [story.submitted(), story.accepted(2), story.requested(), story.paid(2, outstanding=9)],
            2,
            "awaiting_payment",
        ),
        ([story.submitted(), story.accepted(2), story.requested(timing=FeeTiming.AT_RESULT)], 2, "in_progress"),
        ([story.submitted(), story.rejected(2)], 3, "sent_back"),
        ([story.submitted(), story.accepted(2), story.rejected(3)], 8, "sent_back"),
        ([story.submitted(), story.supplement_requested(2)], 5, "supplement_requested"),
        ([story.submitted(), story.supplement_requested(2), story.supplement_submitted(3)], 1, "sent"),
        ([story.submitted(), story.accepted(2), story.supplement_submitted(3)], 4, "in_progress"),
        ([story.submitted(), story.accepted(2), story.proposed(3)], 4, "in_progress"),
        ([story.submitted(), story.accepted(2), story.proposed(3), story.signed(4), story.issued(5)], 9, "in_progress"),
        ([story.submitted(), story.withdrawn(2)], 7, "sent_back"),
        ([story.interlinked(BIRTH)], 4, "in_progress"),
        ([story.interlinked(BIRTH), story.progressed(2, GroupState.PARTIALLY_DONE, BIRTH)], 4, "in_progress"),
        ([story.interlinked(BIRTH), story.progressed(2, GroupState.RETURNED, BIRTH)], 10, "result_returned"),
        ([story.interlinked(BIRTH), story.progressed(2, GroupState.WITHOUT_RESULT, BIRTH)], 3, "sent_back"),
    ],
)
async def test_status_and_folder_follow_the_table(db: Database, events: list[Event], status: int, folder: str) -> None:
    await hear(db, *events)
    seen = await answer(db)
    assert (seen["status"], seen["folder"]) == (status, folder)


async def test_two_interlinked_dossiers_heard_at_once_keep_their_own_members(db: Database) -> None:
    other = "H99.02.01-261122-0002"
    residence = story.member("residence", MemberState.WAITING)
    one = story.interlinked(BIRTH, residence)
    await hear(db, one, one.model_copy(update={"dossier_code": other, "members": (BIRTH,)}))

    members = {code: (await answer(db, code))["members"]["members"] for code in (story.CODE, other)}
    assert {code: [member["code"] for member in told] for code, told in members.items()} == {
        story.CODE: ["birth", "residence"],
        other: ["birth"],
    }


async def test_a_payment_heard_first_shows_nothing_until_the_dossier_is_heard(db: Database) -> None:
    await hear(db, story.requested())
    assert (await answer(db))["code"] is None
    await hear(db, story.submitted(), story.accepted(2))
    assert (await answer(db))["folder"] == "awaiting_payment"


async def test_an_old_version_never_brings_a_status_back(db: Database) -> None:
    await hear(db, *story.dossier_events())
    before = await answer(db)
    await db.execute(FORGET_POSITIONS)
    await hear(db, story.submitted())
    assert await answer(db) == before


async def test_an_account_that_is_closed_or_erased_is_recognised_no_more(db: Database) -> None:
    await hear(db, story.standardised(), story.submitted())
    assert (await answer(db))["owner_digest"] == story.digest(story.NUMBER)
    await hear(db, AccountClosed(version=2, occurred_at=story.START, account_ref=story.OWNER))
    assert (await answer(db))["owner_digest"] is None
    await hear(db, tombstone(ACCOUNTS, str(story.OWNER)))
    assert (await answer(db))["masked_name"] is None


async def test_the_owner_can_see_that_a_message_was_given_up(db: Database) -> None:
    await hear(db, story.submitted(), story.told(UUID(int=700)), story.given_up(UUID(int=701)))
    messages = await messages_about(db, story.CODE)
    assert [(message["channel"], message["reason"]) for message in messages] == [("email", None), ("sms", "no_address")]


async def test_the_projection_says_when_it_last_heard_something(db: Database) -> None:
    assert await updated_at(db) is None
    await hear(db, story.submitted())
    assert await updated_at(db) is not None


async def test_replay_from_zero_gives_identical_answers(db: Database) -> None:
    events = [story.standardised(), *story.dossier_events(), *story.payment_events()]
    for event in events:
        await hear(db, event)
    before = await answer(db)
    await start_over(db)
    await hear(db, *events)
    assert await answer(db) == before


def told_by_three_owners() -> list[list[Event]]:
    """Every list keeps its order; against each other they may come in any."""
    return [
        [story.standardised()],
        [story.standardised(UUID(int=2), "000301000003")],
        [*story.dossier_events()],
        [*story.payment_events()],
        [*story.dossier_events("H99.02.01-261122-0002", UUID(int=2))],
        [*story.payment_events("H99.02.01-261122-0002")],
        [story.submitted(1, "H99.02.02-261122-0001"), story.withdrawn(2, "H99.02.02-261122-0001")],
    ]


CODES = (story.CODE, "H99.02.01-261122-0002", "H99.02.02-261122-0001")


def interleaved(chance: random.Random) -> list[Event]:
    """One order that Kafka may bring, with things heard twice: what was heard comes again, sometimes much later."""
    queues = told_by_three_owners()
    heard: list[Event] = []
    while queues:
        queue = chance.choice(queues)
        heard.append(queue.pop(0))
        queues = [left for left in queues if left]
        if chance.random() < 0.3:
            heard.append(chance.choice(heard))
    return heard


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.randoms(use_true_random=False), batch=st.integers(1, 40), forgetful=st.booleans())
async def test_duplicates_order_and_batches_do_not_matter(
    db: Database, chance: random.Random, batch: int, forgetful: bool
) -> None:
    await start_over(db)
    for queue in told_by_three_owners():
        await hear(db, *queue)
    expected = [await answer(db, code) for code in CODES]

    await start_over(db)
    events = interleaved(chance)
    for first in range(0, len(events), batch):
        await hear(db, *events[first : first + batch])
    if forgetful:  # the inbox lost its memory: the versions in the projection itself still hold
        await db.execute(FORGET_POSITIONS)
        for queue in told_by_three_owners():
            await hear(db, *queue)
    assert [await answer(db, code) for code in CODES] == expected
