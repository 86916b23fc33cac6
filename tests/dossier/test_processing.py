"""The desk, the specialist, the leader and the clerk over HTTP: who may do what, when; clocks; payment."""

import asyncio
from dataclasses import replace

import pytest

from contracts.money import FeeTiming
from services.dossier.catalogue import store as catalogue
from tests.dossier.office import Office, procedure


def name(problem: dict[str, str]) -> str:
    return problem["type"].rsplit(":", 1)[1]


async def test_an_act_out_of_turn_is_refused_and_changes_nothing(office: Office) -> None:
    code = await office.submitted()

    assert name(await office.act(code, "proposal", expect=409)) == "act-not-possible"
    assert name(await office.act(code, "signature", expect=409)) == "result-not-ready"
    assert name(await office.act(code, "issuance", expect=409)) == "result-not-ready"
    assert name(await office.act(code, "handover", expect=409)) in ("result-not-ready", "act-not-possible")
    assert await office.events(code) == [(1, "DossierSubmitted")]


@pytest.mark.parametrize("act", ["acceptance", "proposal", "signature", "issuance", "handover"])
async def test_a_role_does_only_its_own_acts(office: Office, act: str) -> None:
    code = await office.submitted()
    own = {"acceptance": "desk", "proposal": "specialist", "signature": "leader", "issuance": "clerk"}

    for role, token in office.officers.items():
        if role != own.get(act, "desk"):
            await office.act(code, act, token, 403)
    await office.act(code, act, office.an, 403)


async def test_only_the_unit_that_has_the_dossier_acts(office: Office) -> None:
    code = await office.submitted()

    assert name(await office.act(code, "acceptance", office.strangers["desk"], 403)) == "not-your-unit"


async def test_an_officer_who_saw_an_old_version_is_told(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance", headers={"If-Match": '"1"'})

    problem = await office.act(code, "proposal", expect=409, headers={"If-Match": '"1"'})

    assert problem["version"] == 2


async def test_fifty_officers_accept_at_once_and_one_does(office: Office) -> None:
    code = await office.submitted()
    path, desk = f"/api/v1/dossiers/{code}/acceptance", office.officers["desk"]

    answers = await asyncio.gather(*[office.http.post(path, headers=desk) for _ in range(50)])

    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 409, 503}
    assert await office.events(code) == [(1, "DossierSubmitted"), (2, "DossierAccepted")]


async def test_whoever_drafted_does_not_sign(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance")
    await office.act(code, "proposal", office.everything)
    await office.paid(code)

    assert name(await office.act(code, "signature", office.everything, 403)) == "separation-of-duties"


async def test_the_fee_comes_before_the_signature(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance")
    await office.act(code, "proposal")

    assert name(await office.act(code, "signature", expect=409)) == "fee-unpaid"
    await office.paid(code, outstanding=8_000)
    assert name(await office.act(code, "signature", expect=409)) == "fee-unpaid"
    await office.paid(code)

    assert (await office.call("GET", f"/dossiers/{code}", office.an))["payment_state"] == "paid"
    assert (await office.act(code, "signature"))["version"] == 5, "a payment is no event of the dossier"


async def test_each_work_is_in_the_queue_of_whose_turn_it_is(office: Office) -> None:
    code = await office.submitted(delivery="desk")

    async def waits_in() -> list[str]:
        queues = ("reception", "processing", "signing", "issuing", "handover")
        found = [await office.call("GET", f"/queues/{queue}", office.officers["desk"]) for queue in queues]
        return [queue for queue, page in zip(queues, found, strict=True) if page["items"]]

    assert await waits_in() == ["reception"]
    await office.act(code, "acceptance")
    assert await waits_in() == ["processing"]
    await office.act(code, "proposal")
    assert await waits_in() == ["signing"]
    await office.paid(code)
    await office.act(code, "signature")
    assert await waits_in() == ["issuing"]
    await office.act(code, "issuance")
    assert await waits_in() == ["handover"]
    await office.act(code, "handover")
    assert await waits_in() == []


async def test_the_result_is_not_the_citizens_before_it_is_published(office: Office) -> None:
    code = await office.submitted()
    await office.act(code, "acceptance")
    await office.act(code, "proposal")

    assert name(await office.call("GET", f"/dossiers/{code}/result", office.an, 409)) == "result-not-ready"
    await office.call("GET", f"/dossiers/{code}/result", office.officers["leader"])


async def test_a_fee_that_comes_first_is_paid_before_the_desk_sees_anything(office: Office) -> None:
    extract = procedure()
    (case, *_) = extract.cases
    first = replace(case, fee=replace(case.fee, timing=FeeTiming.BEFORE_ACCEPTANCE))
    async with office.db.transaction() as tx:
        await catalogue.publish(tx, [replace(extract, cases=(first,))])
    code = await office.submitted()
    desk = office.officers["desk"]
    assert (await office.call("GET", f"/dossiers/{code}", office.an))["status"] == "awaiting_prepayment"
    assert (await office.call("GET", "/queues/reception", desk))["items"] == []
    assert await office.db.fetchval("SELECT count(*) FROM timer WHERE key = $1", code) == 0
    assert name(await office.act(code, "acceptance", expect=409)) == "act-not-possible"

    await office.paid(code)

    assert [item["code"] for item in (await office.call("GET", "/queues/reception", desk))["items"]] == [code]
    assert await office.events(code) == [(1, "DossierAwaitingPayment"), (2, "DossierSubmitted")]
    assert (await office.bodies(code))["DossierSubmitted"]["components"][0]["code"] == "TP-TL-01"
    assert {row["kind"] for row in await office.db.fetch("SELECT kind FROM timer WHERE key = $1", code)} == {
        "reception_sla",
        "officer_alert",
    }
    await office.paid(code)
    assert len(await office.events(code)) == 2


# ── what the house remembers ──


async def test_the_application_cannot_rewrite_history(office: Office) -> None:
    await office.submitted()
    for statement in ("UPDATE history SET act = 'x'", "DELETE FROM history", "DELETE FROM component_file"):
        with pytest.raises(Exception, match="permission denied"):
            await office.db.execute(statement)
