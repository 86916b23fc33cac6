"""The signing keys of this installation: whose key signs what, wherever it is kept, and the roots that vouch for them.

`MOTCUA_SIGNING_KEYS` names a YAML file; secrets stay in the environment, which the file names:

    keys:
      - {unit: H99.02.01, use: seal, pkcs11: {library: /usr/lib/libhsm.so, token: ubnd, key: seal, pin_env: HSM_PIN,
         chain: chain.pem}}
      - {unit: H99.02.01, use: leader, csc: {url: "https://ca.example.vn", credential: ubnd-1, token_env: CSC_TOKEN}}
      - {unit: H99.02.01, use: leader, officer: 0190…, pkcs12: {file: minh.p12, password_env: MINH_PASSWORD}}

An officer's own key goes before that of the unit. Without the file, one leader's and one agency's PKCS#12 sign for all.
"""

# mypy: disallow-untyped-calls=False

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal
from uuid import UUID

import yaml
from asn1crypto import x509
from pydantic import TypeAdapter
from pyhanko.keys import load_certs_from_pemder

from services.dossier.results import signing
from services.dossier.results.providers import csc, pkcs11, pkcs12
from services.dossier.results.signing import KeyUnusable, SigningKey
from services.dossier.settings import Settings


@dataclass(frozen=True, slots=True)
class File:
    """A PKCS#12 file, beside the YAML file unless its path is absolute."""

    file: Path
    password_env: str


@dataclass(frozen=True, slots=True)
class Token:
    """A key in hardware. `chain`: certificates from the issuer up, PEM or DER."""

    library: str
    token: str
    key: str
    pin_env: str
    chain: Path | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """A credential at a remote signing service (CSC API v2)."""

    url: str
    credential: str
    token_env: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Whose key it is, what it signs, and where it is kept: exactly one of the three."""

    unit: str
    use: Literal["leader", "seal"]
    officer: UUID | None = None
    pkcs12: File | None = None
    pkcs11: Token | None = None
    csc: Remote | None = None


KEPT = TypeAdapter(list[Kept])


class Keys:
    """Whose key signs what; each is opened when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.signing_keys.parent if settings.signing_keys else Path()
        self._kept = _listed(settings)
        self._opened: dict[Kept, SigningKey] = {}

    @staticmethod
    @cache
    def of(settings: Settings) -> "Keys":
        """The keys that these settings name."""
        return Keys(settings)

    def seal(self, unit: str) -> SigningKey:
        """The seal of the agency with this id; KeyUnusable when it has none."""
        return self._find(unit, "seal", None)

    def leader(self, unit: str, officer: UUID | None) -> SigningKey:
        """The key with which this leader signs for the unit; KeyUnusable when there is none."""
        return self._find(unit, "leader", officer)

    @property
    def roots(self) -> list[x509.Certificate]:
        """What signatures on results must lead to."""
        if self._settings.trust_roots:
            return signing.trust_roots(self._settings.trust_roots)
        return signing.trust_roots(None, *(self._open(kept) for kept in self._kept))

    def _find(self, unit: str, use: str, officer: UUID | None) -> SigningKey:
        fitting = [kept for kept in self._kept if kept.use == use and kept.unit in (unit, ANY_UNIT)]
        for kept in sorted(fitting, key=lambda kept: kept.officer is None):  # an officer's own key first
            if kept.officer in (officer, None):
                return self._open(kept)
        raise KeyUnusable(f"Chưa cấu hình khóa ký số ({use}) của {unit}")

    def _open(self, kept: Kept) -> SigningKey:
        if kept not in self._opened:
            self._opened[kept] = self._unlocked(kept)
        return self._opened[kept]

    def _unlocked(self, kept: Kept) -> SigningKey:
        match kept:
            case Kept(pkcs12=File(file, name)):
                return SigningKey(pkcs12.opened(self._folder / file, self._secret(name)))
            case Kept(pkcs11=Token() as token):
                chain = list(load_certs_from_pemder([str(self._folder / token.chain)])) if token.chain else []
                pin = self._secret(token.pin_env)
                return SigningKey(pkcs11.opened(token.library, token.token, token.key, pin, chain))
            case Kept(csc=Remote(url, credential, name)):
                return SigningKey(csc.RemoteSigner(url, credential, self._secret(name)))
        raise KeyUnusable

    def _secret(self, name: str) -> str:
        return self._settings.p12_password if name == P12_PASSWORD else os.environ.get(name, "")


ANY_UNIT = "*"
P12_PASSWORD = "MOTCUA_P12_PASSWORD"  # noqa: S105 (the name of a variable)


def _listed(settings: Settings) -> list[Kept]:
    if settings.signing_keys:
        return KEPT.validate_python(yaml.safe_load(settings.signing_keys.read_text("utf-8"))["keys"])
    both: tuple[tuple[Literal["leader", "seal"], Path | None], ...] = (
        ("leader", settings.leader_p12),
        ("seal", settings.seal_p12),
    )
    return [Kept(ANY_UNIT, use, pkcs12=File(file.absolute(), P12_PASSWORD)) for use, file in both if file]
