"""Files on their way into a dossier: examined when they were sent, kept when they are clean, refused by name."""

from tests.dossier.office import Office, pdf
from tests.dossier.test_filing import encrypted, errors


async def test_a_file_is_examined_when_its_sender_says_that_it_was_sent(office: Office) -> None:
    draft = await office.draft()
    ticket = await office.announce(draft, pdf())
    await office.send_file(ticket, pdf())

    found = await office.complete(draft, ticket)

    assert (found["verdict"], found["pages"]) == ("clean", 1)
    uploads = (await office.call("GET", f"/drafts/{draft}", office.an))["uploads"]
    assert [upload["verdict"] for upload in uploads] == ["clean"]


async def test_what_is_wrong_with_a_file_is_said_at_once_and_kept(office: Office) -> None:
    draft, locked = await office.draft(), encrypted()
    ticket = await office.announce(draft, locked)
    await office.send_file(ticket, locked)

    found = await office.complete(draft, ticket)

    assert (found["verdict"], found["rule"]) == ("refused", "encrypted")
    assert "gỡ mật khẩu" in found["message"]
    assert errors(await office.submission(draft, 422)) == {"components.TP-TL-01": "encrypted"}


async def test_a_file_that_has_not_come_may_still_come(office: Office) -> None:
    draft = await office.draft()
    ticket = await office.announce(draft, pdf())

    early = await office.complete(draft, ticket)
    await office.send_file(ticket, pdf())

    assert (early["verdict"], early["rule"]) == ("pending", "never_uploaded")
    assert (await office.complete(draft, ticket))["verdict"] == "clean"


async def test_a_file_of_somebody_elses_draft_does_not_exist(office: Office) -> None:
    draft = await office.draft()
    ticket = await office.announce(draft, pdf())
    path = f"/drafts/{draft}/uploads/{ticket['upload_id']}"

    await office.call("POST", f"{path}/completion", office.binh, 404)
    await office.call("DELETE", path, office.binh, 404)
    await office.call("POST", f"{path}/completion", office.officers["desk"], 404)
    elsewhere = await office.draft()
    await office.call("POST", f"/drafts/{elsewhere}/uploads/{ticket['upload_id']}/completion", office.an, 404)


# ── for a dossier ──


def announcement(data: bytes) -> dict[str, object]:
    import hashlib

    digest = hashlib.sha256(data).hexdigest()
    return {"file_name": "bo-sung.pdf", "content_type": "application/pdf", "size": len(data), "sha256": digest}


async def test_a_dossier_takes_files_of_its_owner_only_while_a_supplement_is_asked_for(office: Office) -> None:
    code, more = await office.submitted(), pdf("bổ sung")
    path = f"/dossiers/{code}/components/TP-TL-01/uploads"

    problem = await office.call("POST", path, office.an, 409, json=announcement(more))
    assert problem["type"] == "urn:motcua:problem:uploads-closed"

    await office.db.execute("UPDATE dossier SET state = 'supplement_requested_intake' WHERE code = $1", code)
    await office.call("POST", path, office.binh, 404, json=announcement(more))
    ticket = await office.call("POST", path, office.an, 201, json=announcement(more))
    await office.send_file(ticket, more)
    upload = f"/dossiers/{code}/uploads/{ticket['upload_id']}"
    assert (await office.call("POST", f"{upload}/completion", office.an))["verdict"] == "clean"
    waiting = await office.call("GET", f"/dossiers/{code}/uploads", office.an)
    assert [item["file_name"] for item in waiting["items"]] == ["bo-sung.pdf"]

    await office.call("DELETE", upload, office.an, 204)
    assert (await office.call("GET", f"/dossiers/{code}/uploads", office.an))["items"] == []


async def test_the_desk_of_the_unit_may_add_scans_and_no_other_officer(office: Office) -> None:
    code, scan = await office.submitted(), pdf("bản quét")
    path = f"/dossiers/{code}/components/TP-TL-01/uploads"

    await office.call("POST", path, office.officers["specialist"], 403, json=announcement(scan))
    await office.call("POST", path, office.strangers["desk"], 404, json=announcement(scan))
    ticket = await office.call("POST", path, office.officers["desk"], 201, json=announcement(scan))
    await office.call("DELETE", f"/dossiers/{code}/uploads/{ticket['upload_id']}", office.officers["desk"], 204)
