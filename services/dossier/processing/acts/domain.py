"""Which acts somebody may do on a dossier now, and why not the others: the same guards that the acts themselves ask."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from contracts.refusal import Refusal
from services.dossier.processing import domain as machine
from services.dossier.processing.domain import Act, Actor, Dossier, allowed
from services.dossier.processing.endings.domain import may_refuse, may_withdraw
from services.dossier.processing.reception.domain import may_accept
from services.dossier.processing.work.domain import (
    may_approve,
    may_assign,
    may_hand_on,
    may_return,
    may_review,
    own_work,
)

Guard = Callable[[Dossier, Actor, datetime], None]

LABELS: Mapping[Act, str] = {
    Act.ACCEPT: "Tiếp nhận",
    Act.REQUEST_SUPPLEMENT: "Yêu cầu bổ sung",
    Act.REQUEST_AGAIN: "Yêu cầu bổ sung lần nữa, trước khi tiếp nhận",
    Act.REQUEST_AGAIN_PROCESSING: "Yêu cầu bổ sung lần nữa, khi đang xử lý",
    Act.SUPPLEMENT: "Gửi bổ sung",
    Act.ACCEPT_AGAIN: "Xác nhận đã bổ sung đủ",
    Act.REJECT: "Từ chối tiếp nhận",
    Act.ASSIGN: "Phân công, nhận thụ lý",
    Act.FORWARD: "Chuyển xử lý",
    Act.CONSULT: "Lấy ý kiến",
    Act.ANSWER_CONSULTATION: "Trả lời ý kiến",
    Act.CONTINUE_UNANSWERED: "Tiếp tục khi quá hạn trả lời ý kiến",
    Act.PROPOSE: "Trình kết quả hoặc đề xuất từ chối",
    Act.REVIEW: "Thẩm tra, trình lãnh đạo",
    Act.RETURN_STEP: "Trả lại dự thảo",
    Act.APPROVE: "Ký số",
    Act.SIGN: "Vào số, đóng dấu",
    Act.ISSUE: "Ban hành kết quả",
    Act.REFUSE: "Từ chối giải quyết",
    Act.SIGN_LATER: "Cập nhật bản kết quả đã ký số",
    Act.DELIVER: "Trả kết quả",
    Act.DELIVER_UNSIGNED: "Trả kết quả khi bản điện tử chưa ký số",
    Act.REVOKE_RESULT: "Thu hồi kết quả",
    Act.REPLACE_RESULT: "Ban hành kết quả thay thế",
    Act.EXTEND: "Xin lỗi và hẹn lại ngày trả",
    Act.WITHDRAW: "Rút hồ sơ",
    Act.STOP: "Dừng giải quyết",
    Act.REQUEST_OBLIGATION: "Yêu cầu thực hiện nghĩa vụ tài chính",
    Act.CONFIRM_OBLIGATION: "Xác nhận đã thực hiện nghĩa vụ tài chính",
}
"""What people do after a dossier was sent; what only the system does has no button."""


def _forward(dossier: Dossier, by: Actor, now: datetime) -> None:
    allowed(dossier, Act.FORWARD, by)
    may_hand_on(dossier)


GUARDS: Mapping[Act, Guard] = {
    Act.ACCEPT: lambda dossier, by, now: may_accept(dossier, by),
    Act.ASSIGN: lambda dossier, by, now: may_assign(dossier, by),
    Act.FORWARD: _forward,
    Act.CONSULT: lambda dossier, by, now: own_work(dossier, Act.CONSULT, by),
    Act.CONTINUE_UNANSWERED: lambda dossier, by, now: own_work(dossier, Act.CONTINUE_UNANSWERED, by),
    Act.PROPOSE: lambda dossier, by, now: own_work(dossier, Act.PROPOSE, by),
    Act.REQUEST_OBLIGATION: lambda dossier, by, now: own_work(dossier, Act.REQUEST_OBLIGATION, by),
    Act.REVIEW: lambda dossier, by, now: may_review(dossier, by),
    Act.RETURN_STEP: lambda dossier, by, now: may_return(dossier, by),
    Act.APPROVE: lambda dossier, by, now: may_approve(dossier, by),
    Act.REFUSE: may_refuse,
    Act.WITHDRAW: lambda dossier, by, now: may_withdraw(dossier, by),
}
"""What an act asks beyond role, unit and state, as far as it can be told before it is done."""


@dataclass(frozen=True, slots=True)
class Possible:
    """An act, and the refusal that it would meet now."""

    act: Act
    refusal: Refusal | None


def acts_of(dossier: Dossier, by: Actor, now: datetime) -> Iterator[Possible]:
    """Every act that is the caller's in some state of a dossier."""
    for act in LABELS:
        if any(row.act is act and row.roles & by.roles for row in machine.TRANSITIONS):
            yield Possible(act, _refusal(dossier, act, by, now))


def _refusal(dossier: Dossier, act: Act, by: Actor, now: datetime) -> Refusal | None:
    guard = GUARDS.get(act)
    try:
        guard(dossier, by, now) if guard else allowed(dossier, act, by)
    except Refusal as no:
        return no
    return None
