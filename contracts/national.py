"""The status vocabulary of the National Public Service Portal (Cổng Dịch vụ công quốc gia), and our states in it.

Everybody who says where a dossier is says one of these ten: look-up pages, statistics, and the record that is
synchronised with the portal. The states are those that follow from the events (`DossierAccepted` → `accepted`).
"""

from collections.abc import Mapping

STATUSES: Mapping[int, str] = {
    1: "Mới đăng ký",
    2: "Được tiếp nhận",
    3: "Không được tiếp nhận",
    4: "Đang xử lý",
    5: "Yêu cầu bổ sung giấy tờ",
    6: "Yêu cầu thực hiện nghĩa vụ tài chính",
    7: "Công dân yêu cầu rút hồ sơ",
    8: "Dừng xử lý",
    9: "Đã xử lý xong",
    10: "Đã trả kết quả",
}
"""Code → its name. 9 is not 10: a result that exists is not yet in hand."""

_STATUS_OF: Mapping[str, tuple[int, int]] = {
    "awaiting_prepayment": (6, 6),
    "submitted": (1, 1),
    "supplement_requested_intake": (5, 5),
    "supplement_requested_processing": (5, 5),
    "supplement_submitted": (1, 4),
    "accepted": (2, 2),
    "awaiting_financial_obligation": (6, 6),
    "rejected": (3, 8),
    "withdrawn": (7, 7),
    "stopped": (8, 8),
    "closed_incomplete": (8, 8),
    "result_ready": (9, 9),
    "returned": (10, 10),
}
"""State → (before the desk accepted it, afterwards). Every other state of a dossier that was sent is 4."""


def status_of(state: str, *, accepted: bool) -> int:
    """The portal's code of a dossier in that state; `accepted`: whether the desk had accepted it once."""
    before, afterwards = _STATUS_OF.get(state, (4, 4))
    return afterwards if accepted else before
