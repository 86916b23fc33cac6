"""Fictional lives of dossiers, each told by the owners' events: the same seed tells the same lives.

About six events a dossier and one or two of its fees; every turn that the one-stop mechanism knows happens to some:
supplements (lawful and not), refusals, withdrawals, lateness with and without an apology, consultations, results that
nobody collects. What would happen after `until` has not happened yet: the last weeks hold dossiers being worked on.
Nobody in it is real: identity numbers begin with 000, the numbers of the codes with 9 (`H99.02.01-261102-90000001`).
"""

import hashlib
import heapq
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from contracts import dossier as d
from contracts import payment as p
from contracts.envelope import Event
from contracts.identity import AccountStandardised
from deploy.load.province import Procedure, procedures
from deploy.load.records import FORMS, Written, uuid7, write
from deploy.local.places import ROOT

AN_BINH = ROOT / "deploy/tenants/an-binh"
VIET_NAM = timedelta(hours=7)
POLICY = "an-binh-2026-07-01"
DOSSIERS_A_CITIZEN, DOSSIERS_A_BUSINESS = 3, 30
BUSINESSES = 0.1
"""Share of the dossiers that businesses send."""
FIRST_NUMBER = 90_000_000
LETTERS = "ABCDĐGHKLMNPQSTVXY"
OFFICERS = [UUID(int=(0x019A8F00 << 96) | (0x7000 << 64) | (0x8 << 60) | n) for n in range(1, 41)]


@dataclass(frozen=True)
class Plan:
    """What is to be told."""

    dossiers: int
    since: datetime
    """When the first is sent, in UTC."""
    until: datetime
    """The present of the story, in UTC."""
    seed: int = 1
    first: int = 0
    """How many were told of before, so that numbers go on after theirs."""
    digest_key: str = ""
    """The installation's key for digests of identity numbers, so that look-up by number works."""
    tenant: Path = AN_BINH

    @cached_property
    def days(self) -> list[datetime]:
        """The mornings (in Viet Nam) on which dossiers are sent: working days."""
        first = (self.since + VIET_NAM).replace(hour=0, minute=0, second=0, microsecond=0) - VIET_NAM
        count = max(1, (self.until - first).days)
        found = [first + timedelta(days=n) for n in range(count)]
        return [day for day in found if (day + VIET_NAM).weekday() < 5] or found

    def day_of(self, n: int) -> datetime:
        return self.days[n * len(self.days) // self.dossiers]

    @cached_property
    def citizens(self) -> int:
        return max(1, round(self.dossiers * (1 - BUSINESSES) / DOSSIERS_A_CITIZEN))

    @cached_property
    def businesses(self) -> int:
        return max(1, round(self.dossiers * BUSINESSES / DOSSIERS_A_BUSINESS))

    def account(self, k: int) -> UUID:
        """Whose the k-th account is: an opaque reference."""
        made = hashlib.blake2b(f"{self.seed}/{k}".encode(), digest_size=16).digest()
        return UUID(bytes=made, version=4)


def number_of(k: int) -> str:
    """The identity number of the k-th account: of a province that does not exist."""
    return f"000{k:09d}"


def records(plan: Plan, share: int = 0, of: int = 1) -> Iterator[Written]:
    """Accounts first, then all that happened, in the order of its time: the `share`-th part `of` so many.

    Each dossier belongs to one part. Only what has begun and is not over yet is held in memory.
    """
    yield from (_standardised(plan, k) for k in range(share, plan.citizens + plan.businesses, of))
    waiting: list[tuple[datetime, int, int, Written]] = []
    for n in range(share, plan.dossiers, of):
        begins = plan.day_of(n)
        while waiting and waiting[0][0] < begins:
            yield heapq.heappop(waiting)[3]
        for place, told in enumerate(Life(plan, n).told):
            heapq.heappush(waiting, (told.at, n, place, told))
    while waiting:
        yield heapq.heappop(waiting)[3]


def _standardised(plan: Plan, k: int) -> Written:
    ref, chance = str(plan.account(k)), Random((plan.seed << 48) - k - 1)  # noqa: S311 (a story, not a secret)
    at = plan.since - timedelta(days=1 + chance.random() * 300)
    facts = {
        "account_ref": ref,
        "masked_name": " ".join(chance.choice(LETTERS) + "*****"[: chance.randint(1, 5)] for _ in range(3)),
        "identity_digest": hmac.new(plan.digest_key.encode(), number_of(k).encode(), hashlib.sha256).hexdigest(),
        "verification_source": "vneid",
        "standardised_at": at,
    }
    return write(AccountStandardised, ref, 1, at, facts, chance)


class Life:
    """One dossier, from sending to wherever it came."""

    def __init__(self, plan: Plan, n: int) -> None:
        self.chance = Random((plan.seed << 48) + plan.first + n)  # noqa: S311 (a story, not a secret)
        self.plan = plan
        self.told: list[Written] = []
        self.versions = {True: 0, False: 0}
        self.procedure: Procedure = self.chance.choice(procedures(plan.tenant))
        self.unit = self.chance.choice(self.procedure.receivers)
        day = plan.day_of(n)
        self.code = f"{self.unit}-{day + VIET_NAM:%y%m%d}-{FIRST_NUMBER + plan.first + n}"
        self.online = self.chance.random() < 0.75
        self.at = day + timedelta(hours=7.5 + self.chance.random() * (14 if self.online else 9))
        self.due = self.original_due = self.at
        self.accepted = False
        self.business = self.chance.random() < BUSINESSES
        self.owner = str(plan.account(self._account()))
        self.officer = self.chance.choice(OFFICERS)
        self.assessment = uuid7(self.at, self.chance)
        self._live()

    def _account(self) -> int:
        if self.business:
            return self.plan.citizens + self.chance.randrange(self.plan.businesses)
        return self.chance.randrange(self.plan.citizens)

    # ── telling ──

    def say(self, event: type[Event], /, **facts: Any) -> None:
        """This happened now; not if now is after the present of the story."""
        if self.at <= self.plan.until:
            of_fees = FORMS[event].topic == p.PAYMENTS.name
            self.versions[of_fees] += 1
            body = {"dossier_code": self.code, **facts}
            self.told.append(write(event, self.code, self.versions[of_fees], self.at, body, self.chance))

    def maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def ref(self) -> str:
        return uuid7(self.at, self.chance)

    # ── time ──

    def wait(self, minutes: float) -> None:
        self.at += timedelta(minutes=minutes * (0.5 + self.chance.random()))

    def work(self, days: float) -> None:
        """Officers work on it for so many working days, then it is office hours."""
        self.at = _office(_workdays(self.at, days * (0.5 + self.chance.random())), self.chance)

    # ── the story ──

    def _live(self) -> None:
        fate = self.chance.random()
        if self.procedure.fee_timing == "before_acceptance" and not self._prepaid():
            return None
        self.say(d.DossierSubmitted, **self._filing(), submitted_at=self.at, components=self._components())
        if self.maybe(0.01) and self._withdrawn():
            return None
        self._reception()
        if fate < 0.03:
            return self._rejected("intake")
        if self.maybe(0.09) and not self._supplemented("intake"):
            return None
        self._accept()
        self._process()
        if fate < 0.05:
            self._rejected("processing")
        elif fate < 0.06:
            self._withdrawn()
        elif fate < 0.065:
            facts = {"reason": "Có bản án của tòa án", "legal_basis": "Điều 12 Nghị định 118/2025/NĐ-CP"}
            self.say(d.DossierStopped, **facts, officer_ref=self.officer, mau05_ref=self.ref())
        else:
            self._conclude()
        return None

    def _filing(self) -> dict[str, Any]:
        proc = self.procedure
        return {
            "procedure_code": proc.code,
            "procedure_version": proc.version,
            "procedure_name": proc.name,
            "case": proc.case,
            "level": proc.level,
            "receiving_unit": self.unit,
            "competent_unit": self.unit,
            "owner_ref": self.owner,
            "owner_type": "business" if self.business else "citizen",
            "submitter_ref": self.owner,
            "channel": self._way_in(),
            "delivery": proc.delivery[0] if self.online else "desk",
            "sms_opt_in": self.maybe(0.4),
        }

    def _way_in(self) -> str:
        if not self.online:
            return "post" if self.maybe(0.1) else "desk"
        return "national_portal" if self.maybe(0.6) else "provincial_portal"

    def _components(self) -> list[dict[str, Any]]:
        return [self._component(code) for code in self.procedure.components[:3]]

    def _component(self, code: str) -> dict[str, Any]:
        source = "paper" if not self.online else "edoc_store" if self.maybe(0.2) else "upload"
        signed = "valid" if self.online and self.maybe(0.3) else "not_signed"
        return {"code": code, "document_refs": [self.ref()], "signed": signed, "source": source}

    def _prepaid(self) -> bool:
        lines = self.procedure.fee_lines
        self.say(
            d.DossierAwaitingPayment, **self._filing(), fee_lines=lines, amount=_sum(lines),
            due_at=self.at + timedelta(days=3),
        )  # fmt: skip
        self._ask_fee()
        return not self.maybe(0.04) and self._pay()

    def _ask_fee(self) -> None:
        lines = self.procedure.fee_lines
        facts = {"lines": lines, "amount": _sum(lines), "due_at": self.at + timedelta(days=3)}
        self.say(p.FeeRequested, assessment_id=self.assessment, **facts, timing=self.procedure.fee_timing)

    def _pay(self) -> bool:
        if self.maybe(0.03):
            reason = "Người có công với cách mạng"
            self.say(
                p.FeeWaived, assessment_id=self.assessment, amount=_sum(self.procedure.fee_lines), reason=reason,
                officer_ref=self.officer,
            )  # fmt: skip
            return True
        self.wait(30)
        cash = not self.online
        self.say(
            p.FeePaid, assessment_id=self.assessment, attempt_id=self.ref(), amount=_sum(self.procedure.fee_lines),
            method="cash" if cash else "gateway", provider="cashier" if cash else "vnpay",
            provider_txn=str(self.chance.randrange(10**8)), paid_at=self.at,
        )  # fmt: skip
        self._receipt()
        return True

    def _receipt(self) -> None:
        self.say(
            p.ReceiptIssued, assessment_id=self.assessment, receipt_no=f"{self.chance.randrange(10**7):07d}",
            form_symbol="01BLP0-001", symbol=f"AB-{self.at:%y}E", year=(self.at + VIET_NAM).year, kind="le_phi",
            amount=_sum(self.procedure.fee_lines), issued_at=self.at, receipt_ref=self.ref(),
        )  # fmt: skip

    def _reception(self) -> None:
        due = _workdays(self.at, 1)
        self.work(1.6 if self.maybe(0.02) else 0.3)
        if self.at > due:
            self.say(d.DeadlineMissed, deadline="reception", due_at=due, unit=self.unit)

    def _accept(self, *, again: bool = False) -> None:
        self.accepted = True
        days = self.procedure.days
        self.due = self.original_due = _closing(_workdays(self.at, days))
        asked = not again and self.procedure.fee_timing == "at_acceptance"
        self.say(
            d.DossierAccepted, accepted_at=self.at, appointment_at=self.due, unit=self.unit, officer_ref=self.officer,
            fee_lines=self.procedure.fee_lines if asked else (), again=again, mau01_ref=self.ref(),
            fee_timing="at_acceptance" if asked else "none", policy_version=POLICY,
        )  # fmt: skip
        if asked:
            self._ask_fee()
            if not self.maybe(0.03):
                self._pay()

    def _supplemented(self, stage: str, round_: int = 1) -> bool:
        """Whether the citizen answered; otherwise the dossier was closed."""
        violation = round_ > 1 and self.maybe(0.5)
        due = _closing(_workdays(self.at, 15))
        code = self.chance.choice(self.procedure.components or ("TP",))
        item = {"component_code": code, "problem": "Ảnh chụp mờ, không đọc được", "guidance": "Chụp lại rõ bốn góc"}
        self.say(
            d.SupplementRequested, round=round_, stage=stage, requested_by=self.officer, issued_by_unit=self.unit,
            items=[item], due_at=due, mau02_ref=self.ref(), violation=violation,
            citizen_fault=None if round_ == 1 or violation else "Chưa chụp lại mặt sau",
        )  # fmt: skip
        if self.maybe(0.08):
            self.at = due
            reason = "Quá thời hạn bổ sung hồ sơ"
            self.say(d.DossierClosed, due_at=due, reason=reason, mau05_ref=self.ref())
            return False
        self.at = min(due, self.at + timedelta(days=self.chance.random() * 6, minutes=20))
        self.say(d.SupplementSubmitted, round=round_, stage=stage, changed_components=[code], at=self.at)
        self.work(0.3)
        return not (round_ == 1 and self.maybe(0.05)) or self._supplemented(stage, 2)

    def _process(self) -> None:
        if self.maybe(0.5):
            self.wait(30)
            facts = {"from_unit": self.unit, "to_unit": self.unit, "step": "specialist", "step_due_at": self.due}
            self.say(d.DossierForwarded, **facts, assignee_ref=self.officer)
        if self.procedure.days >= 3 and self.maybe(0.04):
            self._consult()
        if self.procedure.days >= 2 and self.maybe(0.04):
            self.work(1)
            if self._supplemented("processing"):
                self._accept(again=True)
            else:
                self.at = self.plan.until + timedelta(days=1)  # closed: nothing more happens
        self._pass_working_time()

    def _consult(self) -> None:
        named = self.ref()
        due = _workdays(self.at, 2)
        self.say(
            d.ConsultationRequested, consultation_id=named, asking_unit=self.unit, consulted_unit="H99.03", due_at=due
        )
        self.work(1)
        facts = {"consultation_id": named, "consulted_unit": "H99.03"}
        self.say(d.ConsultationAnswered, **facts, outcome="agreed" if self.maybe(0.9) else "disagreed")

    def _pass_working_time(self) -> None:
        """Most are ready before the appointment; of the late ones some say so in time, with a letter of apology."""
        days = self.procedure.days
        if not self.maybe(0.05):
            ready = self.at + (self.due - self.at) * self.chance.uniform(0.2, 0.9)
            self.at = max(self.at, min(_office(ready, self.chance), self.due - timedelta(minutes=20)))
            return
        if days and self.maybe(0.4):
            self._apologise()
        self.at = max(self.at, self.due)
        self.say(d.DeadlineMissed, deadline="processing", due_at=self.due, unit=self.unit)
        self.work(1 + days / 3)

    def _apologise(self) -> None:
        self.at = max(self.at, self.due - timedelta(hours=20))
        old, self.due = self.due, _closing(_workdays(self.due, 2))
        self.say(
            d.DeadlineExtended, kind="apology", original_due_at=self.original_due, old_due_at=old, new_due_at=self.due,
            reason="Cơ quan phối hợp chưa có văn bản trả lời", mau04_ref=self.ref(),
        )  # fmt: skip

    def _rejected(self, stage: str) -> None:
        self.say(
            d.DossierRejected, stage=stage, reason="Thành phần hồ sơ không hợp lệ", unit=self.unit,
            legal_basis="Điều 9 Nghị định 118/2025/NĐ-CP", officer_ref=self.officer, mau03_ref=self.ref(),
        )  # fmt: skip

    def _withdrawn(self) -> bool:
        self.wait(60)
        self.say(d.DossierWithdrawn, reason="Không còn nhu cầu", mau05_ref=self.ref() if self.accepted else None)
        return True

    def _conclude(self) -> None:
        proposed = {"step": "specialist", "unit": self.unit, "officer_ref": self.officer, "step_due_at": self.due}
        self.say(d.StepCompleted, **proposed, outcome="approval_proposed")
        if self.maybe(0.03):
            self.wait(60)
            facts = {"step": "leader", "returned_to": "specialist", "unit": self.unit, "officer_ref": self.officer}
            self.say(d.StepReturned, **facts, reason="Sửa lỗi trình bày")
            self.wait(60)
            self.say(d.StepCompleted, **proposed, outcome="approval_proposed")
        self.wait(10)
        self._issue()
        if self.procedure.fee_timing == "at_result":
            self._ask_fee()
            self._pay()
        if self.online or not self.maybe(0.04):
            self._deliver()

    def _issue(self) -> None:
        number = str(self.chance.randrange(1, 9999))
        self.say(
            d.ResultSigned, document_type=self.procedure.document, number=number, symbol="UBND",
            signer_ref=self.officer, verification="valid", signed_at=self.at,
        )  # fmt: skip
        self.wait(10)
        self.say(
            d.ResultIssued, result_ref=self.ref(), result_code=self.procedure.result_code,
            sha256=f"{self.chance.getrandbits(256):064x}", outcome=self._punctuality(), delivery=self._delivery(),
            issued_at=self.at,
        )  # fmt: skip

    def _punctuality(self) -> str:
        if self.at > self.original_due:
            return "late"
        return "early" if (self.at + VIET_NAM).date() < (self.original_due + VIET_NAM).date() else "on_time"

    def _delivery(self) -> str:
        return self.procedure.delivery[0] if self.online else "desk"

    def _deliver(self) -> None:
        delivery = self._delivery()
        if delivery == "online":
            self.wait(1)
        else:
            self.work(1.5)
        self.say(d.ResultDelivered, channel=delivery, receiver_ref=self.owner, at=self.at)


def _sum(lines: tuple[dict[str, Any], ...]) -> int:
    return sum(line["amount"] for line in lines)


# ── working time, roughly: weekdays, half past seven to five ───────────────────────────────────────────────────────


def _workdays(at: datetime, days: float) -> datetime:
    """So many working days later, at the same time of the day and a fraction of a working day more."""
    whole = int(days)
    weekday = min((at + VIET_NAM).weekday(), 4)
    weekends = (weekday + whole) // 5
    return at + timedelta(days=whole + 2 * weekends, hours=(days - whole) * 8)


def _closing(at: datetime) -> datetime:
    """Five in the afternoon of that day; of the next working day when it is past three."""
    local = at + VIET_NAM
    later = 1 if local.hour >= 15 else 0
    later += {5: 2, 6: 1}.get((local + timedelta(days=later)).weekday(), 0)
    return (local + timedelta(days=later)).replace(hour=17, minute=0, second=0, microsecond=0) - VIET_NAM


def _office(at: datetime, chance: Random) -> datetime:
    """That moment, or the next morning that somebody is there."""
    local = at + VIET_NAM
    if local.weekday() < 5 and 8 <= local.hour < 17:
        return at
    days = 0 if local.hour < 8 else 1
    days += {5: 2, 6: 1}.get((local + timedelta(days=days)).weekday(), 0)
    morning = (local + timedelta(days=days)).replace(hour=7, minute=30, second=0, microsecond=0)
    return morning + timedelta(minutes=chance.randrange(5, 180)) - VIET_NAM
