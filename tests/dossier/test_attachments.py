"""Files on their way into a dossier: examined when they were sent, kept when they are clean, refused by name."""

import hashlib
import signal
import zlib

import pytest

from kit.clock import now
from kit.files import Files
from services.dossier.attachments import sandbox
from services.dossier.attachments.inspection import Unfit
from services.dossier.attachments.parsing import Answer, Wish
from services.dossier.attachments.providers import FileNotExamined
from services.dossier.attachments.signatures import TrustFiles
from services.dossier.settings import Settings
from services.dossier.timers import timers
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


async def test_what_lies_in_quarantine_is_removed_after_a_day_and_what_was_clean_stays(
    office: Office, settings: Settings
) -> None:
    draft, files = await office.draft(), Files(settings)
    ticket = await office.announce(draft, pdf())
    await office.send_file(ticket, pdf())
    await office.complete(draft, ticket)
    due = "SELECT due_at - now() > interval '23 hours' FROM timer WHERE kind = 'forget_quarantined'"
    assert await office.db.fetchval(due)

    await office.db.execute("UPDATE timer SET due_at = now() WHERE kind = 'forget_quarantined'")
    assert await timers.work_next(office.db)

    assert await files.stat(f"quarantine/{ticket['upload_id']}") is None
    assert (await office.submission(draft))["status"] == "submitted"


# ── too much for a parser ──


async def parsed(data: bytes) -> Answer:
    return await sandbox.shared().parse(data, "application/pdf", TrustFiles(), now())


def bomb() -> bytes:
    """A few kilobytes that become a gigabyte: the catalogue stands in an object stream that is nearly all spaces."""
    packed = zlib.compress(zlib.compress(b" " * 2**30, 9), 9)
    stream = b"<< /Type /ObjStm /N 1 /First 4 /Filter [/FlateDecode /FlateDecode] /Length %d >>\n" % len(packed)
    body = b"%PDF-1.7\n1 0 obj\n" + stream + b"stream\n" + packed + b"\nendstream\nendobj\n"
    table = b"\x01\x00\x09\x00" + b"\x02\x00\x01\x00"
    xref = b"<< /Type /XRef /Size 3 /Index [1 2] /W [1 2 1] /Root 2 0 R /Length 8 >>\nstream\n" + table
    start = len(body)
    return body + b"3 0 obj\n" + xref + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF" % start


async def test_a_decompression_bomb_is_refused() -> None:
    with pytest.raises(Unfit):
        await parsed(bomb())
    assert (await parsed(pdf())).pages == 1


async def test_a_file_that_takes_too_long_is_refused_and_its_process_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SECONDS", 0.1)
    child = sandbox.Child()
    child._process.send_signal(signal.SIGSTOP)  # it will never be done
    with pytest.raises(Unfit) as refused:
        child.parse(Wish(len(pdf()), "application/pdf", now(), TrustFiles()), pdf())

    assert refused.value.rule == "too_complex"
    assert child.is_spent, "the next file gets another process"


async def test_a_parser_that_dies_for_another_reason_says_nothing_about_the_file() -> None:
    child = sandbox.Child()
    child._process.kill()

    with pytest.raises(FileNotExamined):
        child.parse(Wish(len(pdf()), "application/pdf", now(), TrustFiles()), pdf())


# ── for a dossier ──


def announcement(data: bytes) -> dict[str, object]:

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
