"""Interlinked dossiers over HTTP on a real database: the split, the order, failures, confirmations, errors."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit import timers as kit_timers
from services.dossier import timers
from services.dossier.interlinked import members
from services.dossier.interlinked.following import PROGRESS, SYNC
from tests.dossier.family import (
    BIRTH,
    BIRTH_ANSWERS,
    DEATH,
    DEATH_ANSWERS,
    INSURANCE,
    KARAOKE,
    KARAOKE_ANSWERS,
    POLICE,
    Family,
)
from tests.dossier.office import AN, UNIT, Office


@pytest.fixture
def family(office: Office) -> Family:
    return Family(office)


def name(problem: dict[str, Any]) -> str:
    return str(problem["type"].rsplit(":", 1)[1])


# ── birth ──


async def test_a_birth_is_sent_once_and_starts_with_the_registration(family: Family) -> None:
    parent = await family.birth()

    children = await family.children(parent)
    assert {code: child["state"] for code, child in children.items()} == {
        "birth": "in_progress", "residence": "waiting", "health_insurance": "waiting",
    }  # fmt: skip
    assert {code: child["unit"] for code, child in children.items()} == {
        "birth": UNIT, "residence": POLICE, "health_insurance": INSURANCE,
    }  # fmt: skip
    assert await family.office.events(parent) == [(1, "InterlinkedSubmitted"), (2, "InterlinkedProgressed")]
    said = (await family.office.bodies(children["birth"]["dossier_code"]))["DossierSubmitted"]
    assert said["parent_code"] == parent
    assert [component["code"] for component in said["components"]] == ["TP-KS-02"]


async def test_a_signed_birth_certificate_splits_into_both_at_once_with_what_they_need(family: Family) -> None:
    parent = await family.birth()
    await family.settle(parent, "birth")

    children = await family.children(parent)
    assert children["birth"]["state"] == "has_result"
    assert {children[code]["state"] for code in ("residence", "health_insurance")} == {"in_progress"}
    assert await family.state(parent) == "partially_done"
    insured = await family.office.call(
        "GET", f"/dossiers/{children['health_insurance']['dossier_code']}", family.agencies[INSURANCE]["desk"]
    )
    assert insured["answers"]["child_name"] == "Nguyễn Minh Khôi"
    assert insured["answers"]["birth_number"].endswith("/GKS-UBND")
    assert [(file["component_code"], file["pages"] > 0) for file in insured["files"]] == [("TP-BHYT-02", True)]


async def test_the_parent_is_nobodys_work(family: Family) -> None:
    parent, office = await family.birth(), family.office
    codes = [item["code"] for item in (await office.call("GET", "/queues/reception", office.officers["desk"]))["items"]]

    assert parent not in codes
    assert await family.code_of(parent, "birth") in codes
    assert name(await office.act(parent, "acceptance", expect=409)) == "act-not-possible"


async def test_the_whole_is_returned_when_every_member_is_and_due_since_the_first_acceptance(family: Family) -> None:
    parent = await family.birth(identity_card=True)
    for member in ("birth", "residence", "identity_card"):
        await family.settle(parent, member)
    assert await family.state(parent) == "partially_done"
    await family.settle(parent, "health_insurance")

    assert await family.state(parent) == "returned"
    seen = await family.office.call("GET", f"/dossiers/{parent}", family.office.an)
    assert (seen["status"], seen["returned_at"] is not None) == ("returned", True)
    accepted = (await family.children(parent))["birth"]["accepted_at"]
    assert seen["accepted_at"] == accepted < seen["due_at"]
    said = [event for _, event in await family.office.events(parent)]
    assert said[0] == "InterlinkedSubmitted"
    assert set(said[1:]) == {"InterlinkedProgressed"}


async def test_one_branch_that_fails_stops_no_other(family: Family) -> None:
    parent = await family.birth()
    await family.settle(parent, "birth")
    await family.reject(parent, "health_insurance")

    assert (await family.states(parent))["health_insurance"] == "ended"
    assert await family.state(parent) == "partially_done"
    await family.settle(parent, "residence")
    assert await family.state(parent) == "returned"


async def test_what_builds_on_a_failed_member_is_never_started_and_this_is_said(family: Family) -> None:
    parent = await family.birth()
    await family.reject(parent, "birth")

    children = await family.children(parent)
    assert {children[code]["state"] for code in ("residence", "health_insurance")} == {"not_started"}
    assert children["residence"]["reason"] == "Không thực hiện vì “Đăng ký khai sinh” không có kết quả"
    assert await family.state(parent) == "without_result"
    seen = await family.office.call("GET", f"/dossiers/{parent}", family.office.an)
    assert seen["status"] == "rejected", "nothing was returned, so it is not called that"
    told = (await family.office.bodies(parent))["InterlinkedProgressed"]
    assert [member["reason"] for member in told["members"]][1] == children["residence"]["reason"]


# ── sending ──


async def test_an_interlinked_dossier_is_sent_with_a_fresh_login_only(family: Family) -> None:
    draft = await family.draft(BIRTH, BIRTH_ANSWERS, "TP-LTKS-02")
    office = family.office
    long_ago = int((datetime.now(UTC) - timedelta(minutes=6)).timestamp())
    stale = office.identity.token(AN, "citizen", name="Nguyễn Thị An", acr=2, auth_time=long_ago)

    problem = await office.call("POST", f"/drafts/{draft}/submission", stale, 401)

    assert (name(problem), problem["max_age"]) == ("login-too-old", 300)
    await office.submission(draft)
    await office.call("POST", f"/drafts/{draft}/submission", stale, 201)


async def test_what_a_member_would_lack_is_said_before_anything_is_made(family: Family) -> None:
    draft = await family.draft(BIRTH, BIRTH_ANSWERS)

    problem = await family.office.submission(draft, 422)

    assert [(error["field"], error["rule"]) for error in problem["errors"]] == [("components.TP-LTKS-02", "missing")]
    assert await family.office.db.fetchval("SELECT count(*) FROM dossier") == 0


async def test_two_sendings_at_once_make_one_parent(family: Family) -> None:
    draft = await family.draft(BIRTH, BIRTH_ANSWERS, "TP-LTKS-02")

    sent = await asyncio.gather(*[family.office.submission(draft) for _ in range(5)])
    await family.follow()

    assert len({one["code"] for one in sent}) == 1
    assert await family.office.db.fetchval("SELECT count(*) FROM dossier") == 2


async def test_only_those_concerned_see_the_members(family: Family) -> None:
    parent, office = await family.birth(), family.office

    for who in (office.officers["leader"], family.agencies[POLICE]["desk"], family.agencies[INSURANCE]["clerk"]):
        assert len(await family.children(parent, who)) == 3
    await office.call("GET", f"/dossiers/{parent}/children", office.binh, 404)
    await office.call("GET", f"/dossiers/{parent}/children", office.strangers["desk"], 404)
    child = await family.code_of(parent, "birth")
    await office.call("GET", f"/dossiers/{child}/children", office.an, 404)


async def test_the_commune_that_took_it_in_reads_members_of_other_agencies(family: Family) -> None:
    parent = await family.birth()
    await family.settle(parent, "birth")
    residence = await family.code_of(parent, "residence")

    seen = await family.office.call("GET", f"/dossiers/{residence}", family.office.officers["desk"])

    assert seen["parent_code"] == parent
    await family.office.call("GET", f"/dossiers/{residence}", family.office.strangers["desk"], 404)


async def test_the_desk_sends_an_interlinked_dossier_for_somebody(family: Family) -> None:
    """Nộp hộ: the officer interviews; the citizen sits beside them, so no second login is asked for."""
    office, desk = family.office, family.office.officers["desk"]
    draft = await office.call("POST", "/drafts", desk, 201, json={"procedure_code": DEATH, "receiving_unit": UNIT})
    owner = {"name": "Nguyễn Thị An", "identity_number": "000190000001", "phone": "0900000001"}
    body = {"answers": DEATH_ANSWERS, "delivery": "desk", "owner": owner}
    await office.call("PATCH", f"/drafts/{draft['id']}", desk, json=body)
    await family.attach(draft["id"], "TP-LTKT-02", desk)

    sent = await office.call("POST", f"/drafts/{draft['id']}/submission", desk, 201)
    await family.follow()

    assert (await family.children(sent["code"], desk))["death"]["state"] == "in_progress"


# ── never twice, never lost ──


async def test_racing_followers_start_each_member_once(family: Family) -> None:
    parent = await family.birth()
    child = await family.code_of(parent, "birth")
    office = family.office
    await office.act(child, "acceptance")
    await family.result(child)

    job = kit_timers.Timer(PROGRESS, parent, datetime.now(UTC), {}, 1, None)
    follow = timers.timers.jobs[PROGRESS].work
    await asyncio.gather(*[follow(office.db, job) for _ in range(8)])

    assert await office.db.fetchval("SELECT count(*) FROM dossier WHERE parent_code = $1", parent) == 3
    assert set((await family.states(parent)).values()) == {"has_result", "in_progress"}
    versions = [version for version, _ in await office.events(parent)]
    assert versions == list(range(1, len(versions) + 1))


STEPS = ("prepared", "start", "said", "save")


@pytest.fixture(params=STEPS)
def crash(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The process dies at this step of following, the first time it is reached."""
    from services.dossier.interlinked import store
    from services.dossier.processing import store as dossiers

    where = {"prepared": members, "start": members, "said": store, "save": dossiers}[request.param]
    real = getattr(where, request.param)
    dead: list[bool] = []

    async def die_once(*args: Any, **options: Any) -> Any:
        done = await real(*args, **options)
        if not dead:
            dead.append(True)
            raise ConnectionError("killed")
        return done

    with monkeypatch.context() as patch:
        patch.setattr(where, request.param, die_once)
        yield request.param


async def test_a_death_while_following_loses_and_doubles_nothing(family: Family, crash: str) -> None:
    parent = await family.sent(BIRTH, BIRTH_ANSWERS, "TP-LTKS-02")
    db = family.office.db
    await family.follow()
    assert await db.fetchval("SELECT attempt FROM timer WHERE kind = $1", PROGRESS) == 1, "it waits to be tried again"
    assert await db.fetchval("SELECT count(*) FROM dossier") == 1, crash

    await db.execute("UPDATE timer SET due_at = now() WHERE kind = $1", PROGRESS)
    await family.follow()

    assert await family.states(parent) == {
        "birth": "in_progress",
        "residence": "waiting",
        "health_insurance": "waiting",
    }
    assert await db.fetchval("SELECT count(*) FROM dossier") == 2
    assert await family.office.events(parent) == [(1, "InterlinkedSubmitted"), (2, "InterlinkedProgressed")]


async def test_news_during_the_following_is_followed_afterwards(family: Family) -> None:
    """A member that moves while its parent is looked at orders another look, which the first does not take away."""
    parent = await family.birth()
    child, office = await family.code_of(parent, "birth"), family.office
    jobs = kit_timers.Timers()

    @jobs.job(PROGRESS)
    async def slow(db: Any, job: kit_timers.Timer) -> None:
        await timers.timers.jobs[PROGRESS].work(db, job)
        body = {"reason": "Thiếu căn cứ để giải quyết", "legal_basis": "Nghị định số 63/2024/NĐ-CP"}
        await office.call("POST", f"/dossiers/{child}/rejection", office.officers["desk"], json=body)

    async with office.db.transaction() as tx:
        await kit_timers.schedule(tx, PROGRESS, parent, datetime.now(UTC))
    assert await jobs.work_next(office.db)
    await family.follow()

    assert await family.state(parent) == "without_result"


# ── acknowledgement and synchronisation ──


async def test_another_agency_has_two_working_hours_to_confirm(family: Family) -> None:
    parent = await family.birth()
    await family.settle(parent, "birth")
    office, residence = family.office, await family.code_of(parent, "residence")
    waiting = (await office.call("GET", "/unacknowledged-dossiers", family.agencies[POLICE]["desk"]))["items"]
    assert [(item["dossier_code"], item["overdue"]) for item in waiting] == [(residence, False)]

    await office.call("POST", f"/dossiers/{residence}/acknowledgement", family.agencies[POLICE]["desk"])
    again = await office.call("POST", f"/dossiers/{residence}/acknowledgement", family.agencies[POLICE]["desk"])

    assert again["status"] == "submitted"
    said = (await office.bodies(residence))["DossierAcknowledged"]
    assert (said["unit"], said["late"]) == (POLICE, False)
    assert [event for _, event in await office.events(residence)].count("DossierAcknowledged") == 1
    assert (await family.children(parent))["residence"]["acknowledged_at"] is not None
    assert (await office.call("GET", "/unacknowledged-dossiers", family.agencies[POLICE]["desk"]))["items"] == []


async def test_an_agency_that_does_not_confirm_is_reported_once_and_seen_on_both_sides(family: Family) -> None:
    parent = await family.birth()
    await family.settle(parent, "birth")
    office, insured = family.office, await family.code_of(parent, "health_insurance")
    await office.db.execute(
        """
        UPDATE clock SET started_at = now() - interval '3 hours', due_at = now() - interval '1 second'
        WHERE kind = 'acknowledgement' AND dossier_code = $1
        """,
        insured,
    )
    await office.db.execute(
        "UPDATE timer SET due_at = now() - interval '1 second' WHERE kind = 'acknowledgement' AND key = $1", insured
    )

    while await timers.timers.fire_next(office.db):
        pass

    missed = (await office.bodies(insured))["DeadlineMissed"]
    assert (missed["deadline"], missed["unit"]) == ("acknowledgement", INSURANCE)
    for desk in (office.officers["desk"], family.agencies[INSURANCE]["desk"]):
        items = (await office.call("GET", "/unacknowledged-dossiers", desk))["items"]
        (item,) = [item for item in items if item["dossier_code"] == insured]
        assert item["overdue"]
        assert item["fix_by"] is not None
    await office.call("POST", f"/dossiers/{insured}/acknowledgement", family.agencies[INSURANCE]["specialist"])
    assert (await office.bodies(insured))["DossierAcknowledged"]["late"]


async def test_accepting_is_confirming(family: Family) -> None:
    parent = await family.birth()
    await family.settle(parent, "birth")
    await family.act(parent, "residence", "acceptance")

    stopped = "SELECT stopped_at FROM clock WHERE kind = 'acknowledgement' AND dossier_code = $1"
    assert await family.office.db.fetchval(stopped, await family.code_of(parent, "residence")) is not None


async def test_only_the_agency_or_its_system_confirms(family: Family) -> None:
    parent = await family.birth()
    await family.settle(parent, "birth")
    office, residence = family.office, await family.code_of(parent, "residence")
    path = f"/dossiers/{residence}/acknowledgement"
    system = {name: office.identity.system(name) for name in ("bhxh", "cong-an")}

    for who in (office.officers["desk"], family.agencies[INSURANCE]["desk"], system["bhxh"]):
        assert name(await office.call("POST", path, who, 403)) == "not-sent-to-you"
    await office.call("POST", path, office.an, 403)
    birth = await family.code_of(parent, "birth")
    own = await office.call("POST", f"/dossiers/{birth}/acknowledgement", office.officers["desk"], 409)
    assert name(own) == "nothing-to-acknowledge"
    await office.call("POST", path, system["cong-an"])


async def test_what_does_not_start_within_ten_minutes_of_a_result_is_reported(family: Family) -> None:
    parent = await family.birth()
    child, office = await family.code_of(parent, "birth"), family.office
    await office.act(child, "acceptance")
    await family.result(child)
    due = "SELECT due_at - now() FROM timer WHERE kind = $1"
    left = await office.db.fetchval(due, SYNC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    await office.db.execute("UPDATE timer SET due_at = now() - interval '1 second' WHERE kind = $1", SYNC)

    while await timers.timers.fire_next(office.db):
        pass

    missed = (await office.bodies(parent))["DeadlineMissed"]
    assert missed["deadline"] == "synchronisation"
    await family.follow()
    assert (await family.states(parent))["residence"] == "in_progress"


# ── an error in an earlier result ──


QUESTION = {"member": "birth", "reason": "Nơi sinh không khớp dữ liệu giấy chứng sinh"}


async def test_an_error_in_the_birth_certificate_goes_back_to_who_issued_it(family: Family) -> None:
    parent = await family.birth()
    await family.settle(parent, "birth")
    office, birth, residence = (
        family.office,
        await family.code_of(parent, "birth"),
        await family.code_of(parent, "residence"),
    )
    police, path = family.agencies[POLICE]["specialist"], f"/dossiers/{residence}/result-questions"

    asked = await office.call("POST", path, police, 201, json=QUESTION)

    assert name(await office.call("POST", path, police, 409, json=QUESTION)) == "already-asked"
    said = (await office.bodies(birth))["ResultQuestioned"]
    assert (said["asking_unit"], said["asking_dossier"]) == (POLICE, residence)
    listed = (await office.call("GET", "/result-questions", office.officers["specialist"]))["items"]
    assert [item["id"] for item in listed] == [asked["id"]]
    answer = f"/result-questions/{asked['id']}/answer"
    assert name(await office.call("POST", answer, police, 403, json={"outcome": "confirmed"})) == "not-your-unit"
    corrected = await office.call("POST", answer, office.officers["specialist"], 409, json={"outcome": "corrected"})
    assert name(corrected) == "nothing-corrected"
    await office.call("POST", answer, office.officers["specialist"], json={"outcome": "confirmed"})
    for code in (birth, residence):
        assert (await office.bodies(code))["ResultQuestionAnswered"]["outcome"] == "confirmed"
    await family.settle(parent, "residence")


async def test_only_a_result_that_the_member_builds_on_can_be_questioned(family: Family) -> None:
    parent = await family.birth()
    await family.settle(parent, "birth")
    residence = await family.code_of(parent, "residence")
    path, police = f"/dossiers/{residence}/result-questions", family.agencies[POLICE]["specialist"]
    other = {**QUESTION, "member": "health_insurance"}

    assert name(await family.office.call("POST", path, police, 422, json=other)) == "not-before-you"
    stranger = await family.office.call("POST", path, family.office.officers["specialist"], 403, json=QUESTION)
    assert name(stranger) == "not-your-unit"


# ── death: the interview ──


async def test_the_interview_helps_the_officer_and_knows_only_its_own_questions(office: Office) -> None:
    group = await office.call("GET", "/groups/death", {})
    assert group["questions"][0]["name"] == "insured"
    assert "sổ bảo hiểm xã hội" in group["questions"][0]["hint"]
    assert {group["code"] for group in (await office.call("GET", "/groups", {}))["items"]} == {
        "birth",
        "death",
        "karaoke",
    }

    problem = await office.call("POST", "/groups/death/questionnaire", {}, 422, json={"answers": {"rich": True}})
    assert (name(problem), problem["names"]) == ("question-unknown", ["rich"])
    await office.call("GET", "/groups/marriage", {}, 404)


async def test_a_death_becomes_what_the_interview_said(family: Family) -> None:
    parent = await family.death(insured=True)

    children = await family.children(parent)
    assert {code: child["unit"] for code, child in children.items()} == {
        "death": UNIT, "residence": POLICE, "survivor_benefit": INSURANCE,
    }  # fmt: skip
    await family.settle(parent, "death")
    assert set((await family.states(parent)).values()) == {"has_result", "in_progress"}
    assert (await family.office.call("GET", f"/dossiers/{parent}", family.office.an))["case"] == "benefit"


# ── karaoke: one after the other ──


async def test_a_karaoke_licence_waits_for_security_which_waits_for_the_business(family: Family) -> None:
    parent = await family.sent(KARAOKE, KARAOKE_ANSWERS, "TP-LTKR-02", "TP-LTKR-03")
    await family.follow()
    order = ("business", "security", "licence")

    for place, member in enumerate(order):
        states = await family.states(parent)
        assert [states[each] for each in order] == ["has_result"] * place + ["in_progress"] + ["waiting"] * (2 - place)
        await family.pay(parent, member)
        await family.settle(parent, member)

    assert await family.state(parent) == "returned"
    licence = await family.office.call("GET", f"/dossiers/{await family.code_of(parent, 'licence')}", family.office.an)
    assert licence["answers"]["security_number"].endswith("/GCN-ANTT")
    assert [file["component_code"] for file in licence["files"]] == ["TP-KR-02"]
