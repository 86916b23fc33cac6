"""The demo people, as the tenant's people.yaml has them and as the claims of VNeID say them."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import yaml


@dataclass(frozen=True, slots=True)
class Person:
    """A fictional citizen with an electronic identity account."""

    identity_number: str
    name: str
    date_of_birth: date
    gender: str
    phone: str
    email: str | None
    issued_on: date
    """When the identity card was issued."""
    level: int
    """Level of the electronic identity account, 1 or 2 (NĐ 69/2024/NĐ-CP)."""
    business: dict[str, str] | None = None
    """The business that this person acts for: `name`, `tax_code`, and the `number` of its account."""

    @property
    def sub(self) -> str:
        """Opaque, the same at every start; a business is another subject than who acts for it."""
        return self._sub(with_business=False)

    def _sub(self, *, with_business: bool) -> str:
        acts_for = f":{self.business['tax_code']}" if with_business and self.business else ""
        return str(uuid5(NAMESPACE_URL, f"motcua:vneid-standin:{self.identity_number}{acts_for}"))

    def claims(self, *, with_business: bool = False) -> dict[str, str]:
        """The identity as the portal receives it; an unknown e-mail is absent."""
        level = str(self.level)
        business = self.business if with_business else None
        said = {
            "sub": self._sub(with_business=with_business),
            "MaSoThue": business["tax_code"] if business else None,
            "TenDoanhNghiep": business["name"] if business else None,
            "LoaiTaiKhoan": ("3" if business else "1") if with_business else None,
            "SoDinhDanh": self.identity_number,
            "HoVaTen": self.name,
            "NgayThangNamSinh": f"{self.date_of_birth:%d/%m/%Y}",
            "SoDienThoai": self.phone,
            "ThuDienTu": self.email,
            "NgayCap": f"{self.issued_on:%d/%m/%Y}",
            "loAs": level,
            "IAL": level,
            "acr": level,
        }
        return {claim: value for claim, value in said.items() if value is not None}


def read(tenant: Path) -> dict[str, Person]:
    """The people of the tenant by identity number."""
    listed = yaml.safe_load((tenant / "people.yaml").read_text(encoding="utf-8"))["people"]
    return {entry["identity_number"]: Person(**entry) for entry in listed}


def portal_name(tenant: Path) -> str:
    """What the login page calls the site that asks."""
    name: str = yaml.safe_load((tenant / "tenant.yaml").read_text(encoding="utf-8"))["portal_name"]
    return name
