"""What the look-up tells to whom, over HTTP."""

import hmac
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx2
import pytest

from kit.db import Database
from services.tracking import freshness
from services.tracking.lookup import api
from services.tracking.lookup import domain as lookup_domain
from services.tracking.settings import shows_level_b
from tests.tracking import callers, story
from tests.tracking.conftest import configure
from tests.tracking.hearing import hear

MakeDatabase = Callable[[str], Awaitable[Database]]

UNKNOWN = "H99.02.01-261122-9999"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    database = await make_database("tracking")
    await hear(database, story.standardised(), *story.dossier_events()[:2], *story.payment_events())
    return database


def citizen(ref: UUID = story.OWNER) -> dict[str, str]:
    return callers.citizen(ref, "tracking")


async def test_the_code_alone_shows_the_degree_of_completion_and_nothing_personal(http: httpx2.AsyncClient) -> None:
    body = (await http.get(f"/api/v1/dossiers/{story.CODE}")).json()
    assert set(body) == {"code", "procedure_name", "status", "completion", "updated_at"}
    assert body["status"] == {"code": 2, "label": "Được tiếp nhận"}
    assert body["completion"] == {"done": 2, "of": 4, "label": "Đang giải quyết"}
    for personal in (story.MASKED, str(story.OWNER), story.NUMBER, story.at(1).date().isoformat()):
        assert personal not in str({**body, "updated_at": None})


async def test_a_code_is_read_as_people_type_it(http: httpx2.AsyncClient) -> None:
    assert (await http.get(f"/api/v1/dossiers/ {story.CODE.lower()} ")).status_code == 200


async def test_the_matching_number_shows_the_masked_name_the_dates_and_the_unit(http: httpx2.AsyncClient) -> None:
    body = (await http.get(f"/api/v1/dossiers/{story.CODE}", params={"identity_number": "000 190 000 001"})).json()
    assert body["submitter"] == story.MASKED
    assert body["unit"] == story.UNIT
    assert body["accepted_at"] == story.at(2).isoformat().replace("+00:00", "Z")
    assert "history" not in body
    assert "result_ref" not in body


async def test_a_wrong_number_and_an_unknown_code_get_the_same_answer(http: httpx2.AsyncClient) -> None:
    wrong = await http.get(f"/api/v1/dossiers/{story.CODE}", params={"identity_number": "000301000003"})
    unknown = await http.get(f"/api/v1/dossiers/{UNKNOWN}", params={"identity_number": "000301000003"})
    alone = await http.get(f"/api/v1/dossiers/{UNKNOWN}")
    assert wrong.status_code == unknown.status_code == alone.status_code == 404
    assert wrong.json() == unknown.json() == alone.json()
    assert wrong.json()["type"] == "urn:motcua:problem:dossier-not-found"
    assert dict(wrong.headers) == dict(unknown.headers) == dict(alone.headers)


async def test_a_province_may_switch_the_number_off(http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "shows_level_b", lambda: False)
    body = (await http.get(f"/api/v1/dossiers/{story.CODE}", params={"identity_number": story.NUMBER})).json()
    assert set(body) == {"code", "procedure_name", "status", "completion", "updated_at"}


def test_the_fictional_province_has_it_switched_on() -> None:
    shows_level_b.cache_clear()
    assert shows_level_b()


async def test_the_twenty_first_look_up_in_a_minute_is_told_when_to_come_back(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, lookups_per_minute=20)
    answers = [await http.get(f"/api/v1/dossiers/{UNKNOWN}") for _ in range(21)]
    assert [answer.status_code for answer in answers] == [404] * 20 + [429]
    assert answers[-1].json()["type"] == "urn:motcua:problem:too-many-lookups"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 3


async def test_a_caller_who_knows_a_version_waits_for_it_and_no_longer_than_a_second(http: httpx2.AsyncClient) -> None:
    at_once = await http.get(f"/api/v1/dossiers/{story.CODE}", params={"at_least": 2})
    assert at_once.headers["ETag"] == '"2"'
    began = time.monotonic()
    late = await http.get(f"/api/v1/dossiers/{story.CODE}", params={"at_least": 3})
    assert late.headers["ETag"] == '"2"'
    assert freshness.PATIENCE <= time.monotonic() - began < freshness.PATIENCE + 1


async def test_only_a_citizen_with_a_token_sees_folders(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/api/v1/my/folders")).status_code == 401


async def test_the_seven_folders_are_counted_but_for_drafts(http: httpx2.AsyncClient) -> None:
    folders = (await http.get("/api/v1/my/folders", headers=citizen())).json()["folders"]
    assert {folder["label"]: folder["count"] for folder in folders} == {
        "Hồ sơ chưa gửi": None,
        "Hồ sơ đã gửi": 0,
        "Hồ sơ chờ thanh toán": 0,
        "Hồ sơ yêu cầu bổ sung": 0,
        "Hồ sơ đang xử lý": 1,
        "Hồ sơ đã trả kết quả": 0,
        "Hồ sơ bị trả lại": 0,
    }


async def test_a_folder_lists_its_dossiers(http: httpx2.AsyncClient) -> None:
    page = (await http.get("/api/v1/my/dossiers", params={"folder": "in_progress"}, headers=citizen())).json()
    assert [item["code"] for item in page["items"]] == [story.CODE]
    assert page["items"][0]["fee"] == {
        "state": "paid",
        "label": "Đã thanh toán",
        "amount": 16000,
        "due_at": page["items"][0]["fee"]["due_at"],
    }
    assert page["next"] is None


async def test_a_long_list_comes_in_pages_without_a_gap(http: httpx2.AsyncClient, db: Database) -> None:
    many = UUID(int=42)
    codes = [f"H99.02.02-261122-{n:04d}" for n in range(1, 26)]
    await hear(db, *[story.submitted(1, code, owner=many) for code in codes])
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 10} | ({"cursor": cursor} if cursor else {})
        page = (await http.get("/api/v1/my/dossiers", params=params, headers=citizen(many))).json()
        seen += [item["code"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == sorted(codes, reverse=True)


async def test_a_cursor_that_is_none_of_ours_is_refused(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/my/dossiers", params={"cursor": "nonsense"}, headers=citizen())
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:motcua:problem:cursor-not-ours"


async def test_the_owner_sees_all_that_happened_with_labels(http: httpx2.AsyncClient) -> None:
    body = (await http.get(f"/api/v1/my/dossiers/{story.CODE}", headers=citizen())).json()
    assert [told["label"] for told in body["history"]] == [
        "Gửi hồ sơ",
        "Yêu cầu nộp phí, lệ phí",
        "Tiếp nhận hồ sơ",
        "Đã thanh toán phí, lệ phí",
        "Cấp biên lai",
    ]
    assert body["history"][-1]["detail"]["receipt_no"] == "0000001"
    assert body["version"] == 2


async def test_somebody_elses_dossier_looks_like_none(http: httpx2.AsyncClient) -> None:
    answer = await http.get(f"/api/v1/my/dossiers/{story.CODE}", headers=citizen(UUID(int=9)))
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:motcua:problem:dossier-not-found"


async def test_who_sent_a_dossier_for_somebody_follows_it_too(http: httpx2.AsyncClient, db: Database) -> None:
    helper, code = UUID(int=55), "H99.02.02-261122-0100"
    await hear(db, story.submitted(1, code, owner=UUID(int=54), submitter=helper))
    assert (await http.get(f"/api/v1/my/dossiers/{code}", headers=citizen(helper))).status_code == 200


# ── whatever is typed, the same work is done ──


async def _work_of(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, code: str, number: str | None
) -> tuple[list[tuple[Any, ...]], Any]:
    """(every statement and every digest of one look-up, in order, and its answer)."""
    done: list[tuple[Any, ...]] = []
    fetchrow, digest = Database.fetchrow, lookup_domain.digest
    compare = hmac.compare_digest

    async def watched_fetchrow(self: Database, sql: str, *args: Any) -> Any:
        done.append(("statement", sql))
        return await fetchrow(self, sql, *args)

    def watched_digest(number: str, key: str) -> str:
        done.append(("digest",))
        return digest(number, key)

    def watched_compare(one: str, other: str) -> bool:
        done.append(("compare", len(one), len(other)))
        return compare(one, other)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "fetchrow", watched_fetchrow)
        patch.setattr(lookup_domain, "digest", watched_digest)
        patch.setattr(hmac, "compare_digest", watched_compare)
        params = {"identity_number": number} if number is not None else {}
        answer = await http.get(f"/api/v1/dossiers/{code}", params=params)
    return done, answer


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (UNKNOWN, story.NUMBER),
        (story.CODE, "000301000003"),
        (UNKNOWN, "000301000003"),
        (story.CODE, "123"),
        (story.CODE, ""),
        (story.CODE, "0100047516"),
        (story.CODE, "không phải số"),
        (story.CODE, "٠٠٠١٩٠٠٠٠٠٠١"),
        ("' OR 1=1 --", story.NUMBER),
        ("𝓗𝟗𝟗", story.NUMBER),
    ],
)
async def test_a_look_up_does_the_same_whatever_is_wrong(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, code: str, number: str
) -> None:
    right, found = await _work_of(http, monkeypatch, story.CODE, story.NUMBER)
    wrong, refused = await _work_of(http, monkeypatch, code, number)
    assert found.status_code == 200
    assert refused.status_code == 404
    assert wrong == right
    unknown, other = await _work_of(http, monkeypatch, UNKNOWN, story.NUMBER)
    assert (unknown, other.content, dict(other.headers)) == (wrong, refused.content, dict(refused.headers))


async def test_random_codes_are_one_statement_each_and_teach_nothing(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(1)  # noqa: S311 (repeatable, not secret)
    seen = set()
    for _ in range(100):
        month, day, number = chance.randrange(1, 13), chance.randrange(1, 29), chance.randrange(5, 10_000)
        code = f"H99.02.0{chance.randrange(1, 9)}-26{month:02d}{day:02d}-{number:04d}"
        done, answer = await _work_of(http, monkeypatch, code, None)
        seen.add((len(done), answer.status_code, answer.content, str(sorted(answer.headers.items()))))
    assert len(seen) == 1


async def test_an_organisation_is_recognised_by_its_tax_code(http: httpx2.AsyncClient, db: Database) -> None:
    company, code = UUID(int=88), "H99.02.01-261122-0088"
    await hear(db, story.standardised(company, "mst:0100047516"), story.submitted(1, code, owner=company))
    for typed, status in (("0100047516", 200), ("010 004 7516", 200), ("0100047517", 404)):
        answer = await http.get(f"/api/v1/dossiers/{code}", params={"identity_number": typed})
        assert answer.status_code == status
