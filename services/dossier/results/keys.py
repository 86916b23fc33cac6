"""The signing keys of this installation, and the roots that vouch for them."""

from functools import cache
from pathlib import Path

from services.dossier.results import signing
from services.dossier.results.signing import SigningKey
from services.dossier.settings import Settings


class Keys:
    """Whose key signs what."""

    def __init__(self, settings: Settings) -> None:
        self.leader = _key(settings.leader_p12, settings.p12_password)
        self._seal = _key(settings.seal_p12, settings.p12_password)
        self.roots = signing.trust_roots(settings.trust_roots, self.leader, self._seal)

    @staticmethod
    @cache
    def of(settings: Settings) -> "Keys":
        """The keys that these settings name, read once; KeyUnusable when they cannot be."""
        return Keys(settings)

    def seal(self, _unit: str) -> SigningKey:
        """The seal of the agency with this id."""
        return self._seal


def _key(path: Path | None, password: str) -> SigningKey:
    if path is None:
        raise signing.KeyUnusable("Chưa cấu hình khóa ký số")
    return SigningKey(path, password)
