"""Interlinked dossiers for tests: what people fill in, the officers of every agency, and following the members."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from contracts.dossier import Punctuality, ResultIssued, SignatureStatus
from kit import files as storage
from kit.clock import now
from kit.settings import load
from kit.timers import Timers
from services.dossier import timers
from services.dossier.catalogue import store as catalogue
from services.dossier.interlinked.following import PROGRESS
from services.dossier.processing import store as dossiers
from services.dossier.processing.domain import Act, Line, State, envelope
from services.dossier.results import store as results
from services.dossier.results.domain import Result, ResultState
from services.dossier.settings import Settings
from tests.dossier.office import UNIT, Office, pdf, sha256

POLICE, INSURANCE = "H99.05.01", "H99.06"
ROLES = ("desk", "specialist", "leader", "clerk")
BIRTH = "3.000722"
BIRTH_ANSWERS: dict[str, Any] = {
    "child_name": "Nguyễn Minh Khôi", "child_dob": "2026-11-02", "child_gender": "male",
    "child_birth_place": "Bệnh viện Đa khoa tỉnh An Bình", "ethnicity": "Kinh", "nationality": "Việt Nam",
    "hometown": "xã Bình Minh, tỉnh An Bình", "no_birth_cert": False, "mother_name": "Nguyễn Thị An",
    "mother_id": "000190000001", "father_known": True, "father_name": "Trần Văn Bình", "father_id": "000085000002",
    "residence_with_parents": True, "residence_address": "Thôn Đông, xã Bình Minh", "clinic": "Trạm y tế xã Bình Minh",
    "identity_card": False, "declarant_relation": "parent",
}  # fmt: skip
DEATH = "2.002913"
DEATH_ANSWERS: dict[str, Any] = {
    "deceased_name": "Nguyễn Văn Cụ", "deceased_id": "000040000009", "deceased_dob": "1940-02-03",
    "died_on": "2026-11-18", "died_at": "Nhà riêng", "last_residence": "Thôn Đông, xã Bình Minh",
    "insured": True, "declarant_relation": "child",
    "bank_account": "Ngân hàng hư cấu, số 0001",
}  # fmt: skip
KARAOKE = "3.990010"
KARAOKE_ANSWERS: dict[str, Any] = {
    "business_name": "Karaoke Bình Minh", "business_address": "Thôn Đông, xã Bình Minh",
    "business_phone": "0900000001", "business_email": "karaoke@example.vn", "capital": 500_000_000, "rooms": 6,
    "owner_name": "Nguyễn Thị An", "owner_id": "000190000001", "owner_dob": "1990-01-01",
}  # fmt: skip


class Family:
    """Somebody's interlinked dossiers, and the officers who settle their parts."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.agencies = {
            UNIT: office.officers,
            POLICE: self._officers(POLICE, 0x300),
            INSURANCE: self._officers(INSURANCE, 0x400),
        }

    def _officers(self, unit: str, base: int) -> dict[str, dict[str, str]]:
        token = self.office.identity.token
        return {role: token(UUID(int=base + n), "officer", unit=unit, roles=[role]) for n, role in enumerate(ROLES)}

    async def draft(self, procedure: str, answers: dict[str, Any], *components: str, unit: str = UNIT) -> str:
        """A draft with answers and files, ready to be sent."""
        call, an = self.office.call, self.office.an
        draft = await call("POST", "/drafts", an, 201, json={"procedure_code": procedure, "receiving_unit": unit})
        await call("PATCH", f"/drafts/{draft['id']}", an, json={"answers": answers, "delivery": "online"})
        for component in components:
            await self.attach(draft["id"], component, an)
        return str(draft["id"])

    async def attach(self, draft: str, component: str, who: dict[str, str]) -> None:
        """A paper for that component."""
        data = pdf(component)
        body = {
            "file_name": "giay-to.pdf",
            "content_type": "application/pdf",
            "size": len(data),
            "sha256": sha256(data),
        }
        path = f"/drafts/{draft}/components/{component}/uploads"
        await self.office.send_file(await self.office.call("POST", path, who, 201, json=body), data)

    async def sent(self, procedure: str, answers: dict[str, Any], *components: str) -> str:
        """The code of an interlinked dossier that was sent, before anything else happened."""
        return str((await self.office.submission(await self.draft(procedure, answers, *components)))["code"])

    async def birth(self, **changes: Any) -> str:
        code = await self.sent(BIRTH, BIRTH_ANSWERS | changes, "TP-LTKS-02")
        await self.follow()
        return code

    async def death(self, **changes: Any) -> str:
        code = await self.sent(DEATH, DEATH_ANSWERS | changes, "TP-LTKT-02")
        await self.follow()
        return code

    async def follow(self) -> int:
        """Let parents follow their members until nothing is left to do; how many jobs that took."""
        jobs, done = Timers(jobs={PROGRESS: timers.timers.jobs[PROGRESS]}), 0
        while await jobs.work_next(self.office.db):
            done += 1
        return done

    async def children(self, parent: str, who: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
        found = await self.office.call("GET", f"/dossiers/{parent}/children", who or self.office.an)
        return {child["code"]: child for child in found["items"]}

    async def states(self, parent: str) -> dict[str, str]:
        return {code: child["state"] for code, child in (await self.children(parent)).items()}

    async def state(self, parent: str) -> str:
        return str((await self.office.call("GET", f"/dossiers/{parent}/children", self.office.an))["state"])

    async def code_of(self, parent: str, member: str) -> str:
        return str((await self.children(parent))[member]["dossier_code"])

    async def act(self, parent: str, member: str, act: str, expect: int = 200, **options: Any) -> dict[str, Any]:
        """The desk of the member's agency acts on it, and the parent follows."""
        child = (await self.children(parent))[member]
        who = self.agencies[child["unit"]]["desk"]
        done = await self.office.call("POST", f"/dossiers/{child['dossier_code']}/{act}", who, expect, **options)
        await self.follow()
        return done

    async def settle(self, parent: str, member: str) -> None:
        """The desk accepts, and the member gets its result."""
        await self.act(parent, member, "acceptance")
        await self.result(await self.code_of(parent, member))
        await self.follow()

    async def result(self, code: str) -> None:
        """A published result, written down as signing and issuing leave it: how they do it is tested elsewhere."""
        document, moment = pdf(f"Kết quả {code}"), now()
        await storage.connect(load(Settings)).put(f"clean/{sha256(document)}", document, "application/pdf")
        async with self.office.db.transaction() as tx:
            dossier = await dossiers.lock(tx, code)
            kind = (await catalogue.version(tx, dossier.facts.procedure_id))[0].result
            issued = replace(
                dossier, state=State.RETURNED, version=dossier.version + 1, result_at=moment, returned_at=moment,
                unsaved=(Line(Act.ISSUE, "D17", moment, None, dossier.current_unit, dossier.state, State.RETURNED),),
            )  # fmt: skip
            paper = Result(
                code, ResultState.PUBLISHED, "giay-to", kind.symbol or "KQ", sha256(document), drafted_at=moment,
                signer_ref=UUID(int=1), signed_at=moment, number=1, number_year=moment.year, numbered_at=moment,
                verification=SignatureStatus.VALID, issued_at=moment,
            )  # fmt: skip
            said = ResultIssued(
                **envelope(issued, moment), result_ref=f"{code}/result", result_code=kind.code,
                sha256=paper.sha256, outcome=Punctuality.ON_TIME, delivery=dossier.facts.delivery, issued_at=moment,
            )  # fmt: skip
            await results.save(tx, paper)
            await dossiers.save(tx, issued, said)

    async def pay(self, parent: str, member: str) -> None:
        code = await self.code_of(parent, member)
        if (await self.office.call("GET", f"/dossiers/{code}", self.office.an))["payment_state"] == "requested":
            await self.office.paid(code)

    async def reject(self, parent: str, member: str) -> None:
        body = {"reason": "Thiếu căn cứ để giải quyết", "legal_basis": "Nghị định số 63/2024/NĐ-CP"}
        await self.act(parent, member, "rejection", json=body)
