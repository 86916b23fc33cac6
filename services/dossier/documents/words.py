"""What a person is asked to agree to. A changed text gets a new edition: an older consent does not cover it."""

from dataclasses import dataclass

from services.dossier.documents.domain import Purpose


@dataclass(frozen=True, slots=True)
class ConsentText:
    """One edition of one question."""

    version: str
    text: str
    data_categories: tuple[str, ...]


CONSENTS: dict[Purpose, ConsentText] = {
    Purpose.DOCUMENT_REUSE: ConsentText(
        version="2026-11",
        text=(
            "Tôi đồng ý để Cổng dịch vụ công lưu các giấy tờ tôi nộp kèm hồ sơ này trong Kho quản lý dữ liệu điện tử "
            "của tôi, để tôi dùng lại khi nộp hồ sơ khác mà không phải nộp lại. Tôi có thể rút lại sự đồng ý bất cứ "
            "lúc nào; khi đó các giấy tờ này bị xóa khỏi kho, còn hồ sơ đã nộp không thay đổi. Không đồng ý cũng không "
            "ảnh hưởng đến việc giải quyết hồ sơ."
        ),
        data_categories=("Giấy tờ nộp kèm hồ sơ",),
    ),
}
