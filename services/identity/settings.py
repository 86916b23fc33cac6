"""What identity is told by its environment, beyond what every service is told; and the tenant's login policy."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, SecretStr

from kit.settings import Settings, load
from services.identity.logins.domain import Policy
from services.identity.otp.domain import LONGEST

VNEID_CLAIMS = {
    "name": "HoVaTen",
    "number": "SoDinhDanh",
    "level": "IAL",
    "birth_date": "NgayThangNamSinh",
    "issued_on": "NgayCap",
    "phone": "SoDienThoai",
    "email": "ThuDienTu",
}
NATIONAL_PORTAL_CLAIMS = {**VNEID_CLAIMS, "tax_code": "MaSoThue", "organisation": "TenDoanhNghiep"}


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One OpenID Connect provider: where it is, who we are there, and which of its claims means what."""

    name: str
    issuer: str
    client_id: str
    client_secret: str
    scope: str
    claims: dict[str, str]


class IdentitySettings(Settings):
    """Identity's own variables; every name has the prefix `MOTCUA_`."""

    gateway_url: str = ""
    """The citizens' site; a provider may send a browser back there only."""
    clients: dict[str, str] = Field(default_factory=dict)
    """Service name → SHA-256 (hex) of its client secret."""
    subscribers: dict[str, str] = Field(default_factory=dict)
    """System of another agency → SHA-256 (hex) of its client secret. It gets tokens for notification only."""
    token_key: Path
    """File with the private ES256 key: a JWK, or a JWK set whose first key signs while all are published. It is read
    again when it changes."""
    digest_key: SecretStr
    """Key of the HMAC over identity numbers; tracking has the same one. One-time passwords and officers' TOTP secrets
    are kept under keys derived from it."""
    vneid_issuer: str
    vneid_client_id: str
    vneid_client_secret: SecretStr
    vneid_scope: str = "openid profile phone email"
    vneid_claims: dict[str, str] = Field(default=VNEID_CLAIMS)
    """Our field → the provider's claim."""
    national_portal_issuer: str = ""
    """Cổng Dịch vụ công quốc gia; empty when the province has no agreement with it."""
    national_portal_client_id: str = ""
    national_portal_client_secret: SecretStr = SecretStr("")
    national_portal_scope: str = "openid profile phone email"
    national_portal_claims: dict[str, str] = Field(default=NATIONAL_PORTAL_CLAIMS)
    demo_password: SecretStr | None = None
    """Password that `python -m services.identity.seed` gives to demo officers; never set in production."""

    @property
    def digest(self) -> bytes:
        return self.digest_key.get_secret_value().encode()

    @property
    def otp_life(self) -> timedelta:
        """How long a one-time password lives: `otp_ttl` of the tenant's policy, five minutes at most."""
        return min(timedelta(minutes=_read(self.tenant, "policy.yaml")["otp_ttl"]["value"]), LONGEST)

    @property
    def policy(self) -> Policy:
        """Which ways in this tenant allows."""
        return _policy(self.tenant)

    def provider(self, name: str) -> ProviderSettings:
        """`vneid` or `national_portal`."""
        of = {field: getattr(self, f"{name}_{field}") for field in ("issuer", "client_id", "scope", "claims")}
        secret: SecretStr = getattr(self, f"{name}_client_secret")
        return ProviderSettings(name, client_secret=secret.get_secret_value(), **of)


@cache
def _read(tenant: str, file: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(tenant, file).read_text("utf-8"))
    return found


@cache
def _policy(tenant: str) -> Policy:
    said = _read(tenant, "tenant.yaml")["login_policy"]
    factor = said.get("officers_second_factor", "required")
    return Policy(frozenset(said["citizens"]), frozenset(said["officers"]), factor)


def policy() -> Policy:
    """The login policy of the tenant this process serves."""
    return load(IdentitySettings).policy
