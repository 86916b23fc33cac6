"""Who received a result, by what right, and how it travels by post."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.dossier import DeliveryMethod
from contracts.refusal import Refusal
from services.dossier.parties.domain import Reach
from services.dossier.processing.domain import Dossier, State
from services.dossier.results.domain import Result, ResultState


class Receiver(StrEnum):
    """In whose hand the result came."""

    OWNER = "owner"
    SUBMITTER = "submitter"
    """Whoever sent the dossier for the owner: authorised for it already."""
    AUTHORISED = "authorised"
    """Somebody with the owner's written authorisation."""


class ReceiverNotAuthorised(Refusal):
    """Somebody else than owner and submitter shows an authorisation (NĐ 61/2018/NĐ-CP, Art. 6)."""

    status = 422
    title = "Người nhận thay phải có văn bản ủy quyền: ghi rõ họ tên và văn bản"
    title_en = "Whoever receives the result for the owner shows an authorisation: state name and paper"


class IdentityNotChecked(Refusal):
    """The desk looks at the receiver's identity paper first."""

    status = 422
    title = "Chưa kiểm tra giấy tờ tùy thân của người nhận"
    title_en = "The receiver's identity was not checked"


@dataclass(frozen=True, slots=True)
class Handover:
    """How a result came into somebody's hand."""

    dossier_code: str
    channel: DeliveryMethod
    receiver: Receiver
    at: datetime
    receiver_name: str | None = None
    authorisation: str | None = None
    """The paper that was shown: kind, number, date."""
    originals_returned: tuple[str, ...] = ()
    """Originals that the agency had and gave back."""
    papers_archived: tuple[str, ...] = ()
    """Papers that the law keeps with the agency, handed in now (REC-4)."""
    override_reason: str | None = None
    officer_ref: UUID | None = None
    unit: str | None = None


def check(handover: Handover) -> None:
    """Refuse a receiver who showed no right to it."""
    shown = handover.receiver_name and handover.authorisation
    if handover.receiver is Receiver.AUTHORISED and not shown:
        raise ReceiverNotAuthorised


def receiver_ref(dossier: Dossier, receiver: Receiver) -> UUID:
    """Opaque reference of the receiver. Somebody with an authorisation only may have none: the owner's then."""
    return dossier.facts.submitter_ref if receiver is Receiver.SUBMITTER else dossier.facts.owner_ref


# ── delivery ──────────────────────────────────────────────────────────────────────────────────────────────────


class DeliveryState(StrEnum):
    """How far the result is on its way to its owner."""

    NOT_READY = "not_ready"
    READY = "ready"
    """It waits: at the desk, for its signature or fee, or for an address."""
    ORDERED = "ordered"
    """The post office was asked to fetch it."""
    SHIPPED = "shipped"
    AT_DESK = "at_desk"
    """The post could not deliver it: it waits at the desk."""
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the post brings a result, as the applicant gave it."""

    receiver_name: str
    address: str
    phone: str


@dataclass(frozen=True, slots=True)
class Shipment:
    """One result with the post; the address is that of the moment when the result was ready (I-R4)."""

    dossier_code: str
    state: DeliveryState
    to: Address
    changed_at: datetime
    item_code: str | None = None
    """The post office's number (mã bưu gửi)."""
    why: str | None = None
    """Why it could not be delivered."""


def address_in(reach: Reach) -> Address:
    """What the applicant said, on one line."""
    to = reach.receiver
    parts = (to.address.street, to.address.commune_code, to.address.province_code)
    return Address(to.name or "", to.address.text or ", ".join(part for part in parts if part), to.phone or "")


ORDER = {
    DeliveryState.READY: 0,
    DeliveryState.ORDERED: 1,
    DeliveryState.SHIPPED: 2,
    DeliveryState.AT_DESK: 3,
    DeliveryState.DELIVERED: 4,
}
"""A shipment moves only forward: what the post says twice, or late, changes nothing."""


def advance(
    shipment: Shipment, state: DeliveryState, now: datetime, *, item_code: str | None = None, why: str | None = None
) -> Shipment:
    """The shipment after news of the post office."""
    if ORDER[state] <= ORDER[shipment.state]:
        return shipment
    return replace(shipment, state=state, changed_at=now, item_code=item_code or shipment.item_code, why=why)


def state_of(dossier: Dossier, result: Result | None, shipment: Shipment | None) -> DeliveryState:
    """How far the result is, whichever way it goes."""
    if dossier.state is State.RETURNED:
        return DeliveryState.DELIVERED
    if result is None or result.state is not ResultState.PUBLISHED:
        return DeliveryState.NOT_READY
    return shipment.state if shipment else DeliveryState.READY
