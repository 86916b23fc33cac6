"""What it says to people: each outcome of an attempt in Vietnamese and in English, with what to do about it."""

from services.notification.systems.outbound.domain import Note

EXPLAINED: dict[Note, tuple[str, str]] = {
    Note.ACCEPTED: ("Đã nhận", "Accepted"),
    Note.REDIRECT: (
        "Máy chủ trả lời chuyển hướng; hệ thống không đi theo, xin đăng ký lại địa chỉ mới",
        "Redirects are not followed: register the new address",
    ),
    Note.UNAUTHORISED: (
        "Máy chủ không cho phép (401, 403): kiểm tra mã truy cập hoặc tường lửa",
        "Not authorised (401, 403): look at your access tokens or firewall",
    ),
    Note.GONE: (
        "Máy chủ không muốn nhận nữa (410); đăng ký đã tạm dừng",
        "No longer wanted (410): the subscription was disabled",
    ),
    Note.THROTTLED: ("Máy chủ yêu cầu gửi chậm lại (429)", "Asked to slow down (429)"),
    Note.REFUSED: ("Máy chủ từ chối (4xx)", "Refused (4xx)"),
    Note.BUSY: ("Máy chủ tạm thời quá tải (502, 503, 504)", "Temporarily unavailable (502, 503, 504)"),
    Note.BROKEN: ("Máy chủ gặp lỗi", "The server failed"),
    Note.URL_NOT_ALLOWED: (
        "Địa chỉ không thuộc các tên miền đã thống nhất",
        "The address is not among the agreed domains",
    ),
    Note.ADDRESS_NOT_ALLOWED: (
        "Tên miền dẫn đến một địa chỉ mạng không được phép",
        "The name leads to a network address that is not allowed",
    ),
    Note.NAME_UNKNOWN: ("Không tìm thấy tên miền", "The host name is unknown"),
    Note.UNREACHABLE: ("Không kết nối được đến máy chủ", "No connection could be made"),
    Note.CONNECT_TIMEOUT: ("Kết nối quá lâu", "Connecting took too long"),
    Note.TIMEOUT: ("Không có trả lời trong thời gian cho phép", "No answer within the time limit"),
    Note.CLOSED: (
        "Máy chủ đóng kết nối trước khi trả lời (có thể do phiên bản TLS hoặc chứng thư)",
        "The connection was closed before an answer (perhaps for the TLS version or a certificate)",
    ),
    Note.NOT_HTTP: ("Trả lời không đúng giao thức HTTP", "The answer is not valid HTTP"),
    Note.CERTIFICATE_EXPIRED: (
        "Chứng thư TLS đã hết hạn hoặc chưa có hiệu lực",
        "The TLS certificate has expired or is not valid yet",
    ),
    Note.CERTIFICATE_WRONG_HOST: (
        "Chứng thư TLS không dùng cho tên miền này",
        "The TLS certificate is for another host",
    ),
    Note.CERTIFICATE_UNTRUSTED: (
        "Chứng thư TLS không do một tổ chức được tin cậy cấp (hoặc thiếu chứng thư trung gian)",
        "The TLS certificate leads to no trusted authority (or an intermediate is missing)",
    ),
    Note.TLS_FAILED: ("Không thiết lập được kết nối TLS (cần TLS 1.2 trở lên)", "TLS failed (1.2 or later is needed)"),
    Note.TOKEN_REFUSED: (
        "Máy chủ cấp mã truy cập từ chối mã khách hàng của hệ thống",
        "The authorisation server refused our client",
    ),
    Note.TOKEN_UNAVAILABLE: (
        "Không lấy được mã truy cập từ máy chủ cấp mã",
        "The authorisation server gave no token",
    ),
}
