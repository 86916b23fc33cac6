"""What the national portal is told beyond the events: as the dossier is, notification alone, and every time."""

from typing import Any
from uuid import UUID

from tests.dossier.office import Office, pdf, sha256
from tests.dossier.supplementing import DECLARATION, accepted, answer, drafted, issue, item


async def record(office: Office, code: str) -> dict[str, Any]:
    who = office.identity.system("notification")
    return await office.call("GET", f"/dossiers/{code}/synchronisation-record?purpose=national_portal", who)


async def test_the_record_of_a_result_names_its_file_and_every_time_is_recorded(office: Office) -> None:
    code = await office.issued()

    said = await record(office, code)

    assert (said["code"], said["state"], said["procedure_code"]) == (code, "returned", "2.000635")
    assert (said["field_code"], said["field_name"]) == ("G15-TP07", "Hộ tịch")
    assert said["owner"]["name"] == "Nguyễn Thị An"
    assert said["unit"] == "Ủy ban nhân dân xã Bình Minh"
    assert [(line["code"], said["payment_state"]) for line in said["fee_lines"]] == [("LP-TL", "paid")]
    (file,), (result,) = said["files"], said["results"]
    assert (file["component_code"], file["source"], file["sha256"]) == (DECLARATION, "upload", sha256(pdf()))
    assert sha256(await office.download(result)) == result["sha256"]
    row = await office.db.fetchrow("SELECT told, purpose FROM contact_disclosure WHERE dossier_code = $1", code)
    assert row
    assert tuple(row) == ("notification", "national_portal")


async def test_a_supplement_is_told_with_the_appointments_before_and_after(office: Office) -> None:
    code = await accepted(office)
    promised = (await record(office, code))["due_at"]
    await issue(office, code, await drafted(office, code, item(problem="Tờ khai thiếu trang 2")))
    (open_one,) = (await record(office, code))["supplements"]
    assert (open_one["due_before"], open_one["answered_at"], open_one["due_after"]) == (promised, None, None)
    await answer(office, code)
    await office.call("POST", f"/dossiers/{code}/supplement-confirmation", office.officers["desk"])

    said = await record(office, code)

    (told,) = said["supplements"]
    assert (told["round"], told["stage"], told["components"]) == (1, "processing", [DECLARATION])
    assert told["content"] == "Tờ khai thiếu trang 2"
    assert (told["due_before"], told["due_after"]) == (promised, said["due_at"])
    assert told["answered_at"]


async def test_nobody_else_gets_the_record(office: Office) -> None:
    code = await office.submitted()
    path = f"/dossiers/{code}/synchronisation-record?purpose=national_portal"
    for who in (office.identity.system("tracking"), office.an, office.everything):
        await office.call("GET", path, who, 403)
    administrator = office.identity.token(UUID(int=9), "officer", unit="H99", roles=["system_admin"])
    await office.call("GET", path, administrator, 403)
    assert await office.db.fetchval("SELECT count(*) FROM contact_disclosure") == 0
