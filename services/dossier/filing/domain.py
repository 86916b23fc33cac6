"""Filing: a draft that may be anything, and the one act that makes it a dossier.

Four steps lead there: 1 Chọn dịch vụ công, 2 Nhập thông tin hồ sơ, 3 Thành phần hồ sơ, 4 Đăng ký nhận kết quả. Saving
never refuses what is merely incomplete; sending does, and then says everything that is wrong at once, by field and by
component.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from contracts.dossier import (
    DeliveryMethod,
    DossierAwaitingPayment,
    DossierSubmitted,
    SubmissionChannel,
)
from contracts.money import FeeLine, FeeTiming
from contracts.refusal import Refusal
from services.dossier.attachments.domain import ComponentFile, components_of
from services.dossier.catalogue import domain as catalogue
from services.dossier.catalogue.domain import Case, EForm, Procedure
from services.dossier.clocks.calendar import HANOI
from services.dossier.faults import Fault
from services.dossier.parties.domain import (
    NOBODY,
    UNSAID,
    Particulars,
    Person,
    Reach,
    mailing_faults,
    person_faults,
    person_warnings,
)
from services.dossier.processing.domain import (
    Act,
    Actor,
    Dossier,
    Facts,
    Line,
    NotYourUnit,
    PaymentState,
    State,
    envelope,
    filing_fields,
    permitted,
)
from services.dossier.processing.reception import domain as reception

MAX_ANSWERS = 200_000
"""Bytes of all answers of one draft, as JSON."""
STEPS = ("Chọn dịch vụ công", "Nhập thông tin hồ sơ", "Thành phần hồ sơ", "Đăng ký nhận kết quả")
"""The four steps of filing, as citizens know them."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A dossier that is not sent yet (Hồ sơ chưa gửi)."""

    id: UUID
    keeper_ref: UUID
    """Who fills it in: a citizen's account, or a desk officer who does so for somebody (nộp hộ, hồ sơ giấy)."""
    procedure_id: UUID
    case: str
    receiving_unit: str
    answers: dict[str, Any]
    delivery: DeliveryMethod | None
    sms_opt_in: bool
    version: int
    """Counts its changes, for If-Match."""
    dossier_code: str | None
    """The dossier it became; from then on nothing in it changes."""
    updated_at: datetime
    keeper_unit: str | None = None
    """The officer's unit; None when a citizen keeps it."""
    unit_confirmed: bool = True
    """The keeper chose this unit ("Đồng ý và tiếp tục"); a copy must be confirmed anew."""
    on_behalf: bool = False
    """Somebody else than the owner submits it, with an authorisation."""
    submitter: Person = NOBODY
    owner: Person = NOBODY
    reach: Reach = UNSAID
    copied_from: str | None = None
    """Code of the dossier it was copied from."""

    @property
    def particulars(self) -> Particulars:
        """Owner and submitter. One who files for themselves is described once; at the desk that is the owner."""
        described = self.owner if self.keeper_unit else self.submitter
        owner = self.owner if self.on_behalf else described
        return Particulars(owner, self.submitter if self.on_behalf else described, self.reach)

    @property
    def circumstances(self) -> dict[str, Any]:
        """The answers, and whether somebody else submits: what conditions of the catalogue may ask about."""
        authorised = {"authorised": True} if self.on_behalf else {}
        return {**self.answers, **authorised, "owner_type": self.particulars.owner.type.value}


@dataclass(frozen=True, slots=True)
class Parties:
    """Opaque references of the people behind a dossier."""

    owner_ref: UUID
    submitter_ref: UUID


class DraftIncomplete(Refusal):
    """The draft cannot be sent yet; `errors` lists everything that is missing or wrong."""

    status = 422
    title = "Hồ sơ chưa thể gửi: còn thông tin hoặc thành phần chưa đúng"
    title_en = "The draft cannot be sent yet: something is missing or wrong"

    def __init__(self, faults: Sequence[Fault]) -> None:
        errors = [{"field": fault.field, "rule": fault.rule, "message": fault.message} for fault in faults]
        super().__init__(errors=errors)


class AnswersUnfit(Refusal):
    """The answers are too long or hold what cannot be stored."""

    status = 422
    title = "Nội dung tờ khai quá dài hoặc có ký tự không hợp lệ"
    title_en = "The answers are too long or hold characters that cannot be kept"


class DraftAlreadySent(Refusal):
    title = "Hồ sơ đã được gửi, không thể sửa"
    title_en = "The draft was sent and cannot be changed"


class ProcedureReplaced(Refusal):
    """The procedure changed while the draft was open; `replaced_by` names the procedures to use."""

    title = "Thủ tục này đã được thay thế, xin lập hồ sơ mới"
    title_en = "The procedure was replaced; start a new draft"


class ProcedureClosed(Refusal):
    """The procedure is not offered on this day, and nothing replaces it."""

    title = "Thủ tục này không còn được tiếp nhận"
    title_en = "The procedure can no longer be filed"


class NotOpenOnline(Refusal):
    title = "Thủ tục này chưa nhận hồ sơ trực tuyến tại cơ quan đã chọn"
    title_en = "This procedure cannot be filed online at that unit"


class NotAPaperChannel(Refusal):
    """Only what was handed in at the desk or came by post is registered from paper."""

    status = 422
    title = "Hồ sơ giấy chỉ đến qua quầy hoặc qua bưu chính"
    title_en = "A paper dossier comes by desk or by post"


def may_be_filed(procedure: Procedure, on: date) -> None:
    """Refuse a procedure that is not offered on that local date, and say what is instead."""
    if procedure.is_open(on):
        return
    if procedure.replaced_by:
        raise ProcedureReplaced(replaced_by=[*procedure.replaced_by])
    raise ProcedureClosed


def change(draft: Draft, now: datetime, *, answers: Mapping[str, Any] | None = None, **given: Any) -> Draft:
    """The draft with what was given; answers are merged by name, and a null answer takes the name away.

    Of the other fields None means that nothing was said. Naming the unit confirms it.
    """
    if draft.dossier_code:
        raise DraftAlreadySent(code=draft.dossier_code)
    merged = {**draft.answers, **(answers or {})}
    kept = {name: value for name, value in merged.items() if value is not None}
    text = json.dumps(kept, ensure_ascii=False)
    if len(text.encode()) > MAX_ANSWERS or "\\u0000" in text:
        raise AnswersUnfit
    said = {name: value for name, value in given.items() if value is not None}
    confirmed = draft.unit_confirmed or "receiving_unit" in said
    return replace(draft, answers=kept, **said, unit_confirmed=confirmed, version=draft.version + 1, updated_at=now)


def from_account(form: EForm, answers: Mapping[str, Any], known: Person) -> dict[str, str]:
    """Answers that the catalogue says an account knows (`prefill: account.<detail>`), where nothing was answered."""
    found: dict[str, str] = {}
    for field in form.fields:
        source, _, detail = (field.prefill or "").partition(".")
        value = getattr(known, detail, None) if source == "account" and field.name not in answers else None
        if isinstance(value, str | date):
            found[field.name] = str(value)
    return found


# ── what is missing ───────────────────────────────────────────────────────────────────────────────────────────


def step_of(field: str) -> int:
    """In which of the four steps a fault is put right."""
    steps = {"procedure": 1, "case": 1, "receiving_unit": 1, "components": 3, "delivery": 4, "reach": 4}
    return steps.get(field.partition(".")[0], 2)


def shortcomings(draft: Draft, procedure: Procedure, there: Collection[str]) -> list[Fault]:
    """What keeps the draft from being sent, but for its answers and the content of its files.

    `there`: codes of the components that have a file or a linked document.
    """
    case = procedure.case(draft.case)
    return [
        *_unit_faults(draft),
        *_party_faults(draft, case),
        *missing(case, draft.circumstances, there),
        *delivery_faults(procedure, draft),
    ]


def _unit_faults(draft: Draft) -> Iterator[Fault]:
    if not draft.unit_confirmed:
        yield Fault("receiving_unit", "confirm", "Xin xác nhận lại cơ quan tiếp nhận")


def _party_faults(draft: Draft, case: Case) -> Iterator[Fault]:
    """The keeper's account says who they are; everybody else must be named."""
    if draft.on_behalf and not case.authorised_submission_allowed:
        yield Fault("on_behalf", "not_allowed", "Thủ tục này không nhận hồ sơ nộp thay theo ủy quyền")
    people = draft.particulars
    must_name_owner = draft.on_behalf or draft.keeper_unit is not None
    if must_name_owner:
        yield from person_faults(people.owner, "owner", must_be_known=True)
    if people.submitter is not people.owner:
        yield from person_faults(people.submitter, "submitter", must_be_known=draft.keeper_unit is not None)
    if draft.on_behalf and _same(people.owner, people.submitter):
        yield Fault("owner.identity_number", "same_person", "Chủ hồ sơ và người nộp thay phải là hai người khác nhau")


def _same(one: Person, other: Person) -> bool:
    return one.identity_number is not None and one.identity_number == other.identity_number


def missing(case: Case, circumstances: Mapping[str, Any], there: Collection[str]) -> list[Fault]:
    """Mandatory components without a file."""
    return [
        Fault(f"components.{component.code}", "missing", f"Thiếu thành phần “{component.name}”, xin tải tệp lên")
        for component in case.components
        if component.code not in there and catalogue.is_mandatory(component, circumstances)
    ]


def delivery_faults(procedure: Procedure, draft: Draft) -> list[Fault]:
    """What is missing of the way the result comes, the originals go, and messages are sent."""
    return [*_way_faults(procedure, draft), *_post_faults(draft), *_sms_faults(draft)]


def _way_faults(procedure: Procedure, draft: Draft) -> Iterator[Fault]:
    if draft.delivery is None:
        yield Fault("delivery", "required", "Xin chọn cách nhận kết quả")
    elif draft.delivery not in procedure.delivery:
        yield Fault("delivery", "not_offered", "Thủ tục này không trả kết quả theo cách đã chọn")


def _post_faults(draft: Draft) -> Iterator[Fault]:
    """Two independent choices: the result comes by post, and originals go by post (DOS-8)."""
    if draft.delivery == DeliveryMethod.POST:
        yield from mailing_faults(draft.reach.receiver, "reach.receiver", "người nhận")
    if draft.reach.originals_by_post:
        yield from mailing_faults(draft.reach.sender, "reach.sender", "người gửi bản giấy")


def _sms_faults(draft: Draft) -> Iterator[Fault]:
    """Who has no account here must leave a number."""
    if draft.sms_opt_in and draft.keeper_unit and not (draft.reach.sms_number or draft.particulars.submitter.phone):
        yield Fault("reach.sms_number", "required", "Chưa nhập số điện thoại nhận tin nhắn")


def warnings(draft: Draft) -> list[Fault]:
    """What looks like a slip in what was written about people. It keeps nothing from being sent."""
    people = draft.particulars
    found = [*person_warnings(people.owner, "owner" if draft.on_behalf or draft.keeper_unit else "submitter")]
    if people.submitter is not people.owner:
        found += person_warnings(people.submitter, "submitter")
    return found


# ── codes ─────────────────────────────────────────────────────────────────────────────────────────────────────

CODE = re.compile(r"^(?P<agency>[A-Z0-9]+(?:\.[A-Z0-9]+){0,5})-(?P<day>\d{6}|\d{8})-(?P<number>[A-Z0-9]{4,})$")
AGENCY_LEVEL_1 = re.compile(r"^[A-Y]\d{2}$")


@dataclass(frozen=True, slots=True)
class Code:
    """A dossier code taken apart (mã hồ sơ). Whatever system gave it: treat it as opaque otherwise."""

    agency: str
    day: date
    number: str

    @property
    def root(self) -> str | None:
        """Ministry or province: first in new agency ids (QĐ 20/2020/QĐ-TTg), last in old ones (QCVN 102:2016)."""
        parts = self.agency.split(".")
        return next((part for part in (parts[0], parts[-1]) if AGENCY_LEVEL_1.match(part)), None)


def code_for(template: str, agency: str, day: date, number: int) -> str:
    """The dossier's code: unit, local date of sending, running number of that day (which may outgrow four digits)."""
    return template.format(agency=agency, yymmdd=f"{day:%y%m%d}", seq=number)


def parse_code(text: str) -> Code | None:
    """The parts of a code in any of the formats in use: both orders of agency ids, 6 or 8 digits of date."""
    found = CODE.match(text)
    if found is None:
        return None
    digits = found["day"] if len(found["day"]) == 8 else "20" + found["day"]
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    return Code(found["agency"], day, found["number"])


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────

Submission = DossierSubmitted | DossierAwaitingPayment


def submit(
    draft: Draft,
    parties: Parties,
    procedure: Procedure,
    code: str,
    files: Sequence[ComponentFile],
    now: datetime,
    channel: SubmissionChannel = SubmissionChannel.PROVINCIAL_PORTAL,
) -> tuple[Dossier, Submission]:
    """The draft becomes a dossier: at the desk (D3), or first at the till where the fee comes before (D3')."""
    facts = _facts(draft, parties, procedure, channel)
    reason = "Cán bộ một cửa nộp hộ" if draft.keeper_unit else None
    return sent(facts, procedure.case(draft.case), code, files, draft.keeper_ref, now, reason)


def sent(
    facts: Facts,
    case: Case,
    code: str,
    files: Sequence[ComponentFile],
    by: UUID,
    now: datetime,
    reason: str | None = None,
) -> tuple[Dossier, Submission]:
    """What was put together is sent, by a person or as a member of an interlinked group (D3, D3')."""
    lines = prepayment(case, facts, now.astimezone(HANOI).date())
    row = permitted(State.DRAFT, Act.SUBMIT_UNPAID if lines else Act.SUBMIT, Actor(by, frozenset({"owner"})))
    target = row.target or State.DRAFT
    line = Line(row.act, row.label, now, by, facts.receiving_unit, State.DRAFT, target, reason)
    dossier = Dossier(code, facts, target, facts.receiving_unit, version=1, unsaved=(line,))
    if lines:
        dossier = replace(dossier, fee_lines=lines, fee_timing=case.fee.timing, payment_state=PaymentState.REQUESTED)
        amount = sum(line.amount for line in lines)
        said = {**envelope(dossier, now), **filing_fields(facts)}
        return dossier, DossierAwaitingPayment(**said, fee_lines=lines, amount=amount)
    return reception.submitted(dossier, components_of(files), now)


def prepayment(case: Case, facts: Facts, on: date) -> tuple[FeeLine, ...]:
    """What has to be paid before the desk may look; nothing for most."""
    if case.fee.timing != FeeTiming.BEFORE_ACCEPTANCE:
        return ()
    lines = catalogue.fee_lines(case, facts.circumstances, facts.channel, on)
    return lines if sum(line.amount for line in lines) > 0 else ()


PAPER = frozenset({SubmissionChannel.DESK, SubmissionChannel.POST})


def register(
    draft: Draft,
    parties: Parties,
    procedure: Procedure,
    code: str,
    files: Sequence[ComponentFile],
    now: datetime,
    channel: SubmissionChannel,
    by: Actor,
) -> tuple[Dossier, Submission]:
    """A paper dossier is entered (D4): the desk accepts it in the same moment, unless its fee comes first."""
    if channel not in PAPER:
        raise NotAPaperChannel
    row = permitted(None, Act.REGISTER_PAPER, by)
    if by.unit != draft.receiving_unit:
        raise NotYourUnit
    dossier, said = submit(draft, parties, procedure, code, files, now, channel)
    line = Line(row.act, row.label, now, by.ref, by.unit, None, dossier.state)
    return replace(dossier, unsaved=(line,)), said


def _facts(draft: Draft, parties: Parties, procedure: Procedure, channel: SubmissionChannel) -> Facts:
    if draft.delivery is None:
        raise DraftIncomplete(delivery_faults(procedure, draft))
    owner = draft.particulars.owner
    return Facts(
        procedure_id=draft.procedure_id,
        procedure_code=procedure.code,
        procedure_version=procedure.version,
        procedure_name=procedure.name,
        case=draft.case,
        level=procedure.offer_at(draft.receiving_unit).service_level,
        receiving_unit=draft.receiving_unit,
        competent_unit=procedure.competent_unit or draft.receiving_unit,
        owner_ref=parties.owner_ref,
        owner_type=owner.type,
        owner_name=owner.name or "",
        submitter_ref=parties.submitter_ref,
        channel=channel,
        delivery=draft.delivery,
        sms_opt_in=draft.sms_opt_in,
        answers=draft.answers,
        originals_by_post=draft.reach.originals_by_post,
        assisted_by=draft.keeper_ref if draft.keeper_unit and channel not in PAPER else None,
    )
