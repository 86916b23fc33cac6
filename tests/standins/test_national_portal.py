"""The portal that provinces synchronise with is strict: what comes too early, twice or wrong is refused in the body."""

import hashlib
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.standins.conftest import free_port, running

CODE, PROCEDURE, SECRET = "H99.02.01-261122-0001", "2.000635", "a secret of tests"
PDF = b"%PDF-1.7 only for tests"
DIGEST = hashlib.sha256(PDF).hexdigest()


class Province:
    """Speaks as a province does."""

    def __init__(self, address: str) -> None:
        self.http = httpx2.Client(base_url=address)
        self.token = self.log_in()["access_token"]

    def log_in(self, secret: str = SECRET) -> dict[str, Any]:
        said = self.http.post("/token", json={"client_id": "H99", "client_secret": secret})
        answer: dict[str, Any] = said.json()
        return answer

    def ask(self, service: str, body: dict[str, Any]) -> str:
        """The code of the answer, whose HTTP status is always 200."""
        said = self.http.post(f"/{service}", json=body, headers={"Authorization": f"Bearer {self.token}"})
        assert said.status_code == 200
        return str(said.json()["error_code"])

    def upload(self, digest: str = DIGEST) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        said = self.http.post(
            "/TaiTepTin", data={"HashTepTin": digest}, files={"file": ("a.pdf", PDF)}, headers=headers
        )
        answer: dict[str, Any] = said.json()
        return answer

    def create(self, code: str = CODE, **changes: Any) -> str:
        return self.ask("DongBoHoSo", {"isUpdating": "False", "data": [record(code, **changes)]})

    def progress(self, status: str, code: str = CODE) -> str:
        return self.ask("CapNhatTienDoHoSo", {"data": [progress(code, status)]})

    def status(self, status: str, code: str = CODE) -> str:
        return self.ask("CapNhatTrangThaiHoSo", {"data": [{"MaHoSo": code, "TrangThai": status}]})

    def behave(self, **how: Any) -> None:
        self.http.post("/behaviour", json=how).raise_for_status()


def record(code: str, **changes: Any) -> dict[str, Any]:
    return {
        "MaHoSo": code, "MaTTHC": PROCEDURE, "TenTTHC": "Cấp bản sao", "MaLinhVuc": "G15-TP07", "TenLinhVuc": "Hộ tịch",
        "KenhThucHien": "2", "ChuHoSo": "Nguyễn Thị An", "LoaiDoiTuong": "1", "MaDoiTuong": "000190000001", "Email": "",
        "SoDienThoai": "", "TrichYeuHoSo": "Cấp bản sao", "NgayTiepNhan": "", "NgayHenTra": "", "TrangThaiHoSo": "1",
        "NgayTra": "", "HinhThuc": "0", "NgayKetThucXuLy": "", "DonViXuLy": "UBND xã Bình Minh", "GhiChu": "",
        "TaiLieuNop": [], "DanhSachLePhi": [], "DanhSachHoSoBoSung": [], "DanhSachGiayToKetQua": [], **changes,
    }  # fmt: skip


def progress(code: str, status: str) -> dict[str, Any]:
    return {
        "MaHoSo": code, "NguoiXuLy": "Cán bộ một cửa", "ChucDanh": "", "ThoiDiemXuLy": "20261123083000",
        "PhongBanXuLy": "Một cửa", "NoiDungXuLy": "Tiếp nhận", "TrangThai": status, "NgayBatDau": "",
        "NgayKetThucTheoQuyDinh": "",
    }  # fmt: skip


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    port = free_port()
    told = {"MOTCUA_NATIONAL_SYNC_CLIENT_ID": "H99", "MOTCUA_NATIONAL_SYNC_CLIENT_SECRET": SECRET}
    with running("national_portal", port, "--port", str(port), **told) as where:
        yield where


@pytest.fixture
def province(address: str) -> Iterator[Province]:
    httpx2.delete(f"{address}/dossiers/{CODE}")
    speaks = Province(address)
    yield speaks
    speaks.behave()
    speaks.http.close()


def test_the_order_is_code_record_progress_status(province: Province) -> None:
    assert province.create() == "22"
    assert province.ask("LayMaHoSo", {"MaTTHC": PROCEDURE, "MaHoSo": CODE}) == "00"
    assert province.progress("2") == "20"
    assert province.status("2") == "20"
    assert province.create() == "00"
    assert province.create() == "21"
    assert province.status("2") == "24"
    assert province.progress("2") == "00"
    assert province.status("2") == "00"
    shown = province.http.get(f"/dossiers/{CODE}").json()
    assert (shown["record"]["TrangThaiHoSo"], len(shown["progress"])) == ("2", 1)


def test_what_ended_takes_no_other_status(province: Province) -> None:
    province.ask("LayMaHoSo", {"MaTTHC": PROCEDURE, "MaHoSo": CODE})
    assert province.create(TrangThaiHoSo="7") == "00"
    province.progress("4")
    assert province.status("4") == "25"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"TrangThaiHoSo": "11"}, "11"),
        ({"TrangThaiHoSo": "2"}, "10"),
        ({"ChuHoSo": ""}, "10"),
        ({"HinhThuc": "2"}, "10"),
        ({"KenhThucHien": "4"}, "10"),
        ({"NgayHenTra": "20261332000000"}, "10"),
        ({"NgayHenTra": "2026-11-24T10:00:00"}, "10"),
        ({"MaTTHC": "khai-sinh"}, "10"),
        ({"SoCCCD": "000190000001"}, "10"),
        ({"TrangThaiHoSo": "10", "NgayTiepNhan": "20261123083000"}, "10"),
    ],
)
def test_a_wrong_field_or_status_is_refused(province: Province, wrong: dict[str, str], code: str) -> None:
    province.ask("LayMaHoSo", {"MaTTHC": PROCEDURE, "MaHoSo": CODE})
    assert province.create(**wrong) == code
    assert province.ask("TraCuuHoSo", {"MaHoSo": CODE}) == "20"


def test_a_file_is_what_its_hash_says_and_known_before_it_is_named(province: Province) -> None:
    province.ask("LayMaHoSo", {"MaTTHC": PROCEDURE, "MaHoSo": CODE})
    assert province.upload("0" * 64)["error_code"] == "12"
    number = province.upload()["result"]["IdTepTin"]
    paper = {
        "TepDinhKemId": number, "TenTepDinhKem": "to-khai.pdf", "MaThanhPhanHoSo": "TP-TL-01", "HashTepTin": DIGEST,
        "LoaiBan": "1", "DuocSoHoa": "0",
    }  # fmt: skip

    assert province.create(TaiLieuNop=[{**paper, "TepDinhKemId": "another"}]) == "23"
    assert province.create(TaiLieuNop=[{**paper, "HashTepTin": "0" * 64}]) == "23"
    assert province.create(TaiLieuNop=[{**paper, "DuocSoHoa": "9"}]) == "10"
    assert province.create(TaiLieuNop=[paper]) == "00"


def test_tokens_are_checked_and_taken_back(province: Province) -> None:
    assert province.log_in("wrong")["error_code"] == "02"
    province.behave(expires_tokens=True)
    assert province.ask("TraCuuHoSo", {"MaHoSo": CODE}) == "01"


def test_it_misbehaves_as_told(province: Province) -> None:
    province.ask("LayMaHoSo", {"MaTTHC": PROCEDURE, "MaHoSo": CODE})
    headers = {"Authorization": f"Bearer {province.token}"}
    body = {"isUpdating": "False", "data": [record(CODE)]}

    province.behave(refuses={"DongBoHoSo": "98"})
    assert province.create() == "98"
    province.behave(loses_answers_of=["DongBoHoSo"])
    assert province.http.post("/DongBoHoSo", json=body, headers=headers).status_code == 502
    assert province.ask("TraCuuHoSo", {"MaHoSo": CODE}) == "00"
    province.behave(down=True)
    assert province.http.post("/DongBoHoSo", json=body, headers=headers).status_code == 503


def test_people_see_what_it_has(province: Province) -> None:
    province.ask("LayMaHoSo", {"MaTTHC": PROCEDURE, "MaHoSo": CODE})
    province.create()
    province.progress("2")

    shown = province.http.get("/").text

    assert "Cổng Dịch vụ công quốc gia thử nghiệm" in shown
    assert CODE in shown
    assert "23/11/2026 08:30" in shown
