"""Random lives of dossiers, and every figure of the statistics counted from them in the plainest way there is."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.dossier import (
    Component,
    ComponentSource,
    Deadline,
    DeadlineExtended,
    DeadlineMissed,
    DeliveryMethod,
    DossierAccepted,
    DossierAwaitingPayment,
    DossierClosed,
    DossierEvent,
    DossierRejected,
    DossierStopped,
    DossierSubmitted,
    DossierWithdrawn,
    ExtensionKind,
    FinancialObligationMet,
    FinancialObligationRequested,
    OwnerType,
    Punctuality,
    ResultIssued,
    ResultSigned,
    ServiceLevel,
    SignatureStatus,
    Stage,
    SubmissionChannel,
    SupplementItem,
    SupplementRequested,
    SupplementSubmitted,
)
from contracts.payment import FeePaid, PaymentEvent, PaymentMethod

NOW = datetime(2026, 11, 18, 3, 0, tzinfo=UTC)
SINCE = datetime(2026, 6, 20, tzinfo=UTC)
UNITS = ("H99.02.01", "H99.02.02", "H99.03")
PROCEDURES = ("2.000635", "1.001193")
LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
CHANNELS = {
    SubmissionChannel.DESK: "direct",
    SubmissionChannel.POST: "post",
    SubmissionChannel.VNEID: "online",
    SubmissionChannel.NATIONAL_PORTAL: "online",
}


@dataclass
class Life:
    """One dossier: what is said of it, and what a clerk would note down meanwhile."""

    code: str
    chance: random.Random
    said: list[DossierEvent] = field(default_factory=list)
    paid: list[PaymentEvent] = field(default_factory=list)
    unit: str = ""
    desk: str = ""
    procedure: str = ""
    channel: str = ""
    offered: bool = True
    submitted: datetime | None = None
    accepted: datetime | None = None
    ended: datetime | None = None
    outcome: str = ""
    digital: bool = False
    missed: datetime | None = None
    sorry: datetime | None = None
    settled_fee: datetime | None = None
    methods: list[PaymentMethod] = field(default_factory=list)
    components: tuple[Component, ...] = ()
    spans: list[tuple[str, datetime, datetime | None]] = field(default_factory=list)
    asks: list[tuple[str, datetime, bool]] = field(default_factory=list)
    at: datetime = SINCE

    def about(self) -> dict[str, Any]:
        return {"version": len(self.said) + 1, "occurred_at": self.at, "dossier_code": self.code}

    def later(self, days: float) -> bool:
        """Some time goes by; false when that is not yet."""
        self.at += timedelta(days=days * self.chance.random(), minutes=1)
        return self.at < NOW

    def enter(self, kind: str, due: datetime | None = None) -> None:
        self.spans.append((kind, self.at, due))

    def end(self, outcome: str) -> None:
        self.ended, self.outcome = self.at, outcome


def life(n: int, chance: random.Random) -> Life:
    """A dossier's life until now, or until it is over."""
    one = Life(f"H99-{n:06d}", chance, at=SINCE + (NOW - SINCE) * chance.random())
    _send(one)
    if one.submitted:
        _work(one)
    _pay(one)
    return one


def _send(one: Life) -> None:
    chance = one.chance
    way = chance.choice(list(CHANNELS))
    level = chance.choice([ServiceLevel.FULL, ServiceLevel.FULL, ServiceLevel.INFORMATION_ONLY])
    one.unit, one.procedure = chance.choice(UNITS), chance.choice(PROCEDURES)
    one.desk = one.unit if chance.random() < 0.7 else "H99.01"
    one.channel, one.offered = CHANNELS[way], level is ServiceLevel.FULL
    facts = {
        "procedure_code": one.procedure, "procedure_version": chance.choice([1, 2]), "procedure_name": "Thủ tục",
        "case": "TH1", "level": level, "receiving_unit": one.desk, "competent_unit": one.unit, "owner_ref": UUID(int=1),
        "owner_type": OwnerType.CITIZEN, "submitter_ref": UUID(int=1), "channel": way, "delivery": DeliveryMethod.DESK,
    }  # fmt: skip
    if chance.random() < 0.2:
        one.said.append(DossierAwaitingPayment(**one.about(), **facts, fee_lines=(), amount=0))
        if not one.later(3) or chance.random() < 0.2:
            return
    one.submitted = one.at
    one.components = tuple(_component(chance) for _ in range(chance.randint(0, 4)))
    about = one.about()
    one.said.append(DossierSubmitted(**about, **facts, submitted_at=one.at, components=one.components))
    one.enter("reception")


def _component(chance: random.Random) -> Component:
    source = chance.choice(list(ComponentSource))
    refs = ("file",) if source is not ComponentSource.DATABASE and chance.random() < 0.7 else ()
    return Component(code="TP", source=source, document_refs=refs)


def _work(one: Life) -> None:
    while one.ended is None and one.later(20):
        kind = one.spans[-1][0]
        acts = {"reception": _at_the_desk, "supplement": _at_the_citizen, "running": _in_work, "obligation": _owing}
        acts[kind](one)
    if (
        one.ended
        and one.later(5)
        and one.outcome in ("early", "on_time", "late")
        and not one.digital
        and one.chance.random() < 0.5
    ):
        one.digital = True
        one.said.append(_signed(one, SignatureStatus.VALID))


def _at_the_desk(one: Life) -> None:
    chance = one.chance
    stage = Stage.PROCESSING if one.accepted else Stage.INTAKE
    match chance.randrange(8):
        case 0:
            one.said.append(_missed(one, Deadline.RECEPTION))
            one.missed = one.missed or one.at
        case 1:
            _ask(one, stage)
        case 2:
            one.end("refused" if one.accepted else "refused_intake")
            one.said.append(
                DossierRejected(**one.about(), stage=stage, reason="x", unit=one.desk, officer_ref=UUID(int=2))
            )
        case 3:
            one.end("withdrawn")
            one.said.append(DossierWithdrawn(**one.about()))
        case _:
            _accept(one)


def _accept(one: Life) -> None:
    due = one.at + timedelta(days=one.chance.choice([1, 5, 40])) if one.chance.random() < 0.9 else None
    measured = due + timedelta(days=-3) if due and one.accepted and one.chance.random() < 0.3 else None
    one.said.append(
        DossierAccepted(
            **one.about(), accepted_at=one.at, appointment_at=due, measured_until=measured, unit=one.desk,
            officer_ref=UUID(int=2), again=one.accepted is not None, policy_version="1",
        )
    )  # fmt: skip
    one.accepted = one.accepted or one.at
    one.enter("running", measured or due)


def _ask(one: Life, stage: Stage) -> None:
    violation = one.chance.random() < 0.3
    item = SupplementItem(component_code="TP", problem="Mờ", guidance="Chụp lại")
    one.said.append(
        SupplementRequested(
            **one.about(), round=len(one.asks) + 1, stage=stage, requested_by=UUID(int=2), issued_by_unit=one.desk,
            items=(item,), due_at=one.at + timedelta(days=9), violation=violation,
        )
    )  # fmt: skip
    one.asks.append((one.desk if stage is Stage.INTAKE else one.unit, one.at, violation))
    one.enter("supplement")


def _at_the_citizen(one: Life) -> None:
    stage = Stage.PROCESSING if one.accepted else Stage.INTAKE
    if one.chance.random() < 0.2:
        one.end("closed")
        one.said.append(DossierClosed(**one.about(), due_at=one.at, reason="x"))
        return
    one.said.append(
        SupplementSubmitted(**one.about(), round=len(one.asks), stage=stage, changed_components=("TP",), at=one.at)
    )
    one.enter("reception")


def _in_work(one: Life) -> None:
    due = one.spans[-1][2]
    match one.chance.randrange(9):
        case 0:
            _ask(one, Stage.PROCESSING)
        case 1 | 6:
            paused = one.chance.random() < 0.7
            one.said.append(
                FinancialObligationRequested(
                    **one.about(), unit=one.unit, officer_ref=UUID(int=2), purpose="x", legal_basis="y",
                    clock_paused=paused,
                )
            )  # fmt: skip
            if paused:
                one.enter("obligation")
        case 2 if due and one.sorry is None:
            one.sorry = one.at
            one.said.append(_extended(one, ExtensionKind.APOLOGY, due))
        case 3 if due:
            one.said.append(_extended(one, ExtensionKind.BY_LAW, due))
        case 4:
            one.said.append(_missed(one, Deadline.PROCESSING))
        case 5:
            one.end("stopped")
            one.said.append(DossierStopped(**one.about(), reason="x", legal_basis="y", officer_ref=UUID(int=2)))
        case _:
            _issue(one, due)


def _issue(one: Life, due: datetime | None) -> None:
    one.digital = one.chance.random() < 0.7
    one.said.append(_signed(one, SignatureStatus.VALID if one.digital else SignatureStatus.NOT_SIGNED))
    outcome = Punctuality.LATE if due and one.at > due else one.chance.choice([Punctuality.EARLY, Punctuality.ON_TIME])
    one.end(outcome.value)
    one.said.append(
        ResultIssued(
            **one.about(), result_ref="r", result_code="KQ", sha256="0" * 64, outcome=outcome,
            delivery=DeliveryMethod.DESK, issued_at=one.at,
        )
    )  # fmt: skip


def _owing(one: Life) -> None:
    due = one.at + timedelta(days=one.chance.choice([1, 9]))
    met = FinancialObligationMet(**one.about(), unit=one.unit, officer_ref=UUID(int=2), measured_until=due)
    one.said.append(met)
    one.enter("running", due)


def _signed(one: Life, status: SignatureStatus) -> ResultSigned:
    return ResultSigned(
        **one.about(), document_type="t", number="1", symbol="x", signer_ref=UUID(int=2), verification=status,
        signed_at=one.at,
    )  # fmt: skip


def _missed(one: Life, deadline: Deadline) -> DeadlineMissed:
    return DeadlineMissed(**one.about(), deadline=deadline, due_at=one.at, unit=one.desk)


def _extended(one: Life, kind: ExtensionKind, due: datetime) -> DeadlineExtended:
    later = one.at + timedelta(days=30)
    return DeadlineExtended(
        **one.about(), kind=kind, original_due_at=due, old_due_at=due, new_due_at=later, reason="x"
    )  # fmt: skip


def _pay(one: Life) -> None:
    at = (one.submitted or SINCE) + timedelta(hours=1)
    for version in range(1, one.chance.randint(0, 2) + 1):
        at += timedelta(days=one.chance.random())
        method = one.chance.choice([PaymentMethod.GATEWAY, PaymentMethod.QR, PaymentMethod.CASH])
        outstanding = one.chance.choice([0, 0, 5])
        one.methods.append(method)
        if not outstanding:
            one.settled_fee = one.settled_fee or at
        one.paid.append(
            FeePaid(
                version=version, occurred_at=at, dossier_code=one.code, assessment_id=UUID(int=version),
                attempt_id=UUID(int=version), amount=10, outstanding=outstanding, method=method, provider="p",
                provider_txn=str(version), paid_at=at,
            )
        )  # fmt: skip


def lives(count: int, seed: int) -> list[Life]:
    chance = random.Random(seed)  # noqa: S311 (a test)
    return [life(n, chance) for n in range(count)]


# ── counted plainly ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Asked:
    """Which dossiers, and which months, a figure is about."""

    units: Sequence[str]
    procedure: str | None
    begins: datetime
    ends: datetime

    def at(self, moment: datetime | None) -> bool:
        return moment is not None and self.begins <= moment < self.ends


def midnight(year: int, month: int) -> datetime:
    return datetime(year, month, 1, tzinfo=LOCAL)


def recount(everything: Iterable[Life], asked: Asked, now: datetime = NOW) -> dict[str, int]:
    """Every figure, dossier by dossier."""
    of = [one for one in everything if asked.procedure in (None, one.procedure)]
    mine = [one for one in of if one.unit in asked.units]
    got = [one for one in mine if asked.at(one.submitted)]
    over = [one for one in mine if one.submitted and asked.at(one.ended)]
    asks = [(one, i, *ask) for one in of for i, ask in enumerate(one.asks, 1) if ask[0] in asked.units]
    asks = [ask for ask in asks if asked.at(ask[3])]
    paid = [one for one in mine if asked.at(one.settled_fee)]
    parts = [part for one in got for part in one.components]
    moment = min(now, asked.ends)
    settled = [one for one in over if one.outcome in ("early", "on_time", "late")]
    return {
        "carried_over": sum(_class(one, asked.begins) is not None for one in mine),
        "received": len(got),
        **{f"received_{way}": sum(one.channel == way for one in got) for way in ("online", "direct", "post")},
        "accepted": sum(asked.at(one.accepted) for one in mine),
        "settled": len(settled),
        **{f"settled_{how}": sum(one.outcome == how for one in over) for how in ("early", "on_time", "late")},
        **{
            how: sum(one.outcome == how for one in over)
            for how in ("refused_intake", "refused", "withdrawn", "stopped", "closed")
        },
        "pending": sum(_class(one, moment) is not None for one in mine),
        "pending_reception": _pending(mine, moment, lambda kind, _: kind == "reception"),
        "pending_within": _pending(mine, moment, lambda kind, due: kind == "running" and not (due and due < moment)),
        "pending_over": _pending(
            mine, moment, lambda kind, due: kind == "running" and due is not None and due < moment
        ),
        "paused_supplement": _pending(mine, moment, lambda kind, _: kind == "supplement"),
        "paused_obligation": _pending(mine, moment, lambda kind, _: kind == "obligation"),
        "reception_missed": sum(one.desk in asked.units and asked.at(one.missed) for one in of),
        "apologies": sum(asked.at(one.sorry) for one in mine),
        "supplements": len(asks),
        "supplemented_again": sum(i == 2 for _, i, *_ in asks),
        "violations": sum(violation for *_, violation in asks),
        "received_offered": sum(one.offered for one in got),
        "paid": len(paid),
        "paid_online": sum(PaymentMethod.CASH not in one.methods for one in paid),
        "components": len(parts),
        "components_store": sum(part.source == ComponentSource.EDOC_STORE for part in parts),
        "components_database": sum(part.source == ComponentSource.DATABASE for part in parts),
        "reusing": sum(
            any(part.source in (ComponentSource.EDOC_STORE, ComponentSource.DATABASE) for part in one.components)
            for one in got
        ),
        "papers": sum(part.source == ComponentSource.PAPER for part in parts),
        "papers_digitised": sum(part.source == ComponentSource.PAPER and bool(part.document_refs) for part in parts),
        "results_digital": sum(one.digital for one in settled),
    }  # fmt: skip


def _class(one: Life, moment: datetime) -> tuple[str, datetime | None] | None:
    """(class, appointment) of a dossier that was pending at that moment."""
    if not one.submitted or one.submitted >= moment or (one.ended and one.ended < moment):
        return None
    kind, _, due = [span for span in one.spans if span[1] < moment][-1]
    return kind, due


def _pending(mine: Iterable[Life], moment: datetime, fits: Callable[[str, datetime | None], bool]) -> int:
    return sum(fits(*found) for one in mine if (found := _class(one, moment)))
