"""What the dossier service says: the life of one dossier, from sending it to the result in hand.

The facts follow the transitions of the one-stop mechanism (Nghị định 118/2025/NĐ-CP, forms of Thông tư
03/2025/TT-VPCP). Nothing here names a person: `…_ref` fields are opaque, and whoever may know more asks the
dossier service by API under authorisation. Times are UTC; the province's clock is Asia/Ho_Chi_Minh (UTC+7, no
summer time).
"""

from datetime import date
from typing import get_args
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.envelope import Audience, Channel, Event, Part
from contracts.money import Dong, FeeLine, FeeTiming
from contracts.vocabulary import Vocabulary


class ServiceLevel(Vocabulary):
    """How much of the procedure can be done online at this unit.

    `full` (toàn trình): everything, and the result comes online or by post. `partial` (một phần): a visit is
    needed because the law asks for presence or for a check on site. `information_only`: no online filing.
    """

    FULL = "full"
    PARTIAL = "partial"
    INFORMATION_ONLY = "information_only"


class OwnerType(Vocabulary):
    """Whose matter it is: `citizen`, `organisation` or `business`."""

    CITIZEN = "citizen"
    ORGANISATION = "organisation"
    BUSINESS = "business"


class SubmissionChannel(Vocabulary):
    """The way in: `national_portal`, `provincial_portal`, `desk` (handed in on paper), `post` or `vneid`."""

    NATIONAL_PORTAL = "national_portal"
    PROVINCIAL_PORTAL = "provincial_portal"
    DESK = "desk"
    POST = "post"
    VNEID = "vneid"


class DeliveryMethod(Vocabulary):
    """How the result reaches the owner: `online`, `desk` (collected) or `post` (public postal service)."""

    ONLINE = "online"
    DESK = "desk"
    POST = "post"


class ComponentSource(Vocabulary):
    """Where a component came from.

    `upload`: sent with this dossier. `edoc_store`: taken with consent from the owner's electronic document
    store. `database`: replaced by a look-up in a national database. `paper`: shown or handed in at the desk.
    """

    UPLOAD = "upload"
    EDOC_STORE = "edoc_store"
    DATABASE = "database"
    PAPER = "paper"


class SignatureStatus(Vocabulary):
    """What checking a digital signature gave: `not_signed`, `valid`, `invalid`, or `indeterminate` (cannot be
    told)."""

    NOT_SIGNED = "not_signed"
    VALID = "valid"
    INVALID = "invalid"
    INDETERMINATE = "indeterminate"


class Stage(Vocabulary):
    """How far the dossier was: `intake` (the desk had not accepted it yet) or `processing` (it had)."""

    INTAKE = "intake"
    PROCESSING = "processing"


class Step(Vocabulary):
    """Who works on the dossier in a step of its workflow.

    `desk`: one-stop desk. `specialist`: the officer who handles the matter. `division_head`: head of the
    division. `leader`: signs. `clerk`: numbers, seals and publishes. `desk_return`: hands over (its time is
    not counted).
    """

    DESK = "desk"
    SPECIALIST = "specialist"
    DIVISION_HEAD = "division_head"
    LEADER = "leader"
    CLERK = "clerk"
    DESK_RETURN = "desk_return"


class StepOutcome(Vocabulary):
    """What a step led to: `done`, `approval_proposed` or `refusal_proposed` (a draft goes to the leader)."""

    DONE = "done"
    APPROVAL_PROPOSED = "approval_proposed"
    REFUSAL_PROPOSED = "refusal_proposed"


class ConsultationOutcome(Vocabulary):
    """What the consulted unit said: `agreed`, `disagreed`, or `answered` (information, neither yes nor
    no). `unanswered`: its time passed, and the work went on without it."""

    AGREED = "agreed"
    DISAGREED = "disagreed"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"


class Punctuality(Vocabulary):
    """When the result existed, measured against the original appointment: `early`, `on_time` or `late`."""

    EARLY = "early"
    ON_TIME = "on_time"
    LATE = "late"


class Deadline(Vocabulary):
    """Which clock ran.

    `reception`: the desk must look at it (working hours). `processing`: the appointment given to the
    applicant. `step`: one workflow step. `supplement`: the applicant must complete the dossier.
    `consultation`: another unit must answer. `synchronisation`: what follows from a member's result in an
    interlinked group must reach the next agency. `acknowledgement`: that agency must confirm that it has it
    (Nghị định 63/2024/NĐ-CP).
    """

    RECEPTION = "reception"
    PROCESSING = "processing"
    STEP = "step"
    SUPPLEMENT = "supplement"
    CONSULTATION = "consultation"
    SYNCHRONISATION = "synchronisation"
    ACKNOWLEDGEMENT = "acknowledgement"


class ExtensionKind(Vocabulary):
    """Why a date moved: `apology` (the agency is late; at most once) or `by_law` (the law gives more
    time)."""

    APOLOGY = "apology"
    BY_LAW = "by_law"


class Component(Part):
    """One component of the dossier as it was sent (thành phần hồ sơ)."""

    code: str
    """Code of the component in the catalogue, for example `TP-TL-01`."""
    document_refs: tuple[str, ...] = ()
    """The exact document versions, as opaque references; they never change once sent. Empty for
    `database`."""
    signed: SignatureStatus = SignatureStatus.NOT_SIGNED
    """What the check of the digital signature gave at sending."""
    source: ComponentSource
    """Where it came from."""


class GroupState(Vocabulary):
    """Where an interlinked dossier is, which follows from its members alone.

    `processing`: no member has a result yet. `partially_done`: at least one has, others go on. `returned`: every
    member is over and at least one gave a result. `without_result`: every member is over and none did.
    """

    PROCESSING = "processing"
    PARTIALLY_DONE = "partially_done"
    RETURNED = "returned"
    WITHOUT_RESULT = "without_result"


class MemberState(Vocabulary):
    """Where one member of an interlinked dossier is.

    `waiting`: its turn comes when the members before it have their results. `in_progress`: it is a dossier of its
    own. `has_result`: its result is issued. `ended`: it is over without a result. `not_started`: it never became a
    dossier, because a member before it gave no result.
    """

    WAITING = "waiting"
    IN_PROGRESS = "in_progress"
    HAS_RESULT = "has_result"
    ENDED = "ended"
    NOT_STARTED = "not_started"


class QuestionOutcome(Vocabulary):
    """What became of a question about a result: it was `corrected`, or `confirmed` as it is."""

    CORRECTED = "corrected"
    CONFIRMED = "confirmed"


class SupplementItem(Part):
    """One component that has to be put right (Mẫu 02: component → what is wrong → how to fix it)."""

    component_code: str
    """Code of the component in the catalogue."""
    problem: str
    """What is wrong, in Vietnamese. The publisher keeps personal data out of it."""
    guidance: str
    """How to put it right, in Vietnamese. The publisher keeps personal data out of it."""


class OriginalNeeded(Part):
    """A paper original that the applicant has to bring, which is the exception and needs a stated reason."""

    component_code: str
    """Code of the component in the catalogue."""
    why: str
    """Why the law needs the original, in Vietnamese."""


class InterlinkedMember(Part):
    """One procedure of an interlinked dossier, which becomes a dossier of its own when its turn comes."""

    code: str
    """Names the member within its group, for example `health_insurance`."""
    procedure_code: str
    """National code of the member's procedure."""
    procedure_name: str
    """Its public name, in Vietnamese."""
    unit: str
    """Agency id of the unit that settles it."""
    after: tuple[str, ...] = ()
    """Codes of the members whose results must exist first."""
    state: MemberState
    """Where it is."""
    dossier_code: str | None = None
    """The dossier it became; null before it started."""
    reason: str | None = None
    """Why it was never started, in Vietnamese; otherwise null."""


class AboutDossier(Event):
    """A fact about one dossier."""

    dossier_code: str
    """The dossier's code (mã hồ sơ), `<agency>-<YYMMDD>-<number>`, for example `H99.02.01-261122-0001`:
    unique, given at sending and never changed. The date in it is that of sending, in Asia/Ho_Chi_Minh. Treat
    it as opaque."""


class Filing(AboutDossier):
    """What is known of a dossier from the moment it is sent."""

    procedure_code: str
    """National code of the administrative procedure (mã TTHC), for example `2.000635`."""
    procedure_version: int = Field(ge=1)
    """Version of the procedure in this installation's catalogue; the dossier keeps it to its end."""
    procedure_name: str
    """The procedure's public name, in Vietnamese."""
    case: str
    """Code of the case of the procedure (trường hợp), which decides time, components, fees and workflow."""
    level: ServiceLevel
    """How much can be done online for this procedure at this unit."""
    receiving_unit: str
    """Agency id of the unit that takes the dossier in (mã định danh, QĐ 20/2020/QĐ-TTg), for example
    `H99.02.01`."""
    competent_unit: str
    """Agency id of the unit that decides. Others than the receiving unit are usual (non-territorial
    filing)."""
    owner_ref: UUID
    """Opaque reference of the person or body whose matter it is (chủ hồ sơ)."""
    owner_type: OwnerType
    """Citizen, organisation or business."""
    submitter_ref: UUID
    """Opaque reference of who sent it (người nộp): the owner, or somebody the owner authorised. News goes to
    them."""
    channel: SubmissionChannel
    """The way it came in."""
    delivery: DeliveryMethod
    """How the owner wants the result."""
    sms_opt_in: bool = False
    """Whether the submitter wants text messages beyond the one with the code."""
    parent_code: str | None = None
    """Code of the interlinked dossier (hồ sơ liên thông) that this one is a member of; null for one of its own.
    Count members or parents, never both."""


class InterlinkedSubmitted(Filing):
    """A group of procedures that belong together was sent as one (thủ tục hành chính liên thông).

    The code is the one the citizen knows. Nobody settles the parent itself: each member becomes a dossier with
    this code as its `parent_code`, an agency, a clock and a result of its own. Members without anything before
    them start in the same moment; the others when the results they need exist.
    """

    group: str
    """Code of the group, for example `birth`."""
    members: tuple[InterlinkedMember, ...] = Field(min_length=1)
    """What it consists of, in order."""
    submitted_at: AwareDatetime
    """When it was sent, in UTC."""


class InterlinkedProgressed(AboutDossier):
    """Something changed among the members of an interlinked dossier: one started, ended, or will never start."""

    state: GroupState
    """Where the whole is now."""
    members: tuple[InterlinkedMember, ...]
    """Where each member is now, in order."""
    accepted_at: AwareDatetime | None = None
    """When the first member was accepted, in UTC."""
    due_at: AwareDatetime | None = None
    """When the last result is due, in UTC, counted from the first acceptance; null before it."""
    returned_at: AwareDatetime | None = None
    """When the last member was over, in UTC; null while one goes on."""


class DossierAcknowledged(AboutDossier):
    """The agency that a member of an interlinked dossier was sent to confirmed that it has it."""

    unit: str
    """Agency id of the unit that confirmed."""
    at: AwareDatetime
    """When, in UTC."""
    due_at: AwareDatetime
    """Until when it had to, in UTC: two working hours (Nghị định 63/2024/NĐ-CP)."""
    late: bool = False
    """Whether that was too late."""


class ResultQuestioned(AboutDossier):
    """A later member of an interlinked group found an error in the result of this dossier and returned it
    upstream."""

    question_id: UUID
    """Names this question."""
    asking_unit: str
    """Agency id of the unit that found it."""
    asking_dossier: str
    """Code of the dossier that waits for the answer."""
    reason: str
    """What is wrong, in Vietnamese. The publisher keeps personal data out of it."""


class ResultQuestionAnswered(AboutDossier):
    """The unit that issued the result answered: it corrected the result, or says that it is right."""

    question_id: UUID
    """The question."""
    unit: str
    """Agency id of the unit that answered."""
    outcome: QuestionOutcome
    """What it did."""


class DossierAwaitingPayment(Filing):
    """A dossier was sent and has its code, but its fee must be paid before the desk may look at it.

    The reception clock does not run yet. `DossierSubmitted` follows once the fee is paid.
    """

    fee_lines: tuple[FeeLine, ...]
    """What is owed."""
    amount: Dong
    """The sum of the lines, in whole đồng."""
    due_at: AwareDatetime | None = None
    """Until when it can be paid, in UTC; null when nothing ends it."""


class DossierSubmitted(Filing):
    """A complete dossier reached the receiving unit; its reception clock runs (Nghị định 118/2025/NĐ-CP).

    A dossier that had to be paid for first is submitted when it is paid. One handed in on paper is submitted
    and accepted in the same moment.
    """

    submitted_at: AwareDatetime
    """When it was submitted, in UTC: the start of the reception clock."""
    components: tuple[Component, ...]
    """What it holds."""
    originals_by_post: bool = False
    """Whether paper originals follow by public post."""


class DossierAccepted(AboutDossier):
    """The desk found the dossier complete and valid; the appointment for the result is made (Mẫu 01)."""

    accepted_at: AwareDatetime
    """When it was accepted, in UTC: the start of the processing clock."""
    appointment_at: AwareDatetime | None = None
    """When the result is due, in UTC; null for a procedure without an appointment."""
    measured_until: AwareDatetime | None = None
    """Until when the result counts as in time, in UTC, where that is another moment than `appointment_at`: an apology
    moved the appointment before the clock stood, and is not time that was given. Null otherwise."""
    unit: str
    """Agency id of the accepting unit."""
    officer_ref: UUID
    """Opaque reference of the desk officer."""
    fee_lines: tuple[FeeLine, ...] = ()
    """What the applicant owes now; empty when nothing is owed or it was paid before."""
    fee_timing: FeeTiming = FeeTiming.NONE
    """When the lines have to be paid."""
    again: bool = False
    """True when it is accepted anew after a supplement, with a new appointment (the time starts from
    zero)."""
    mau01_ref: str | None = None
    """Opaque reference of the slip of receipt and appointment (Mẫu 01, Thông tư 03/2025/TT-VPCP)."""
    policy_version: str
    """Version of the policy profile (legal deadlines and rules) under which the dossier is decided."""


class DossierRejected(AboutDossier):
    """The dossier was refused, with a reason and its legal basis (Mẫu 03). It is over; it is never
    reopened."""

    stage: Stage
    """Whether the desk refused to take it in, or it was refused after acceptance."""
    reason: str
    """Why, in Vietnamese. The publisher keeps personal data out of it."""
    legal_basis: str | None = None
    """The legal text that the refusal rests on, in Vietnamese; null only when it is outside the unit's
    competence."""
    competent_unit: str | None = None
    """Agency id of the unit to turn to, when this one is not competent; otherwise null."""
    unit: str
    """Agency id of the refusing unit."""
    officer_ref: UUID
    """Opaque reference of the officer who refused."""
    mau03_ref: str | None = None
    """Opaque reference of the refusal slip (Mẫu 03)."""


class SupplementRequested(AboutDossier):
    """The applicant was asked, through the one-stop desk, to complete or correct named components (Mẫu 02).

    The law allows this once. A later round is lawful only when it says what the applicant left undone;
    otherwise it is recorded as a violation. The running clock stops until the supplement arrives.
    """

    round: int = Field(ge=1)
    """1 for the first request, intake and processing counted together."""
    stage: Stage
    """Whether the dossier had been accepted."""
    requested_by: UUID
    """Opaque reference of the officer who found the fault (desk officer or specialist)."""
    issued_by_unit: str
    """Agency id of the one-stop desk that issued it; nobody else may turn to the applicant."""
    items: tuple[SupplementItem, ...] = Field(min_length=1)
    """The components to put right."""
    citizen_fault: str | None = None
    """From round 2: what of the previous guidance the applicant did not do, in Vietnamese."""
    needs_original: tuple[OriginalNeeded, ...] = ()
    """Paper originals to bring, each with the reason."""
    due_at: AwareDatetime
    """Until when the applicant may complete it, in UTC; afterwards the dossier is closed."""
    mau02_ref: str | None = None
    """Opaque reference of the request slip (Mẫu 02)."""
    violation: bool = False
    """True when this request breaks the once-only rule or the specialist's window; reported to oversight."""


class SupplementSubmitted(AboutDossier):
    """The applicant answered the open supplement request, all of it in one sending."""

    round: int = Field(ge=1)
    """The round that is answered."""
    stage: Stage
    """Whether the dossier had been accepted when the request was made."""
    changed_components: tuple[str, ...]
    """Codes of the components that changed."""
    components: tuple[Component, ...] = ()
    """The changed components as they are now."""
    at: AwareDatetime
    """When it was sent, in UTC."""


class DossierForwarded(AboutDossier):
    """The dossier was handed to another unit or officer by an explicit order (lệnh chuyển hồ sơ)."""

    from_unit: str
    """Agency id of the unit that handed it on."""
    to_unit: str
    """Agency id of the unit that has it now; the same unit when it only changed hands."""
    step: Step
    """The workflow step that begins."""
    assignee_ref: UUID | None = None
    """Opaque reference of the officer it was given to; null when the unit has yet to assign it."""
    step_due_at: AwareDatetime | None = None
    """Until when this step should be done, in UTC."""


class StepCompleted(AboutDossier):
    """A step of the workflow was done."""

    step: Step
    """The step."""
    unit: str
    """Agency id of the unit that did it."""
    officer_ref: UUID
    """Opaque reference of the officer who did it."""
    outcome: StepOutcome
    """What it led to."""
    step_due_at: AwareDatetime | None = None
    """When it should have been done, in UTC."""


class StepReturned(AboutDossier):
    """A reviewer or the leader sent the work back to an earlier step."""

    step: Step
    """The step that sent it back."""
    returned_to: Step
    """The step that has it again."""
    unit: str
    """Agency id of the unit."""
    officer_ref: UUID
    """Opaque reference of the officer who sent it back."""
    reason: str
    """Why, in Vietnamese. The publisher keeps personal data out of it."""


class ConsultationRequested(AboutDossier):
    """Another unit was asked for its opinion. The applicant's clock keeps running."""

    consultation_id: UUID
    """Names this question among those about the dossier."""
    asking_unit: str
    """Agency id of the unit that asks."""
    consulted_unit: str
    """Agency id of the unit that is asked."""
    due_at: AwareDatetime
    """Until when an answer is due, in UTC; silence is the consulted unit's responsibility (NĐ 61/2018, Art.
    19(5))."""


class ConsultationAnswered(AboutDossier):
    """The consulted unit answered, or its time passed and the work goes on without it (`unanswered`)."""

    consultation_id: UUID
    """The question that is answered."""
    consulted_unit: str
    """Agency id of the unit that was asked."""
    outcome: ConsultationOutcome
    """What it said."""


class FinancialObligationRequested(AboutDossier):
    """The applicant has to meet a financial obligation that the work brought to light, such as a tax, before it
    goes on (nghĩa vụ tài chính, national status 6). It is paid to whoever the notice names; it is no fee of the
    dossier."""

    unit: str
    """Agency id of the unit that asks."""
    officer_ref: UUID
    """Opaque reference of the specialist."""
    purpose: str
    """What is to be paid, in Vietnamese. The publisher keeps personal data out of it."""
    legal_basis: str
    """The legal text or the notice that it rests on, in Vietnamese."""
    amount: Dong | None = None
    """How much, in whole đồng; null where the notice says it."""
    clock_paused: bool = False
    """Whether the appointment's clock stands until it is met; then `DeadlineExtended` says the new appointment."""


class FinancialObligationMet(AboutDossier):
    """The proof that the financial obligation was met has been seen: the work goes on."""

    unit: str
    """Agency id of the unit that saw it."""
    officer_ref: UUID
    """Opaque reference of the officer who saw it."""
    measured_until: AwareDatetime | None = None
    """Until when the result counts as in time from now on, in UTC: the original appointment, moved by the time that
    its clock stood; null for a procedure without an appointment."""


class ResultSigned(AboutDossier):
    """The result was signed by the leader, numbered and sealed by the clerk, and the signature was checked.

    It is not published yet: `ResultIssued` says that.
    """

    document_type: str
    """Type of the document, for example `trich-luc-ho-tich`."""
    number: str
    """Running number of the document within its type and year, for example `15`."""
    symbol: str
    """Symbol behind the number, for example `TL-UBND`; printed together as `15/TL-UBND`."""
    signer_ref: UUID
    """Opaque reference of the leader who signed."""
    verification: SignatureStatus
    """What checking the digital signatures gave: `valid`, unless the leader signed on paper first. Then it is
    `not_signed`, the result is not handed over, and another `ResultSigned` with `valid` follows with the file."""
    signed_at: AwareDatetime
    """When the leader signed, in UTC."""


class ResultIssued(AboutDossier):
    """The signed result exists and is published to its owner: the dossier is settled (national status 9).

    The clock stops here, and `outcome` is final. Handing over is another fact, `ResultDelivered`.
    """

    result_ref: str
    """Opaque reference of the result; the dossier service gives the file to whoever may have it."""
    result_code: str
    """Code of the kind of result in the catalogue, for example `KQ.TP.TL`; other procedures reuse it by
    this."""
    valid_to: date | None = None
    """Last day of validity, a calendar date in Viet Nam; null when it is valid for ever."""
    sha256: str
    """SHA-256 of the signed file, in lower-case hex: whoever holds the file can prove it is the one."""
    outcome: Punctuality
    """Early, on time or late, against the original appointment."""
    delivery: DeliveryMethod
    """How it will be handed over."""
    issued_at: AwareDatetime
    """When it was issued, in UTC."""


class ResultDelivered(AboutDossier):
    """The result was handed over (national status 10). The dossier is finished."""

    channel: DeliveryMethod
    """How it was handed over."""
    receiver_ref: UUID
    """Opaque reference of who received it: the owner, or the person authorised to collect."""
    at: AwareDatetime
    """When, in UTC."""


class ResultRevoked(AboutDossier):
    """A result that was handed over is no longer in force: revoked, or replaced by another document.

    The dossier stays finished. Whoever rests on the document, or shows it, says so from now on. The file is
    unchanged.
    """

    result_ref: str
    """Opaque reference of the result, as in `ResultIssued`."""
    number: str
    """Running number of the document, as in `ResultSigned`."""
    symbol: str
    """Symbol behind the number."""
    unit: str
    """Agency id of the unit that revoked it."""
    officer_ref: UUID
    """Opaque reference of the leader."""
    reason: str
    """Why, in Vietnamese. The publisher keeps personal data out of it."""
    legal_basis: str
    """The legal text, in Vietnamese."""
    revoked_at: AwareDatetime
    """Since when it is no longer in force, in UTC."""
    replaced_by: str | None = None
    """Number and symbol of the document that is in force instead, `16/TLHT-BS`; null when nothing is."""
    replacement_sha256: str | None = None
    """SHA-256 of that document's file, in lower-case hex; null with `replaced_by`."""


class DeadlineExtended(AboutDossier):
    """The appointment moved to a later date. Lateness is still measured against the original one."""

    kind: ExtensionKind
    """An apology (Mẫu 04, at most once) or more time given by law."""
    original_due_at: AwareDatetime
    """The appointment first given, in UTC."""
    old_due_at: AwareDatetime
    """The date before this extension, in UTC."""
    new_due_at: AwareDatetime
    """The date from now on, in UTC."""
    reason: str
    """Why, in Vietnamese, as told to the applicant. The publisher keeps personal data out of it."""
    mau04_ref: str | None = None
    """Opaque reference of the letter of apology (Mẫu 04)."""


class DeadlineMissed(AboutDossier):
    """A deadline passed and the work was not done. The dossier's state does not change by it."""

    deadline: Deadline
    """Which clock ran out."""
    due_at: AwareDatetime
    """When it was due, in UTC."""
    unit: str
    """Agency id of the unit that should have acted."""
    step: Step | None = None
    """The workflow step, when the clock was that of a step."""


class DossierWithdrawn(AboutDossier):
    """The applicant withdrew the dossier before a decision (national status 7). It is over."""

    reason: str | None = None
    """Why, if the applicant said so as one of the offered reasons; never free text of a citizen."""
    mau05_ref: str | None = None
    """Opaque reference of the notice (Mẫu 05); null when the dossier had not been accepted."""


class DossierStopped(AboutDossier):
    """The leader stopped the processing for a legal reason (national status 8). It is over."""

    reason: str
    """Why, in Vietnamese. The publisher keeps personal data out of it."""
    legal_basis: str
    """The legal text, in Vietnamese."""
    officer_ref: UUID
    """Opaque reference of the leader."""
    mau05_ref: str | None = None
    """Opaque reference of the notice (Mẫu 05)."""


class DossierClosed(AboutDossier):
    """The supplement did not come in time, so the dossier was closed (national status 8). It is over.

    The default is 15 working days after the request; the applicant may copy the dossier into a new one.
    """

    due_at: AwareDatetime
    """The deadline that passed, in UTC."""
    reason: str
    """Why, in Vietnamese."""
    mau05_ref: str | None = None
    """Opaque reference of the notice (Mẫu 05)."""


class OwnerLinked(AboutDossier):
    """The dossier belongs to an account that was not known to be its owner's when it was sent.

    Somebody filed it for a person without an account, or it was handed in on paper, and that person has one now; or an
    account was locked because its owner has another. Whoever keeps `owner_ref` or `submitter_ref` replaces them.
    """

    owner_ref: UUID
    """Opaque reference of the owner from now on."""
    submitter_ref: UUID
    """Opaque reference of the submitter from now on; news goes to them."""


DossierEvent = (
    DossierAwaitingPayment
    | DossierSubmitted
    | DossierAccepted
    | DossierRejected
    | SupplementRequested
    | SupplementSubmitted
    | DossierForwarded
    | StepCompleted
    | StepReturned
    | ConsultationRequested
    | ConsultationAnswered
    | FinancialObligationRequested
    | FinancialObligationMet
    | ResultSigned
    | ResultIssued
    | ResultDelivered
    | ResultRevoked
    | DeadlineExtended
    | DeadlineMissed
    | DossierWithdrawn
    | DossierStopped
    | DossierClosed
    | InterlinkedSubmitted
    | InterlinkedProgressed
    | DossierAcknowledged
    | ResultQuestioned
    | ResultQuestionAnswered
    | OwnerLinked
)

DOSSIERS = Channel(
    "dossier.dossiers.v1",
    owner="dossier",
    audience=Audience.PUBLIC,
    key="dossier_code",
    events=get_args(DossierEvent),
    doc="The life of one dossier, from sending it to the result in hand, in order for each dossier.",
)
