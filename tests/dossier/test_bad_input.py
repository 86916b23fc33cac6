"""Input that nobody sends by mistake: refused by name, never a broken server."""

from typing import Any

import pytest

from tests.dossier.office import ANSWERS, Office


async def test_a_zero_byte_has_no_place_in_a_draft(office: Office) -> None:
    draft = await office.draft()

    for answers in ({"person_name": "An\x00"}, {"a\x00": 1}, {"deep": [{"x": "\x00"}]}):
        problem = await office.call("PATCH", f"/drafts/{draft}", office.an, 422, json={"answers": answers})
        assert problem["type"] == "urn:motcua:problem:answers-unfit"


async def test_answers_have_a_size(office: Office) -> None:
    draft = await office.draft()

    problem = await office.call("PATCH", f"/drafts/{draft}", office.an, 422, json={"answers": {"x": "đ" * 200_000}})

    assert problem["type"] == "urn:motcua:problem:answers-unfit"
    await office.call("PATCH", f"/drafts/{draft}", office.an, 422, json={"answers": {str(n): n for n in range(301)}})


@pytest.mark.parametrize(
    "changes", [{"file_name": "a\x00.pdf"}, {"file_name": "a\n.pdf"}, {"size": 0}, {"sha256": "x"}, {"other": 1}]
)
async def test_an_upload_is_described_properly(office: Office, changes: dict[str, Any]) -> None:
    draft = await office.draft()
    body = {"file_name": "x.pdf", "content_type": "application/pdf", "size": 10, "sha256": "0" * 64, **changes}

    await office.call("POST", f"/drafts/{draft}/components/TP-TL-01/uploads", office.an, 422, json=body)


@pytest.mark.parametrize(
    "path", ["/procedures/%00", "/procedures?q=%00", "/dossiers/%00", "/queues/reception?after=%00", "/drafts/%00"]
)
async def test_a_zero_byte_in_an_address_is_refused(office: Office, path: str) -> None:
    who = office.an if path.startswith("/drafts") else office.officers["desk"]
    answer = await office.http.get(f"/api/v1{path}", headers=who)

    assert answer.status_code in (404, 422), answer.text


async def test_a_name_is_text_in_the_result_whatever_it_looks_like(office: Office) -> None:
    name = '#panic() $x$ *b* \\ "quoted" #read("/etc/passwd")'
    code = await office.submitted(answers={**ANSWERS, "person_name": name})
    await office.act(code, "acceptance")

    assert (await office.act(code, "proposal"))["status"] == "pending_approval"


async def test_a_proposal_says_only_what_the_form_knows(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance")

    problem = await office.act(code, "proposal", expect=422, json={"found": {"register_date": "hôm qua"}})
    assert problem["type"] == "urn:motcua:problem:draft-incomplete"
    problem = await office.act(code, "proposal", expect=422, json={"found": {"stranger": "x"}})
    assert problem["type"] == "urn:motcua:problem:draft-incomplete"
    found = {"register_no": "07/2015", "register_date": "2015-03-09"}
    await office.act(code, "proposal", json={"found": found})
