"""What identity is told by its environment, beyond what every service is told."""

from pathlib import Path

from pydantic import Field, SecretStr

from kit.settings import Settings


class IdentitySettings(Settings):
    """Identity's own variables; every name has the prefix `MOTCUA_`."""

    gateway_url: str = ""
    """The citizens' site; a provider may send a browser back there only."""
    clients: dict[str, str] = Field(default_factory=dict)
    """Service name → SHA-256 (hex) of its client secret."""
    token_key: Path
    """File with the private ES256 key: a JWK, or a JWK set whose first key signs while all are published."""
    digest_key: SecretStr
    """Key of the HMAC over identity numbers; tracking has the same one."""
    vneid_issuer: str
    vneid_client_id: str
    vneid_client_secret: SecretStr
    vneid_scope: str = "openid profile phone email"
    vneid_claims: dict[str, str] = Field(
        default={
            "name": "HoVaTen",
            "number": "SoDinhDanh",
            "level": "IAL",
            "birth_date": "NgayThangNamSinh",
            "phone": "SoDienThoai",
            "email": "ThuDienTu",
        }
    )
    """Our field → the provider's claim."""
    demo_password: SecretStr | None = None
    """Password that `python -m services.identity.seed` gives to demo officers; never set in production."""

    @property
    def digest(self) -> bytes:
        return self.digest_key.get_secret_value().encode()
