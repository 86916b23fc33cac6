"""Registers and search: what officers find, and what none of them ever sees."""

import random
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest

from contracts.dossier import (
    ConsultationRequested,
    DeliveryMethod,
    DossierAccepted,
    DossierForwarded,
    DossierRejected,
    DossierSubmitted,
    Punctuality,
    ResultIssued,
    Stage,
    Step,
)
from contracts.envelope import Event
from kit.clock import now
from kit.db import Database
from tests.tracking import callers, story
from tests.tracking.hearing import hear

MakeDatabase = Callable[..., Awaitable[Database]]

UNITS = ("H99.01", "H99.02.01", "H99.02.02", "H99.03", "H99.05.01")
PROCEDURES = ("2.000635", "1.004873", "3.990001")
WHY = "Kiểm tra theo khiếu nại số 12/KN"


def life(number: int, chance: random.Random) -> list[Event]:
    """A dossier of some unit, somewhere on its way. Its day received is its number of hours ago."""
    receiving, competent = chance.choice(UNITS[:3]), chance.choice(UNITS)
    code = f"{receiving}-2611{number % 28 + 1:02d}-{number:04d}"
    sent = now() - timedelta(hours=number)
    facts = story.submitted(1, code, owner=UUID(int=number % 7 + 1)).model_dump()
    facts |= {"receiving_unit": receiving, "competent_unit": competent, "procedure_code": chance.choice(PROCEDURES)}
    events: list[Event] = [DossierSubmitted.model_validate({**facts, "submitted_at": sent, "occurred_at": sent})]
    about = {"dossier_code": code, "occurred_at": sent}
    steps = chance.randrange(5)
    if steps == 1:
        events.append(
            DossierRejected(
                **about, version=2, stage=Stage.INTAKE, reason="Không thuộc thẩm quyền", unit=receiving,
                officer_ref=story.OFFICER,
            )
        )  # fmt: skip
    if steps > 1:
        due = sent + timedelta(hours=chance.choice((2, 5000)))
        events.append(
            DossierAccepted(
                **about, version=2, accepted_at=sent, appointment_at=due, unit=receiving, officer_ref=story.OFFICER,
                policy_version="2026-07",
            )
        )  # fmt: skip
    if steps == 3:
        target = chance.choice(UNITS)
        events.append(DossierForwarded(**about, version=3, from_unit=receiving, to_unit=target, step=Step.SPECIALIST))
    if steps == 4:
        outcome = chance.choice((Punctuality.EARLY, Punctuality.LATE))
        events.append(
            ResultIssued(
                **about, version=3, result_ref="r", result_code="KQ", sha256="0" * 64, outcome=outcome,
                delivery=DeliveryMethod.ONLINE, issued_at=sent + timedelta(hours=1),
            )
        )  # fmt: skip
    return events


LIVES = [life(number, random.Random(number)) for number in range(1, 241)]  # noqa: S311 (repeatable, not secret)


async def _fill(db: Database) -> None:
    await hear(db, *(story.standardised(UUID(int=n), f"00019000000{n}") for n in range(1, 8)))
    for events in LIVES:
        await hear(db, *events)


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("tracking", "a register", _fill)


def officer(unit: str = "H99.02.01", *roles: str) -> dict[str, str]:
    return callers.officer("tracking", *(roles or ("desk",)), unit=unit)


def inspector() -> dict[str, str]:
    """A new one each time: a token lives for a minute."""
    return officer("H99", "inspector")


async def register(http: httpx2.AsyncClient, headers: dict[str, str], **asked: Any) -> list[dict[str, Any]]:
    """All pages of a register."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await http.get("/api/v1/registers/dossiers", params={"limit": 25, **asked, **cursor}, headers=headers)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        if answer.json()["next"] is None:
            return items
        cursor = {"cursor": answer.json()["next"]}


async def search(http: httpx2.AsyncClient, headers: dict[str, str], **known: Any) -> Any:
    answer = await http.post("/api/v1/registers/searches", json=known, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def units_of(events: Iterable[Event]) -> set[str]:
    """Every unit that the dossier of these events belongs to now."""
    first, *rest = events
    assert isinstance(first, DossierSubmitted)
    holder = [event.to_unit for event in rest if isinstance(event, DossierForwarded)]
    return {first.receiving_unit, first.competent_unit, *holder}


def codes(items: Iterable[dict[str, Any]]) -> list[str]:
    return [item["code"] for item in items]


def expected(unit: str) -> list[str]:
    """What a unit's register holds, the earliest received first."""
    mine = [events for events in LIVES if unit == "H99" or unit in units_of(events)]
    return [events[0].dossier_code for events in reversed(mine)]  # type: ignore[attr-defined]


async def test_a_units_register_holds_each_of_its_dossiers_once_and_nobody_elses(http: httpx2.AsyncClient) -> None:
    for unit in ("H99", *UNITS):
        assert codes(await register(http, officer(unit))) == expected(unit)


async def test_no_list_and_no_search_ever_shows_a_dossier_outside_the_officers_scope(http: httpx2.AsyncClient) -> None:
    belongs = {events[0].dossier_code: units_of(events) for events in LIVES}  # type: ignore[attr-defined]
    chance = random.Random(766)  # noqa: S311 (repeatable, not secret)
    for _ in range(60):
        unit = chance.choice(UNITS)
        shown = await _some_question(http, officer(unit, chance.choice(("desk", "leader", "supervisor"))), chance)
        assert [code for code in shown if unit not in belongs[code]] == []


async def _some_question(http: httpx2.AsyncClient, headers: dict[str, str], chance: random.Random) -> list[str]:
    some = chance.choice(LIVES)[0].dossier_code  # type: ignore[attr-defined]
    narrower: dict[str, Any] = chance.choice(
        [{}, {"status": [chance.randrange(1, 11)]}, {"lateness": "overdue"}, {"procedure_code": PROCEDURES[0]}]
    )
    match chance.randrange(6):
        case 0:
            return codes(await register(http, headers, **narrower))
        case 1:
            return codes(await register(http, headers, by="due", **narrower))
        case 2:
            return codes((await search(http, headers, code=some[-chance.randrange(4, 12) :], **narrower))["items"])
        case 3:
            number = f"00019000000{chance.randrange(1, 8)}"
            return codes((await search(http, headers, identity_number=number, **narrower))["items"])
        case 4:
            return codes((await search(http, headers, code=some[: chance.randrange(4, 14)]))["items"])
    return codes((await search(http, headers, codes=[events[0].dossier_code for events in LIVES[:150]]))["items"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ({"lateness": "overdue"}, lambda item: item["appointment"] == {"code": "overdue", "label": "Đang quá hạn"}),
        ({"lateness": "late"}, lambda item: item["appointment"] and item["appointment"]["code"] == "late"),
        ({"status": [3]}, lambda item: item["status"]["code"] == 3),
        ({"procedure_code": PROCEDURES[1]}, lambda item: item["procedure_code"] == PROCEDURES[1]),
        ({"channel": "provincial_portal"}, lambda item: item["channel"] == "provincial_portal"),
    ],
)
async def test_filters_leave_exactly_what_fits(
    http: httpx2.AsyncClient, asked: dict[str, Any], fits: Callable[[dict[str, Any]], bool]
) -> None:
    everything = await register(http, officer("H99", "leader"))
    wanted = [item["code"] for item in everything if fits(item)]
    found = codes(await register(http, officer("H99", "leader"), **asked))
    assert found == wanted
    assert found


async def test_what_is_still_open_comes_the_most_urgent_first(http: httpx2.AsyncClient) -> None:
    items = await register(http, officer("H99.02.01"), by="due")
    assert items
    assert [item["due_at"] for item in items] == sorted(item["due_at"] for item in items)
    assert {item["appointment"]["code"] for item in items} <= {"overdue", "in_time"}


async def test_a_short_window_loses_nothing(http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"status": [3], "limit": 5}
    at_once = codes(await register(http, officer("H99", "leader"), **asked))
    of_unit = codes(await register(http, officer(), **asked))
    monkeypatch.setattr("services.tracking.registers.store.WINDOW", 7)
    assert codes(await register(http, officer("H99", "leader"), **asked)) == at_once
    assert codes(await register(http, officer(), **asked)) == of_unit


async def test_the_last_digits_the_beginning_and_the_whole_code_find_a_dossier(http: httpx2.AsyncClient) -> None:
    code = expected("H99.02.01")[0]
    for typed in (code, code.lower(), code[-4:], code[-11:], f" {code[:16]} ", code[-6:]):
        assert code in codes((await search(http, officer(), code=typed))["items"]), typed


async def test_a_persons_number_finds_their_dossiers_and_is_kept_nowhere(
    http: httpx2.AsyncClient, db: Database
) -> None:
    found = await search(http, officer("H99", "leader"), identity_number="000 190 000 003")
    assert found["complete"]
    assert len(found["items"]) == len([events for events in LIVES if events[0].owner_ref == UUID(int=3)])  # type: ignore[attr-defined]
    assert {item["owner"] for item in found["items"]} == {story.MASKED}
    kept = await db.fetchval("SELECT string_agg(to_jsonb(a)::text, ' ') FROM access AS a")
    assert "by_person" in kept
    assert "000190000003" not in kept
    assert story.digest("000190000003") not in kept


HARMFUL = [
    "' OR 1=1 --",
    "'; DROP TABLE access; --",
    "%%%%",
    "____",
    "H99%",
    "\\\\\\\\",
    "ＨＯ９９－０００１",
    "٠٠٠١",
    "Hồ sơ số một",
    "\u202e0001-1000",
    "0001\u0000",
    "😀😀😀😀",
]


async def test_text_shaped_like_sql_or_unicode_finds_nothing_and_harms_nothing(
    http: httpx2.AsyncClient, db: Database
) -> None:
    before = await db.fetchval("SELECT count(*) FROM dossier_view")
    for text in HARMFUL:
        for known in ({"code": text}, {"codes": [text]}, {"code": "0001", "procedure_code": text[:20]}):
            answer = await http.post("/api/v1/registers/searches", json=known, headers=officer())
            assert answer.status_code in (200, 422), text
            assert answer.json().get("items", []) == [], text
        listed = await http.get("/api/v1/registers/dossiers", params={"procedure_code": text[:20]}, headers=officer())
        assert listed.status_code in (200, 422), text
    assert await db.fetchval("SELECT count(*) FROM dossier_view") == before


@pytest.mark.parametrize(
    ("known", "refusal"),
    [
        ({}, "search-without-criteria"),
        ({"procedure_code": PROCEDURES[0]}, "search-without-criteria"),
        ({"code": "001"}, "code-part-too-short"),
        ({"identity_number": "12345"}, "tax-code-malformed"),
        ({"code": "0001", "unit": "H99.03"}, "unit-outside-scope"),
    ],
)
async def test_a_search_that_cannot_be_answered_says_what_is_missing(
    http: httpx2.AsyncClient, known: dict[str, Any], refusal: str
) -> None:
    answer = await http.post("/api/v1/registers/searches", json=known, headers=officer())
    assert answer.json()["type"] == f"urn:motcua:problem:{refusal}"


async def test_a_register_is_of_one_year_at_most(http: httpx2.AsyncClient) -> None:
    for first, last in (
        ("1976-01-01", "2026-01-01"),
        ("2026-11-02", "2026-11-01"),
        ("2025-11-22", "2026-11-23"),
        ("0001-01-01", "0001-01-02"),
        ("9999-12-31", "9999-12-31"),
    ):
        asked = {"from": first, "to": last}
        refused = await http.get("/api/v1/registers/dossiers", params=asked, headers=officer())
        assert refused.json()["type"] == "urn:motcua:problem:register-period-invalid", asked
    asked = {"from": "2025-11-23", "to": "2026-11-23"}
    assert (await http.get("/api/v1/registers/dossiers", params=asked, headers=officer())).status_code == 200


# ── who may look, and that it is written down ──


async def test_an_inspector_gives_a_reason_and_sees_the_province(http: httpx2.AsyncClient) -> None:
    for reason in (None, "xem"):
        params = {"reason": reason} if reason else {}
        refused = await http.get("/api/v1/registers/dossiers", params=params, headers=inspector())
        assert refused.json()["type"] == "urn:motcua:problem:reason-to-read-missing"
    assert codes(await register(http, inspector(), reason=WHY)) == expected("H99")


async def test_roles_without_content_see_no_register(http: httpx2.AsyncClient) -> None:
    for role in ("cashier", "catalogue_editor", "catalogue_publisher", "system_admin"):
        assert (await http.get("/api/v1/registers/dossiers", headers=officer("H99", role))).status_code == 403


async def test_citizens_and_strangers_see_no_register(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/api/v1/registers/dossiers")).status_code == 401
    citizen = callers.citizen(story.OWNER, "tracking")
    assert (await http.get("/api/v1/registers/dossiers", headers=citizen)).status_code == 403


async def opened(http: httpx2.AsyncClient, code: str, headers: dict[str, str], **why: str) -> httpx2.Response:
    return await http.get(f"/api/v1/officers/dossiers/{code}", params=why, headers=headers)


async def test_a_dossier_opens_for_its_own_units_and_for_nobody_else(http: httpx2.AsyncClient) -> None:
    for events in LIVES[:25]:
        code, units = events[0].dossier_code, units_of(events)  # type: ignore[attr-defined]
        for unit in UNITS:
            assert (await opened(http, code, officer(unit))).status_code == (200 if unit in units else 404)


async def test_a_dossier_of_others_looks_to_an_officer_like_none(http: httpx2.AsyncClient) -> None:
    foreign = next(events for events in LIVES if "H99.05.01" not in units_of(events))[0].dossier_code  # type: ignore[attr-defined]
    refused = await opened(http, foreign, officer("H99.05.01"))
    unknown = await opened(http, "H99.02.01-261122-9999", officer("H99.05.01"))
    assert refused.status_code == unknown.status_code == 404
    assert refused.json() == unknown.json()


async def test_an_opened_dossier_masks_names_and_is_written_down(http: httpx2.AsyncClient) -> None:
    code = expected("H99.02.01")[0]
    body = (await opened(http, code, officer())).json()
    assert body["owner"] == body["submitter"] == story.MASKED
    assert (await opened(http, code, inspector())).status_code == 403
    assert (await opened(http, code, inspector(), reason=WHY)).status_code == 200

    log = (await http.get("/api/v1/accesses", params={"code": code}, headers=inspector())).json()["items"]

    assert [(line["what"], line["access_right"], line["reason"]) for line in log] == [
        ("dossier", "inspection", WHY),
        ("dossier", "unit", None),
    ]


async def test_whoever_was_asked_or_had_it_before_may_still_open_it(http: httpx2.AsyncClient, db: Database) -> None:
    code = "H99.02.01-261122-7777"
    about = {"dossier_code": code, "occurred_at": now()}
    asked = ConsultationRequested(
        **about, version=3, consultation_id=UUID(int=5), asking_unit=story.UNIT, consulted_unit="H99.06", due_at=now()
    )
    await hear(db, story.submitted(1, code), story.accepted(2, code))
    assert (await opened(http, code, officer("H99.06"))).status_code == 404
    await hear(db, asked)
    assert (await opened(http, code, officer("H99.06"))).status_code == 200


async def test_the_control_sheet_tells_from_hand_to_hand(http: httpx2.AsyncClient, db: Database) -> None:
    code = "H99.02.01-261122-7778"
    await hear(db, *story.dossier_events(code))
    sheet = (await http.get(f"/api/v1/officers/dossiers/{code}/control-sheet", headers=officer())).json()
    assert [(row["giver"], row["receiver"]) for row in sheet["rows"]] == [
        ("Bộ phận Tiếp nhận và Trả kết quả", "Công chức chuyên môn"),
        ("Công chức chuyên môn", "Lãnh đạo cơ quan"),
        ("Lãnh đạo cơ quan", "Văn thư"),
        ("Văn thư", "Bộ phận Tiếp nhận và Trả kết quả (trả kết quả)"),
    ]


async def test_every_look_is_written_down_with_who_why_and_which(http: httpx2.AsyncClient) -> None:
    seen = await register(http, inspector(), reason=WHY, unit="H99.02.02")
    code = seen[0]["code"]
    await search(http, officer("H99.02.02"), code=code)

    log = (await http.get("/api/v1/accesses", params={"code": code}, headers=inspector())).json()["items"]

    assert [(line["what"], line["unit"], line["access_right"], line["reason"]) for line in log] == [
        ("search", "H99.02.02", "unit", None),
        ("register", "H99", "inspection", WHY),
    ]
    assert log[1]["criteria"]["unit"] == "H99.02.02"
    assert log[0]["roles"] == ["desk"]


async def test_only_inspectors_read_the_log_and_nobody_changes_it(http: httpx2.AsyncClient, db: Database) -> None:
    await register(http, officer())
    assert (await http.get("/api/v1/accesses", headers=officer("H99", "leader"))).status_code == 403
    for change in ("DELETE FROM access", "UPDATE access SET reason = ''", "TRUNCATE access"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.execute(change)
