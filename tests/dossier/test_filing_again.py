"""What was given once: documents by link, consent at sending, a copy of what is over, the filled form in print."""

from dataclasses import replace
from datetime import date
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from services.dossier.catalogue import store as catalogue
from services.dossier.documents.domain import Purpose
from services.dossier.documents.words import CONSENTS
from tests.dossier.office import ANSWERS, PROCEDURE, Office, pdf

EDITION = CONSENTS[Purpose.DOCUMENT_REUSE].version
COMPONENT = "TP-TL-01"


async def kept(office: Office) -> str:
    """A dossier whose paper is in the store; its code."""
    draft = await office.draft()
    await office.upload(draft, pdf("giấy tờ"))
    body = {"keep_documents": True, "text_version": EDITION}
    sent = await office.call("POST", f"/drafts/{draft}/submission", office.an, 201, json=body)
    code: str = sent["code"]
    return code


async def documents(office: Office) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await office.call("GET", "/documents", office.an))["items"]
    return found


async def link(office: Office, draft: str, document: str, expect: int = 201) -> dict[str, Any]:
    path = f"/drafts/{draft}/components/{COMPONENT}/documents"
    return await office.call("POST", path, office.an, expect, json={"document_id": document})


async def warned(office: Office, draft: str) -> list[str]:
    checked = await office.call("GET", f"/drafts/{draft}/check", office.an)
    return [warning["rule"] for warning in checked["warnings"]]


# ── the store ──


async def test_papers_are_kept_only_with_consent(office: Office) -> None:
    await office.submitted()
    assert await documents(office) == []

    code = await kept(office)

    (document,) = await documents(office)
    assert (document["origin"], document["component_code"], document["dossier_code"]) == ("provided", COMPONENT, code)
    (consent,) = (await office.call("GET", "/consents", office.an))["items"]
    assert consent["purpose"] == "document_reuse"


async def test_nobody_agrees_for_the_owner_or_to_another_text(office: Office) -> None:
    draft = await office.draft(on_behalf=True)
    body = {"keep_documents": True, "text_version": EDITION}
    problem = await office.call("POST", f"/drafts/{draft}/submission", office.an, 409, json=body)
    assert problem["type"] == "urn:motcua:problem:consent-not-yours"

    draft = await office.draft()
    await office.call("POST", f"/drafts/{draft}/submission", office.an, 409, json={"keep_documents": True})
    assert await documents(office) == []


async def test_what_was_provided_is_offered_and_need_not_be_sent_again(office: Office) -> None:
    await kept(office)
    (document,) = await documents(office)
    draft = await office.draft()
    assert await warned(office, draft) == ["already_provided"]

    await link(office, draft, document["id"])

    assert await warned(office, draft) == []
    code = (await office.submission(draft))["code"]
    assert (await office.bodies(code))["DossierSubmitted"]["components"][0]["source"] == "edoc_store"
    (file,) = (await office.call("GET", f"/dossiers/{code}", office.an))["files"]
    there = await office.download(
        await office.call("GET", f"/dossiers/{code}/files/{file['id']}", office.officers["desk"])
    )
    assert there == pdf("giấy tờ")


async def test_a_document_that_lapsed_is_noticed_at_sending_and_again_at_acceptance(office: Office) -> None:
    await kept(office)
    (document,) = await documents(office)
    sent, waiting = await office.draft(), await office.draft()
    for draft in (sent, waiting):
        await link(office, draft, document["id"])
    code = (await office.submission(sent))["code"]

    await office.db.execute("UPDATE document SET revoked_at = now()")

    problem = await office.submission(waiting, 422)
    assert [(error["field"], error["rule"]) for error in problem["errors"]] == [
        (f"components.{COMPONENT}", "not_in_force")
    ]
    problem = await office.act(code, "acceptance", expect=409)
    assert problem["type"] == "urn:motcua:problem:documents-lapsed"
    assert problem["components"] == [COMPONENT]


async def test_only_ones_own_documents_that_fit_and_are_in_force_are_used(office: Office) -> None:
    await kept(office)
    (document,) = await documents(office)
    draft = await office.draft()

    await office.call("POST", f"/drafts/{draft}/components/TP-TL-02/documents", office.an, 422,
        json={"document_id": document["id"]})  # fmt: skip
    await office.db.execute("UPDATE document SET valid_to = $1", date(2020, 1, 1))
    assert (await link(office, draft, document["id"], 409))["type"].endswith("document-not-in-force")
    other = (await office.call("POST", "/drafts", office.binh, 201,
        json={"procedure_code": PROCEDURE, "receiving_unit": "H99.02.01"}))["id"]  # fmt: skip
    await office.call("POST", f"/drafts/{other}/components/{COMPONENT}/documents", office.binh, 404,
        json={"document_id": document["id"]})  # fmt: skip


async def test_a_withdrawn_consent_empties_the_store_and_open_drafts_and_leaves_what_was_filed(office: Office) -> None:
    code = await kept(office)
    (document,) = await documents(office)
    draft = await office.draft()
    await link(office, draft, document["id"])
    (consent,) = (await office.call("GET", "/consents", office.an))["items"]

    await office.call("POST", f"/consents/{consent['id']}/withdrawal", office.an)

    assert await documents(office) == []
    assert (await office.call("GET", f"/drafts/{draft}", office.an))["links"] == []
    (file,) = (await office.call("GET", f"/dossiers/{code}", office.an))["files"]
    await office.download(await office.call("GET", f"/dossiers/{code}/files/{file['id']}", office.an))


# ── filling in ──


async def test_without_identity_one_goes_on_by_hand(office: Office) -> None:
    draft = await office.draft()

    answer = await office.call("POST", f"/drafts/{draft}/prefill", office.an)

    assert (answer["available"], answer["filled"]) == (False, [])


# ── copies ──


async def over(office: Office, code: str) -> None:
    await office.db.execute("UPDATE dossier SET state = 'withdrawn' WHERE code = $1", code)


async def test_what_is_over_is_copied_into_a_new_draft(office: Office) -> None:
    code = await office.submitted(reach={"sms_number": "0900000001"})
    await office.call("POST", f"/dossiers/{code}/copy", office.an, 409)
    await over(office, code)

    copy = await office.call("POST", f"/dossiers/{code}/copy", office.an, 201)

    draft = copy["draft"]
    assert copy["dropped"] == []
    assert (draft["answers"], draft["delivery"], draft["copied_from"]) == (ANSWERS, "online", code)
    assert draft["reach"]["sms_number"] == "0900000001"
    assert [one["component_code"] for one in draft["links"]] == [COMPONENT]
    problem = await office.submission(draft["id"], 422)
    assert [error["field"] for error in problem["errors"]] == ["receiving_unit"]
    await office.call("PATCH", f"/drafts/{draft['id']}", office.an, json={"receiving_unit": "H99.02.01"})
    assert (await office.submission(draft["id"]))["code"] != code
    await office.call("POST", f"/dossiers/{code}/copy", office.binh, 404)


async def test_what_no_longer_fits_is_left_behind_and_named(office: Office) -> None:
    code = await office.submitted()
    await over(office, code)
    await newer_version(office)

    copy = await office.call("POST", f"/dossiers/{code}/copy", office.an, 201)

    assert {fault["field"]: fault["rule"] for fault in copy["dropped"]} == {
        "answers.copies": "maximum", f"components.{COMPONENT}": "gone",
    }  # fmt: skip
    assert "copies" not in copy["draft"]["answers"]
    assert copy["draft"]["links"] == []


async def newer_version(office: Office) -> None:
    """The province changes the procedure: one copy at most, and another declaration."""
    found = await catalogue.current(office.db, PROCEDURE)
    assert found
    _, procedure = found
    case = procedure.cases[0]
    renamed = tuple(replace(each, code=each.code.replace(COMPONENT, "TP-TL-99")) for each in case.components)
    form = procedure.eforms[case.eform or ""]
    schema = {**form.schema, "properties": {**form.schema["properties"], "copies": {"type": "integer", "maximum": 1}}}
    changed = replace(
        procedure, cases=(replace(case, components=renamed), *procedure.cases[1:]),
        eforms={**procedure.eforms, case.eform or "": replace(form, schema=schema)},
    )  # fmt: skip
    async with office.db.transaction() as tx:
        await catalogue.publish(tx, [changed])


# ── print ──


@pytest.mark.parametrize("sent", [False, True])
async def test_the_filled_form_is_printed_as_people_write(office: Office, sent: bool) -> None:
    answers = {**ANSWERS, "register_date": "2015-03-09"}
    draft = await office.draft(answers=answers)
    path = f"/drafts/{draft}/form"
    if sent:
        await office.upload(draft, pdf())
        path = f"/dossiers/{(await office.submission(draft))['code']}/form"

    data = await office.download(await office.call("GET", path, office.an))

    reader = PdfReader(BytesIO(data))
    text = " ".join(page.extract_text() for page in reader.pages)
    assert "Khai sinh" in text
    assert "09/03/2015" in text
    assert "Nguyễn Thị An" in text
    assert ("Mã hồ sơ: H99.02.01" in text) is sent
    assert b"/Marked true" in data
    assert await office.db.fetchval("SELECT count(*) FROM timer WHERE kind = 'forget_print'") == 1
