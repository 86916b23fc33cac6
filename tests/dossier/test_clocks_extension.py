"""An appointment is moved once by apology, or by more time that the law gives; the first one is kept."""

from datetime import date, datetime, timedelta

from contracts.dossier import Punctuality
from kit.clock import now
from services.dossier import tenant
from services.dossier.clocks import store as clocks
from services.dossier.clocks.calendar import HANOI
from services.dossier.clocks.domain import Kind
from services.dossier.results.domain import punctuality
from tests.dossier.office import Office
from tests.dossier.supplementing import accepted, name

CALENDAR = tenant.load("deploy/tenants/an-binh").calendar


def working_day(after: int) -> str:
    """That many working days from now, as a date."""
    return CALENDAR.after_working_days(now(), after).date().isoformat()


async def decide(office: Office, code: str, expect: int = 201, **changes: str) -> dict[str, object]:
    body = {"kind": "apology", "new_date": working_day(5), "reason": "Sổ gốc đang được tu bổ", **changes}
    return await office.call("POST", f"/dossiers/{code}/extension", office.officers["leader"], expect, json=body)


async def publish(office: Office, code: str, expect: int = 200) -> dict[str, object]:
    return await office.call("POST", f"/dossiers/{code}/extension/publication", office.officers["desk"], expect)


async def test_an_apology_gives_a_new_date_and_keeps_the_first(office: Office) -> None:
    code = await accepted(office)
    first = (await office.call("GET", f"/dossiers/{code}/deadlines", office.an))["original_due_at"]

    await decide(office, code)
    assert (await office.call("GET", f"/dossiers/{code}/extensions", office.an))["items"] == []
    published = await publish(office, code)

    found = await office.call("GET", f"/dossiers/{code}/deadlines", office.an)
    assert (found["original_due_at"], found["due_at"]) == (first, published["due_at"])
    said = (await office.bodies(code))["DeadlineExtended"]
    assert (said["kind"], said["original_due_at"], said["mau04_ref"]) == ("apology", first, f"{code}/mau-04")
    (promise,) = await clocks.running_of(office.db, code, Kind.PROCESSING_DEADLINE)
    assert promise.steps[-1].name == "Sổ gốc đang được tu bổ"
    due = await office.db.fetchval("SELECT due_at FROM timer WHERE key = $1 AND kind = 'processing_deadline'", code)
    assert due == datetime.fromisoformat(str(published["due_at"]))
    late = datetime.fromisoformat(first) + timedelta(minutes=1)
    assert punctuality(late, datetime.fromisoformat(first)) == Punctuality.LATE


async def test_there_is_no_second_apology(office: Office) -> None:
    code = await accepted(office)
    await decide(office, code)
    assert name(await decide(office, code, 409)) == "extension-waits-already"
    await publish(office, code)

    assert name(await decide(office, code, 409, new_date=working_day(9))) == "already-rescheduled"
    assert name(await publish(office, code, 409)) == "no-extension-waits"


async def test_the_new_date_is_a_working_day_after_the_old_one(office: Office) -> None:
    code = await accepted(office)
    sunday = date(2027, 3, 7)

    for unfit in (sunday.isoformat(), (now().astimezone(HANOI).date() - timedelta(days=7)).isoformat()):
        assert name(await decide(office, code, 422, new_date=unfit)) == "new-date-unfit"
    assert name(await decide(office, code, 422, reason="  ")) == "reason-missing"


async def test_the_law_gives_more_time_only_where_it_does(office: Office) -> None:
    code = await accepted(office)

    assert name(await decide(office, code, 409, kind="by_law")) == "extension-not-given"


async def test_only_the_leader_decides_and_only_the_desk_publishes(office: Office) -> None:
    code = await accepted(office)
    path = f"/dossiers/{code}/extension"
    for role in ("desk", "specialist", "clerk"):
        await office.call("POST", path, office.officers[role], 403, json={})
    await decide(office, code)
    await office.call("POST", f"{path}/publication", office.officers["leader"], 403)

    await office.call("DELETE", path, office.officers["leader"], 204)

    assert name(await publish(office, code, 409)) == "no-extension-waits"
