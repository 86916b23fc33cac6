"""Citizens' digital signatures: checked when a file comes in, told to others, and sparing people their papers."""

# mypy: disallow-untyped-calls=False
# pyHanko annotates only part of what it offers.

from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pyhanko.pdf_utils.generic import StreamObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import PageObject

from contracts.dossier import ComponentSource, SignatureStatus
from kit.clock import now
from kit.files import Files
from services.dossier.attachments import domain, signatures
from services.dossier.attachments.domain import SignatureReport, SignerType
from services.dossier.attachments.signatures import TrustFiles
from services.dossier.settings import Settings
from tests.dossier.office import Issued, Office, certificate, pdf, sha256
from tests.dossier.signers import PublicCA, signed
from tests.dossier.supplementing import ask, item
from tests.dossier.test_filing import errors

PDF = "application/pdf"
VALID, INVALID, INDETERMINATE = SignatureStatus.VALID, SignatureStatus.INVALID, SignatureStatus.INDETERMINATE


@pytest.fixture(scope="module")
def stranger() -> Issued:
    return certificate("CA không ai biết (hư cấu)")


def report(data: bytes, ca: PublicCA, **changes: Any) -> SignatureReport:
    trust = TrustFiles(public=str(ca.roots), revocation_lists=str(ca.lists))
    return signatures.verify(data, PDF, replace(trust, **changes), now())


# ── what the check finds ──


def test_a_signature_of_a_trusted_citizen_is_valid_and_reported(public_ca: PublicCA, an: Issued) -> None:
    found = report(signed(an, public_ca.root), public_ca)

    (one,) = found.signatures
    assert (found.status, found.trust_anchors) == (VALID, 1)
    assert (one.signer, one.signer_type) == ("Nguyễn Thị An", SignerType.CITIZEN)
    assert one.serial == f"{an[0].serial_number:x}"
    assert one.issuers == ("CA công cộng (hư cấu)",)
    assert one.valid_from < now() < one.valid_to
    assert (one.intact, one.covers_file, one.time_stamp) == (True, True, None)
    assert one.signed_at is not None


def test_what_is_not_signed_is_said_to_be_so(public_ca: PublicCA) -> None:
    assert report(pdf(), public_ca).status == SignatureStatus.NOT_SIGNED
    assert signatures.verify(b"x", "image/png", TrustFiles(), now()).status == SignatureStatus.NOT_SIGNED


def test_one_changed_byte_makes_it_invalid(public_ca: PublicCA, an: Issued) -> None:
    data = bytearray(signed(an, public_ca.root))
    data[data.index(b"MediaBox") + 12] ^= 1

    assert report(bytes(data), public_ca).status == INVALID


def test_what_was_added_after_signing_is_found(public_ca: PublicCA, an: Issued) -> None:
    writer = IncrementalPdfFileWriter(BytesIO(signed(an, public_ca.root)))
    page = PageObject(contents=writer.add_object(StreamObject(stream_data=b"BT ET")), media_box=(0, 0, 100, 100))
    writer.insert_page(page)
    out = BytesIO()
    writer.write(out)

    (one,) = report(out.getvalue(), public_ca).signatures
    assert (one.status, one.why, one.covers_file) == (INVALID, "changed_after_signing", False)


def test_nobody_who_vouches_leaves_it_open(public_ca: PublicCA, an: Issued, stranger: Issued) -> None:
    found = report(signed(certificate("Người lạ", stranger), stranger), public_ca)

    (one,) = found.signatures
    assert (found.status, one.signer_type) == (INDETERMINATE, None)
    assert one.intact


def test_the_worst_of_several_signatures_counts(public_ca: PublicCA, an: Issued, stranger: Issued) -> None:
    twice = signed(certificate("Trần Văn Bình", public_ca.root), public_ca.root, signed(an, public_ca.root))
    assert [one.status for one in report(twice, public_ca).signatures] == [VALID, VALID]

    mixed = signed(certificate("Người lạ", stranger), stranger, signed(an, public_ca.root))
    assert [one.status for one in report(mixed, public_ca).signatures] == [VALID, INDETERMINATE]
    assert report(mixed, public_ca).status == INDETERMINATE


def test_a_certificate_that_has_ended_leaves_it_open(public_ca: PublicCA, an: Issued) -> None:
    data = signed(an, public_ca.root)
    found = signatures.verify(data, PDF, TrustFiles(public=str(public_ca.roots)), now() + timedelta(days=60))

    assert found.status == INDETERMINATE


def test_revocation_lists_are_read_again_when_they_change(public_ca: PublicCA, an: Issued, tmp_path: Path) -> None:
    ca, data = replace(public_ca, lists=tmp_path), signed(an, public_ca.root)
    assert report(data, ca).signatures[0].revocation == "unknown"
    assert report(data, ca, must_know_revocation=True).status == INDETERMINATE

    ca.revoke()
    assert report(data, ca).signatures[0].revocation == "good"
    assert report(data, ca, must_know_revocation=True).status == VALID

    ca.revoke(an)
    found = report(data, ca)
    assert (found.status, found.signatures[0].why, found.signatures[0].revocation) == (INVALID, "revoked", "revoked")


def test_who_vouches_tells_officials_from_the_public(public_ca: PublicCA, an: Issued) -> None:
    found = report(signed(an, public_ca.root), public_ca, public="", official=str(public_ca.roots))

    assert found.signatures[0].signer_type == SignerType.OFFICER


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_a_damaged_signature_breaks_nothing(public_ca: PublicCA, an: Issued, cut: float) -> None:
    data = signed(an, public_ca.root)
    start = data.index(b"/Contents <") + 12
    broken = data[:start] + b"0" * 200 + data[start + 200 :]

    assert report(broken, public_ca).status in (INVALID, INDETERMINATE)
    assert report(data[: int(len(data) * cut)] + b"/ByteRange", public_ca).status in (INVALID, INDETERMINATE)


# ── on its way through the office ──


async def filed(office: Office, data: bytes) -> str:
    draft = await office.draft()
    await office.upload(draft, data)
    code: str = (await office.submission(draft))["code"]
    return code


async def the_file(office: Office, code: str) -> dict[str, Any]:
    (file,) = (await office.call("GET", f"/dossiers/{code}", office.officers["desk"]))["files"]
    return dict(file)


async def checks(office: Office, code: str, who: dict[str, str] | None = None) -> list[dict[str, Any]]:
    file = await the_file(office, code)
    path = f"/dossiers/{code}/files/{file['id']}/signature-checks"
    items: list[dict[str, Any]] = (await office.call("GET", path, who or office.officers["desk"]))["items"]
    return items


async def test_others_are_told_what_the_check_at_sending_gave(office: Office, public_ca: PublicCA, an: Issued) -> None:
    code = await filed(office, signed(an, public_ca.root))

    assert (await office.bodies(code))["DossierSubmitted"]["components"][0]["signed"] == "valid"
    assert (await the_file(office, code))["signed"] == "valid"
    (check,) = await checks(office, code, office.an)
    assert (check["status"], check["verified_by"]) == ("valid", "machine")
    assert check["report"]["signatures"][0]["signer"] == "Nguyễn Thị An"
    await office.act(code, "acceptance")


async def test_an_officer_records_what_the_neac_says(office: Office, stranger: Issued) -> None:
    code = await filed(office, signed(certificate("Người lạ", stranger), stranger))
    file = await the_file(office, code)
    path, said = f"/dossiers/{code}/files/{file['id']}/signature-checks", "NEAC xác nhận chữ ký hợp lệ"
    assert file["signed"] == "indeterminate"

    body = {"status": "valid", "note": said}
    await office.call("POST", path, office.an, 403, json=body)
    await office.call("POST", path, office.strangers["desk"], 404, json=body)
    await office.call("POST", path, office.officers["desk"], 422, json={"status": "valid", "note": ""})
    found = await office.call("POST", path, office.officers["desk"], 201, json=body)

    assert [(one["status"], one["verified_by"]) for one in found["items"]] == [
        ("valid", "officer"),
        ("indeterminate", "machine"),
    ]
    assert found["items"][0]["note"] == said
    assert (await the_file(office, code))["signed"] == "valid"


async def test_the_machine_checks_again_when_asked(office: Office, public_ca: PublicCA, an: Issued) -> None:
    code = await filed(office, signed(an, public_ca.root))
    file = await the_file(office, code)

    found = await office.call(
        "POST", f"/dossiers/{code}/files/{file['id']}/signature-checks", office.officers["specialist"], 201
    )

    assert [one["verified_by"] for one in found["items"]] == ["machine", "machine"]


async def test_nobody_confirms_a_signature_that_is_not_there(office: Office) -> None:
    code = await filed(office, pdf())
    file = await the_file(office, code)

    problem = await office.call(
        "POST", f"/dossiers/{code}/files/{file['id']}/signature-checks", office.officers["desk"], 409,
        json={"status": "valid", "note": "đã xem tận mắt"},
    )  # fmt: skip
    assert problem["type"] == "urn:motcua:problem:nothing-signed"


OLD_FILE = """
INSERT INTO component_file SELECT gen_random_uuid(), dossier_code, component_code, file_name, content_type, size, $2,
    pages, source, since_version + 1 FROM component_file WHERE dossier_code = $1
"""


async def test_a_dossier_with_an_unchecked_file_is_not_accepted(office: Office, settings: Settings) -> None:
    """Files that came before signatures were checked have no record; asking for the check makes one."""
    code, old = await filed(office, pdf()), pdf("cũ")
    await Files(settings).put(f"clean/{sha256(old)}", old, PDF)
    await office.db.execute(OLD_FILE, code, sha256(old))

    problem = await office.act(code, "acceptance", expect=409)
    assert problem["type"] == "urn:motcua:problem:signature-unchecked"
    assert problem["errors"] == [{"field": "components.TP-TL-01"}]

    file = await the_file(office, code)
    await office.call("POST", f"/dossiers/{code}/files/{file['id']}/signature-checks", office.officers["desk"], 201)
    await office.act(code, "acceptance")


MUST_BE_SIGNED = """
UPDATE procedure SET definition = jsonb_set(definition, '{cases,0,components,0,signature_required}', 'true')
"""


async def test_a_component_that_must_be_signed_is(
    office: Office, public_ca: PublicCA, an: Issued, stranger: Issued
) -> None:
    await office.db.execute(MUST_BE_SIGNED)
    for data, rule in (
        (pdf(), "signature_missing"),
        (signed(an, public_ca.root).replace(b"/MediaBox [ 0", b"/MediaBox [ 1"), "signature_invalid"),
        (signed(certificate("Người lạ", stranger), stranger), "signature_indeterminate"),
    ):
        draft = await office.draft()
        await office.upload(draft, data)
        problem = await office.submission(draft, 422)
        assert errors(problem) == {"components.TP-TL-01": rule}
        assert "ký số" in problem["errors"][0]["message"]

    await filed(office, signed(an, public_ca.root))


# ── no paper for what is signed ──


def a_file(component: str, status: SignatureStatus) -> domain.ComponentFile:
    return domain.ComponentFile(
        uuid4(), component, "x.pdf", PDF, 1, "0" * 64, 1, ComponentSource.UPLOAD, signed=status, is_checked=True
    )


def test_every_file_of_a_component_must_be_validly_signed() -> None:
    files = [a_file("A", VALID), a_file("B", VALID), a_file("B", INDETERMINATE), a_file("C", INVALID)]

    assert domain.validly_signed(files) == {"A"}


async def test_the_desk_may_not_demand_paper_of_what_is_validly_signed(
    office: Office, public_ca: PublicCA, an: Issued
) -> None:
    """Scenario 6."""
    code = await filed(office, signed(an, public_ca.root))
    on_paper = item(on_paper=True)

    problem = await ask(office, code, on_paper, expect=422)
    assert problem["type"] == "urn:motcua:problem:paper-for-signed-component"
    assert "45/2020/NĐ-CP, Điều 6 khoản 2 điểm b" in problem["detail"]

    why = {"component_code": "TP-TL-01", "why": "Pháp luật về hộ tịch buộc lưu bản gốc"}
    await ask(office, code, on_paper, needs_original=[why])


async def test_paper_of_an_unsigned_component_may_be_asked_for(office: Office) -> None:
    code = await filed(office, pdf())

    await ask(office, code, item(on_paper=True))
