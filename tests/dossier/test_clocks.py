"""The clocks of a dossier over HTTP and on the database: what runs when, what is said when one runs out, and why."""

import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest

from contracts.money import FeeTiming
from kit import ids
from kit.clock import now
from kit.timers import Timer
from services.dossier import tenant, timers
from services.dossier.app import app
from services.dossier.catalogue import store as catalogue
from services.dossier.clocks import domain, store
from services.dossier.clocks.calendar import HANOI, Limit, Unit
from services.dossier.clocks.domain import Kind
from services.dossier.processing import store as dossiers
from services.dossier.settings import Settings
from tests.dossier.office import OTHER_UNIT, PROCEDURE, Office

TENANT = tenant.load("deploy/tenants/an-binh")


async def clocks(office: Office, code: str) -> dict[str, str]:
    """Kind → what the newest clock of it does."""
    found = await office.call("GET", f"/dossiers/{code}/deadlines", office.an)
    return {item["kind"]: item["state"] for item in found["items"]}


async def let_run_out(office: Office, code: str, kind: Kind) -> None:
    """What happens when the clock's time comes: it was due a second ago."""
    await office.db.execute(
        "UPDATE clock SET due_at = now() - interval '1 second', started_at = least(started_at, now() - interval '1 s')"
        " WHERE dossier_code = $1 AND kind = $2",
        code,
        kind,
    )
    await office.db.execute("UPDATE timer SET due_at = now() - interval '1 s' WHERE key = $1 AND kind = $2", code, kind)
    assert await timers.timers.fire_next(office.db)


# ── which clocks run ──


async def test_a_dossier_at_the_desk_has_a_time_to_be_looked_at_and_an_alarm_before(office: Office) -> None:
    code = await office.submitted()

    assert await clocks(office, code) == {"reception_sla": "running", "officer_alert": "running"}
    kinds = {row["kind"] for row in await office.db.fetch("SELECT kind FROM timer WHERE key = $1", code)}
    assert kinds == {"reception_sla", "officer_alert"}


async def test_acceptance_stops_the_clocks_of_reception_and_starts_the_appointment(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance")

    running = await clocks(office, code)
    assert (running["reception_sla"], running["officer_alert"]) == ("stopped", "stopped")
    assert (running["processing_deadline"], running["supplement_window"]) == ("running", "running")
    assert (await office.call("GET", f"/dossiers/{code}", office.an))["sla_state"] == "due_soon", "a same-day case"


async def test_the_result_stops_every_clock_and_leaves_no_timer(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance")
    await office.act(code, "proposal")
    await office.paid(code)
    await office.act(code, "signature")
    await office.act(code, "issuance")

    assert set((await clocks(office, code)).values()) == {"stopped"}
    assert await office.db.fetchval("SELECT count(*) FROM timer WHERE key = $1", code) == 0


# ── what happens when one runs out ──


async def test_a_missed_reception_is_said_once_and_changes_no_state(office: Office) -> None:
    code = await office.submitted()

    await let_run_out(office, code, Kind.RECEPTION_SLA)

    assert await office.events(code) == [(1, "DossierSubmitted"), (2, "DeadlineMissed")]
    assert (await office.bodies(code))["DeadlineMissed"]["deadline"] == "reception"
    view = await office.call("GET", f"/dossiers/{code}", office.an)
    assert (view["status"], view["sla_state"]) == ("submitted", "overdue")
    (alarm,) = (await office.call("GET", "/alarms", office.officers["desk"]))["items"]
    assert (alarm["dossier_code"], alarm["kind"]) == (code, "reception_sla")
    assert (await office.act(code, "acceptance"))["version"] == 3
    assert (await office.call("GET", "/alarms", office.officers["desk"]))["items"] == [], "the work was done"


async def test_an_unread_dossier_stands_out_and_nobody_outside_hears_of_it(office: Office) -> None:
    code = await office.submitted()

    await let_run_out(office, code, Kind.OFFICER_ALERT)

    assert await office.events(code) == [(1, "DossierSubmitted")]
    (alarm,) = (await office.call("GET", "/alarms", office.officers["desk"]))["items"]
    assert alarm["label"] == "Nhắc cán bộ một cửa xem hồ sơ"
    assert (await office.call("GET", "/alarms", office.strangers["desk"]))["items"] == []


async def test_what_runs_out_is_the_matter_of_whoever_has_the_dossier_now(office: Office) -> None:
    code = await office.submitted()
    await office.db.execute("UPDATE dossier SET current_unit = $2 WHERE code = $1", code, OTHER_UNIT)

    await let_run_out(office, code, Kind.RECEPTION_SLA)

    assert (await office.bodies(code))["DeadlineMissed"]["unit"] == OTHER_UNIT
    assert (await office.call("GET", "/alarms", office.officers["desk"]))["items"] == []
    assert len((await office.call("GET", "/alarms", office.strangers["desk"]))["items"]) == 1


async def test_a_missed_appointment_is_overdue_and_work_goes_on(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance")

    await let_run_out(office, code, Kind.PROCESSING_DEADLINE)

    (item,) = (await office.call("GET", "/queues/processing", office.officers["specialist"]))["items"]
    assert (item["state"], item["sla_state"]) == ("accepted", "overdue")
    assert (await office.bodies(code))["DeadlineMissed"]["deadline"] == "processing"
    assert (await office.act(code, "proposal"))["status"] == "pending_approval"


async def test_a_timer_that_fires_while_its_clock_is_stopped_says_nothing(office: Office) -> None:
    code = await office.submitted()
    clock = await store.latest_of(office.db, code, Kind.RECEPTION_SLA)
    assert clock
    await office.act(code, "acceptance")
    late = Timer("reception_sla", code, now(), {"clock": str(clock.id)}, 1, None)

    async with office.db.transaction() as tx:
        await timers.timers.deadlines["reception_sla"](tx, late)

    assert await office.events(code) == [(1, "DossierSubmitted"), (2, "DossierAccepted")]


async def test_a_timer_of_a_clock_that_was_moved_waits_for_the_new_time(office: Office) -> None:
    code = await office.submitted()
    clock = await store.latest_of(office.db, code, Kind.RECEPTION_SLA)
    assert clock
    early = Timer("reception_sla", code, now(), {"clock": str(clock.id)}, 1, None)

    async with office.db.transaction() as tx:
        await timers.timers.deadlines["reception_sla"](tx, early)

    assert await office.events(code) == [(1, "DossierSubmitted")]


# ── why ──


async def test_a_deadline_explains_itself_step_by_step(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance")

    shown = await office.call("GET", f"/dossiers/{code}/deadlines/processing_deadline", office.an)

    assert shown["label"] == "Ngày hẹn trả kết quả"
    assert shown["limit"]["text"] == "trong ngày làm việc"
    assert shown["limit"]["cutoff"] == "15:00"
    assert shown["policy_version"].startswith("2026-07.")
    kinds = [step["what"] for step in shown["explanation"]]
    assert (kinds[0], kinds[-1]) == ("start", "due")
    assert "effective" in kinds
    assert shown["explanation"][-1]["until"] == shown["due_at"]
    problem = await office.call("GET", f"/dossiers/{code}/deadlines/payment_expiry", office.an, 404)
    assert problem["type"].endswith("no-such-deadline")
    await office.call("GET", f"/dossiers/{code}/deadlines", office.binh, 404)


async def test_a_dossier_keeps_the_profile_it_was_accepted_under(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance")

    version = await office.db.fetchval("SELECT policy_version FROM dossier WHERE code = $1", code)
    kept = await store.profile(office.db, version)

    assert kept == TENANT.profiles[0]


async def test_a_clock_is_read_as_it_was_written(office: Office) -> None:
    code = await office.submitted()
    dossier = await dossiers.read(office.db, code)
    start = domain.start_of(dossier, datetime(2026, 11, 20, 9, tzinfo=HANOI), TENANT.rules(now()))
    written = domain.clock(ids.new(), Kind.STEP_DEADLINE, start, Limit(2.5, Unit.WORKING_HOUR), key="leader:sign")
    written = domain.pause(written, datetime(2026, 11, 20, 10, tzinfo=HANOI), "chờ")

    async with office.db.transaction() as tx:
        await store.start(tx, written)
        assert await store.running(tx, written.id) == written


async def test_a_kind_of_clock_runs_once_at_a_time(office: Office) -> None:
    code = await office.submitted()
    (clock,) = await store.running_of(office.db, code, Kind.RECEPTION_SLA)
    with pytest.raises(Exception, match="clock_runs_once"):
        await office.db.execute(
            "INSERT INTO clock SELECT dossier_code, kind, started_at, due_at, NULL, policy_version, $2, key, unit,"
            " limit_rule, steps, provisional, calendar_version, pauses, passed_at FROM clock WHERE id = $1",
            clock.id,
            UUID(int=1),
        )


async def test_a_fee_that_comes_first_can_be_paid_until_the_policy_says(
    office: Office, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    province = Path(shutil.copytree(settings.tenant, tmp_path / "province"))
    with (province / "policy.yaml").open("a", encoding="utf-8") as policy:
        policy.write('payment_expiry: {value: 15, unit: working_day, source: "thử nghiệm"}\n')
    monkeypatch.setattr(app.state, "settings", settings.model_copy(update={"tenant": str(province)}))
    extract = next(each for each in tenant.procedures(str(province)) if each.code == PROCEDURE)
    first = replace(extract.cases[0], fee=replace(extract.cases[0].fee, timing=FeeTiming.BEFORE_ACCEPTANCE))
    async with office.db.transaction() as tx:
        await catalogue.publish(tx, [replace(extract, cases=(first,))])

    code = await office.submitted()

    (clock,) = await store.running_of(office.db, code, Kind.PAYMENT_EXPIRY)
    said = (await office.bodies(code))["DossierAwaitingPayment"]["due_at"]
    assert datetime.fromisoformat(said) == clock.due_at
    await office.paid(code)
    assert await clocks(office, code) == {
        "payment_expiry": "stopped",
        "reception_sla": "running",
        "officer_alert": "running",
    }
