"""Versions: who makes one count, from when on, and what it leaves alone (scenario 15)."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from services.dossier import tenant
from services.dossier.catalogue import store
from services.dossier.catalogue.checks import check
from services.dossier.catalogue.domain import Procedure, ProcedureInvalid
from services.dossier.catalogue.store import today
from services.dossier.tenant import PROCEDURE as SHAPE
from tests.dossier.office import OTHER_UNIT, PROCEDURE, TENANT, UNIT, Office, pdf, procedure

EXTRACT = procedure()
EDITOR, PUBLISHER = UUID(int=0x301), UUID(int=0x302)


def priced(amount: int, **changes: Any) -> Procedure:
    """The extract at another price."""
    (case,) = EXTRACT.cases
    price = {"online": amount, "desk": amount, "post": amount}
    fee = replace(case.fee, lines=(replace(case.fee.lines[0], unit_price=price),))
    return replace(EXTRACT, cases=(replace(case, fee=fee),), **changes)


async def load(office: Office, *versions: Procedure) -> None:
    async with office.db.transaction() as tx:
        assert await store.publish(tx, versions) == len(versions)


def type_of(problem: dict[str, Any]) -> str:
    name: str = problem["type"].rsplit(":", 1)[1]
    return name


# ── what changes, and when ──


async def test_a_draft_of_a_procedure_that_was_replaced_is_told_by_what(office: Office) -> None:
    """2.002621 was offered when the draft began; 3.000722 replaced it meanwhile."""
    old = procedure("2.002621")
    offered = replace(EXTRACT, code=old.code, name=old.name)
    await load(office, offered)
    draft = await office.draft(procedure_code=old.code)
    await office.upload(draft, pdf())
    await load(office, replace(old, summary="Đã được thay thế."))

    problem = await office.submission(draft, 409)

    assert (type_of(problem), problem["replaced_by"]) == ("procedure-replaced", ["3.000722"])
    body = {"procedure_code": old.code, "receiving_unit": UNIT}
    problem = await office.call("POST", "/drafts", office.an, 409, json=body)
    assert (type_of(problem), problem["replaced_by"]) == ("procedure-replaced", ["3.000722"])
    shown = await office.call("GET", f"/procedures/{old.code}", {})
    assert (shown["retired"], shown["replaced_by"]) == (True, ["3.000722"])


async def test_open_dossiers_keep_their_version(office: Office) -> None:
    code = await office.submitted()
    await load(office, priced(9_000))

    await office.act(code, "acceptance")

    accepted = (await office.bodies(code))["DossierAccepted"]
    assert accepted["fee_lines"][0]["amount"] == 16_000
    kept = await office.db.fetchval("SELECT procedure_version FROM dossier WHERE code = $1", code)
    assert kept == EXTRACT.version


async def test_a_version_with_a_date_waits_for_it(office: Office) -> None:
    tomorrow = today() + timedelta(days=1)
    await load(office, priced(9_000, effective_from=tomorrow))

    states = (await office.call("GET", f"/procedures/{PROCEDURE}/versions", {}))["items"]

    assert [(each["version"], each["state"]) for each in states] == [(2, "upcoming"), (1, "current")]
    _, now_ = await store.current(office.db, PROCEDURE) or (None, None)
    _, then = await store.current(office.db, PROCEDURE, tomorrow) or (None, None)
    assert now_
    assert then
    assert (now_.version, then.version) == (1, 2)
    await office.submitted()


async def test_a_rate_decided_for_later_is_shown_apart(office: Office) -> None:
    (case,) = EXTRACT.cases
    (rule,) = case.fee.lines
    until, tomorrow = today(), today() + timedelta(days=1)
    lines = (replace(rule, effective_to=until), replace(rule, effective_from=tomorrow, unit_price={**rule.unit_price}))  # type: ignore[dict-item]
    await load(office, replace(EXTRACT, cases=(replace(case, fee=replace(case.fee, lines=lines)),)))

    fee = (await office.call("GET", f"/procedures/{PROCEDURE}", {}))["cases"][0]["fee"]

    assert ([line["effective_to"] for line in fee["lines"]], len(fee["later_lines"])) == ([until.isoformat()], 1)


async def test_a_procedure_past_its_last_day_can_no_longer_be_filed(office: Office) -> None:
    draft = await office.draft()
    await load(office, replace(EXTRACT, effective_to=today() - timedelta(days=1)))
    body = {"procedure_code": PROCEDURE, "receiving_unit": UNIT}

    assert type_of(await office.call("POST", "/drafts", office.an, 409, json=body)) == "procedure-closed"
    assert type_of(await office.submission(draft, 409)) == "procedure-replaced"
    assert PROCEDURE not in [i["code"] for i in (await office.call("GET", "/procedures", {}))["items"]]


async def test_a_unit_that_does_not_take_the_procedure_gets_no_draft_of_it(office: Office) -> None:
    body = {"procedure_code": "3.000722", "receiving_unit": "H99.01"}
    assert type_of(await office.call("POST", "/drafts", office.an, 409, json=body)) == "not-open-online"
    await office.call("GET", "/procedures/3.000722", {}, 404, params={"unit": "H99.01"})


async def test_a_procedure_is_shown_as_the_agency_offers_it(office: Office) -> None:
    there = await office.call("GET", "/procedures/1.001193", {}, params={"unit": OTHER_UNIT})

    assert (there["service_level"], "bản chính" in there["partial_reason"]) == ("partial", True)
    assert {each["unit"]: each["service_level"] for each in there["offered_at"]} == {
        "H99.01": "full",
        UNIT: "full",
        OTHER_UNIT: "partial",
    }
    for must_be_shown in ("cases", "eforms", "legal_basis", "delivery", "result", "summary"):
        assert there[must_be_shown]


# ── two persons ──


def who(office: Office, ref: UUID, *roles: str) -> dict[str, str]:
    return office.identity.token(ref, "officer", unit="H99", roles=[*roles])


async def test_one_officer_proposes_and_another_publishes(office: Office) -> None:
    editor = who(office, EDITOR, "catalogue_editor", "catalogue_publisher")
    body = SHAPE.dump_python(priced(9_000), mode="json")

    proposed = await office.call("POST", f"/procedures/{PROCEDURE}/versions", editor, 201, json=body)

    publication = f"/procedures/{PROCEDURE}/versions/{proposed['version']}/publication"
    shown = await office.call("GET", f"/procedures/{PROCEDURE}", {})
    assert shown["version"] == 1, "a proposal does not count"
    assert type_of(await office.call("POST", publication, editor, 409)) == "own-proposal"
    await office.call("POST", publication, office.officers["leader"], 403)
    await office.call("POST", publication, who(office, PUBLISHER, "catalogue_publisher"))
    shown = await office.call("GET", f"/procedures/{PROCEDURE}", {})
    assert (shown["version"], shown["cases"][0]["fee"]["lines"][0]["unit_price"]["online"]) == (2, 9_000)
    again = await office.call("POST", publication, who(office, PUBLISHER, "catalogue_publisher"), 409)
    assert type_of(again) == "published-already"


async def test_a_faulty_proposal_is_refused_with_every_fault(office: Office) -> None:
    body = SHAPE.dump_python(priced(9_000), mode="json")
    body["service_level"] = "partial"
    body["cases"][0]["components"][0]["replaced_by_database"] = "NONE"
    editor = who(office, EDITOR, "catalogue_editor")

    problem = await office.call("POST", f"/procedures/{PROCEDURE}/versions", editor, 422, json=body)

    assert type_of(problem) == "procedure-faulty"
    assert len(problem["errors"]) == 2
    misspelt = await office.call("POST", f"/procedures/{PROCEDURE}/versions", editor, 422, json={**body, "nmae": "x"})
    assert any("nmae" in error for error in misspelt["errors"])
    same = SHAPE.dump_python(EXTRACT, mode="json")
    nothing = await office.call("POST", f"/procedures/{PROCEDURE}/versions", editor, 409, json=same)
    assert type_of(nothing) == "nothing-new"


# ── files ──


def test_every_fault_of_every_file_is_named_at_once(tmp_path: Path) -> None:
    for each in Path(TENANT).glob("*.yaml"):
        (tmp_path / each.name).symlink_to(each.resolve())
    (tmp_path / "procedures").mkdir()
    good = yaml.safe_load(Path(TENANT, "procedures/2.000815.yaml").read_text("utf-8"))
    (form,) = good["eforms"].values()
    form["fields"][1]["visible_if"] = "copies > 1"
    good["life_events"], good["replaced_by"] = ["wedding"], ["1.999999"]
    (tmp_path / "procedures/a.yaml").write_text(yaml.safe_dump(good), "utf-8")
    (tmp_path / "procedures/b.yaml").write_text("code: '1.1'\nnmae: x\n", "utf-8")

    with pytest.raises(ProcedureInvalid) as said:
        tenant.procedures(str(tmp_path))

    lines = str(said.value).splitlines()
    assert "a.yaml: life_events: there is no wedding" in lines
    assert "a.yaml: replaced_by: there is no 1.999999" in lines
    assert "a.yaml: eforms.CT_TOKHAI: fields.pages.visible_if: it reads what is not asked: copies" in lines
    assert "b.yaml: nmae: Unexpected keyword argument" in lines


@pytest.mark.parametrize(
    ("code", "changes", "says"),
    [
        ("1.000894", {"service_level": "full"}, "neither presence nor verification"),
        ("2.000884", {"competent_level": "hamlet"}, "no level hamlet"),
        ("2.000884", {"audience": ("everybody",)}, "nobody knows everybody"),
    ],
)
def test_a_head_with_a_fault_is_not_published(code: str, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ProcedureInvalid, match=says):
        check(replace(procedure(code), **changes))


def test_a_choice_that_does_not_exist_is_found_before_anybody_fills_it_in() -> None:
    marital = procedure("1.004873")
    (case, *_) = marital.cases
    wrong = replace(case.components[1], condition="marital_status == 'divorcd'")
    with pytest.raises(ProcedureInvalid, match="marital_status is never 'divorcd'"):
        check(replace(marital, cases=(replace(case, components=(wrong,)),)))
