"""What it says to people: each trouble of an attempt in Vietnamese and in English."""

from services.notification.systems.delivery.domain import Trouble

EXPLAINED: dict[Trouble, tuple[str, str]] = {
    Trouble.CONNECTION: ("Không kết nối được đến máy chủ", "No connection could be made"),
    Trouble.CLOSED: (
        "Máy chủ đóng kết nối trước khi trả lời, có thể do phiên bản TLS hoặc chứng thư",
        "The connection was closed before an answer, perhaps for the TLS version or a certificate",
    ),
    Trouble.CONNECT_TIMEOUT: (
        "Kết nối quá lâu, có thể do tường lửa",
        "Connecting took too long, perhaps because of a firewall",
    ),
    Trouble.TIMEOUT: ("Không có trả lời trong thời gian cho phép", "No answer within the time limit"),
    Trouble.NAME: ("Không tìm thấy tên miền", "The host name is not known"),
    Trouble.ADDRESS: (
        "Tên miền dẫn đến một địa chỉ mạng không được phép",
        "The name leads to a network address that is not allowed",
    ),
    Trouble.DOMAIN: (
        "Địa chỉ không thuộc các tên miền và cổng đã thống nhất",
        "The address is not within the agreed domains and ports",
    ),
    Trouble.TLS: (
        "Không thiết lập được kết nối TLS (cần TLS 1.2 trở lên)",
        "The TLS handshake failed (1.2 or later is needed)",
    ),
    Trouble.CERTIFICATE_EXPIRED: (
        "Chứng thư TLS đã hết hạn hoặc chưa có hiệu lực",
        "The TLS certificate has expired or is not valid yet",
    ),
    Trouble.CERTIFICATE_HOST: ("Chứng thư TLS không dùng cho tên miền này", "The TLS certificate is for another host"),
    Trouble.CERTIFICATE_UNTRUSTED: (
        "Chứng thư TLS không do tổ chức được tin cậy cấp, hoặc thiếu chứng thư trung gian",
        "The TLS certificate leads to no trusted authority, or an intermediate one is missing",
    ),
    Trouble.AUTHORISATION: (
        "Máy chủ cấp mã truy cập không cấp mã cho hệ thống",
        "The authorisation server gave us no token",
    ),
    Trouble.REDIRECT: (
        "Máy chủ trả lời chuyển hướng; hệ thống không đi theo, xin đăng ký địa chỉ mới",
        "Redirects are not followed: register the new address",
    ),
    Trouble.STATUS: ("Máy chủ trả lời lỗi, xem mã trạng thái HTTP", "An error was answered, see the HTTP status"),
    Trouble.ANSWER: ("Không đọc được trả lời của máy chủ", "The answer cannot be read"),
    Trouble.OURS: (
        "Lỗi của hệ thống gửi, quản trị viên đã được báo",
        "A mistake on the sending side; its operators are told",
    ),
    Trouble.REJECTED: ("Hệ thống kia không bao giờ nhận sự kiện này", "The other system will never take this event"),
}
