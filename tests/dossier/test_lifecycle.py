"""A dossier's whole way, over HTTP, with a real file, PostgreSQL, the object store and real signatures."""

from io import BytesIO

import pytest
from pypdf import PdfReader

from kit.settings import load
from services.dossier.results import signing
from services.dossier.results.keys import Keys
from services.dossier.settings import Settings
from tests.dossier.office import AN, OFFICERS, Office, sha256


async def test_a_citizen_files_and_gets_a_signed_result(office: Office) -> None:
    code = await office.submitted()
    assert code.startswith("H99.02.01-")
    assert code.endswith("-0001")

    accepted = await office.act(code, "acceptance")
    assert (accepted["version"], accepted["status"]) == (2, "accepted")
    assert (await office.act(code, "proposal", json={}))["status"] == "pending_approval"
    await office.paid(code)
    assert (await office.act(code, "signature"))["status"] == "pending_approval"
    issued = await office.act(code, "issuance")
    assert issued["status"] == "returned"

    assert await office.events(code) == [
        (1, "DossierSubmitted"),
        (2, "DossierAccepted"),
        (3, "DossierForwarded"),
        (4, "StepCompleted"),
        (5, "StepCompleted"),
        (6, "ResultSigned"),
        (7, "ResultIssued"),
        (8, "ResultDelivered"),
    ]
    said = await office.bodies(code)
    assert said["ResultSigned"]["symbol"] == "TLHT-BS"
    assert said["ResultSigned"]["number"] == "1"
    assert said["ResultIssued"]["outcome"] in ("early", "on_time")
    assert said["DossierAccepted"]["fee_lines"][0]["amount"] == 16_000
    assert "Nguyễn" not in str(said), "no personal data on a public channel"

    result = await office.download(await office.call("GET", f"/dossiers/{code}/result", office.an))
    assert sha256(result) == said["ResultIssued"]["sha256"]
    settings = load(Settings)
    assert settings.leader_p12
    root = Keys.of(settings).roots
    checked = await signing.check(result, root, signing.LEADER, signing.SEAL)
    assert checked.valid, checked.why
    assert checked.signers == ("Đặng Quang Minh", "Ủy ban nhân dân xã Bình Minh")
    fields = PdfReader(BytesIO(result)).get_form_text_fields()
    assert fields["SoVanBan"] == "Số: 1/TLHT-BS"
    assert fields["NgayVanBan"].startswith("Bình Minh, ngày ")

    documents = await office.call("GET", "/documents", office.an)
    assert [(item["number"], item["dossier_code"]) for item in documents["items"]] == [("1/TLHT-BS", code)]
    assert (await office.call("GET", "/documents", office.binh))["items"] == []


async def test_the_history_tells_who_did_what(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance")
    await office.act(code, "proposal")

    view = await office.call("GET", f"/dossiers/{code}", office.an)

    assert [(line["act"], line["to_state"]) for line in view["history"]] == [
        ("submit", "submitted"),
        ("accept", "accepted"),
        ("assign", "assigned"),
        ("propose", "pending_approval"),
    ]
    rows = await office.db.fetch("SELECT actor_ref FROM history WHERE dossier_code = $1 ORDER BY id", code)
    assert [row["actor_ref"] for row in rows] == [AN, OFFICERS["desk"], OFFICERS["specialist"], OFFICERS["specialist"]]


async def test_each_act_repeated_answers_with_what_is(office: Office) -> None:
    """A doubled click or a retry after a crash leads to the same outcome, and says nothing twice."""
    code = await office.submitted(delivery="desk")
    await office.act(code, "acceptance")
    first = await office.act(code, "proposal")
    assert await office.act(code, "proposal") == first
    await office.paid(code)
    first = await office.act(code, "signature")
    assert await office.act(code, "signature") == first
    first = await office.act(code, "issuance")
    assert first["status"] == "result_ready"
    assert await office.act(code, "issuance") == first
    first = await office.act(code, "handover")
    assert first["status"] == "returned"
    assert await office.act(code, "handover") == first

    assert [version for version, _ in await office.events(code)] == list(range(1, 9))


async def test_an_issuance_that_broke_after_numbering_keeps_its_number(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, other = await _signed(office), await _signed(office)
    with monkeypatch.context() as broken:
        broken.setattr(signing, "number_and_seal", _crash)
        await office.act(code, "issuance", expect=500)
    await office.act(other, "issuance")

    await office.act(code, "issuance")

    assert (await office.bodies(code))["ResultSigned"]["number"] == "1"
    assert (await office.bodies(other))["ResultSigned"]["number"] == "2"


def _crash(*_: object, **__: object) -> bytes:
    raise RuntimeError("the process dies here")


async def _signed(office: Office) -> str:
    code = await office.submitted()
    await office.act(code, "acceptance")
    await office.act(code, "proposal")
    await office.paid(code)
    await office.act(code, "signature")
    return code


async def test_the_slip_shows_the_appointment(office: Office) -> None:
    code = await office.submitted()
    await office.call("GET", f"/dossiers/{code}/slip", office.an, 404)
    await office.act(code, "acceptance")

    content = f"/api/v1/dossiers/{code}/slip/content"
    sent = await office.http.get(content, headers=office.identity.system("notification"))
    for nobody in (office.an, office.officers["desk"], office.identity.system("tracking")):
        assert (await office.http.get(content, headers=nobody)).status_code == 403
    slip = await office.download(await office.call("GET", f"/dossiers/{code}/slip", office.an))
    assert (sent.headers["content-type"], sent.content) == ("application/pdf", slip)
    again = await office.download(await office.call("GET", f"/dossiers/{code}/slip", office.officers["desk"]))

    assert slip == again
    text = PdfReader(BytesIO(slip)).pages[0].extract_text()
    assert "GIẤY TIẾP NHẬN HỒ SƠ" in text
    assert code in text
    assert "16.000 đ" in text
    assert "17:00 ngày" in text
