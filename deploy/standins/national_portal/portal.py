"""The portal's memory and its rules: what comes before what, and what is never taken twice."""

import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from deploy.standins.common import Recent, now
from deploy.standins.national_portal.records import (
    Asking,
    Progress,
    Progresses,
    Record,
    Records,
    Reserved,
    StatusUpdate,
    StatusUpdates,
)

ENDED = ("3", "7", "8", "10")


class Refused(Exception):
    """A business error: its code, and what to read."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass
class Dossier:
    """What the portal has of one dossier."""

    id: str
    procedure: str
    record: Record | None = None
    """None: only its code is reserved."""
    progress: list[Progress] = field(default_factory=list)
    created: int = 0
    updated: int = 0

    def shown(self) -> dict[str, Any]:
        record = self.record.model_dump() if self.record else None
        counted = {"IdHoSo": self.id, "created": self.created, "updated": self.updated}
        return {**counted, "record": record, "progress": [one.model_dump() for one in self.progress]}


@dataclass
class Portal:
    client_id: str
    client_secret: str
    token_seconds: float = 600
    tokens: dict[str, float] = field(default_factory=dict)
    dossiers: Recent[Dossier] = field(default_factory=lambda: Recent(20_000))
    files: Recent[str] = field(default_factory=lambda: Recent(50_000))
    """IdTepTin → SHA-256. The bytes are looked at and not kept."""
    calls: Recent[dict[str, str]] = field(default_factory=lambda: Recent(2_000))

    # ── who asks ──

    def token(self, client_id: str, secret: str) -> dict[str, Any]:
        known = secrets.compare_digest(secret.encode(), self.client_secret.encode()) and client_id == self.client_id
        if not known:
            raise Refused("02", "Sai tài khoản kết nối")
        token = secrets.token_urlsafe(24)
        self.tokens = {one: ends for one, ends in self.tokens.items() if ends > time.monotonic()}
        self.tokens[token] = time.monotonic() + self.token_seconds
        return {"access_token": token, "expires_in": int(self.token_seconds), "token_type": "Bearer"}

    def know(self, authorization: str) -> None:
        if self.tokens.get(authorization.removeprefix("Bearer "), 0) < time.monotonic():
            raise Refused("01", "Phiên kết nối không hợp lệ hoặc đã hết hạn")

    def note(self, service: str, code: str, dossier: str) -> None:
        said = {"service": service, "error_code": code, "MaHoSo": dossier, "at": now().isoformat()}
        self.calls[f"{time.monotonic_ns()}"] = said

    # ── services ──

    def reserve(self, asked: Reserved) -> dict[str, Any]:
        if asked.MaHoSo not in self.dossiers:
            self.dossiers[asked.MaHoSo] = Dossier(secrets.token_hex(12), asked.MaTTHC)
        return {"MaHoSo": asked.MaHoSo, "IdHoSo": self.dossiers[asked.MaHoSo].id}

    def keep(self, data: bytes, said: str) -> dict[str, Any]:
        """A file; the same bytes again are another file."""
        if hashlib.sha256(data).hexdigest() != said:
            raise Refused("12", "Mã băm không khớp với nội dung tệp tin")
        number = secrets.token_hex(12)
        self.files[number] = said
        return {"IdTepTin": number, "HashTepTin": said}

    def synchronise(self, asked: Records) -> dict[str, Any]:
        record, updating = asked.data[0], asked.updating == "True"
        dossier = self.dossiers.get(record.MaHoSo)
        if dossier is None or dossier.procedure != record.MaTTHC:
            raise Refused("22", "Mã hồ sơ chưa được cấp cho thủ tục này")
        if dossier.record and not updating:
            raise Refused("21", "Hồ sơ đã tồn tại")
        if updating and not dossier.record:
            raise Refused("20", "Hồ sơ chưa được đồng bộ")
        if updating and dossier.record and record.TrangThaiHoSo != dossier.record.TrangThaiHoSo:
            raise Refused("11", "Trạng thái chỉ được cập nhật bằng CapNhatTrangThaiHoSo")
        self._demand_files(record)
        dossier.record = record
        dossier.created, dossier.updated = dossier.created + (not updating), dossier.updated + updating
        return {"MaHoSo": record.MaHoSo, "IdHoSo": dossier.id}

    def _demand_files(self, record: Record) -> None:
        for paper in record.TaiLieuNop:
            if self.files.get(paper.TepDinhKemId) != paper.HashTepTin:
                raise Refused("23", f"Tệp tin {paper.TepDinhKemId} chưa được tải lên, hoặc có mã băm khác")
        for result in record.DanhSachGiayToKetQua:
            if result.GiayToId not in self.files:
                raise Refused("23", f"Tệp tin {result.GiayToId} chưa được tải lên")

    def add_progress(self, asked: Progresses) -> dict[str, Any]:
        """Every one is added: who sends twice is shown twice."""
        for one in asked.data:
            self._created(one.MaHoSo)
        for one in asked.data:
            self._created(one.MaHoSo).progress.append(one)
        return {"SoLuong": str(len(asked.data))}

    def change_status(self, asked: StatusUpdates) -> dict[str, Any]:
        update: StatusUpdate = asked.data[0]
        dossier = self._created(update.MaHoSo)
        record = dossier.record
        if record is None or not any(one.TrangThai == update.TrangThai for one in dossier.progress):
            raise Refused("24", "Chưa có tiến độ xử lý ứng với trạng thái này")
        if record.TrangThaiHoSo in ENDED and record.TrangThaiHoSo != update.TrangThai:
            raise Refused("25", "Hồ sơ đã kết thúc")
        dossier.record = record.model_copy(update={"TrangThaiHoSo": update.TrangThai})
        return {"MaHoSo": update.MaHoSo, "TrangThaiHoSo": update.TrangThai}

    def look_up(self, asked: Asking) -> dict[str, Any]:
        dossier = self._created(asked.MaHoSo)
        record = dossier.record
        told = ("ThoiDiemXuLy", "NoiDungXuLy", "TrangThai")
        papers = [(one.TepDinhKemId, one.HashTepTin) for one in record.TaiLieuNop] if record else []
        papers += [(one.GiayToId, self.files[one.GiayToId]) for one in record.DanhSachGiayToKetQua] if record else []
        return {
            "MaHoSo": asked.MaHoSo,
            "IdHoSo": dossier.id,
            "TrangThaiHoSo": record.TrangThaiHoSo if record else "",
            "TienDo": [one.model_dump(include=set(told)) for one in dossier.progress],
            "TepTin": [{"IdTepTin": number, "HashTepTin": digest} for number, digest in papers],
        }

    def _created(self, code: str) -> Dossier:
        dossier = self.dossiers.get(code)
        if dossier is None or dossier.record is None:
            raise Refused("20", "Không có hồ sơ với mã này")
        return dossier
