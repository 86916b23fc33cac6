"""Filing over HTTP: what is refused and why, and that one draft makes one dossier."""

import asyncio
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from tests.dossier.office import ANSWERS, PROCEDURE, Office, pdf

INCOMPLETE = "urn:motcua:problem:draft-incomplete"


def picture(kind: str) -> bytes:
    out = BytesIO()
    Image.new("RGB", (40, 40), "white").save(out, kind)
    return out.getvalue()


def scripted() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    script = {"/Type": "/Action", "/S": "/JavaScript", "/JS": "app.alert(1)"}
    action = DictionaryObject({NameObject(name): _object(value) for name, value in script.items()})
    writer.root_object[NameObject("/OpenAction")] = action
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def _object(value: str) -> NameObject | TextStringObject:
    return NameObject(value) if value.startswith("/") else TextStringObject(value)


def encrypted() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.encrypt("secret")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def errors(problem: dict[str, Any]) -> dict[str, str]:
    assert problem["type"] == INCOMPLETE
    assert problem["title"].startswith("Hồ sơ chưa thể gửi")
    return {error["field"]: error["rule"] for error in problem["errors"]}


async def refused(office: Office, draft: str) -> dict[str, str]:
    return errors(await office.submission(draft, 422))


# ── drafts ──


async def test_saving_never_refuses_what_is_incomplete(office: Office) -> None:
    draft = await office.draft(answers={"copies": "rất nhiều", "lạ": 1}, delivery=None)

    view = await office.call("GET", f"/drafts/{draft}", office.an)

    assert view["answers"] == {"copies": "rất nhiều", "lạ": 1}
    assert [item["id"] for item in (await office.call("GET", "/drafts", office.an))["items"]] == [draft]


async def test_a_draft_is_its_owners_alone(office: Office) -> None:
    draft = await office.draft()

    await office.call("GET", f"/drafts/{draft}", office.binh, 404)
    await office.call("PATCH", f"/drafts/{draft}", office.binh, 404, json={"sms_opt_in": True})
    await office.call("POST", f"/drafts/{draft}/submission", office.binh, 404)
    assert (await office.call("GET", "/drafts", office.binh))["items"] == []


async def test_a_change_of_an_old_version_is_refused(office: Office) -> None:
    draft = await office.draft()

    answer = await office.call(
        "PATCH", f"/drafts/{draft}", office.an, 409, json={"sms_opt_in": True}, headers={"If-Match": '"1"'}
    )

    assert answer["version"] == 2
    await office.call("PATCH", f"/drafts/{draft}", office.an, json={"sms_opt_in": True}, headers={"If-Match": '"2"'})


async def test_a_null_takes_an_answer_away(office: Office) -> None:
    draft = await office.draft()

    view = await office.call("PATCH", f"/drafts/{draft}", office.an, json={"answers": {"copies": None}})

    assert "copies" not in view["answers"]


async def test_a_deleted_draft_is_gone(office: Office) -> None:
    draft = await office.draft()
    await office.announce(draft, pdf())

    await office.call("DELETE", f"/drafts/{draft}", office.an, 204)

    await office.call("GET", f"/drafts/{draft}", office.an, 404)


async def test_only_units_that_receive_can_be_chosen(office: Office) -> None:
    body = {"procedure_code": PROCEDURE, "receiving_unit": "H99.77"}
    assert (await office.call("POST", "/drafts", office.an, 409, json=body))["type"].endswith("not-open-online")
    await office.call("POST", "/drafts", office.an, 404, json={**body, "procedure_code": "1.000000"})


# ── what is announced ──


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"content_type": "application/zip"}, "chỉ nhận tệp"),
        ({"size": 51 * 1024 * 1024}, "không quá 10 MB"),
    ],
)
async def test_a_file_is_refused_by_what_is_said_about_it(office: Office, changes: dict[str, Any], says: str) -> None:
    draft = await office.draft()
    body = {"file_name": "x.pdf", "content_type": "application/pdf", "size": 10, "sha256": "0" * 64, **changes}

    problem = await office.call("POST", f"/drafts/{draft}/components/TP-TL-01/uploads", office.an, 422, json=body)

    assert problem["type"] == "urn:motcua:problem:file-refused"
    assert "Tờ khai cấp bản sao trích lục hộ tịch" in problem["detail"]
    assert says in problem["detail"]


async def test_the_store_itself_refuses_more_bytes_than_were_announced(office: Office) -> None:
    draft = await office.draft()
    ticket = await office.announce(draft, pdf())

    await office.send_file(ticket, pdf() + b" " * 1000, expect=400)


# ── what is sent ──


async def test_everything_that_is_wrong_is_said_at_once(office: Office) -> None:
    draft = await office.draft(answers={"event_type": "divorce", "copies": 21}, delivery=None)

    problem = await office.submission(draft, 422)

    assert errors(problem) == {
        "answers.copies": "maximum",
        "answers.event_type": "enum",
        "answers.person_name": "required",
        "delivery": "required",
        "components.TP-TL-01": "missing",
    }
    said = {error["field"]: error["message"] for error in problem["errors"]}
    assert said["answers.person_name"] == "Chưa trả lời “Họ, chữ đệm, tên của người được đăng ký hộ tịch”"
    assert "Tờ khai cấp bản sao trích lục hộ tịch" in said["components.TP-TL-01"]


async def test_an_answer_nobody_asked_for_is_named(office: Office) -> None:
    draft = await office.draft(answers={**ANSWERS, "secret": 1})
    await office.upload(draft, pdf())

    assert await refused(office, draft) == {"answers.secret": "additionalProperties"}


async def test_a_condition_makes_a_component_mandatory(office: Office) -> None:
    draft = await office.draft(answers={**ANSWERS, "authorised": True})
    await office.upload(draft, pdf())

    assert await refused(office, draft) == {"components.TP-TL-02": "missing"}


async def test_a_file_that_never_came(office: Office) -> None:
    draft = await office.draft()
    await office.announce(draft, pdf())

    assert await refused(office, draft) == {"components.TP-TL-01": "never_uploaded"}


async def test_another_file_than_the_announced_one(office: Office) -> None:
    draft, announced = await office.draft(), pdf("Một")
    other = announced[:-1] + b"\r"
    ticket = await office.announce(draft, announced)
    await office.send_file(ticket, other)

    assert await refused(office, draft) == {"components.TP-TL-01": "changed"}


@pytest.mark.parametrize(
    ("data", "kind", "rule"),
    [
        (b"MZ this is a program", "application/pdf", "not_what_it_claims"),
        (b"%PDF-1.7 and then nothing of it %%EOF", "application/pdf", "not_what_it_claims"),
        (pdf()[:-40], "application/pdf", "truncated"),
        (scripted(), "application/pdf", "active_content"),
        (encrypted(), "application/pdf", "encrypted"),
        (picture("PNG"), "image/jpeg", "not_what_it_claims"),
        (picture("JPEG")[:200], "image/jpeg", "not_what_it_claims"),
        (b"<svg/>", "image/png", "not_what_it_claims"),
    ],
    ids=["program", "stub", "truncated", "script", "password", "png as jpeg", "cut jpeg", "svg as png"],
)
async def test_a_file_that_is_not_what_it_claims_or_does_harm(
    office: Office, data: bytes, kind: str, rule: str
) -> None:
    draft = await office.draft()
    await office.upload(draft, data, kind)

    problem = await office.submission(draft, 422)

    assert errors(problem) == {"components.TP-TL-01": rule}
    assert problem["errors"][0]["message"].startswith("“Tờ khai cấp bản sao trích lục hộ tịch”: tệp “to-khai.pdf”")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
async def test_pictures_are_taken(office: Office, kind: str) -> None:
    draft = await office.draft()
    await office.upload(draft, picture(kind), f"image/{kind.lower()}", file_name="anh")

    assert (await office.submission(draft))["status"] == "submitted"


async def test_a_newer_file_replaces_the_oldest(office: Office) -> None:
    draft = await office.draft()
    await office.announce(draft, pdf("never sent"))
    for number in range(3):
        await office.upload(draft, pdf(str(number)), file_name=f"{number}.pdf")

    code = (await office.submission(draft))["code"]

    view = await office.call("GET", f"/dossiers/{code}", office.an)
    assert [file["file_name"] for file in view["files"]] == ["0.pdf", "1.pdf", "2.pdf"]


async def test_what_is_sent_afterwards_changes_nothing(office: Office) -> None:
    """The sender's leave to write outlives the submission; the dossier keeps the bytes that were checked."""
    draft, honest = await office.draft(), pdf("đúng")
    ticket = await office.announce(draft, honest)
    await office.send_file(ticket, honest)
    code = (await office.submission(draft))["code"]

    await office.send_file(ticket, honest[:-1] + b"!")

    file = (await office.call("GET", f"/dossiers/{code}", office.an))["files"][0]
    link = await office.call("GET", f"/dossiers/{code}/files/{file['id']}", office.officers["desk"])
    assert await office.download(link) == honest


# ── one draft, one dossier ──


async def test_sending_again_answers_with_the_same_code(office: Office) -> None:
    draft = await office.draft()
    await office.upload(draft, pdf())
    first = await office.submission(draft)

    assert await office.submission(draft) == first
    assert await office.events(first["code"]) == [(1, "DossierSubmitted")]
    problem = await office.call("PATCH", f"/drafts/{draft}", office.an, 409, json={"sms_opt_in": True})
    assert problem["type"] == "urn:motcua:problem:draft-already-sent"
    assert (await office.call("GET", "/drafts", office.an))["items"] == []


async def test_racing_submissions_of_one_draft_make_one_dossier(office: Office) -> None:
    draft = await office.draft()
    await office.upload(draft, pdf())

    answers = await asyncio.gather(*[office.submission(draft) for _ in range(4)])

    assert len({answer["code"] for answer in answers}) == 1
    assert await office.db.fetchval("SELECT count(*) FROM dossier") == 1
    assert await office.db.fetchval("SELECT count(*) FROM outbox") == 1
    assert await office.db.fetchval("SELECT count(*) FROM component_file") == 1


async def test_codes_count_per_unit_and_day(office: Office) -> None:
    drafts = [await office.draft() for _ in range(5)]
    for draft in drafts:
        await office.upload(draft, pdf())

    codes = {answer["code"] for answer in await asyncio.gather(*map(office.submission, drafts))}

    assert {code.rsplit("-", 1)[1] for code in codes} == {"0001", "0002", "0003", "0004", "0005"}


async def test_the_desk_sees_it_in_its_queue_and_another_unit_does_not(office: Office) -> None:
    code = await office.submitted()

    mine = await office.call("GET", "/queues/reception", office.officers["desk"])
    assert [(item["code"], item["state"], item["label"]) for item in mine["items"]] == [
        (code, "submitted", "Mới đăng ký")
    ]
    assert mine["items"][0]["due_at"]
    assert (await office.call("GET", "/queues/reception", office.strangers["desk"]))["items"] == []
    await office.call("GET", f"/dossiers/{code}", office.strangers["desk"], 404)
    await office.call("GET", f"/dossiers/{code}", office.binh, 404)
    await office.call("GET", "/queues/reception", office.an, 403)


async def test_pages_of_a_queue_follow_each_other(office: Office) -> None:
    codes = [await office.submitted() for _ in range(3)]

    first = (await office.call("GET", "/queues/reception?limit=2", office.officers["desk"]))["items"]
    rest = await office.call("GET", f"/queues/reception?limit=2&after={first[-1]['code']}", office.officers["desk"])

    assert [item["code"] for item in [*first, *rest["items"]]] == codes
