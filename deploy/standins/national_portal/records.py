"""What the portal takes, field by field: everything else is refused."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _moment(text: str) -> str:
    if text:
        datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007 — only whether it is one
    return text


Text = Annotated[str, Field(min_length=1, max_length=2000)]
Moment = Annotated[str, Field(pattern=r"^(\d{14})?$"), AfterValidator(_moment)]
"""yyyyMMddHHmmss in Viet Nam, or nothing."""
At = Annotated[str, Field(pattern=r"^\d{14}$"), AfterValidator(_moment)]
Code = Annotated[str, Field(pattern=r"^[A-Z0-9]+(\.[A-Z0-9]+){0,5}-(\d{6}|\d{8})-[A-Z0-9]{4,}$")]
Procedure = Annotated[str, Field(pattern=r"^[1-3]\.\d{6}(\.(\d{3}\.\d{2}\.\d{2}\.)?[A-Y]\d{2})?$")]
Status = Literal["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]
NOT_RECEIVED = ("1", "3", "5", "6", "7", "8", "4")
"""Statuses that a dossier may have before its desk accepted it; 4 is an interlinked dossier's."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Submitted(Strict):
    """TaiLieuNop: a file of the applicant."""

    TepDinhKemId: Text
    TenTepDinhKem: Text
    MaThanhPhanHoSo: Text
    HashTepTin: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    LoaiBan: Literal["0", "1", "2"]
    """0 original, 1 copy, 2 electronic."""
    DuocSoHoa: Literal["0", "1", "2", "3"]
    """0 not, 1 digitised, 2 reused, 3 reused from another result."""


class Fee(Strict):
    """DanhSachLePhi."""

    TenPhiLePhi: Text
    MaPhiLePhi: Text
    HinhThucThu: Literal["1", "2", "4"]
    """1 when received, 2 with a supplement, 4 with the result."""
    Gia: Annotated[str, Field(pattern=r"^\d{1,15}$")]
    LoaiPhiLePhi: Literal["1", "2"]
    """1 phí, 2 lệ phí."""
    TrangThai: Literal["0", "1", "2", "3"]
    """0 owed, 1 paid, 2 lifted, 3 paid back."""


class Asked(Strict):
    """DanhSachGiayToBoSung."""

    MaThanhPhanHoSo: Text


class Supplement(Strict):
    """DanhSachHoSoBoSung."""

    HoSoBoSungId: Text
    NguoiYeuCauBoSung: Text
    NoiDungBoSung: Text
    NgayBoSung: At
    NgayTiepNhanBoSung: Moment
    TrangThaiBoSung: Literal["0", "1"]
    """0 asked for, 1 handed in."""
    DanhSachGiayToBoSung: list[Asked] = Field(min_length=1)
    NgayHenTraTruoc: Moment
    NgayHenTraMoi: Moment


class ResultPaper(Strict):
    """DanhSachGiayToKetQua."""

    TenGiayTo: Text
    MaThanhPhanHoSo: str
    GiayToId: Text
    DuongDanTepTinKetQua: str


class Record(Strict):
    """DongBoHoSo."""

    MaHoSo: Code
    MaTTHC: Procedure
    TenTTHC: Text
    MaLinhVuc: Text
    TenLinhVuc: Text
    KenhThucHien: Literal["1", "2", "3"]
    """1 direct, 2 online, 3 public post."""
    ChuHoSo: Text
    LoaiDoiTuong: Literal["1", "2", "3"]
    """1 citizen, 2 business, 3 organisation."""
    MaDoiTuong: str
    Email: str
    SoDienThoai: str
    TrichYeuHoSo: Text
    NgayTiepNhan: Moment
    NgayHenTra: Moment
    TrangThaiHoSo: Status
    NgayTra: Moment
    HinhThuc: Literal["0", "1"]
    """How the result is returned: 0 at the desk or online, 1 by post."""
    NgayKetThucXuLy: Moment
    DonViXuLy: Text
    GhiChu: str
    TaiLieuNop: list[Submitted]
    DanhSachLePhi: list[Fee]
    DanhSachHoSoBoSung: list[Supplement]
    DanhSachGiayToKetQua: list[ResultPaper]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.TrangThaiHoSo not in NOT_RECEIVED and not self.NgayTiepNhan:
            raise ValueError("NgayTiepNhan")
        if self.TrangThaiHoSo in ("9", "10") and not self.NgayKetThucXuLy:
            raise ValueError("NgayKetThucXuLy")
        return self


class Progress(Strict):
    """CapNhatTienDoHoSo."""

    MaHoSo: Code
    NguoiXuLy: Text
    ChucDanh: str
    ThoiDiemXuLy: At
    PhongBanXuLy: str
    NoiDungXuLy: Text
    TrangThai: Status
    NgayBatDau: Moment
    NgayKetThucTheoQuyDinh: Moment


class StatusUpdate(Strict):
    """CapNhatTrangThaiHoSo."""

    MaHoSo: Code
    TrangThai: Status


class Reserved(Strict):
    """LayMaHoSo."""

    MaTTHC: Procedure
    MaHoSo: Code


class Asking(Strict):
    """TraCuuHoSo."""

    MaHoSo: Code


class Records(Strict):
    updating: Literal["True", "False"] = Field(alias="isUpdating")
    data: list[Record] = Field(min_length=1, max_length=1)


class Progresses(Strict):
    data: list[Progress] = Field(min_length=1, max_length=100)


class StatusUpdates(Strict):
    data: list[StatusUpdate] = Field(min_length=1, max_length=1)
