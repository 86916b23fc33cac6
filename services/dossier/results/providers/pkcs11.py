"""Keys in hardware (HSM, USB token) by PKCS#11: the key never leaves it."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import structlog
from asn1crypto import x509
from pkcs11.exceptions import PKCS11Error
from pyhanko.config.pkcs11 import TokenCriteria
from pyhanko.sign.pkcs11 import PKCS11Signer, open_pkcs11_session
from pyhanko.sign.signers.pdf_cms import Signer

from services.dossier.results.signing import KeyUnusable

log = structlog.get_logger()


def opened(library: str, token: str, key: str, pin: str, chain: Sequence[x509.Certificate]) -> Signer:
    """The key and certificate with this label; KeyUnusable when the token does not give them."""
    try:
        session = _session(library, token, pin)
        signer = PKCS11Signer(session, cert_label=key, key_label=key, ca_chain=chain)
        if signer.signing_cert is None:
            raise KeyUnusable
        if signer.signing_cert.public_key.algorithm == "ec":  # every token has CKM_ECDSA, few hash by themselves
            signer = PKCS11Signer(session, cert_label=key, key_label=key, ca_chain=chain, use_raw_mechanism=True)
    except (PKCS11Error, ValueError, RuntimeError) as exc:
        log.error("signing.key_unusable", path=library, error=type(exc).__name__)
        raise KeyUnusable from exc
    return signer


@cache
def _session(library: str, token: str, pin: str) -> Any:
    """One session for each token and process."""
    return open_pkcs11_session(library, token_criteria=TokenCriteria(label=token), user_pin=pin)
