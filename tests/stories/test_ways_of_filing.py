"""Ways of filing on real parts: paid for first, for somebody else, from paper at the desk, from an old one."""

# mypy: disallow-untyped-calls=False
# pyHanko annotates only part of what it offers.

import hashlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter

from deploy.demo import papers
from deploy.demo.people import Person, Portal
from deploy.demo.web import Refused, Web
from deploy.local.stack import Stack
from tests.support import eventually

UNIT = "H99.02.01"
EXTRACT, BUSINESS = "2.000635", "1.001612"
AN, BINH, GIANG = "000190000001", "000085000002", "000179000005"
ANSWERS = {"event_type": "birth", "person_name": "Trần Văn Bình", "copies": 1}
HOUSEHOLD = {
    "business_name": "Mây Tre Hư Cấu", "business_address": "Thôn Đông, xã Bình Minh", "business_phone": "0900000001",
    "business_email": "an.nguyen@example.vn", "trade": "Bán đồ mây tre", "capital": 50_000_000,
    "owner_name": "Nguyễn Thị An", "owner_id": AN, "owner_dob": "1990-03-08", "household_members": True,
    "member_count": 2,
}  # fmt: skip


@dataclass
class Office:
    """The installation, and those who use it."""

    stack: Stack
    web: Web

    @property
    def portal(self) -> Portal:
        return Portal(self.web, self.stack.site)

    async def draft(self, who: Person, procedure: str, **fields: Any) -> str:
        body = {"procedure_code": procedure, "receiving_unit": UNIT}
        made = await who.post("dossier", "drafts", uuid4().hex, body)
        await who.post("dossier", f"drafts/{made['id']}", uuid4().hex, fields, method="PATCH")
        draft: str = made["id"]
        return draft

    async def send_file(self, who: Person, draft: str, component: str, pdf: bytes) -> None:
        about = {"file_name": "x.pdf", "content_type": "application/pdf", "size": len(pdf)}
        about["sha256"] = hashlib.sha256(pdf).hexdigest()
        path = f"drafts/{draft}/components/{component}/uploads"
        ticket = await who.post("dossier", path, uuid4().hex, about)
        file = {"file": ("x.pdf", pdf, "application/pdf")}
        await self.web.call("POST", ticket["url"], data=ticket["fields"], files=file)

    async def send(self, who: Person, draft: str) -> str:
        code: str = (await who.post("dossier", f"drafts/{draft}/submission", uuid4().hex))["code"]
        return code

    async def queued(self, code: str) -> dict[str, Any] | None:
        """The dossier in the desk's queue."""
        desk = await self.portal.officer("mot-cua")
        items = (await desk.get("dossier", "queues/reception", limit=200))["items"]
        return next((item for item in items if item["code"] == code), None)

    async def texts(self, phone: str, code: str) -> list[str]:
        answer = await self.web.call("GET", f"{self.stack.site.url('sms')}/messages", params={"phone": phone})
        return [one["content"] for one in answer.json() if code in one["content"]]


@pytest.fixture
async def office(stack: Stack) -> AsyncIterator[Office]:
    web = Web()
    yield Office(stack, web)
    await web.close()


async def tracked(who: Person, code: str) -> dict[str, Any]:
    """The dossier as its owner or submitter sees it; empty when they do not."""
    try:
        found: dict[str, Any] = await who.get("tracking", f"my/dossiers/{code}")
    except Refused as no:
        if no.status != 404:
            raise
        return {}
    return found


def signed(stack: Stack, pdf: bytes) -> bytes:
    """The file with a signature that the installation trusts."""
    secrets = stack.site.secrets
    signer = signers.SimpleSigner.load_pkcs12(str(secrets.leader_p12), passphrase=secrets.p12_password.encode())
    metadata = signers.PdfSignatureMetadata("ChuKy", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES)
    out = BytesIO()
    with ThreadPoolExecutor(1) as thread:  # pyHanko runs an event loop of its own
        work = signers.PdfSigner(metadata, signer=signer).sign_pdf
        thread.submit(work, IncrementalPdfFileWriter(BytesIO(pdf)), output=out).result()
    return out.getvalue()


@pytest.mark.timeout(300)
async def test_what_has_to_be_paid_first_reaches_the_desk_when_it_is_paid(office: Office) -> None:
    """Scenario 7."""
    an = await office.portal.citizen(AN)
    draft = await office.draft(an, BUSINESS, answers=HOUSEHOLD, delivery="online")
    pdf = signed(office.stack, papers.declaration("Giay de nghi dang ky ho kinh doanh"))
    for component in ("TP-HK-01", "TP-HK-02", "TP-HK-03"):
        await office.send_file(an, draft, component, pdf)
    sent = await an.post("dossier", f"drafts/{draft}/submission", uuid4().hex)
    code, site = sent["code"], office.stack.site
    assert sent["status"] == "awaiting_prepayment"
    assert await office.queued(code) is None
    await eventually(lambda: _folder(an, code, "awaiting_payment"), within=60)

    await office.web.call("POST", f"{site.url('bank')}/behaviour", json={"twice": True, "forged": True})
    try:
        await _pay(office, code)
        item = await eventually(lambda: office.queued(code), within=60)
    finally:
        await office.web.call("POST", f"{site.url('bank')}/behaviour", json={})

    view = await an.get("dossier", f"dossiers/{code}")
    assert (view["status"], view["payment_state"]) == ("submitted", "paid")
    fees = (await office.web.call("GET", f"{site.url('payment')}/api/v1/dossiers/{code}/fees")).json()
    assert fees["state"] == "paid"
    assert item["due_at"] > view["submitted_at"]
    assert [line["act"] for line in view["history"]] == ["submit_unpaid", "prepay"]
    assert (await eventually(lambda: tracked(an, code)))["folder"] == "sent"


async def _folder(who: Person, code: str, folder: str) -> bool:
    return (await tracked(who, code)).get("folder") == folder


async def _pay(office: Office, code: str) -> None:
    site = office.stack.site
    fees = f"{site.url('payment')}/api/v1/dossiers/{code}"
    wish = {"provider": "vnpay", "return_url": f"{site.url('gateway')}/thanh-toan/ket-qua"}
    begun = (await office.web.call("POST", f"{fees}/attempts", key=uuid4().hex, json=wish)).json()
    await office.web.call("POST", begun["redirect_url"], data={"decision": "pay"})


@pytest.mark.timeout(300)
async def test_who_files_for_somebody_follows_it_and_the_owner_finds_it_with_their_first_login(office: Office) -> None:
    an = await office.portal.citizen(AN)
    owner = {"name": "Hoàng Thị Giang", "identity_number": GIANG}
    draft = await office.draft(an, EXTRACT, answers=ANSWERS, delivery="online", on_behalf=True, owner=owner)
    for component in ("TP-TL-01", "TP-TL-02"):
        await office.send_file(an, draft, component, papers.declaration(component))

    code = await office.send(an, draft)

    await eventually(lambda: tracked(an, code), within=60)
    await eventually(lambda: office.texts("0900000001", code), within=60)
    giang = await office.portal.citizen(GIANG)
    await eventually(lambda: tracked(giang, code), within=60)
    assert (await giang.get("dossier", f"dossiers/{code}"))["owner_name"] == owner["name"]
    assert (await tracked(an, code))["code"] == code
    assert await tracked(await office.portal.citizen(BINH), code) == {}


@pytest.mark.timeout(300)
async def test_paper_at_the_desk_is_accepted_at_once_and_its_owner_follows_it_online(office: Office) -> None:
    desk = await office.portal.officer("mot-cua")
    owner = {"name": "Trần Văn Bình", "identity_number": BINH, "phone": "0900000002"}
    draft = await office.draft(desk, EXTRACT, answers=ANSWERS, delivery="desk", owner=owner)
    await office.send_file(desk, draft, "TP-TL-01", papers.declaration("Ban quet to khai giay"))

    entered = await desk.post("dossier", f"drafts/{draft}/registration", uuid4().hex, {"channel": "desk"})

    code = entered["code"]
    assert entered["due_at"]
    slip = await desk.get("dossier", f"dossiers/{code}/slip")
    assert (await office.web.call("GET", slip["url"])).content.startswith(b"%PDF")
    binh = await office.portal.citizen(BINH)
    seen = await eventually(lambda: tracked(binh, code), within=60)
    assert seen["code"] == code
    assert (await binh.get("dossier", f"dossiers/{code}"))["code"] == code


@pytest.mark.timeout(300)
async def test_what_was_withdrawn_is_copied_and_sent_again(office: Office) -> None:
    an = await office.portal.citizen(AN)
    draft = await office.draft(an, EXTRACT, answers=ANSWERS, delivery="online")
    await office.send_file(an, draft, "TP-TL-01", papers.declaration("To khai"))
    code = await office.send(an, draft)
    await an.post("dossier", f"dossiers/{code}/withdrawal", uuid4().hex, {})

    copy = await an.post("dossier", f"dossiers/{code}/copy", uuid4().hex)

    again = copy["draft"]
    assert copy["dropped"] == []
    assert again["answers"] == ANSWERS
    await an.post("dossier", f"drafts/{again['id']}", uuid4().hex, {"receiving_unit": UNIT}, method="PATCH")
    checked = await an.get("dossier", f"drafts/{again['id']}/check")
    assert checked["ready"], checked
    newer = await office.send(an, again["id"])
    assert newer != code
    await eventually(lambda: _folder(an, newer, "sent"), within=60)
    await eventually(lambda: _folder(an, code, "sent_back"), within=60)
