"""The words in which people read what was projected: states, folders, fees (the statuses are the contracts'), times."""

from zoneinfo import ZoneInfo

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
"""The time that people read, and the calendar that days and months are of."""

STATES = {
    "awaiting_prepayment": "Chờ thanh toán trước",
    "submitted": "Đã gửi",
    "supplement_requested_intake": "Yêu cầu bổ sung (trước tiếp nhận)",
    "supplement_submitted": "Đã gửi bổ sung",
    "accepted": "Được tiếp nhận",
    "assigned": "Đang xử lý",
    "in_process": "Đang xử lý",
    "consulting": "Đang xử lý",
    "supplement_requested_processing": "Yêu cầu bổ sung (khi xử lý)",
    "awaiting_financial_obligation": "Yêu cầu thực hiện nghĩa vụ tài chính",
    "pending_approval": "Trình ký",
    "result_ready": "Đã xử lý xong, chờ trả",
    "returned": "Đã trả kết quả",
    "rejected": "Không được tiếp nhận / từ chối",
    "withdrawn": "Công dân rút hồ sơ",
    "stopped": "Dừng xử lý",
    "closed_incomplete": "Đóng hồ sơ do không bổ sung",
    "interlinked": "Đang giải quyết liên thông",
    "partially_done": "Đã có một phần kết quả",
}

MEMBERS = {
    "waiting": "Chờ kết quả của thủ tục trước",
    "in_progress": "Đang giải quyết",
    "has_result": "Đã có kết quả",
    "ended": "Đã kết thúc, không có kết quả",
    "not_started": "Không thực hiện",
}
"""Where a member of an interlinked dossier is."""

FOLDERS = {
    "not_sent": "Hồ sơ chưa gửi",
    "sent": "Hồ sơ đã gửi",
    "awaiting_payment": "Hồ sơ chờ thanh toán",
    "supplement_requested": "Hồ sơ yêu cầu bổ sung",
    "in_progress": "Hồ sơ đang xử lý",
    "result_returned": "Hồ sơ đã trả kết quả",
    "sent_back": "Hồ sơ bị trả lại",
}
"""The citizen's seven folders, in the order they are shown in. Only the dossier service knows drafts."""

FEES = {
    "requested": "Chưa thanh toán",
    "paid": "Đã thanh toán",
    "waived": "Được miễn",
    "refunded": "Đã hoàn tiền",
}

LATENESS = {
    "early": "Trước hạn",
    "on_time": "Đúng hạn",
    "late": "Quá hạn khi giải quyết",
    "overdue": "Đang quá hạn",
    "in_time": "Còn trong hạn",
}
"""How a dossier stands to its appointment."""

HOLDERS = {
    "applicant": "Người nộp hồ sơ",
    "desk": "Bộ phận Tiếp nhận và Trả kết quả",
    "specialist": "Công chức chuyên môn",
    "division_head": "Lãnh đạo phòng",
    "leader": "Lãnh đạo cơ quan",
    "clerk": "Văn thư",
    "desk_return": "Bộ phận Tiếp nhận và Trả kết quả (trả kết quả)",
    "consulted": "Cơ quan được lấy ý kiến",
}
"""Who has a dossier in hand."""

CHANNELS = {
    "national_portal": "Cổng Dịch vụ công quốc gia",
    "provincial_portal": "Cổng dịch vụ công của tỉnh",
    "desk": "Trực tiếp tại Bộ phận Một cửa",
    "post": "Bưu chính công ích",
    "vneid": "VNeID",
}
"""How a dossier came in."""

DELIVERIES = {"online": "Trực tuyến", "desk": "Tại Bộ phận Một cửa", "post": "Bưu chính công ích"}
"""How the result is received."""
