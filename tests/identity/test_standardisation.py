"""Chuẩn hóa: one person, one account, whatever races; and nobody's dossiers are lost."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from kit import ids
from services.identity.accounts import domain
from services.identity.accounts import store as accounts
from services.identity.accounts.domain import Person, Subject
from tests.identity.conftest import AN, Identity
from tests.identity.test_login import problem

CARD = {"full_name": "Nguyễn Thị An", "identity_number": AN, "issued_on": "2024-07-15"}
PHONE = "+84900000001"
GIANG = "000179000005"


async def local(identity: Identity, number: str = AN, name: str = "Nguyễn Thị An", phone: str = PHONE) -> UUID:
    """An account that declares this much."""
    person = Person(name, number, phone=phone)
    made = domain.register(ids.new(), Subject.CITIZEN, person, None)
    async with identity.db.transaction() as tx:
        await accounts.save(tx, made)
    return made.ref


async def state(identity: Identity, ref: UUID) -> tuple[str, str | None, UUID | None]:
    row = await identity.db.fetchrow("SELECT state, lock_reason, superseded_by FROM account WHERE ref = $1", ref)
    assert row
    return row["state"], row["lock_reason"], row["superseded_by"]


async def test_who_proves_a_number_first_keeps_it_and_all_others_that_declare_it_are_locked(identity: Identity) -> None:
    duplicate, contradictory = await local(identity), await local(identity, name="Lê Thị Cúc")

    verified = UUID((await identity.logs_in(AN))["account_ref"])

    assert await state(identity, duplicate) == ("locked_duplicate", "duplicate", verified)
    assert await state(identity, contradictory) == ("locked_duplicate", "contradictory", None)
    standardised, *locked = await identity.said()
    assert standardised["account_ref"] == str(verified)
    assert {(event["account_ref"], event["reason"], event["superseded_by"]) for event in locked} == {
        (str(duplicate), "duplicate", str(verified)),
        (str(contradictory), "contradictory", None),
    }


async def test_the_owner_of_a_local_account_proves_it_and_keeps_what_is_in_it(identity: Identity) -> None:
    session = await identity.registers("+84900000571", AN)
    assert (await identity.does(session, "PUT", "/accounts/me/standardisation", CARD)).status_code == 200

    after = await identity.logs_in(AN, session=session["session"])

    assert after["account_ref"] == session["account_ref"]
    me = (await identity.does(after, "GET", "/accounts/me")).json()
    assert me["standardisation"]["complete"]
    assert (me["verification_source"], me["phone"]) == ("vneid", "+84900000571")


async def test_whoever_turns_out_to_have_a_verified_account_goes_on_in_that_one(identity: Identity) -> None:
    verified = await identity.logs_in(AN)
    session = await identity.registers("+84900000572")

    after = await identity.logs_in(AN, session=session["session"])

    assert after["account_ref"] == verified["account_ref"]
    assert (await state(identity, UUID(session["account_ref"])))[0] == "locked_duplicate"
    assert problem(await identity.token(session["session"])) == (401, "session-ended")
    assert (await identity.said())[-1]["superseded_by"] == verified["account_ref"]


async def test_somebody_elses_proof_makes_no_account_theirs(identity: Identity) -> None:
    session = await identity.registers("+84900000573", "000190000009", "Phạm Thị Lan")

    answer = await identity.completes_login(*await identity.begins_login(AN, session=session["session"]))

    assert problem(answer) == (409, "identity-contradicted")
    assert (await state(identity, UUID(session["account_ref"])))[0] == "active"


async def test_a_locked_account_explains_itself_to_who_knows_its_password(identity: Identity) -> None:
    session = await identity.registers("+84900000574", AN)
    verified = await identity.logs_in(AN)

    answer = await identity.local_login("+84900000574")

    assert problem(answer) == (403, "account-is-locked")
    assert "VNeID" in answer.json()["detail"]
    contact = await identity.asks("notification", "GET", f"/accounts/{session['account_ref']}/contact", purpose="news")
    assert contact.json()["email"] == "an.nguyen@example.vn", "news about the old account reaches the new one"
    assert verified["account_ref"] != session["account_ref"]


@pytest.mark.parametrize("racing", [100])
async def test_of_a_hundred_standardisations_of_one_number_one_wins(identity: Identity, racing: int) -> None:
    clerk = await identity.officer_logs_in()
    refs = [await local(identity, phone=f"+8490000{n:04d}") for n in range(1000, 1000 + racing)]
    await identity.db.execute("UPDATE account SET issued_on = '2024-07-15'")
    token = (await identity.token(clerk.json()["session"], "identity")).json()["access_token"]

    async def verify(n: int) -> int:
        card = {**CARD, "phone": f"090000{n:04d}"}
        headers = {"Authorization": f"Bearer {token}"}
        path = "/api/v1/desk-verifications"
        while True:  # a database connection that is not free in time is a 503: the same call may be sent again
            answer = await identity.http.post(path, json=card, headers=headers)
            if answer.status_code != 503:
                return answer.status_code

    statuses = await asyncio.gather(*(verify(n) for n in range(1000, 1000 + racing)))

    assert sorted(statuses) == [201] + [404] * (racing - 1)
    states = [(await state(identity, ref))[0] for ref in refs]
    assert sorted(states) == ["locked_duplicate"] * (racing - 1) + ["standardised"]
    assert len(await identity.said()) == racing


async def test_the_desk_confirms_what_is_declared_and_is_shown_nothing(identity: Identity) -> None:
    ref, clerk = await local(identity), (await identity.officer_logs_in()).json()
    await identity.db.execute("UPDATE account SET issued_on = '2024-07-15'")

    other = await identity.does(
        clerk, "POST", "/desk-verifications", {**CARD, "phone": PHONE, "issued_on": "2020-01-01"}
    )
    right = await identity.does(clerk, "POST", "/desk-verifications", {**CARD, "phone": PHONE})

    assert (problem(other), other.json()["fields"]) == ((409, "identity-contradicted"), ["issued_on"])
    assert "2024" not in other.text
    assert right.json() == {"account_ref": str(ref)}
    actor = await identity.db.fetchval("SELECT actor FROM login_audit WHERE outcome = 'standardised'")
    assert str(actor) == clerk["account_ref"]


async def test_only_the_desk_confirms_cards(identity: Identity) -> None:
    leader = (await identity.officer_logs_in("lanh-dao")).json()
    assert (await identity.does(leader, "POST", "/desk-verifications", {**CARD, "phone": PHONE})).status_code == 403


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"identity_number": "٠٠٠١٩٠٠٠٠٠٠١"}, (422, "identity-number-malformed")),
        ({"full_name": "Nguyễn Thị \u0410n"}, (422, "name-in-foreign-letters")),
        ({"issued_on": "2030-01-01"}, (422, "date-of-issue-impossible")),
        ({"issued_on": "hôm qua"}, (422, "invalid-request")),
    ],
)
async def test_what_cannot_be_on_a_card_is_refused(identity: Identity, changed: Any, expected: Any) -> None:
    session = await identity.registers("+84900000575")

    assert problem(await identity.does(session, "PUT", "/accounts/me/standardisation", {**CARD, **changed})) == expected


async def test_a_business_of_the_national_portal_is_another_account_than_who_acts_for_it(identity: Identity) -> None:
    person = await identity.logs_in(GIANG)
    business = await identity.logs_in(GIANG, provider="national_portal")

    assert person["account_ref"] != business["account_ref"]
    assert business["display_name"] == "Công ty TNHH Mây Tre An Bình"
    assert len({event["identity_digest"] for event in await identity.said()}) == 2
    again = await identity.logs_in(AN, provider="national_portal")
    assert again["account_ref"] == (await identity.logs_in(AN))["account_ref"], "a person is one, wherever they log in"


async def test_a_dossier_of_the_desk_finds_its_owner_by_number(identity: Identity) -> None:
    before = (await identity.asks("dossier", "POST", "/owners", {"identity_number": AN})).json()
    verified = await identity.logs_in(AN)
    after = (await identity.asks("dossier", "POST", "/owners", {"identity_number": "000 190 000001"})).json()

    assert before == {"identity_digest": (await identity.said())[0]["identity_digest"], "account_ref": None}
    assert after == {**before, "account_ref": verified["account_ref"]}
    assert (await identity.asks("tracking", "POST", "/owners", {"identity_number": AN})).status_code == 403
