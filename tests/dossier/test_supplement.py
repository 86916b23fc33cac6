"""The supplement rule on the real database: asked once, by component, through the desk, answered at once."""

import asyncio
from typing import Any

import pytest

from contracts.dossier import SignatureStatus
from kit.clock import now
from kit.timers import Timer
from services.dossier import timers
from services.dossier.attachments import store as attachments
from services.dossier.attachments.domain import SignatureCheck, VerifiedBy
from services.dossier.clocks import store as clocks
from services.dossier.clocks.domain import Kind
from tests.dossier.office import OFFICERS, Office, pdf
from tests.dossier.supplementing import (
    AUTHORISATION,
    DECLARATION,
    accepted,
    add_file,
    answer,
    ask,
    drafted,
    fault,
    issue,
    item,
    name,
    send,
)


async def status(office: Office, code: str) -> str:
    return str((await office.call("GET", f"/dossiers/{code}", office.an))["status"])


async def violations(office: Office) -> list[dict[str, Any]]:
    found = await office.call("GET", "/violations", office.officer("inspector", unit="H99"))
    items: list[dict[str, Any]] = found["items"]
    return items


# ── what may be asked ──


@pytest.mark.parametrize("items", [[], [item(problem="  ")]])
async def test_free_text_alone_is_no_request(office: Office, items: list[dict[str, Any]]) -> None:
    code = await office.submitted()
    path = f"/dossiers/{code}/supplement-requests"

    problem = await office.call("POST", path, office.officers["desk"], 422, json={"items": items})

    assert name(problem) == "supplement-without-component"
    assert await status(office, code) == "submitted"


async def test_only_components_of_the_procedure_can_be_asked_for(office: Office) -> None:
    code = await office.submitted()

    assert (await ask(office, code, item("TP-XX-99"), expect=422))["components"] == ["TP-XX-99"]


async def test_a_request_stops_the_desks_clock_and_starts_the_applicants(office: Office) -> None:
    code = await office.submitted()

    asked = await ask(office, code)

    assert (asked["round"], asked["violations"]) == (1, [])
    assert asked["dossier"]["status"] == "supplement_requested_intake"
    running = [clock.kind for clock in await clocks.all_of(office.db, code) if clock.stopped_at is None]
    assert running == [Kind.SUPPLEMENT_COMPLETION]
    said = (await office.bodies(code))["SupplementRequested"]
    assert (said["round"], said["stage"], said["violation"]) == (1, "intake", False)
    assert said["items"][0]["component_code"] == DECLARATION
    assert said["mau02_ref"] == f"{code}/mau-02-1"


async def test_two_requests_are_never_open(office: Office) -> None:
    code = await office.submitted()

    answers = await asyncio.gather(
        *[
            office.http.post(
                f"/api/v1/dossiers/{code}/supplement-requests",
                headers=office.officers["desk"],
                json={"items": [item()]},
            )
            for _ in range(20)
        ]
    )

    assert [answer.status_code for answer in answers].count(201) == 1
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    assert await office.db.fetchval("SELECT count(*) FROM supplement_request WHERE state = 'open'") == 1
    assert name(await ask(office, code, expect=409)) == "supplement-already-open"


async def test_the_database_itself_holds_one_open_request(office: Office) -> None:
    code = await office.submitted()
    await ask(office, code)
    with pytest.raises(Exception, match="supplement_open_once"):
        await office.db.execute(
            "INSERT INTO supplement_request (id, dossier_code, stage, state, round, ask, reply, requested_by,"
            " requested_unit, drafted_at, issued_at) SELECT gen_random_uuid(), dossier_code, stage, state, 2, ask,"
            " reply, requested_by, requested_unit, drafted_at, issued_at FROM supplement_request"
        )


async def test_only_the_desk_of_the_unit_asks(office: Office) -> None:
    code = await office.submitted()

    await ask(office, code, who=office.strangers["desk"], expect=403)
    await ask(office, code, who=office.officers["leader"], expect=403)
    await ask(office, code, who=office.officers["specialist"], expect=409)


async def test_paper_is_not_demanded_of_what_is_validly_signed(office: Office) -> None:
    code = await office.submitted()
    (file,) = await attachments.files_of(office.db, code)
    check = SignatureCheck(file.sha256, SignatureStatus.VALID, VerifiedBy.OFFICER, now(), OFFICERS["desk"], "NEAC")
    async with office.db.transaction() as tx:
        await attachments.add_checks(tx, check)

    problem = await ask(office, code, item(on_paper=True), expect=422)

    assert name(problem) == "paper-for-signed-component"
    assert "45/2020/NĐ-CP, Điều 6 khoản 2 điểm b" in problem["detail"]
    assert problem["components"] == [DECLARATION]
    original = {"component_code": DECLARATION, "why": "Luật Hộ tịch buộc lưu bản gốc"}
    asked = await ask(office, code, item(on_paper=True), needs_original=[original])
    assert asked["violations"] == []
    said = (await office.bodies(code))["SupplementRequested"]["needs_original"]
    assert said == [{"component_code": DECLARATION, "why": "Luật Hộ tịch buộc lưu bản gốc"}]


async def test_what_becomes_public_names_nobody(office: Office) -> None:
    code = await office.submitted()

    problem = await ask(office, code, item(problem="Giấy của Nguyễn Thị An bị mờ"), expect=422)

    assert name(problem) == "names-somebody"


# ── answering ──


async def test_the_applicant_works_on_it_as_often_as_they_like_and_sends_once(office: Office) -> None:
    code = await office.submitted(answers={"event_type": "birth", "person_name": "Nguyễn Thị An", "copies": 1})
    await ask(office, code, item(), item(AUTHORISATION, "Thiếu giấy ủy quyền"))
    path = f"/dossiers/{code}/supplement"

    await office.call("PATCH", path, office.an, json={"notes": {AUTHORISATION: "Tôi không nộp thay"}})
    await office.call("PATCH", path, office.an, json={"notes": {AUTHORISATION: "Tôi tự nộp, không ủy quyền"}})
    await office.call("PATCH", path, office.an, json={"answers": {"copies": 3}})
    await add_file(office, code, text="lần một")
    await add_file(office, code, text="lần hai")
    assert await office.events(code) == [(1, "DossierSubmitted"), (2, "SupplementRequested")]
    sent = await send(office, code)

    assert (sent["status"], sent["version"]) == ("supplement_submitted", 3)
    said = (await office.bodies(code))["SupplementSubmitted"]
    assert said["changed_components"] == [DECLARATION, AUTHORISATION]
    view = await office.call("GET", f"/dossiers/{code}", office.an)
    assert view["answers"]["copies"] == 3
    files = [file for file in view["files"] if file["component_code"] == DECLARATION]
    assert [file["file_name"] for file in files] == ["bo-sung.pdf"] * 2
    assert name(await send(office, code, 409)) == "no-supplement-open"


async def test_what_is_not_answered_is_said_by_component(office: Office) -> None:
    code = await office.submitted()
    await ask(office, code, item(), item(AUTHORISATION, "Thiếu giấy ủy quyền"))
    await add_file(office, code)

    problem = await send(office, code, 422)

    assert name(problem) == "supplement-incomplete"
    assert [(error["field"], error["rule"]) for error in problem["errors"]] == [
        (f"components.{AUTHORISATION}", "not_answered")
    ]
    assert await status(office, code) == "supplement_requested_intake"


async def test_only_what_was_asked_for_can_be_changed(office: Office) -> None:
    code = await office.submitted()
    await ask(office, code, item(AUTHORISATION, "Thiếu giấy ủy quyền"))
    path = f"/dossiers/{code}/supplement"
    await office.call("PATCH", path, office.an, 422, json={"notes": {DECLARATION: "x"}})

    await office.call("PATCH", path, office.an, json={"notes": {AUTHORISATION: "x"}, "answers": {"copies": 9}})

    problem = await send(office, code, 422)
    assert ("answers", "not_listed") in [(error["field"], error["rule"]) for error in problem["errors"]]


async def test_an_empty_file_never_becomes_part_of_it(office: Office) -> None:
    code = await office.submitted()
    await ask(office, code)
    await add_file(office, code)
    data = b"%PDF-1.7 nothing more"
    body = {"file_name": "x.pdf", "content_type": "application/pdf", "size": len(data), "sha256": "0" * 64}
    await office.call("POST", f"/dossiers/{code}/components/{DECLARATION}/uploads", office.an, 201, json=body)

    assert name(await send(office, code, 422)) == "supplement-incomplete"
    assert len(pdf()) > len(data)


async def test_strangers_neither_see_nor_answer(office: Office) -> None:
    code = await office.submitted()
    await ask(office, code)

    for method, path in (("GET", "supplement"), ("GET", "supplement-requests"), ("POST", "supplement")):
        await office.call(method, f"/dossiers/{code}/{path}", office.binh, 404)


async def test_a_supplement_before_acceptance_gives_the_desk_its_time_anew(office: Office) -> None:
    code = await office.submitted()
    await ask(office, code)
    await answer(office, code)

    running = {clock.kind for clock in await clocks.all_of(office.db, code) if clock.stopped_at is None}
    assert running == {Kind.RECEPTION_SLA, Kind.OFFICER_ALERT}
    assert (await office.act(code, "acceptance"))["status"] == "accepted"


# ── once ──


async def test_a_second_request_needs_what_the_applicant_left_undone(office: Office) -> None:
    code = await office.submitted()
    await ask(office, code)
    await answer(office, code)

    assert name(await ask(office, code, expect=409)) == "second-supplement-unfounded"
    assert (
        name(await ask(office, code, citizen_fault=fault(AUTHORISATION), expect=409)) == "second-supplement-unfounded"
    )
    assert await violations(office) == []

    asked = await ask(office, code, citizen_fault=fault(DECLARATION))

    assert (asked["round"], asked["violations"]) == (2, [])
    assert (await office.bodies(code))["SupplementRequested"]["citizen_fault"]
    assert await violations(office) == []


async def test_a_second_request_without_a_reason_is_the_supervisors_and_a_violation(office: Office) -> None:
    code = await office.submitted()
    await ask(office, code)
    await answer(office, code)
    await ask(office, code, override=True, expect=409)

    supervisor = office.officer("supervisor", ref=0x301)
    asked = await ask(office, code, who=supervisor, override=True, override_reason="Luật buộc phải có")

    assert asked["violations"] == ["no_citizen_fault"]
    (recorded,) = await violations(office)
    assert (recorded["dossier_code"], recorded["round"], recorded["why"]) == (code, 2, ["no_citizen_fault"])
    assert recorded["override_reason"] == "Luật buộc phải có"
    assert (await office.bodies(code))["SupplementRequested"]["violation"] is True
    seen = (await office.call("GET", f"/dossiers/{code}/supplement-requests", office.an))["items"]
    assert seen[1]["violations"] == [], "oversight's matter, not the applicant's"


async def test_a_component_that_was_not_found_the_first_time_is_a_violation(office: Office) -> None:
    code = await office.submitted()
    await ask(office, code)
    await answer(office, code)

    more = item(AUTHORISATION, "Thiếu giấy ủy quyền")
    asked = await ask(office, code, item(), more, citizen_fault=fault(DECLARATION))

    assert asked["violations"] == ["new_components"]
    assert [recorded["why"] for recorded in await violations(office)] == [["new_components"]]


async def test_violations_are_read_by_oversight_only_and_never_rewritten(office: Office) -> None:
    for role in ("desk", "leader", "specialist"):
        await office.call("GET", "/violations", office.officers[role], 403)
    with pytest.raises(Exception, match="permission denied"):
        await office.db.execute("DELETE FROM supplement_violation")


# ── while it is processed ──


async def test_a_specialist_drafts_and_the_desk_issues(office: Office) -> None:
    code = await accepted(office)
    assert name(await ask(office, code, expect=409)) == "specialist-drafts"

    request = await drafted(office, code)

    assert await status(office, code) == "assigned", "nobody outside has heard of it"
    assert (await office.call("GET", f"/dossiers/{code}/supplement-requests", office.an))["items"] == []
    await issue(office, code, request, office.officers["specialist"], 403)
    issued = await issue(office, code, request)
    assert issued["dossier"]["status"] == "supplement_requested_processing"
    assert issued["violations"] == []
    said = (await office.bodies(code))["SupplementRequested"]
    assert (said["stage"], said["issued_by_unit"]) == ("processing", "H99.02.01")
    assert (await issue(office, code, request))["round"] == 1, "a doubled click"


async def test_a_draft_can_be_taken_back_and_only_one_waits(office: Office) -> None:
    code = await accepted(office)
    request = await drafted(office, code)
    assert name(await ask(office, code, who=office.officers["specialist"], expect=409)) == "draft-waits-already"

    await office.call("DELETE", f"/dossiers/{code}/supplement-requests/{request}", office.officers["specialist"], 204)

    await issue(office, code, await drafted(office, code))


async def test_the_time_starts_from_zero_when_the_desk_finds_it_complete(office: Office) -> None:
    code = await accepted(office)
    await issue(office, code, await drafted(office, code))
    stopped = await clocks.latest_of(office.db, code, Kind.PROCESSING_DEADLINE)
    assert stopped
    assert stopped.stopped_at
    await answer(office, code)
    await office.act(code, "acceptance", expect=409)

    path = f"/dossiers/{code}/supplement-confirmation"
    confirmed = await office.call("POST", path, office.officers["desk"])

    assert confirmed["status"] == "in_process"
    started = await clocks.latest_of(office.db, code, Kind.PROCESSING_DEADLINE)
    assert started
    assert started.started_at > stopped.started_at
    said = (await office.bodies(code))["DossierAccepted"]
    assert (said["again"], said["mau01_ref"]) == (True, f"{code}/mau-01-bs1")


async def test_a_specialists_request_after_the_window_is_a_violation_and_goes_through_the_desk(office: Office) -> None:
    code = await accepted(office)
    await office.db.execute(
        "UPDATE clock SET started_at = now() - interval '4 days', due_at = now() - interval '1 day'"
        " WHERE kind = 'supplement_window'"
    )

    issued = await issue(office, code, await drafted(office, code))

    assert issued["violations"] == ["outside_window"]
    assert [recorded["why"] for recorded in await violations(office)] == [["outside_window"]]


# ── in time ──


async def test_a_dossier_that_nobody_completes_is_closed(office: Office) -> None:
    code = await office.submitted()
    await ask(office, code)
    (clock,) = await clocks.running_of(office.db, code, Kind.SUPPLEMENT_COMPLETION)
    await office.db.execute(
        "UPDATE clock SET due_at = now(), started_at = now() - interval '1 s' WHERE id = $1", clock.id
    )
    fired = Timer(clock.kind, code, clock.due_at, {"clock": str(clock.id)}, 1, None)

    async with office.db.transaction() as tx:
        await timers.timers.deadlines[clock.kind](tx, fired)

    assert await status(office, code) == "closed_incomplete"
    assert (await office.bodies(code))["DossierClosed"]["mau05_ref"] == f"{code}/mau-05"
    assert name(await send(office, code, 409)) == "no-supplement-open"
    assert {clock.stopped_at is None for clock in await clocks.all_of(office.db, code)} == {False}
