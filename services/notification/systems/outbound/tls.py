"""TLS towards subscribers: always verified, 1.2 at least; a private authority or our own certificate where agreed."""

import os
import secrets
import ssl
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from contracts.refusal import Refusal


class CertificateNotUsable(Refusal):
    """The PEM text does not hold what it should."""

    status = 422
    title = "Chứng thư hoặc khóa không đọc được"
    title_en = "The certificate or key cannot be used"


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The certificate that we show a subscriber who asks for one (mTLS), with its chain, and its key; both PEM."""

    chain: str
    key: str = field(repr=False)


@lru_cache(maxsize=1024)
def context(authority: str = "", certificate: ClientCertificate | None = None) -> ssl.SSLContext:
    """How to speak TLS with one subscriber. `authority`: PEM of the only root to trust in place of the public ones.

    The same object for the same subscriber, because connections are pooled by it. CertificateNotUsable.
    """
    try:
        made = ssl.create_default_context(cadata=authority or None)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate:
            _show(made, certificate)
    except (ssl.SSLError, ValueError, TypeError) as wrong:
        raise CertificateNotUsable from wrong
    return made


def _show(made: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """OpenSSL reads files only, so the key touches the disk encrypted under a password that lives for this call."""
    password = secrets.token_bytes(24)
    key = load_pem_private_key(certificate.key.encode(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    handle, name = tempfile.mkstemp(suffix=".pem")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(locked + certificate.chain.encode())
        made.load_cert_chain(name, password=password)
    finally:
        os.unlink(name)
