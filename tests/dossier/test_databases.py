"""Databases that replace papers: asked at sending through a real platform's process, logged without the data."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from services.dossier.databases import domain
from services.dossier.databases.domain import Looked, Outcome
from services.dossier.settings import Settings
from tests.dossier.office import Office, procedure
from tests.standins.conftest import free_port, running

AN = "000190000001"
NOBODY = "000199999999"
RESIDENCE = {
    "person_name": "Nguyễn Thị An", "person_id": AN, "person_dob": "1990-03-08", "new_address": "Xã Bình Minh",
    "housing": "own",
}  # fmt: skip


@dataclass(frozen=True)
class Platform:
    address: str
    key: str

    async def away(self, database: str, away: bool = True) -> None:
        async with httpx2.AsyncClient() as http:
            await http.post(f"{self.address}/outages", json={"database": database, "away": away})

    async def ask(self, key: str | None = None, about: str = AN, **changes: Any) -> httpx2.Response:
        body = {
            "database": "CSDLQG_DAN_CU",
            "kind": "population",
            "key": about,
            "purpose": "Thử",
            "legal_basis": "Luật",
        }
        async with httpx2.AsyncClient() as http:
            headers = {"Authorization": f"Bearer {key or self.key}"}
            return await http.post(f"{self.address}/lookups", json={**body, **changes}, headers=headers)


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    port, key = free_port(), secrets.token_hex(16)
    told = {"MOTCUA_DATABASES_KEY": key, "MOTCUA_TENANT": "deploy/tenants/an-binh"}
    with running("databases", port, "--port", str(port), **told) as address:
        yield Platform(address, key)


@pytest.fixture
def connected(platform: Platform, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """The dossier service knows the platform."""
    monkeypatch.setenv("MOTCUA_DATABASES_URL", platform.address)
    monkeypatch.setenv("MOTCUA_DATABASES_KEY", platform.key)
    monkeypatch.setattr("kit.settings._loaded", {})
    return platform


async def sent(office: Office, **changes: Any) -> str:
    draft = await office.draft(procedure_code="1.004222", answers={**RESIDENCE, **changes})
    code: str = (await office.submission(draft))["code"]
    return code


async def lookups(office: Office, code: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await office.call("GET", f"/dossiers/{code}/lookups", office.officers["desk"]))[
        "items"
    ]
    return items


# ── the stand-in ──


async def test_the_platform_answers_only_who_is_known_and_says_why_they_ask(platform: Platform) -> None:
    assert (await platform.ask()).json()["record"]["name"] == "Nguyễn Thị An"
    assert (await platform.ask(key="wrong")).status_code == 401
    assert (await platform.ask(purpose="")).status_code == 422
    assert (await platform.ask(about=NOBODY)).status_code == 404
    async with httpx2.AsyncClient() as http:
        assert AN not in (await http.get(f"{platform.address}/asked")).text


# ── sending ──


async def test_a_paper_that_a_database_has_is_not_asked_for(office: Office, connected: Platform) -> None:
    code = await sent(office)

    components = (await office.bodies(code))["DossierSubmitted"]["components"]
    assert [(each["code"], each["source"]) for each in components] == [("TP-TT-02", "database")]
    (line,) = await lookups(office, code)
    assert (line["outcome"], line["may_be_requested"]) == ("found", False)
    assert "TP-TT-02" not in line["purpose"]
    assert line["legal_basis"].startswith("Nghị quyết số 66.7/2025/NQ-CP")


async def test_what_the_database_does_not_know_may_be_requested(office: Office, connected: Platform) -> None:
    code = await sent(office, person_id=NOBODY)

    assert (await office.bodies(code))["DossierSubmitted"]["components"] == []
    (line,) = await lookups(office, code)
    assert (line["outcome"], line["may_be_requested"]) == ("not_found", True)
    assert line["correction"] == "Văn phòng đăng ký đất đai hoặc chi nhánh nơi có đất"


async def test_a_database_that_is_away_keeps_nobody_from_sending(office: Office, connected: Platform) -> None:
    await connected.away("CSDLQG_DAT_DAI")
    try:
        (line,) = await lookups(office, await sent(office))
    finally:
        await connected.away("CSDLQG_DAT_DAI", away=False)
    assert (line["outcome"], line["may_be_requested"]) == ("unavailable", True)


async def test_an_installation_without_databases_sends_as_well(office: Office) -> None:
    (line,) = await lookups(office, await sent(office))
    assert line["outcome"] == "unavailable"


async def test_the_log_holds_neither_the_data_nor_the_number(office: Office, connected: Platform) -> None:
    await sent(office)

    (row,) = await office.db.fetch("SELECT * FROM database_lookup")

    told = str(dict(row))
    assert AN not in told
    assert "AB 000001" not in told
    assert len(row["subject_digest"]) == 32
    assert row["asked_by"]
    assert row["answered_at"] >= row["asked_at"]


async def test_nothing_is_asked_about_a_draft_that_cannot_be_sent(office: Office, connected: Platform) -> None:
    draft = await office.draft(procedure_code="1.004222", answers={**RESIDENCE, "person_dob": "2099-01-01"})
    await office.submission(draft, 422)
    assert await office.db.fetchval("SELECT count(*) FROM database_lookup") == 0


# ── rules ──


def test_a_component_of_two_people_is_there_when_both_are_found() -> None:
    assert domain.together([Outcome.FOUND, Outcome.FOUND]) is Outcome.FOUND
    assert domain.together([Outcome.FOUND, Outcome.NOT_FOUND]) is Outcome.NOT_FOUND
    assert domain.together([Outcome.NOT_FOUND, Outcome.UNAVAILABLE]) is Outcome.UNAVAILABLE
    assert Looked("X", "D", Outcome.UNAVAILABLE, ()).may_be_requested


def test_a_marriage_is_looked_up_for_both_and_a_divorce_abroad_only_if_there_was_one() -> None:
    case = procedure("1.000894").cases[0]
    asked = domain.wanted(case, {"groom_id": AN, "bride_id": NOBODY}, None)
    assert [(component.code, keys) for component, keys in asked] == [
        ("TP-KH-02", [AN, NOBODY]),
        ("TP-KH-03", [AN, NOBODY]),
    ]


def test_the_digest_says_nothing_without_the_key_and_differs_by_database() -> None:
    ours = domain.digest_of("CSDLQG_DAN_CU", AN, b"secret")
    assert ours == domain.digest_of("CSDLQG_DAN_CU", AN, b"secret")
    assert (
        len({ours, domain.digest_of("CSDL_HO_TICH", AN, b"secret"), domain.digest_of("CSDLQG_DAN_CU", AN, b"x")}) == 3
    )


FIRST_PAY = """
UPDATE procedure SET definition = jsonb_set(definition, '{cases,0,fee,timing}', '"before_acceptance"')
WHERE code = '1.004222'
"""


async def test_a_paper_that_a_database_has_is_said_after_the_fee_that_comes_first(
    office: Office, connected: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.dossier.catalogue.store._versions", {})
    await office.db.execute(FIRST_PAY)
    code = await sent(office)
    assert "DossierSubmitted" not in await office.bodies(code)

    await office.paid(code)

    components = (await office.bodies(code))["DossierSubmitted"]["components"]
    assert [(each["code"], each["source"]) for each in components] == [("TP-TT-02", "database")]
