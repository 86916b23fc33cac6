"""The events of scenario 1 and of its turns, as the owners say them. Fictional people only."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.dossier import (
    Deadline,
    DeadlineMissed,
    DeliveryMethod,
    DossierAccepted,
    DossierEvent,
    DossierRejected,
    DossierSubmitted,
    DossierWithdrawn,
    GroupState,
    InterlinkedMember,
    InterlinkedProgressed,
    InterlinkedSubmitted,
    MemberState,
    OwnerType,
    Punctuality,
    ResultDelivered,
    ResultIssued,
    ResultSigned,
    ServiceLevel,
    SignatureStatus,
    Stage,
    Step,
    StepCompleted,
    StepOutcome,
    SubmissionChannel,
    SupplementItem,
    SupplementRequested,
    SupplementSubmitted,
)
from contracts.identity import AccountStandardised, VerificationSource
from contracts.money import FeeKind, FeeLine, FeeTiming
from contracts.notification import FailureReason, MessageChannel, NotificationFailed, NotificationSent
from contracts.payment import FeePaid, FeeRequested, PaymentEvent, PaymentMethod, ReceiptIssued

CODE = "H99.02.01-261122-0001"
UNIT = "H99.02.01"
OWNER = UUID(int=1)
OFFICER = UUID(int=77)
ASSESSMENT = UUID(int=500)
NUMBER = "000190000001"
KEY = "a key for tests"
MASKED = "N***** T** A*"
START = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)


def at(version: int) -> datetime:
    return START + timedelta(minutes=10 * version)


def about(version: int, code: str = CODE) -> dict[str, Any]:
    return {"version": version, "occurred_at": at(version), "dossier_code": code}


def digest(number: str) -> str:
    return hmac.new(KEY.encode(), number.encode(), hashlib.sha256).hexdigest()


def standardised(ref: UUID = OWNER, number: str = NUMBER, version: int = 1) -> AccountStandardised:
    return AccountStandardised(
        version=version,
        occurred_at=START,
        account_ref=ref,
        masked_name=MASKED,
        identity_digest=digest(number),
        verification_source=VerificationSource.VNEID,
        standardised_at=START,
    )


def submitted(
    version: int = 1, code: str = CODE, owner: UUID = OWNER, submitter: UUID | None = None
) -> DossierSubmitted:
    return DossierSubmitted(
        **about(version, code),
        procedure_code="2.000635",
        procedure_version=1,
        procedure_name="Cấp bản sao Trích lục hộ tịch, bản sao Giấy khai sinh",
        case="TH1",
        level=ServiceLevel.FULL,
        receiving_unit=UNIT,
        competent_unit=UNIT,
        owner_ref=owner,
        owner_type=OwnerType.CITIZEN,
        submitter_ref=submitter or owner,
        channel=SubmissionChannel.PROVINCIAL_PORTAL,
        delivery=DeliveryMethod.ONLINE,
        sms_opt_in=True,
        submitted_at=at(version),
        components=(),
    )


def member(code: str, state: MemberState, dossier: str | None = None) -> InterlinkedMember:
    return InterlinkedMember(
        code=code, procedure_code="1.001193", procedure_name=code, unit=UNIT, state=state, dossier_code=dossier
    )


def interlinked(*members: InterlinkedMember) -> InterlinkedSubmitted:
    facts = submitted().model_dump(exclude={"components"})
    return InterlinkedSubmitted.model_validate({**facts, "group": "birth", "members": members})


def progressed(version: int, state: GroupState, *members: InterlinkedMember) -> InterlinkedProgressed:
    over = state in (GroupState.RETURNED, GroupState.WITHOUT_RESULT)
    return InterlinkedProgressed(
        **about(version), state=state, members=members, returned_at=at(version) if over else None
    )


def accepted(version: int, code: str = CODE) -> DossierAccepted:
    return DossierAccepted(
        **about(version, code),
        accepted_at=at(version),
        appointment_at=START + timedelta(hours=8),
        unit=UNIT,
        officer_ref=OFFICER,
        fee_lines=(line(),),
        fee_timing=FeeTiming.AT_ACCEPTANCE,
        policy_version="1",
    )


def rejected(version: int, code: str = CODE) -> DossierRejected:
    return DossierRejected(
        **about(version, code), stage=Stage.INTAKE, reason="Không thuộc thẩm quyền", unit=UNIT, officer_ref=OFFICER
    )


def supplement_requested(version: int, code: str = CODE, stage: Stage = Stage.INTAKE) -> SupplementRequested:
    return SupplementRequested(
        **about(version, code),
        round=1,
        stage=stage,
        requested_by=OFFICER,
        issued_by_unit=UNIT,
        items=(SupplementItem(component_code="TP-TL-01", problem="Ảnh mờ", guidance="Chụp lại rõ cả bốn góc"),),
        due_at=START + timedelta(days=21),
    )


def supplement_submitted(version: int, code: str = CODE, stage: Stage = Stage.INTAKE) -> SupplementSubmitted:
    return SupplementSubmitted(
        **about(version, code), round=1, stage=stage, changed_components=("TP-TL-01",), at=at(version)
    )


def proposed(version: int, code: str = CODE) -> StepCompleted:
    return StepCompleted(
        **about(version, code),
        step=Step.SPECIALIST,
        unit=UNIT,
        officer_ref=OFFICER,
        outcome=StepOutcome.APPROVAL_PROPOSED,
    )


def signed(version: int, code: str = CODE) -> ResultSigned:
    return ResultSigned(
        **about(version, code),
        document_type="trich-luc-ho-tich",
        number="15",
        symbol="TL-UBND",
        signer_ref=OFFICER,
        verification=SignatureStatus.VALID,
        signed_at=at(version),
    )


def issued(version: int, code: str = CODE) -> ResultIssued:
    return ResultIssued(
        **about(version, code),
        result_ref="result-1",
        result_code="KQ.G15.000031",
        sha256="0" * 64,
        outcome=Punctuality.ON_TIME,
        delivery=DeliveryMethod.ONLINE,
        issued_at=at(version),
    )


def delivered(version: int, code: str = CODE) -> ResultDelivered:
    return ResultDelivered(**about(version, code), channel=DeliveryMethod.ONLINE, receiver_ref=OWNER, at=at(version))


def deadline_missed(version: int, code: str = CODE) -> DeadlineMissed:
    return DeadlineMissed(**about(version, code), deadline=Deadline.RECEPTION, due_at=at(version), unit=UNIT)


def withdrawn(version: int, code: str = CODE) -> DossierWithdrawn:
    return DossierWithdrawn(**about(version, code))


def line() -> FeeLine:
    return FeeLine(
        kind=FeeKind.LE_PHI,
        code="LP-TRICH-LUC",
        name="Lệ phí cấp bản sao trích lục",
        unit_price=8000,
        quantity=2,
        amount=16000,
    )


def fees(version: int) -> dict[str, Any]:
    return {**about(version), "assessment_id": ASSESSMENT}


def requested(version: int = 1, code: str = CODE, timing: FeeTiming = FeeTiming.AT_ACCEPTANCE) -> FeeRequested:
    return FeeRequested(
        **{**fees(version), "dossier_code": code},
        lines=(line(),),
        amount=16000,
        due_at=START + timedelta(days=3),
        timing=timing,
    )


def paid(version: int, code: str = CODE, outstanding: int = 0) -> FeePaid:
    return FeePaid(
        **{**fees(version), "dossier_code": code},
        attempt_id=UUID(int=600),
        amount=16000 - outstanding,
        outstanding=outstanding,
        method=PaymentMethod.GATEWAY,
        provider="vnpay",
        provider_txn="14000001",
        paid_at=at(version),
    )


def receipt(version: int, code: str = CODE) -> ReceiptIssued:
    return ReceiptIssued(
        **{**fees(version), "dossier_code": code},
        receipt_no="0000001",
        form_symbol="01BLP",
        symbol="LP26",
        year=2026,
        kind=FeeKind.LE_PHI,
        amount=16000,
        issued_at=at(version),
    )


def dossier_events(code: str = CODE, owner: UUID = OWNER) -> list[DossierEvent]:
    """Scenario 1 as the dossier service tells it."""
    return [
        submitted(1, code, owner),
        accepted(2, code),
        proposed(3, code),
        signed(4, code),
        issued(5, code),
        delivered(6, code),
    ]


def payment_events(code: str = CODE) -> list[PaymentEvent]:
    """Scenario 1 as the payment service tells it."""
    return [requested(1, code), paid(2, code), receipt(3, code)]


def message(message_id: UUID, channel: MessageChannel) -> dict[str, Any]:
    about = {"version": 1, "occurred_at": START, "message_id": message_id, "dossier_code": CODE, "recipient_ref": OWNER}
    return {**about, "channel": channel, "template": "dossier_submitted", "template_version": 1}


def told(message_id: UUID) -> NotificationSent:
    return NotificationSent(**message(message_id, MessageChannel.EMAIL))


def given_up(message_id: UUID) -> NotificationFailed:
    return NotificationFailed(**message(message_id, MessageChannel.SMS), reason=FailureReason.NO_ADDRESS)
