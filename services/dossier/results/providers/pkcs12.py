"""Keys in PKCS#12 files: local runs, and small offices that accept a key on disk."""

# mypy: disallow-untyped-calls=False

from pathlib import Path

import structlog
from pyhanko.sign import signers
from pyhanko.sign.signers.pdf_cms import Signer

from services.dossier.results.signing import KeyUnusable

log = structlog.get_logger()


def opened(path: Path, password: str) -> Signer:
    """The key with its chain; KeyUnusable (the log names the file) when it does not open."""
    signer: Signer | None = signers.SimpleSigner.load_pkcs12(str(path), passphrase=password.encode())
    if signer is None:
        log.error("signing.key_unusable", path=str(path))
        raise KeyUnusable
    return signer
