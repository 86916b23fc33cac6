"""Results: written from data or elsewhere, signed digitally or first on paper, handed over to who has the right."""

import asyncio
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from pypdf import PdfReader

from kit import files
from kit.clock import now
from services.dossier import tenant, typesetting
from services.dossier.catalogue.domain import ResultKind
from services.dossier.results import signing, words
from services.dossier.results.keys import Keys
from services.dossier.settings import Settings
from tests.dossier.office import AN, UNIT, Office, pdf, sha256

HANDOVER = {"receiver": "owner"}
SUPERVISOR = UUID(int=0x300)


async def send_result(office: Office, code: str, data: bytes, expect: int = 201) -> str:
    """A PDF sent by the specialist; the id of its upload."""
    body = {"file_name": "ket-qua.pdf", "content_type": "application/pdf", "size": len(data), "sha256": sha256(data)}
    who = office.officers["specialist"]
    ticket = await office.call("POST", f"/dossiers/{code}/result-uploads", who, expect, json=body)
    if expect == 201:
        await office.send_file(ticket, data)
    return str(ticket.get("upload_id"))


async def accepted(office: Office, **changes: Any) -> str:
    code = await office.submitted(**changes)
    await office.act(code, "acceptance")
    await office.paid(code)
    return code


async def on_paper(office: Office, **changes: Any) -> str:
    """A dossier whose result was signed with a pen; it waits at the desk."""
    code = await accepted(office, **changes)
    await office.act(code, "proposal")
    await office.act(code, "signature", json={"on_paper": True})
    assert (await office.act(code, "issuance"))["status"] == "result_ready"
    return code


def signed_elsewhere(settings: Settings, data: bytes) -> bytes:
    """A PDF that the agency sealed with a program of its own."""
    place = typesetting.Place(signing.SEAL, 0, (300, 100, 500, 160))
    prepared = signing.add_fields(typesetting.Document(data, (place,)))
    seal = Keys.of(settings).seal(UNIT)
    return signing.seal(prepared, seal, reason="Phát hành", at=now())


async def delivery(office: Office, code: str) -> dict[str, Any]:
    return await office.call("GET", f"/dossiers/{code}/delivery", office.an)


# ── written elsewhere ──


async def test_a_result_written_elsewhere_gets_a_page_for_number_seal_and_signatures(
    office: Office, settings: Settings
) -> None:
    code = await accepted(office)
    upload = await send_result(office, code, pdf("Bản vẽ"))
    await office.act(code, "proposal", json={"upload_id": upload})
    await office.act(code, "signature")
    assert (await office.act(code, "issuance"))["status"] == "returned"

    result = await office.download(await office.call("GET", f"/dossiers/{code}/result", office.an))

    assert len(PdfReader(BytesIO(result)).pages) == 2
    last = PdfReader(BytesIO(result)).pages[1].extract_text()
    assert "TRANG KÝ SỐ" in last
    assert sha256(pdf("Bản vẽ"))[:20] in last.replace("\n", "")
    checked = await signing.check(result, Keys.of(settings).roots, signing.LEADER, signing.SEAL)
    assert checked.valid, checked.why
    assert signing.text_of(result, signing.NUMBER) == "Số: 1/TLHT-BS"


async def test_what_is_no_clean_pdf_is_not_taken_as_a_result(office: Office) -> None:
    code = await accepted(office)
    upload = await send_result(office, code, b"%PDF-1.7 broken")
    await office.act(code, "proposal", json={"upload_id": upload}, expect=422)
    await office.act(code, "proposal", json={"upload_id": str(UUID(int=1))}, expect=404)


async def test_only_the_deciding_unit_sends_a_result(office: Office) -> None:
    code = await accepted(office)
    body = {"file_name": "x.pdf", "content_type": "application/pdf", "size": 10, "sha256": "0" * 64}
    path = f"/dossiers/{code}/result-uploads"
    await office.call("POST", path, office.strangers["specialist"], 403, json=body)
    await office.call("POST", path, office.officers["desk"], 403, json=body)
    await office.call("POST", path, office.officers["specialist"], 422, json=body | {"content_type": "image/png"})


# ── signed on paper first (scenario 5) ──


async def test_an_unsigned_result_stays_at_the_desk_until_the_signed_one_came(
    office: Office, settings: Settings
) -> None:
    code = await on_paper(office, delivery="desk")
    outcome = (await office.bodies(code))["ResultIssued"]["outcome"]

    refused = await office.act(code, "handover", json=HANDOVER, expect=409)

    assert refused["type"].endswith("result-signature-missing")
    asked = await delivery(office, code)
    assert asked["state"] == "ready"
    assert asked["signature_asked_at"], "the specialist is asked at once, although the hand-over was refused"
    assert (await office.call("GET", f"/dossiers/{code}", office.an))["status"] == "result_ready"
    (task,) = (await office.call("GET", "/queues/unsigned", office.officers["specialist"]))["items"]
    assert task["code"] == code

    unsigned = await send_result(office, code, pdf("Kết quả"))
    who = office.officers["specialist"]
    await office.call("POST", f"/dossiers/{code}/signed-result", who, 409, json={"upload_id": unsigned})
    signed = await send_result(office, code, await asyncio.to_thread(signed_elsewhere, settings, pdf("Kết quả")))
    await office.call("POST", f"/dossiers/{code}/signed-result", who, json={"upload_id": signed})
    assert (await office.act(code, "handover", json=HANDOVER))["status"] == "returned"

    view = await office.call("GET", f"/dossiers/{code}", office.an)
    assert view["outcome"] == outcome, "being asked for the signed file cost no punctuality"
    assert (await office.call("GET", "/queues/unsigned", who))["items"] == []
    assert [item["dossier_code"] for item in (await office.call("GET", "/documents", office.an))["items"]] == [code]
    versions = [version for version, _ in await office.events(code)]
    assert versions == list(range(1, len(versions) + 1))


async def test_an_online_result_that_was_signed_on_paper_goes_out_with_its_signed_file(
    office: Office, settings: Settings
) -> None:
    code = await on_paper(office, delivery="online")
    assert (await office.call("GET", "/documents", office.an))["items"] == []
    signed = await send_result(office, code, await asyncio.to_thread(signed_elsewhere, settings, pdf()))

    who = office.officers["specialist"]
    done = await office.call("POST", f"/dossiers/{code}/signed-result", who, json={"upload_id": signed})

    assert done["status"] == "returned"
    assert (await delivery(office, code))["handover"]["channel"] == "online"


async def test_a_supervisor_lets_the_paper_go_with_a_reason_that_is_kept(office: Office) -> None:
    code = await on_paper(office, delivery="desk")
    reason = "Công dân có mặt, bản giấy đã ký đóng dấu hợp lệ"
    supervisor = office.identity.token(SUPERVISOR, "officer", unit=UNIT, roles=["supervisor"])
    await office.act(code, "handover", json={"override_reason": reason}, expect=409)
    await office.act(code, "handover", who=supervisor, json={}, expect=409)
    await office.act(code, "handover", who=supervisor, json={"override_reason": "ngắn"}, expect=422)

    assert (await office.act(code, "handover", who=supervisor, json={"override_reason": reason}))[
        "status"
    ] == "returned"

    assert (await delivery(office, code))["handover"]["override_reason"] == reason
    last = await office.db.fetchrow("SELECT * FROM history WHERE dossier_code = $1 ORDER BY no DESC LIMIT 1", code)
    assert last
    assert (last["act"], last["reason"], last["actor_ref"]) == ("deliver_unsigned", reason, SUPERVISOR)


async def test_a_result_whose_file_no_longer_verifies_is_not_handed_over(office: Office, settings: Settings) -> None:
    """The desk's look at the signature is a look at the file, not at what was noted before (RES-2)."""
    code = await office.issued(delivery="desk")
    broken = (await asyncio.to_thread(signed_elsewhere, settings, pdf("khác")))[:-40] + b"x" * 40
    await files.connect(settings).put(f"clean/{sha256(broken)}", broken, "application/pdf")
    await office.db.execute("UPDATE result SET sha256 = $2 WHERE dossier_code = $1", code, sha256(broken))

    await office.act(code, "handover", json=HANDOVER, expect=409)

    assert (await delivery(office, code))["signature_asked_at"]


# ── who receives it ──


async def test_somebody_with_an_authorisation_receives_it_and_that_is_kept(office: Office) -> None:
    code = await office.issued(delivery="desk")
    await office.act(code, "handover", json={"receiver": "authorised"}, expect=422)
    await office.act(code, "handover", json={"receiver": "owner", "identity_checked": False}, expect=422)
    body = {
        "receiver": "authorised", "receiver_name": "Trần Văn Bình",
        "authorisation": "Giấy ủy quyền số 12/GUQ ngày 20/11/2026",
        "originals_returned": ["Giấy chứng sinh"], "papers_archived": ["Tờ khai có chữ ký"],
    }  # fmt: skip

    await office.act(code, "handover", json=body)

    given = (await delivery(office, code))["handover"]
    assert {name: given[name] for name in body} == body
    said = (await office.bodies(code))["ResultDelivered"]
    assert (said["channel"], said["receiver_ref"]) == ("desk", str(AN))


async def test_of_two_desks_that_hand_over_at_once_one_does(office: Office) -> None:
    code = await office.issued(delivery="desk")
    await asyncio.gather(*(office.act(code, "handover", json=HANDOVER) for _ in range(5)))
    assert [name for _, name in await office.events(code)].count("ResultDelivered") == 1


# ── revoked ──

REVOCATION = {"reason": "Trích lục ghi sai ngày đăng ký so với Sổ hộ tịch", "legal_basis": "Điều 69 Luật Hộ tịch"}


async def test_a_revoked_result_serves_nobody_and_nothing_else_changes(office: Office) -> None:
    code = await office.issued()
    leader, path = office.officers["leader"], f"/dossiers/{code}/result-revocation"
    before = await office.db.fetchrow("SELECT sha256, number FROM result WHERE dossier_code = $1", code)
    await office.call("POST", path, office.strangers["leader"], 403, json=REVOCATION)
    await office.call("POST", path, office.officers["clerk"], 403, json=REVOCATION)
    await office.call("POST", path, leader, 422, json={"reason": "sai"})

    done = await office.call("POST", path, leader, json=REVOCATION)
    again = await office.call("POST", path, leader, json=REVOCATION)

    assert done["status"] == "returned", "the dossier was settled and stays so"
    assert again["version"] == done["version"]
    refused = await office.call("GET", f"/dossiers/{code}/result", office.an, 409)
    assert refused["type"].endswith("result-no-longer-in-force")
    (kept,) = (await office.call("GET", "/documents", office.an))["items"]
    assert (kept["dossier_code"], kept["in_force"], bool(kept["revoked_at"])) == (code, False, True)
    assert await office.db.fetchrow("SELECT sha256, number FROM result WHERE dossier_code = $1", code) == before
    assert await office.download(await office.call("GET", f"/dossiers/{code}/result", leader)), "officers still read it"
    line = (await office.call("GET", f"/dossiers/{code}", office.an))["history"][-1]
    assert (line["act"], line["reason"]) == ("revoke_result", REVOCATION["reason"])
    said = (await office.bodies(code))["ResultRevoked"]
    assert (said["number"], said["symbol"], said["version"]) == ("1", "TLHT-BS", done["version"])


async def test_only_what_was_handed_over_is_revoked(office: Office) -> None:
    code = await office.issued(delivery="desk")
    await office.call("POST", f"/dossiers/{code}/result-revocation", office.officers["leader"], 409, json=REVOCATION)


async def test_of_two_that_revoke_at_once_it_is_said_once(office: Office) -> None:
    code = await office.issued()
    path = f"/dossiers/{code}/result-revocation"
    await asyncio.gather(*(office.call("POST", path, office.officers["leader"], json=REVOCATION) for _ in range(4)))
    assert [name for _, name in await office.events(code)].count("ResultRevoked") == 1


# ── replaced ──


async def test_a_replaced_result_stays_as_it_was_and_another_is_in_force(office: Office, settings: Settings) -> None:
    code = await office.issued()
    old = await office.download(await office.call("GET", f"/dossiers/{code}/result", office.an))
    outcome = (await office.call("GET", f"/dossiers/{code}", office.an))["outcome"]
    path, by = f"/dossiers/{code}/correction", office.officers
    wanted = {**REVOCATION, "found": {"register_no": "77"}}
    await office.call("POST", f"{path}/signature", by["leader"], 409)
    await office.call("POST", path, office.strangers["specialist"], 403, json=wanted)
    await office.call("POST", path, by["specialist"], json=wanted)
    await office.call("POST", f"{path}/issuance", by["clerk"], 409)
    await office.call("POST", f"{path}/signature", office.everything, 403)
    await office.call("POST", f"{path}/signature", by["leader"])
    link = await office.call("GET", f"/dossiers/{code}/result", office.an)
    assert await office.download(link) == old, "in force until the new one is published"

    done = await office.call("POST", f"{path}/issuance", by["clerk"])
    await office.call("POST", f"{path}/issuance", by["clerk"], 409)

    new = await office.download(await office.call("GET", f"/dossiers/{code}/result", office.an))
    checked = await signing.check(new, Keys.of(settings).roots, signing.LEADER, signing.SEAL)
    assert checked.valid, checked.why
    assert signing.text_of(new, signing.NUMBER) == "Số: 2/TLHT-BS"
    kept = (await office.call("GET", "/documents", office.an))["items"]
    assert {(each["number"], each["in_force"]) for each in kept} == {("1/TLHT-BS", False), ("2/TLHT-BS", True)}
    assert {each["sha256"] for each in kept} == {sha256(old), sha256(new)}
    view = await office.call("GET", f"/dossiers/{code}", office.an)
    assert (view["status"], view["outcome"]) == ("returned", outcome)
    assert view["history"][-1]["act"] == "replace_result"
    said = (await office.bodies(code))["ResultRevoked"]
    assert (said["number"], said["replaced_by"], said["version"]) == ("1", "2/TLHT-BS", done["version"])
    gone = await office.db.fetchrow("SELECT sha256, document FROM replaced_result WHERE dossier_code = $1", code)
    assert gone
    assert (gone["sha256"], gone["document"]["state"]) == (sha256(old), "replaced")


# ── kinds of results ──

PROVINCE = tenant.load("deploy/tenants/an-binh")


@pytest.mark.parametrize("procedure", tenant.procedures("deploy/tenants/an-binh"), ids=lambda each: each.code)
def test_every_procedure_of_the_province_has_a_result_that_can_be_signed(procedure: Any) -> None:
    form = words.form_of(procedure.result)
    assert form.symbol
    assert form.document_type == words.slug(form.document_type)
    assert form.template.exists()


def test_a_kind_of_result_is_named_and_numbered_as_the_decree_on_documents_asks() -> None:
    kind = ResultKind("KQ.1", "Giấy chứng nhận kết hôn (02 bản chính)")
    form = words.form_of(kind)
    assert (words.title_of(kind), form.document_type, form.symbol) == (
        "Giấy chứng nhận kết hôn", "giay-chung-nhan-ket-hon", "GCNKH"
    )  # fmt: skip
    assert words.form_of(ResultKind("KQ.2", "Giấy xác nhận", symbol="GXN-UBND")).symbol == "GXN-UBND"
