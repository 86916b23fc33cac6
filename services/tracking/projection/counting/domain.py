"""What each event means to the counters: the facts of one dossier that statistics are counted from.

A change names only the facts that an event sets. Of some facts the first word counts, of some the last, and some are
lists that grow; each element of a list knows the version of the event that it came from, so hearing an event again adds
nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from contracts.dossier import (
    Component,
    ComponentSource,
    Deadline,
    DeadlineExtended,
    DeadlineMissed,
    DossierAccepted,
    DossierAwaitingPayment,
    DossierClosed,
    DossierEvent,
    DossierRejected,
    DossierStopped,
    DossierSubmitted,
    DossierWithdrawn,
    ExtensionKind,
    Filing,
    FinancialObligationMet,
    FinancialObligationRequested,
    ResultIssued,
    ResultSigned,
    ServiceLevel,
    SignatureStatus,
    Stage,
    SubmissionChannel,
    SupplementRequested,
    SupplementSubmitted,
)
from contracts.payment import FeePaid, PaymentEvent, PaymentMethod

Facts = dict[str, Any]
"""Column of `dossier_facts` → value."""

FIRST = frozenset({"accepted_at", "reception_missed_at", "apologised_at", "paid_at"})
"""Facts that the first event decides."""
LISTS = frozenset({"span_class", "span_since", "span_due", "asked_stage", "asked_at", "asked_violation"})
"""Facts that grow by one with each event that sets them."""

CHANNELS: Mapping[SubmissionChannel, str] = {
    SubmissionChannel.NATIONAL_PORTAL: "online",
    SubmissionChannel.PROVINCIAL_PORTAL: "online",
    SubmissionChannel.VNEID: "online",
    SubmissionChannel.DESK: "direct",
    SubmissionChannel.POST: "post",
}
ONLINE_PAYMENTS = frozenset({PaymentMethod.GATEWAY, PaymentMethod.QR})
"""Paid through the platform; a transfer that a cashier records, cash and the post are not."""


def merged(events: Iterable[DossierEvent | PaymentEvent]) -> list[Facts]:
    """What the events set, one entry a dossier, in the order of their codes; nothing for events without a fact.

    Events of one dossier have to come in the order of their versions.
    """
    by_code: dict[str, Facts] = {}
    for event in events:
        read = _FACTS.get(type(event))
        if read and (said := read(event)):
            _add(by_code.setdefault(event.dossier_code, {"code": event.dossier_code}), said, event.version)
    return [by_code[code] for code in sorted(by_code)]


def procedures(events: Iterable[DossierEvent]) -> dict[str, tuple[int, str]]:
    """Procedure → (its newest version, what that calls it), as these events say."""
    said = {(e.procedure_code, e.procedure_version): e.procedure_name for e in events if isinstance(e, Filing)}
    return {code: (version, said[code, version]) for code, version in sorted(said)}


def _add(known: Facts, said: Facts, version: int) -> None:
    for name, value in said.items():
        if name in LISTS:
            known.setdefault(name, []).append(value)
        elif name == "paid_online":
            known[name] = known.get(name, True) and value
        elif name not in FIRST or known.get(name) is None:
            known[name] = value
    for name, proof in (("span_version", "span_class"), ("asked_version", "asked_stage")):
        if proof in said:
            known.setdefault(name, []).append(version)


def _span(kind: str, since: datetime, due: datetime | None = None) -> Facts:
    """Since when the dossier is in that class of the pending; `due`: until when a result counts as in time."""
    return {"span_class": kind, "span_since": since, "span_due": due}


def _filed(event: Filing) -> Facts:
    return {
        "version": event.version,
        "procedure_code": event.procedure_code,
        "receiving_unit": event.receiving_unit,
        "competent_unit": event.competent_unit,
        "channel": CHANNELS.get(event.channel, "online"),
        "offered_online": event.level != ServiceLevel.INFORMATION_ONLY,
    }


def _submitted(event: DossierSubmitted) -> Facts:
    at = event.submitted_at
    return {**_filed(event), "submitted_at": at, **_components(event.components), **_span("reception", at)}


def _components(sent: tuple[Component, ...]) -> Facts:
    """As it was sent: how many came from where, and how many papers were scanned."""
    papers = [component for component in sent if component.source == ComponentSource.PAPER]
    return {
        "components": len(sent),
        "from_store": sum(component.source == ComponentSource.EDOC_STORE for component in sent),
        "from_database": sum(component.source == ComponentSource.DATABASE for component in sent),
        "papers": len(papers),
        "papers_scanned": sum(bool(component.document_refs) for component in papers),
    }


def _accepted(event: DossierAccepted) -> Facts:
    due = event.measured_until or event.appointment_at
    first = {} if event.again else {"accepted_at": event.accepted_at}
    return {"version": event.version, **first, **_span("running", event.accepted_at, due)}


def _asked(event: SupplementRequested) -> Facts:
    return {
        "version": event.version,
        "asked_stage": event.stage.value,
        "asked_at": event.occurred_at,
        "asked_violation": event.violation,
        **_span("supplement", event.occurred_at),
    }


def _obliged(event: FinancialObligationRequested) -> Facts:
    """Where the clock goes on, so does the time that the unit has."""
    return {"version": event.version, **_span("obligation", event.occurred_at)} if event.clock_paused else {}


def _missed(event: DeadlineMissed) -> Facts:
    late = event.deadline == Deadline.RECEPTION
    return {"version": event.version, "reception_missed_at": event.occurred_at} if late else {}


def _extended(event: DeadlineExtended) -> Facts:
    """Lateness stays measured against the original appointment; only that it was asked for is counted."""
    sorry = event.kind == ExtensionKind.APOLOGY
    return {"version": event.version, "apologised_at": event.occurred_at} if sorry else {}


def _ended(event: DossierEvent, outcome: str, at: datetime) -> Facts:
    return {"version": event.version, "outcome": outcome, "ended_at": at}


def _paid(event: FeePaid) -> Facts:
    said = {"payment_version": event.version, "paid_online": event.method in ONLINE_PAYMENTS}
    return said if event.outstanding else {**said, "paid_at": event.paid_at}


_FACTS: dict[type, Callable[[Any], Facts]] = {
    DossierAwaitingPayment: _filed,
    DossierSubmitted: _submitted,
    DossierAccepted: _accepted,
    SupplementRequested: _asked,
    SupplementSubmitted: lambda e: {"version": e.version, **_span("reception", e.at)},
    FinancialObligationRequested: _obliged,
    FinancialObligationMet: lambda e: {"version": e.version, **_span("running", e.occurred_at, e.measured_until)},
    ResultSigned: lambda e: {"version": e.version, "result_electronic": e.verification == SignatureStatus.VALID},
    ResultIssued: lambda e: _ended(e, e.outcome.value, e.issued_at),
    DossierRejected: lambda e: _ended(e, "refused_intake" if e.stage == Stage.INTAKE else "refused", e.occurred_at),
    DossierWithdrawn: lambda e: _ended(e, "withdrawn", e.occurred_at),
    DossierStopped: lambda e: _ended(e, "stopped", e.occurred_at),
    DossierClosed: lambda e: _ended(e, "closed", e.occurred_at),
    DeadlineMissed: _missed,
    DeadlineExtended: _extended,
    FeePaid: _paid,
}
"""Events that say none of these facts are not here: steps, hand-over, receipts. An interlinked dossier is not either:
its members are counted."""
