"""Several people work on one dossier over HTTP: whose turn it is, who may not, who reads, and what is remembered."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from contracts.dossier import Step
from services.dossier import tenant
from services.dossier.catalogue import store as catalogue
from services.dossier.catalogue.domain import Procedure, WorkflowStep
from tests.dossier.office import OTHER_UNIT, UNIT, Office

LAW = "Điều 6 Nghị định số 123/2015/NĐ-CP"
HEAD, SECOND, INSPECTOR = UUID(int=0x300), UUID(int=0x301), UUID(int=0x302)
CENTRE = "H99.01"


def name(problem: dict[str, Any]) -> str:
    kind: str = problem["type"]
    return kind.rsplit(":", 1)[1]


def somebody(office: Office, ref: UUID, *roles: str, unit: str = UNIT, called: str = "") -> dict[str, str]:
    return office.identity.token(ref, "officer", unit=unit, roles=list(roles), name=called)


async def accepted(office: Office, **changes: Any) -> str:
    code = await office.submitted(**changes)
    await office.act(code, "acceptance")
    return code


async def post(
    office: Office, code: str, act: str, who: dict[str, str], expect: int = 200, **body: Any
) -> dict[str, Any]:
    return await office.call("POST", f"/dossiers/{code}/{act}", who, expect, json=body or None)


async def view(office: Office, code: str, who: dict[str, str] | None = None) -> dict[str, Any]:
    return await office.call("GET", f"/dossiers/{code}", who or office.officers["leader"])


async def queue(office: Office, kind: str, who: dict[str, str], **params: Any) -> list[str]:
    page = await office.call("GET", f"/queues/{kind}", who, params=params)
    return [item["code"] for item in page["items"]]


async def with_division_head(office: Office) -> None:
    """The procedure in a version whose work a division head assigns and reviews."""
    (extract,) = [p for p in tenant.procedures("deploy/tenants/an-binh") if p.code == "2.000635"]
    case = extract.cases[0]
    steps = (
        WorkflowStep("receive", "Tiếp nhận", Step.DESK, 0.5),
        WorkflowStep("assign", "Phân công", Step.DIVISION_HEAD, 0.5),
        WorkflowStep("prepare", "Dự thảo", Step.SPECIALIST, 4),
        WorkflowStep("review", "Thẩm tra", Step.DIVISION_HEAD, 1),
        WorkflowStep("sign", "Ký duyệt", Step.LEADER, 1.5),
        WorkflowStep("issue", "Vào số", Step.CLERK, 0.5),
    )
    await publish(office, replace(extract, cases=(replace(case, steps=steps),)))


async def publish(office: Office, procedure: Procedure) -> None:
    async with office.db.transaction() as tx:
        await catalogue.publish(tx, [procedure])


# ── who has it ──


async def test_of_many_specialists_who_take_a_dossier_one_has_it_and_does_the_work(office: Office) -> None:
    code = await accepted(office)
    takers = [somebody(office, UUID(int=0x400 + n), "specialist") for n in range(50)]

    answers = await asyncio.gather(
        *[office.http.post(f"/api/v1/dossiers/{code}/assignment", headers=who) for who in takers]
    )

    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[200] == 1
    assert set(statuses) <= {200, 409, 503}
    assert {name(a.json()) for a in answers if a.status_code == 409} == {"already-assigned"}
    owner = UUID((await view(office, code))["assignee_ref"])
    other = next(who for n, who in enumerate(takers) if UUID(int=0x400 + n) != owner)
    assert name(await post(office, code, "proposal", other, 403)) == "not-assigned-to-you"
    await post(office, code, "proposal", somebody(office, owner, "specialist"))


async def test_the_leader_gives_work_to_somebody_else(office: Office) -> None:
    code = await accepted(office)
    await post(office, code, "assignment", office.officers["specialist"])
    assert name(await post(office, code, "assignment", office.officers["specialist"], 409)) == "already-assigned"
    other = somebody(office, SECOND, "specialist")
    assert name(await post(office, code, "assignment", other, 403, officer_ref=str(HEAD))) == "not-your-role"

    await post(office, code, "assignment", office.officers["leader"], officer_ref=str(SECOND))

    assert await queue(office, "processing", other, assignee="me") == [code]
    assert await queue(office, "processing", office.officers["specialist"], assignee="me") == []
    assert await queue(office, "processing", other, assignee="none") == []


async def test_a_division_head_assigns_and_reviews_where_the_workflow_has_one(office: Office) -> None:
    await with_division_head(office)
    head = somebody(office, HEAD, "division_head")
    code = await accepted(office)
    specialist, leader = office.officers["specialist"], office.officers["leader"]
    assert await queue(office, "assignment", head) == [code]
    assert await queue(office, "processing", specialist) == []
    assert name(await post(office, code, "assignment", specialist, 409)) == "waits-for-assignment"
    assert name(await post(office, code, "proposal", specialist, 409)) == "waits-for-assignment"

    await post(office, code, "assignment", head, officer_ref=str(UUID(int=0x101)))
    assert (await view(office, code))["step"] == "prepare"
    await post(office, code, "proposal", specialist)
    assert await queue(office, "review", head) == [code]
    assert await queue(office, "signing", leader) == []
    await office.paid(code)
    assert name(await post(office, code, "signature", leader, 409)) == "review-pending"

    await post(office, code, "return", head, comment="Dự thảo ghi thiếu căn cứ")
    await post(office, code, "proposal", specialist)
    await post(office, code, "review", head)
    assert await queue(office, "signing", leader) == [code]
    assert name(await post(office, code, "review", head, 409)) == "nothing-to-review"
    await post(office, code, "signature", leader)
    assert await queue(office, "issuing", office.officers["clerk"]) == [code]


async def test_standing_orders_give_new_dossiers_to_whom_has_least_to_do(office: Office) -> None:
    leader = office.officers["leader"]
    for ref in (HEAD, SECOND):
        body = {"officer_ref": str(ref)}
        await office.call("POST", f"/units/{UNIT}/standing-assignments", leader, 204, json=body)
    await office.call("POST", f"/units/{OTHER_UNIT}/standing-assignments", leader, 403, json=body)

    first, second = [await view(office, await accepted(office)) for _ in range(2)]

    assert {UUID(first["assignee_ref"]), UUID(second["assignee_ref"])} == {HEAD, SECOND}
    assert first["status"] == second["status"] == "assigned"
    await office.call("DELETE", f"/units/{UNIT}/standing-assignments/{HEAD}", leader, 204)
    listed = await office.call("GET", f"/units/{UNIT}/standing-assignments", leader)
    assert [item["officer_ref"] for item in listed["items"]] == [str(SECOND)]


# ── forwarding ──


async def test_a_forwarded_dossier_is_the_new_units_to_act_on_and_the_old_ones_to_read(office: Office) -> None:
    code = await accepted(office)
    order: dict[str, Any] = {"to_unit": OTHER_UNIT, "note": "Sổ gốc lưu tại phường Hòa Lạc", "hours": 2}
    await post(office, code, "forwarding", office.officers["specialist"], **order)

    assert name(await post(office, code, "assignment", office.officers["specialist"], 403)) == "not-your-unit"
    theirs = somebody(office, SECOND, "specialist", unit=OTHER_UNIT)
    await post(office, code, "assignment", theirs)
    seen = await view(office, code)
    assert (seen["current_unit"], seen["receiving_unit"]) == (OTHER_UNIT, UNIT)
    assert [line["reason"] for line in seen["history"] if line["act"] == "forward"] == [order["note"]]
    told = await view(office, code, office.an)
    assert [line["reason"] for line in told["history"] if line["act"] == "forward"] == [None]
    said = (await office.bodies(code))["DossierForwarded"]
    assert said["assignee_ref"] == str(SECOND)
    assert order["note"] not in str(said)


@pytest.mark.parametrize("target", ["H99.99", UNIT])
async def test_nothing_is_forwarded_to_where_it_cannot_go(office: Office, target: str) -> None:
    code = await accepted(office)
    body: dict[str, Any] = {"to_unit": target, "note": "Chuyển"}
    assert name(await post(office, code, "forwarding", office.officers["leader"], 422, **body)) == "unit-unfit"


async def test_a_dossier_goes_up_to_the_province(office: Office) -> None:
    code = await accepted(office)
    await post(office, code, "forwarding", office.officers["leader"], to_unit=CENTRE, note="Vượt thẩm quyền cấp xã")
    assert (await view(office, code))["current_unit"] == CENTRE


# ── consultation ──


async def test_only_the_unit_that_was_asked_answers(office: Office) -> None:
    code = await accepted(office)
    specialist = office.officers["specialist"]
    await post(office, code, "assignment", specialist)
    theirs = somebody(office, SECOND, "specialist", unit=OTHER_UNIT)
    await office.call("GET", f"/dossiers/{code}", theirs, 404)
    question: dict[str, Any] = {"unit": OTHER_UNIT, "question": "Sổ đăng ký năm 1990 còn lưu không?", "hours": 4}

    asked = await post(office, code, "consultations", specialist, 201, **question)

    answer = f"consultations/{asked['consultation_id']}/answer"
    opinion: dict[str, Any] = {"outcome": "answered", "answer": "Còn lưu, quyển số 3"}
    assert name(await post(office, code, "consultations", specialist, 409, **question)) == "act-not-possible"
    assert name(await post(office, code, answer, specialist, 403, **opinion)) == "not-your-unit"
    assert await queue(office, "consultation", theirs) == [code]
    (open_one,) = (await view(office, code, theirs))["consultations"]
    assert (open_one["question"], open_one["overdue"]) == (question["question"], False)
    lapse = f"consultations/{asked['consultation_id']}/lapse"
    assert name(await post(office, code, lapse, specialist, 409)) == "consultation-still-open"

    await post(office, code, answer, theirs, **opinion)

    assert await queue(office, "consultation", theirs) == []
    assert name(await post(office, code, answer, theirs, 409, **opinion)) == "act-not-possible"
    said = await office.bodies(code)
    assert said["ConsultationAnswered"]["outcome"] == "answered"
    assert "1990" not in str(said)
    assert "quyển" not in str(await view(office, code, office.an))
    await view(office, code, theirs)  # who was asked reads on


async def test_silence_is_the_asked_units_and_the_work_goes_on(office: Office) -> None:
    code = await accepted(office)
    specialist = office.officers["specialist"]
    await post(office, code, "assignment", specialist)
    asked = await post(office, code, "consultations", specialist, 201, unit=OTHER_UNIT, question="Ý kiến?", hours=1)
    await office.db.execute("UPDATE consultation SET asked_at = asked_at - interval '9 days', due_at = now()")
    assert (await view(office, code))["consultations"][0]["overdue"]

    moved = await post(office, code, f"consultations/{asked['consultation_id']}/lapse", specialist)

    assert moved["status"] == "in_process"
    said = (await office.bodies(code))["ConsultationAnswered"]
    assert (said["outcome"], said["consulted_unit"]) == ("unanswered", OTHER_UNIT)


# ── refusal, return, withdrawal, stop ──


async def test_a_refusal_at_the_desk_says_why_and_by_which_law(office: Office) -> None:
    code = await office.submitted()
    desk = office.officers["desk"]
    assert name(await post(office, code, "rejection", desk, 422, reason="Không đủ điều kiện")) == "reason-missing"
    beyond: dict[str, Any] = {"reason": "Thuộc thẩm quyền của phường Hòa Lạc", "out_of_competence": True}
    for wrong in ({}, {"competent_unit": "H99.77"}, {"competent_unit": UNIT}):
        problem = await post(office, code, "rejection", desk, 422, **beyond, **wrong)
        assert name(problem) == "competent-unit-unknown"
    named: dict[str, Any] = {"reason": "Bà Nguyễn Thị An không có tên trong sổ", "legal_basis": LAW}
    assert name(await post(office, code, "rejection", desk, 422, **named)) == "names-somebody"

    moved = await post(office, code, "rejection", desk, **beyond, competent_unit=OTHER_UNIT)

    assert moved["status"] == "rejected"
    said = (await office.bodies(code))["DossierRejected"]
    assert (said["stage"], said["competent_unit"], said["mau03_ref"]) == ("intake", OTHER_UNIT, f"{code}/mau-03")
    told = await view(office, code, office.an)
    assert told["history"][-1]["reason"] == beyond["reason"]
    assert name(await post(office, code, "rejection", desk, 409, **beyond, competent_unit=OTHER_UNIT)) == (
        "act-not-possible"
    )


async def test_a_proposed_refusal_is_refused_or_returned_but_never_signed(office: Office) -> None:
    code = await accepted(office)
    specialist, leader = office.officers["specialist"], office.officers["leader"]
    moved = await post(office, code, "proposal", specialist, refusal="Không tìm thấy trong sổ")
    assert moved["status"] == "pending_approval"
    await office.paid(code)
    assert await queue(office, "signing", leader) == [code]
    assert name(await post(office, code, "signature", leader, 409)) in ("refusal-proposed", "result-not-ready")
    await post(office, code, "return", leader, comment="Tra cứu lại sổ năm 1991")
    await post(office, code, "proposal", specialist)
    await post(office, code, "return", leader, comment="Đúng là không có")
    await post(office, code, "proposal", specialist, refusal="Không tìm thấy trong sổ")
    assert name(await post(office, code, "signature", leader, 409)) == "refusal-proposed"

    moved = await post(office, code, "refusal", leader, reason="Không có sự kiện hộ tịch này", legal_basis=LAW)

    assert moved["status"] == "rejected"
    said = (await office.bodies(code))["DossierRejected"]
    assert (said["stage"], said["mau03_ref"]) == ("processing", f"{code}/mau-03")
    outcomes = [e for e in await office.events(code) if e[1] in ("StepCompleted", "StepReturned")]
    assert len(outcomes) == 5


async def test_who_drafted_refuses_as_little_as_signs(office: Office) -> None:
    code = await accepted(office)
    await post(office, code, "proposal", office.everything, refusal="Không có trong sổ")
    body: dict[str, Any] = {"reason": "Không có", "legal_basis": LAW}
    assert name(await post(office, code, "refusal", office.everything, 403, **body)) == "separation-of-duties"


async def test_after_the_appointment_a_refusal_needs_the_supervisors_exception(office: Office) -> None:
    code = await accepted(office)
    leader = office.officers["leader"]
    await post(office, code, "proposal", office.officers["specialist"], refusal="Không có trong sổ")
    await office.db.execute("UPDATE dossier SET due_at = now() - interval '1 hour' WHERE code = $1", code)
    body: dict[str, Any] = {"reason": "Không có sự kiện hộ tịch này", "legal_basis": LAW}
    assert name(await post(office, code, "refusal", leader, 409, **body)) == "refusal-too-late"
    granted: dict[str, Any] = {"rule": "refusal-too-late", "reason": "Đã xin lỗi và hẹn lại một lần"}
    await post(office, code, "exceptions", leader, 403, **granted)
    supervisor = somebody(office, HEAD, "supervisor")

    await post(office, code, "exceptions", supervisor, 201, **granted)
    assert name(await post(office, code, "exceptions", supervisor, 409, **granted)) == "exception-granted"
    await post(office, code, "refusal", leader, **body)

    used = await office.db.fetchrow("SELECT granted_by, used_by IS NOT NULL AS used FROM exception_granted")
    assert used is not None
    assert (used["granted_by"], used["used"]) == (HEAD, True)


async def test_the_owner_withdraws_until_the_leader_has_signed(office: Office) -> None:
    early, late = await office.submitted(), await accepted(office)
    offered = await office.call("GET", "/withdrawal-reasons", office.an)
    assert {"code": "filed_twice", "label": "Đã nộp trùng hồ sơ"} in offered["items"]
    await post(office, early, "withdrawal", office.binh, 404)
    await post(office, early, "withdrawal", office.officers["desk"], 403)
    await post(office, early, "withdrawal", office.an, 422, reason="vì tôi thích")

    assert (await post(office, early, "withdrawal", office.an, reason="filed_twice"))["status"] == "withdrawn"
    assert (await office.bodies(early))["DossierWithdrawn"] == {
        **(await office.bodies(early))["DossierWithdrawn"], "reason": "Đã nộp trùng hồ sơ", "mau05_ref": None,
    }  # fmt: skip
    await post(office, late, "proposal", office.officers["specialist"])
    await office.paid(late)
    await post(office, late, "signature", office.officers["leader"])
    assert name(await post(office, late, "withdrawal", office.an, 409)) == "already-signed"
    assert name(await post(office, late, "return", office.officers["leader"], 409, comment="Xem lại")) == (
        "already-signed"
    )


async def test_a_withdrawal_after_acceptance_comes_with_its_notice_and_stops_every_clock(office: Office) -> None:
    code = await accepted(office)
    await post(office, code, "withdrawal", office.an)
    assert (await office.bodies(code))["DossierWithdrawn"]["mau05_ref"] == f"{code}/mau-05"
    running = await office.db.fetchval(
        "SELECT count(*) FROM clock WHERE dossier_code = $1 AND stopped_at IS NULL", code
    )
    assert running == 0


async def test_the_leader_stops_the_work_for_a_reason_of_law(office: Office) -> None:
    code = await accepted(office)
    await post(office, code, "stop", office.officers["specialist"], 403, reason="x", legal_basis="y")
    await post(office, code, "stop", office.officers["leader"], 422, reason="", legal_basis=LAW)

    moved = await post(
        office, code, "stop", office.officers["leader"], reason="Có quyết định của tòa án", legal_basis=LAW
    )

    assert moved["status"] == "stopped"
    assert (await office.bodies(code))["DossierStopped"]["mau05_ref"] == f"{code}/mau-05"
    for act, who in (("proposal", "specialist"), ("acceptance", "desk"), ("handover", "desk")):
        assert (await post(office, code, act, office.officers[who], 409))["status"] == 409


# ── financial obligations ──


async def test_the_work_waits_for_a_financial_obligation_and_the_clock_stands_if_the_case_says_so(
    office: Office,
) -> None:
    (extract,) = [p for p in tenant.procedures("deploy/tenants/an-binh") if p.code == "2.000635"]
    await publish(office, replace(extract, cases=(replace(extract.cases[0], obligation_pauses_clock=True),)))
    code = await accepted(office)
    before = (await view(office, code))["due_at"]
    specialist = office.officers["specialist"]
    await post(office, code, "assignment", specialist)
    owed: dict[str, Any] = {
        "purpose": "Lệ phí trước bạ",
        "legal_basis": "Thông báo của cơ quan thuế",
        "amount": 1_250_000,
    }

    await post(office, code, "financial-obligation", specialist, **owed)

    assert (await view(office, code, office.an))["status"] == "awaiting_financial_obligation"
    assert await queue(office, "obligation", office.officers["desk"]) == [code]
    assert name(await post(office, code, "proposal", specialist, 409)) == "act-not-possible"
    await office.db.execute(
        "UPDATE clock SET pauses = jsonb_set(pauses, '{0,since}', to_jsonb(now() - interval '7 days'))"
        " WHERE kind = 'processing_deadline'"
    )
    confirmed = await post(
        office, code, "financial-obligation/confirmation", office.officers["desk"], evidence="Giấy nộp tiền 0001234"
    )
    assert confirmed["status"] == "in_process"
    assert confirmed["due_at"] > before
    said = await office.bodies(code)
    assert said["DeadlineExtended"]["kind"] == "by_law"
    assert "0001234" not in str(said)
    await post(office, code, "proposal", specialist)


# ── who reads ──


async def test_who_runs_the_system_sees_no_content(office: Office) -> None:
    code = await accepted(office)
    for role in ("system_admin", "cashier", "catalogue_editor"):
        who = somebody(office, HEAD, role)
        assert name(await office.call("GET", f"/dossiers/{code}", who, 403)) == "no-content-for-your-role"
        refused = await office.call("GET", "/queues/processing", who, 403)
        assert name(refused) == ("forbidden" if role == "system_admin" else "no-content-for-your-role")


async def test_an_inspector_reads_any_dossier_of_the_province_after_saying_why(office: Office) -> None:
    code = await accepted(office)
    who = somebody(office, INSPECTOR, "inspector", unit=CENTRE)
    assert name(await office.call("GET", f"/dossiers/{code}", who, 403)) == "reason-to-read-missing"
    await post(office, code, "inspections", who, 422, reason="?")

    await post(office, code, "inspections", who, 201, reason="Đơn phản ánh số 12/ĐPA ngày 20/11/2026")
    file = (await view(office, code, who))["files"][0]["id"]
    await office.call("GET", f"/dossiers/{code}/files/{file}", who)

    seen = (await office.call("GET", f"/dossiers/{code}/readings", who))["items"]
    mine = [line for line in seen if line["officer_ref"] == str(INSPECTOR)]
    assert [line["what"] for line in mine] == ["readings", f"file {file}", "dossier"]
    assert {line["reason"] for line in mine} == {"Đơn phản ánh số 12/ĐPA ngày 20/11/2026"}
    assert {line["right_to_read"] for line in mine} == {"inspection"}
    told = (await office.call("GET", f"/dossiers/{code}/readings", office.an))["items"]
    assert {(line["officer_ref"], line["reason"]) for line in told} == {(None, None)}
    await office.call("GET", f"/dossiers/{code}/readings", office.officers["specialist"], 403)
    with pytest.raises(Exception, match="permission denied"):
        await office.db.execute("DELETE FROM reading")


async def test_whoever_decides_is_warned_of_their_own_matter(office: Office) -> None:
    code = await accepted(office)
    await post(office, code, "proposal", office.officers["specialist"])
    await office.paid(code)
    namesake = somebody(office, UUID(int=0x102), "leader", called="nguyễn thị an")
    assert (await view(office, code, namesake))["warnings"]

    assert (await post(office, code, "signature", namesake))["warnings"]
    assert (await view(office, code))["warnings"] == []


# ── what may be done ──


async def test_a_dossier_tells_each_officer_what_they_may_do_and_why_not_the_rest(office: Office) -> None:
    code = await office.submitted()

    async def acts(who: dict[str, str]) -> dict[str, str | None]:
        return {act["act"]: act["rule"] for act in (await view(office, code, who))["acts"]}

    assert {act for act, rule in (await acts(office.officers["desk"])).items() if rule is None} == {
        "accept", "request_supplement", "reject",
    }  # fmt: skip
    assert await acts(office.an) == {"supplement": "act-not-possible", "withdraw": None}
    await office.act(code, "acceptance")
    assert (await acts(office.officers["specialist"]))["propose"] == "act-not-possible"
    await office.act(code, "proposal")
    leader = await acts(office.officers["leader"])
    assert leader["approve"] == "fee-unpaid"
    assert (leader["refuse"], leader["return_step"], leader["stop"]) == (None, None, None)
    await office.paid(code)
    assert (await acts(office.officers["leader"]))["approve"] is None
    (sign,) = [act for act in (await view(office, code))["acts"] if act["act"] == "approve"]
    assert sign["label"] == "Ký số"


# ── queues ──


async def test_queues_are_searched_without_diacritics_and_paged_by_urgency(office: Office) -> None:
    codes = [await office.submitted() for _ in range(3)]
    desk = office.officers["desk"]
    for hours, code in enumerate(reversed(codes), 1):
        due = "UPDATE dossier SET next_due_at = now() + make_interval(hours => $2) WHERE code = $1"
        await office.db.execute(due, code, hours)
    assert await queue(office, "reception", desk) == codes[::-1]

    page = await office.call("GET", "/queues/reception", desk, params={"limit": 2})
    assert (page["total"], page["next"]) == (3, codes[1])
    rest = await office.call("GET", "/queues/reception", desk, params={"limit": 2, "after": page["next"]})
    assert ([item["code"] for item in rest["items"]], rest["next"]) == ([codes[0]], None)
    assert len(await queue(office, "reception", desk, q="nguyen thi an")) == 3
    assert await queue(office, "reception", desk, q=codes[0][-4:]) == [codes[0]]
    assert await queue(office, "reception", desk, q="%") == []


# ── races ──


async def race(office: Office, code: str, *calls: tuple[str, dict[str, str], dict[str, Any] | None]) -> Counter[str]:
    """All at once; how often each address succeeded."""

    async def one(act: str, who: dict[str, str], body: dict[str, Any] | None) -> tuple[str, int]:
        answer = await office.http.post(f"/api/v1/dossiers/{code}/{act}", headers=who, json=body)
        assert answer.status_code in (200, 403, 409, 412, 503), answer.text
        return act, answer.status_code

    answers = await asyncio.gather(*[one(*call) for call in calls])
    return Counter(act for act, status in answers if status == 200)


async def test_of_fifty_who_accept_or_refuse_one_wins(office: Office) -> None:
    code = await office.submitted()
    desk, why = office.officers["desk"], {"reason": "Không đủ điều kiện", "legal_basis": LAW}

    won = await race(office, code, *[("acceptance", desk, None), ("rejection", desk, why)] * 25)

    assert won.total() == 1
    assert len(await office.events(code)) == 2
    assert (await view(office, code))["status"] == {"acceptance": "accepted", "rejection": "rejected"}[next(iter(won))]


async def test_of_signing_returning_refusing_and_withdrawing_at_once_one_wins(office: Office) -> None:
    code = await accepted(office)
    await post(office, code, "proposal", office.officers["specialist"])
    await office.paid(code)
    before = len(await office.events(code))
    leader = office.officers["leader"]
    calls = [
        ("signature", leader, None),
        ("return", leader, {"comment": "Xem lại"}),
        ("refusal", leader, {"reason": "Không có", "legal_basis": LAW}),
        ("withdrawal", office.an, None),
        ("stop", leader, {"reason": "Có quyết định của tòa án", "legal_basis": LAW}),
    ]

    won = await race(office, code, *calls * 10)

    ends = {"refusal": "rejected", "withdrawal": "withdrawn", "stop": "stopped"}
    status = (await view(office, code))["status"]
    events = await office.events(code)
    assert [version for version, _ in events] == list(range(1, len(events) + 1))
    # A stopped or withdrawn dossier may have been returned or signed first; of each way out there is one at most.
    outs = [act for act in won if act in ends]
    assert len(outs) <= 1
    assert all(won[act] == 1 for act in outs)
    if outs:
        assert status == ends[outs[0]]
    assert not (won["signature"] and won["return"])
    assert won["return"] <= 1
    assert len(events) == before + len(outs) + won["return"] + (1 if won["signature"] else 0)
