"""Results by post: ordered at the (stand-in) post office, delivered, or back at the desk."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import uvicorn

from deploy.local.ports import free
from kit.settings import load
from kit.timers import Timers
from services.dossier.app import app
from services.dossier.results.handover import posting, store
from services.dossier.results.handover.providers import vnpost
from services.dossier.settings import Settings
from tests.dossier.office import Office
from tests.standins.conftest import running

ADDRESS = {
    "receiver_name": "Nguyễn Thị An", "address": "Số 5 thôn Đông, xã Bình Minh, tỉnh An Bình", "phone": "0900000001",
}  # fmt: skip
SECRET = "only for tests"
PORTS = free(["post", "dossier"])


@pytest.fixture(scope="module")
def post_office() -> Iterator[str]:
    """The post office as a process; it calls the dossier service back."""
    told = {
        "MOTCUA_POST_SECRET": SECRET,
        "MOTCUA_POST_CALLBACK_URL": f"http://127.0.0.1:{PORTS['dossier']}/api/v1/post-events",
    }
    with running("post", PORTS["post"], "--port", str(PORTS["post"]), **told) as address:
        yield address


@pytest.fixture
def with_post(post_office: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"URL": f"{post_office}/orders", "CUSTOMER": "AN-BINH", "SECRET": SECRET}.items():
        monkeypatch.setenv(f"MOTCUA_POST_{name}", value)


@pytest.fixture(autouse=True)
async def listening(with_post: None, office: Office) -> AsyncIterator[None]:
    """The service behind a port, for the post's calls."""
    server = uvicorn.Server(uvicorn.Config(app, port=PORTS["dossier"], lifespan="off", log_level="warning"))
    serving = asyncio.create_task(server.serve())
    yield
    server.should_exit = True
    await serving


async def issued(office: Office) -> str:
    receiver = {"name": ADDRESS["receiver_name"], "phone": ADDRESS["phone"], "address": {"text": ADDRESS["address"]}}
    code = await office.issued(delivery="post", reach={"receiver": receiver})
    assert (await office.call("GET", f"/dossiers/{code}", office.an))["status"] == "result_ready"
    return code


async def ordered(office: Office) -> None:
    timers = Timers()
    timers.job(store.POST)(posting.order)
    while await timers.work_next(office.db):
        pass


async def postman(address: str, code: str, status: str) -> int:
    async with httpx2.AsyncClient() as http:
        return (await http.post(f"{address}/orders/{code}/{status}")).status_code


async def delivery(office: Office, code: str) -> dict[str, Any]:
    return await office.call("GET", f"/dossiers/{code}/delivery", office.an)


async def test_a_letter_goes_out_when_the_result_is_ready_and_its_arrival_ends_the_dossier(
    office: Office, post_office: str
) -> None:
    code = await issued(office)
    assert (await delivery(office, code))["state"] == "ready"
    await ordered(office)
    there = await delivery(office, code)
    assert (there["state"], there["address"]) == ("ordered", ADDRESS)
    assert there["item_code"].startswith("EM")

    assert await postman(post_office, code, "shipped") == 303
    assert (await delivery(office, code))["state"] == "shipped"
    assert (await office.call("GET", f"/dossiers/{code}", office.an))["status"] == "result_ready", "9 is not 10"
    for _ in range(2):
        assert await postman(post_office, code, "delivered") == 303

    assert (await office.call("GET", f"/dossiers/{code}", office.an))["status"] == "returned"
    assert (await office.bodies(code))["ResultDelivered"]["channel"] == "post"
    assert [name for _, name in await office.events(code)].count("ResultDelivered") == 1
    assert (await delivery(office, code))["handover"]["channel"] == "post"


async def test_a_letter_that_could_not_be_delivered_waits_at_the_desk(office: Office, post_office: str) -> None:
    code = await issued(office)
    await ordered(office)
    await postman(post_office, code, "failed")

    waits = await delivery(office, code)
    assert (waits["state"], waits["why"]) == ("at_desk", "Người nhận vắng mặt")
    assert (await office.act(code, "handover"))["status"] == "returned"
    assert await postman(post_office, code, "shipped") == 303, "what the post says late changes nothing"
    assert (await delivery(office, code))["state"] == "delivered"


async def test_an_order_that_was_repeated_after_a_crash_is_one_letter(
    office: Office, post_office: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await issued(office)
    with monkeypatch.context() as broken:
        broken.setattr(posting, "_advance", _crash)
        await ordered(office)
    await office.db.execute("UPDATE timer SET due_at = now()")
    await ordered(office)

    async with httpx2.AsyncClient() as http:
        letters = (await http.get(f"{post_office}/orders")).json()
    assert [each["item_code"] for each in letters if each["order"]["OrderNumber"] == code] == [
        (await delivery(office, code))["item_code"]
    ]


async def _crash(*_: object) -> bool:
    raise RuntimeError("the process dies here")


async def test_only_the_post_says_what_became_of_a_letter(office: Office, settings: Settings) -> None:
    code = await issued(office)
    body = json.dumps({"OrderNumber": code, "ItemCode": "EM1VN", "Status": "delivered"}).encode()
    for signature in ("", "0" * 64, vnpost.sign("another", body)):
        headers = {vnpost.SIGNATURE: signature}
        answer = await office.http.post("/api/v1/post-events", content=body, headers=headers)
        assert answer.status_code == 403
    signed = {vnpost.SIGNATURE: vnpost.sign(load(Settings).post_secret, b"{}")}
    assert (await office.http.post("/api/v1/post-events", content=b"{}", headers=signed)).status_code == 422
    assert (await office.call("GET", f"/dossiers/{code}", office.an))["status"] == "result_ready"
