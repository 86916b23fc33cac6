"""The citizen's document store: results enter it, it is its owner's alone, and consent can be given and withdrawn."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from services.dossier.catalogue.domain import Component, Mode, Requirement
from services.dossier.documents.domain import Document, Purpose, fitting
from services.dossier.documents.words import CONSENTS
from tests.dossier.office import AN, Office

EDITION = CONSENTS[Purpose.DOCUMENT_REUSE].version


async def consent(office: Office, expect: int = 201, **changes: Any) -> dict[str, Any]:
    body = {"purpose": "document_reuse", "text_version": EDITION, **changes}
    return await office.call("POST", "/consents", office.an, expect, json=body)


# ── results ──


async def test_a_published_result_is_in_its_owners_store_and_in_nobody_elses(office: Office) -> None:
    code = await office.submitted()
    for act in ("acceptance", "proposal"):
        await office.act(code, act)
    await office.paid(code)
    for act in ("signature", "issuance"):
        await office.act(code, act)

    (document,) = (await office.call("GET", "/documents", office.an))["items"]

    assert (document["origin"], document["dossier_code"], document["in_force"]) == ("result", code, True)
    assert (await office.call("GET", "/documents", office.binh))["items"] == []
    assert (await office.download(await office.call("GET", f"/documents/{document['id']}", office.an)))[:4] == b"%PDF"
    await office.call("GET", f"/documents/{document['id']}", office.binh, 404)


# ── validity ──


def document(**changes: Any) -> Document:
    fields: dict[str, Any] = {
        "id": UUID(int=1), "owner_ref": AN, "dossier_code": "H99.02.01-261122-0001", "result_code": "KQ.TP.TL",
        "component_code": None, "name": "Bản sao trích lục", "issuer_unit": "H99.02.01", "number": "1/TLHT-BS",
        "sha256": "0" * 64, "content_type": "application/pdf", "issued_at": None, "valid_to": None,
        "revoked_at": None, "consent_id": None, **changes,
    }  # fmt: skip
    return Document(**fields)


BIRTH = Component("TP-KS-02", "Giấy khai sinh", Requirement.MANDATORY, Mode.SUBMIT, from_results=("KQ.TP.TL",))
TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"valid_to": TODAY}, True),
        ({"valid_to": date(2026, 11, 22)}, False),
        ({"revoked_at": "2026-11-01"}, False),
        ({"result_code": "KQ.KHAC"}, False),
        ({"result_code": None, "component_code": "TP-KS-02"}, True),
        ({"result_code": None, "component_code": "TP-KS-03"}, False),
    ],
)
def test_a_document_serves_where_it_fits_and_while_it_is_in_force(changes: dict[str, Any], fits: bool) -> None:
    assert bool(fitting([document(**changes)], BIRTH, TODAY)) is fits


# ── consent ──


async def test_a_consent_says_what_for_to_which_text_and_when(office: Office) -> None:
    given = await consent(office)

    (kept,) = (await office.call("GET", "/consents", office.an))["items"]
    assert kept == given
    assert (kept["purpose"], kept["text_version"], kept["channel"]) == ("document_reuse", EDITION, "provincial_portal")
    assert kept["data_categories"]
    assert kept["withdrawn_at"] is None


async def test_agreeing_twice_is_agreeing_once(office: Office) -> None:
    assert (await consent(office))["id"] == (await consent(office))["id"]


async def test_nobody_agrees_to_a_text_that_is_not_in_force(office: Office) -> None:
    problem = await consent(office, 409, text_version="1999-01")

    assert problem["type"] == "urn:motcua:problem:consent-text-outdated"
    assert problem["text_version"] == EDITION


async def test_the_texts_can_be_read_without_a_login(office: Office) -> None:
    answer = await office.http.get("/api/v1/consents/texts")

    assert {item["purpose"] for item in answer.json()["items"]} == {"document_reuse"}


async def test_a_withdrawn_consent_stays_on_record_and_can_be_given_anew(office: Office) -> None:
    first = await consent(office)
    withdrawn = await office.call("POST", f"/consents/{first['id']}/withdrawal", office.an)
    again = await office.call("POST", f"/consents/{first['id']}/withdrawal", office.an)

    assert withdrawn["withdrawn_at"]
    assert withdrawn["withdrawn_at"] == again["withdrawn_at"]
    assert (await consent(office))["id"] != first["id"]
    assert len((await office.call("GET", "/consents", office.an))["items"]) == 2


async def test_only_the_person_withdraws_it(office: Office) -> None:
    given = await consent(office)

    await office.call("POST", f"/consents/{given['id']}/withdrawal", office.binh, 404)
