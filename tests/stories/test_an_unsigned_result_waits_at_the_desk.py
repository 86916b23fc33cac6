"""Acceptance scenario 5: no result without a digital signature is handed over; the desk hands over the signed one."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from deploy.demo import papers
from deploy.demo.web import Refused, Web
from deploy.local.stack import Stack
from tests.stories.test_a_dossier_ends_without_a_result import shown
from tests.stories.test_ways_of_filing import AN, ANSWERS, EXTRACT, Office, _pay, signed
from tests.support import eventually


@pytest.fixture
async def office(stack: Stack) -> AsyncIterator[Office]:
    web = Web()
    yield Office(stack, web)
    await web.close()


async def act(office: Office, username: str, code: str, name: str, body: dict[str, Any] | None = None) -> None:
    officer = await office.portal.officer(username)
    await officer.post("dossier", f"dossiers/{code}/{name}", uuid4().hex, body)


async def accepted_and_paid(office: Office) -> str:
    """A dossier whose result is to be fetched at the desk."""
    an = await office.portal.citizen(AN)
    draft = await office.draft(an, EXTRACT, answers=ANSWERS, delivery="desk")
    await office.send_file(an, draft, "TP-TL-01", papers.declaration("To khai"))
    code = await office.send(an, draft)
    await act(office, "mot-cua", code, "acceptance")

    async def fee_is(state: str) -> bool:
        fees = f"{office.stack.site.url('payment')}/api/v1/dossiers/{code}/fees"
        try:
            return bool((await office.web.call("GET", fees)).json()["state"] == state)
        except Refused:
            return False

    async def paid() -> bool:
        return bool((await an.get("dossier", f"dossiers/{code}"))["payment_state"] == "paid")

    await eventually(lambda: fee_is("requested"), within=60, what="the fee is asked for")
    await _pay(office, code)
    await eventually(paid, within=60, what="the dossier knows that it is paid")
    return code


async def send_result(office: Office, code: str, pdf: bytes) -> str:
    """The specialist sends a file; the id of its upload."""
    specialist = await office.portal.officer("chuyen-mon")
    about = {"file_name": "ket-qua.pdf", "content_type": "application/pdf", "size": len(pdf)}
    about["sha256"] = hashlib.sha256(pdf).hexdigest()
    ticket = await specialist.post("dossier", f"dossiers/{code}/result-uploads", uuid4().hex, about)
    file = {"file": ("ket-qua.pdf", pdf, "application/pdf")}
    await office.web.call("POST", ticket["url"], data=ticket["fields"], files=file)
    upload: str = ticket["upload_id"]
    return upload


@pytest.mark.timeout(300)
async def test_the_desk_hands_over_only_once_the_signed_result_came_and_it_stays_on_time(office: Office) -> None:
    an = await office.portal.citizen(AN)
    specialist = await office.portal.officer("chuyen-mon")
    code = await accepted_and_paid(office)
    await act(office, "chuyen-mon", code, "proposal")
    await act(office, "lanh-dao", code, "signature", {"on_paper": True})
    await act(office, "van-thu", code, "issuance")
    await shown(an, code, 9)
    outcome = (await an.get("dossier", f"dossiers/{code}"))["outcome"]
    assert outcome in ("early", "on_time")

    with pytest.raises(Refused, match="chữ ký số") as no:
        await act(office, "mot-cua", code, "handover", {"receiver": "owner"})
    assert no.value.status == 409
    tasks = (await specialist.get("dossier", "queues/unsigned", limit=200))["items"]
    assert code in [task["code"] for task in tasks], "the specialist is asked for the signed file"
    assert (await an.get("dossier", f"dossiers/{code}"))["status"] == "result_ready"

    pdf = await asyncio.to_thread(signed, office.stack, papers.declaration("Ban sao trich luc"))
    upload = await send_result(office, code, pdf)
    await act(office, "chuyen-mon", code, "signed-result", {"upload_id": upload})
    await act(office, "mot-cua", code, "handover", {"receiver": "owner"})

    assert (await shown(an, code, 10))["folder"] == "result_returned"
    assert (await an.get("dossier", f"dossiers/{code}"))["outcome"] == outcome
    link = await an.get("dossier", f"dossiers/{code}/result")
    assert (await office.web.call("GET", link["url"])).content == pdf
    given = (await an.get("dossier", f"dossiers/{code}/delivery"))["handover"]
    assert (given["channel"], given["receiver"]) == ("desk", "owner")
