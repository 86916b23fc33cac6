"""Whole lives reach the national portal: the dossier service as it is, its events, the destination, the stand-in."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI, HTTPException
from typer.testing import CliRunner

from contracts.dossier import DOSSIERS
from contracts.envelope import Event
from contracts.money import FeeTiming
from contracts.payment import PAYMENTS, FeePaid, PaymentMethod
from deploy.standins.national_portal.app import create
from deploy.standins.national_portal.portal import Portal as StandIn
from kit import ids, ops
from kit import settings as kit_settings
from kit.clients import ServiceClient
from kit.clock import now
from kit.db import Database
from services.dossier.app import app
from services.dossier.catalogue import store as catalogue
from services.notification.settings import Settings
from services.notification.subscribers import inbox
from services.notification.systems import running
from services.notification.systems.delivery.domain import Accepted, Deferred, Outcome, Outgoing, Refused, Trouble
from services.notification.systems.journal.domain import structured
from services.notification.systems.national import clients, domain, watching
from services.notification.systems.national.clients import Portal
from services.notification.systems.national.destination import National, event_of
from tests.conftest import MakeDatabase
from tests.dossier.family import Family
from tests.dossier.office import AN, Office, procedure
from tests.dossier.supplementing import accepted, answer, drafted, issue, item
from tests.notification.outside import serving
from tests.support import eventually
from tests.tracking.hearing import hear

SECRET = "only for tests"
EVENTS = "SELECT event_id, version, type, payload FROM outbox WHERE channel = $1 AND key = $2 ORDER BY version"


@dataclass
class Province:
    """The dossier service, the way out, and the portal at its end."""

    office: Office
    portal: StandIn
    address: str
    destination: National

    async def outgoing(self, code: str) -> list[Outgoing]:
        rows = await self.office.db.fetch(EVENTS, DOSSIERS.name, code)
        return [
            sent(DOSSIERS.name, code, row["type"], row["version"], row["payload"], event_id=row["event_id"])
            for row in rows
        ]

    async def synchronise(self, code: str, *, after: int = 0) -> list[Outcome]:
        """Everything the dossier has said, in order."""
        return [await self.destination.deliver(one, 1) for one in await self.outgoing(code) if one.version > after]

    async def behave(self, **how: Any) -> None:
        async with httpx2.AsyncClient() as http:
            (await http.post(f"{self.address}/behaviour", json=how)).raise_for_status()

    def shown(self, code: str) -> dict[str, Any]:
        return self.portal.dossiers[code].shown()

    def lines(self, code: str) -> list[tuple[str, str]]:
        return [(line["TrangThai"], line["NoiDungXuLy"].partition(":")[0]) for line in self.shown(code)["progress"]]

    def status(self, code: str) -> str:
        """What the portal says; nothing while it does not have the dossier."""
        record = self.shown(code)["record"] if code in self.portal.dossiers else None
        return str(record["TrangThaiHoSo"]) if record else ""


def sent(channel: str, code: str, ce_type: str, version: int, payload: bytes, event_id: UUID | None = None) -> Outgoing:
    number = event_id or ids.new()
    headers = {"ce_id": str(number), "ce_type": ce_type, "ce_aggregateversion": str(version)}
    return Outgoing(number, ce_type, channel, code, version, now(), structured(headers, payload))


def of_payment(code: str, event: Event) -> Outgoing:
    kind = PAYMENTS.type_of(type(event))
    return sent(PAYMENTS.name, code, kind, event.version, event.model_dump_json().encode())


def outside(office: Office) -> FastAPI:
    """Identity, as far as a service asks it: for its own token, and who an account's owner is."""
    identity = FastAPI()

    @identity.post("/oauth/token")
    async def token() -> dict[str, Any]:
        bearer = office.identity.system("notification")["Authorization"]
        return {"access_token": bearer.removeprefix("Bearer "), "expires_in": 300}

    @identity.get("/api/v1/accounts/{ref}/identification")
    async def identification(ref: UUID, purpose: str) -> dict[str, Any]:
        if ref != AN:
            raise HTTPException(404)
        return {"name": "Nguyễn Thị An", "number": "000190000001", "email": "an@example.vn", "phone": "+84900000001"}

    return identity


@pytest.fixture
async def province(office: Office, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Province]:
    async with AsyncExitStack() as stack:
        standin = StandIn("H99", SECRET)
        address = await stack.enter_async_context(serving(create(standin)))
        monkeypatch.setenv("MOTCUA_IDENTITY_URL", await stack.enter_async_context(serving(outside(office))))
        monkeypatch.setenv("MOTCUA_DOSSIER_URL", await stack.enter_async_context(serving(app)))
        kept = {kind: value for kind, value in kit_settings._loaded.items() if kind is not kit_settings.Settings}
        monkeypatch.setattr(kit_settings, "_loaded", kept)
        for name in ("dossier", "identity"):
            monkeypatch.setattr(clients, name, ServiceClient(name))
        portal = Portal(
            Settings(national_sync_url=address, national_sync_client_id="H99", national_sync_client_secret=SECRET)
        )
        await stack.enter_async_context(portal)
        yield Province(office, standin, address, National(portal, {"H99.02.01": "UBND xã Bình Minh"}))


TAKEN = Accepted(200)


async def test_a_life_online_ends_at_ten_and_a_replay_changes_nothing(province: Province) -> None:
    code = await province.office.issued()
    paid = FeePaid(
        version=2, occurred_at=now(), dossier_code=code, assessment_id=UUID(int=7), attempt_id=UUID(int=8),
        amount=16_000, method=PaymentMethod.GATEWAY, provider="vnpay", provider_txn="1", paid_at=now(),
    )  # fmt: skip
    early = await province.destination.deliver(of_payment(code, paid), 1)
    assert (early, province.portal.dossiers) == (TAKEN, {}), "fees of what is not known there come with its record"

    assert set(await province.synchronise(code)) == {TAKEN}
    await province.destination.deliver(of_payment(code, paid), 1)

    assert province.lines(code) == [
        ("1", "Nộp hồ sơ"),
        ("2", "Tiếp nhận hồ sơ"),
        ("4", "Chuyển xử lý"),
        ("4", "Trình duyệt kết quả"),
        ("4", "Hoàn thành bước xử lý"),
        ("4", "Ký số kết quả"),
        ("9", "Đã có kết quả"),
        ("10", "Trả kết quả"),
    ]
    before = province.shown(code)
    record = before["record"]
    assert (record["TrangThaiHoSo"], record["ChuHoSo"], record["MaTTHC"]) == ("10", "Nguyễn Thị An", "2.000635")
    assert (record["MaDoiTuong"], record["SoDienThoai"]) == ("000190000001", "+84900000001")
    assert (record["KenhThucHien"], record["HinhThuc"], record["MaLinhVuc"]) == ("2", "0", "G15-TP07")
    (paper,), (result,), (fee,) = record["TaiLieuNop"], record["DanhSachGiayToKetQua"], record["DanhSachLePhi"]
    assert (paper["MaThanhPhanHoSo"], paper["LoaiBan"], paper["DuocSoHoa"]) == ("TP-TL-01", "1", "0")
    assert (fee["MaPhiLePhi"], fee["Gia"], fee["TrangThai"]) == ("LP-TL", "16000", "1")
    issued = (await province.office.bodies(code))["ResultIssued"]
    assert province.portal.files[result["GiayToId"]] == issued["sha256"]
    assert len(province.portal.files) == 2, "each file went once"

    assert set(await province.synchronise(code)) == {TAKEN}
    assert set(await province.synchronise(code, after=6)) == {TAKEN}

    after = province.shown(code)
    assert (after["created"], after["record"], after["progress"]) == (1, record, before["progress"])
    assert len(province.portal.files) == 2


async def test_a_supplement_goes_with_both_appointments_and_a_withdrawal_ends_it(province: Province) -> None:
    office = province.office
    code = await accepted(office)
    await issue(office, code, await drafted(office, code, item(problem="Tờ khai thiếu trang 2")))
    await province.synchronise(code)
    assert province.status(code) == "5"
    (open_one,) = province.shown(code)["record"]["DanhSachHoSoBoSung"]
    assert (open_one["TrangThaiBoSung"], open_one["NgayHenTraMoi"]) == ("0", "")
    told = len(province.lines(code))

    await answer(office, code)
    await office.call("POST", f"/dossiers/{code}/supplement-confirmation", office.officers["desk"])
    await office.call("POST", f"/dossiers/{code}/withdrawal", office.an)
    await province.synchronise(code)

    said = await clients.record_of(code)
    record = province.shown(code)["record"]
    (handed_in,) = record["DanhSachHoSoBoSung"]
    assert handed_in["NgayHenTraTruoc"]
    assert handed_in["NgayHenTraMoi"] == domain.local(said["due_at"]) == record["NgayHenTra"]
    assert [status for status, _ in province.lines(code)[told:]] == ["4", "4", "7"]
    assert province.status(code) == "7"


async def test_a_refusal_ends_at_three(province: Province) -> None:
    code = await province.office.submitted()
    beyond = {"reason": "Thuộc thẩm quyền của phường Hòa Lạc", "out_of_competence": True, "competent_unit": "H99.02.02"}
    await province.office.call("POST", f"/dossiers/{code}/rejection", province.office.officers["desk"], json=beyond)

    await province.synchronise(code)

    assert province.lines(code) == [("1", "Nộp hồ sơ"), ("3", "Từ chối tiếp nhận hồ sơ")]
    assert province.status(code) == "3"


async def test_a_birth_goes_as_one_dossier_with_its_members_beside_it(province: Province) -> None:
    family = Family(province.office)
    parent = await family.birth()
    birth = await family.code_of(parent, "birth")
    for act in ("acceptance", "proposal", "signature", "issuance"):
        await province.office.act(birth, act)
    await family.follow()
    for member in ("residence", "health_insurance"):
        await family.settle(parent, member)
    children = [child["dossier_code"] for child in (await family.children(parent)).values()]

    for code in (parent, *children):
        assert set(await province.synchronise(code)) == {TAKEN}, code

    lines = province.lines(parent)
    assert (lines[0], lines[-1]) == (("4", "Nộp hồ sơ liên thông"), ("10", "Thủ tục liên thông mọi thủ tục đã xong"))
    whole = province.shown(parent)["record"]
    assert (whole["TrangThaiHoSo"], whole["MaTTHC"]) == ("10", "3.000722")
    for code in children:
        assert province.shown(code)["record"]["GhiChu"] == f"Thuộc hồ sơ liên thông {parent}"
    (_, _, insured) = (province.shown(code)["record"] for code in children)
    (certificate,) = insured["TaiLieuNop"]
    assert (certificate["LoaiBan"], certificate["DuocSoHoa"]) == ("2", "3"), "an earlier result"


async def test_what_is_paid_for_first_begins_at_six(province: Province) -> None:
    (case, *_) = procedure().cases
    first = replace(case, fee=replace(case.fee, timing=FeeTiming.BEFORE_ACCEPTANCE))
    async with province.office.db.transaction() as tx:
        await catalogue.publish(tx, [replace(procedure(), cases=(first,))])
    code = await province.office.submitted()
    await province.synchronise(code)
    assert (province.status(code), province.shown(code)["record"]["NgayTiepNhan"]) == ("6", "")

    await province.office.paid(code)
    await province.synchronise(code)

    assert province.lines(code) == [("6", "Đã gửi, chờ thanh toán trước"), ("1", "Nộp hồ sơ")]
    assert province.status(code) == "1"


TROUBLES: list[tuple[dict[str, Any], Outcome]] = [
    ({"down": True}, Deferred(Trouble.STATUS, 503, timedelta(seconds=2))),
    ({"refuses": {"TraCuuHoSo": "98"}}, Deferred(Trouble.REJECTED, 200)),
    ({"refuses": {"LayMaHoSo": "99"}}, Deferred(Trouble.REJECTED, 200)),
    ({"refuses": {"TaiTepTin": "12"}}, Deferred(Trouble.REJECTED, 200)),
    ({"refuses": {"DongBoHoSo": "10"}}, Refused()),
    ({"refuses": {"DongBoHoSo": "01"}}, Deferred(Trouble.AUTHORISATION, 200)),
]


async def test_the_portals_troubles_pass_or_do_not(province: Province, capsys: pytest.CaptureFixture[str]) -> None:
    code = await province.office.submitted()
    for how, outcome in TROUBLES:
        await province.behave(**how)
        assert await province.synchronise(code) == [outcome], how
    async with Portal(Settings(national_sync_url="http://127.0.0.1:9")) as nowhere:
        (filed,) = await province.outgoing(code)
        assert await National(nowhere, {}).deliver(filed, 1) == Deferred(Trouble.CONNECTION)
        unknown = replace(filed, ce_type="vn.motcua.dossier.SomethingNew.v1")
        assert await National(nowhere, {}).deliver(unknown, 1) == TAKEN
    said = capsys.readouterr()
    assert "national.not_taken" in said.out + said.err
    assert "Nguyễn" not in said.out + said.err, "nobody's name is logged"

    await province.behave()
    assert await province.synchronise(code) == [TAKEN]
    assert (province.shown(code)["created"], province.lines(code)) == (1, [("1", "Nộp hồ sơ")])


async def test_a_crash_between_any_two_calls_is_mended_by_repeating(province: Province) -> None:
    for service in ("DongBoHoSo", "CapNhatTienDoHoSo", "CapNhatTrangThaiHoSo"):
        code = await province.office.submitted()
        await province.office.act(code, "acceptance")
        (filed, accepting) = await province.outgoing(code)
        await province.destination.deliver(filed, 1)
        await province.behave(refuses={service: "99"})
        assert await province.destination.deliver(accepting, 1) == Deferred(Trouble.REJECTED, 200)

        await province.behave()
        assert await province.destination.deliver(accepting, 2) == TAKEN

        assert province.lines(code) == [("1", "Nộp hồ sơ"), ("2", "Tiếp nhận hồ sơ")]
        assert (province.status(code), province.shown(code)["created"]) == ("2", 1)


async def test_the_engine_brings_it_there_and_what_the_portal_lost_is_found_and_sent_again(
    province: Province, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The built-in subscription: alarms while it is late, and differences that are named and mended."""
    db, code = await make_database("notification"), await province.office.submitted()
    await province.office.act(code, "acceptance")
    monkeypatch.setenv("MOTCUA_DATABASE_URL", db.url)
    monkeypatch.setenv("MOTCUA_NATIONAL_SYNC_URL", province.address)
    monkeypatch.setenv("MOTCUA_NATIONAL_SYNC_CLIENT_ID", "H99")
    monkeypatch.setenv("MOTCUA_NATIONAL_SYNC_CLIENT_SECRET", SECRET)
    events = [event for one in await province.outgoing(code) if (event := event_of(one.ce_type, one.body))]
    await hear(db, *events, inbox=inbox)
    await watching.look(db, now() + timedelta(minutes=11))
    assert watching.OLDEST._value.get() > 600

    async with delivering(db):
        await eventually(lambda: province.status(code) == "2", within=20)
        before = province.shown(code)["progress"]
        await eventually(lambda: is_done(db))
        assert await operator(db, "check", "--since", str(now().date())) == (0, ["nothing differs"])
        assert await operator(db, "state") == (0, ['{"synchronises": true, "behind_seconds": 0, "given_up": 0}'])
        province.portal.dossiers.pop(code)

        status, (line, total) = await operator(db, "check", "--since", str(now().date()))
        assert (status, total) == (1, "1 dossiers differ")
        missing = list(range(1, len(events) + 1))
        lacking = {"dossier_code": code, "missing": missing, "status": None, "expected": 2, "sent_again": 0}
        assert json.loads(line) == lacking
        status, (line, _) = await operator(db, "check", "--since", str(now().date()), "--resend")
        assert (status, json.loads(line)["sent_again"]) == (0, len(events))

        await eventually(lambda: province.status(code) == "2", within=20)
    assert province.shown(code)["progress"] == before
    assert await operator(db, "check", "--since", str(now().date())) == (0, ["nothing differs"])


async def operator(db: Database, *words: str) -> tuple[int, list[str]]:
    """`./motcua notification national …`: the exit code, and what it says line by line."""
    said = await asyncio.to_thread(
        CliRunner().invoke, ops.cli("notification"), ["national", *words], env={"MOTCUA_DATABASE_URL": db.url}
    )
    assert said.exception is None or isinstance(said.exception, SystemExit), said.exception
    return said.exit_code, said.stdout.splitlines()


async def is_done(db: Database) -> bool:
    """All that was heard is at the portal."""
    await watching.look(db, now())
    return bool(watching.OLDEST._value.get() == 0)


@asynccontextmanager
async def delivering(db: Database) -> AsyncIterator[None]:
    task = asyncio.create_task(running.deliver(db))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


NEW = ("TraCuuHoSo", "LayMaHoSo", "TaiTepTin", "DongBoHoSo", "CapNhatTienDoHoSo")
KNOWN = ("TraCuuHoSo", "DongBoHoSo", "CapNhatTienDoHoSo", "CapNhatTrangThaiHoSo")


async def test_an_answer_lost_after_any_call_leaves_no_second_trace(province: Province) -> None:
    """Each call of a filing and of its acceptance in turn is done, and nobody hears of it; tokens end meanwhile."""
    code = await province.office.submitted()
    await province.office.act(code, "acceptance")
    for one, calls in zip(await province.outgoing(code), (NEW, KNOWN), strict=True):
        for attempt, service in enumerate(calls, 1):
            await province.behave(loses_answers_of=[service], expires_tokens=True)
            assert await province.destination.deliver(one, attempt) == Deferred(Trouble.STATUS, 502), service
        await province.behave()
        assert await province.destination.deliver(one, 6) == TAKEN

    assert province.lines(code) == [("1", "Nộp hồ sơ"), ("2", "Tiếp nhận hồ sơ")]
    assert (province.status(code), province.shown(code)["created"]) == ("2", 1)


async def test_what_is_delivered_at_once_is_written_one_after_the_other(province: Province) -> None:
    code = await province.office.submitted()
    (filed,) = await province.outgoing(code)
    await province.behave(slow=0.02)

    outcomes = await asyncio.gather(*(province.destination.deliver(filed, 1) for _ in range(5)))

    assert set(outcomes) == {TAKEN}
    assert (province.shown(code)["created"], province.lines(code)) == (1, [("1", "Nộp hồ sơ")])
