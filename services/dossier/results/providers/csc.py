"""Keys at a remote signing service by the Cloud Signature Consortium's API v2 (SmartCA, MySign and the like).

Only the hash travels. pyHanko's own client of this API would bring a second HTTP library with it.
"""

# mypy: disallow-untyped-calls=False

import base64
import hashlib
from typing import Any

import httpx2
import structlog
from asn1crypto import algos, x509
from pyhanko.sign.signers.pdf_cms import Signer
from pyhanko_certvalidator.registry import SimpleCertificateStore

from services.dossier.results.signing import KeyUnusable

log = structlog.get_logger()

TIMEOUT = 20.0
SHA256 = "2.16.840.1.101.3.4.2.1"
ROOM = 512
"""Bytes that a signature may take: RSA of 4096 bits."""


class RemoteSigner(Signer):
    """Signs by asking the service that holds the credential."""

    def __init__(self, url: str, credential: str, token: str) -> None:
        self._url, self._credential, self._token = url.rstrip("/"), credential, token
        told = self._ask("credentials/info", credentialID=credential, certificates="chain")
        chain = [x509.Certificate.load(base64.b64decode(each)) for each in told["cert"]["certificates"]]
        registry = SimpleCertificateStore()
        registry.register_multiple(chain)
        self._algorithm = told["key"]["algo"][0]
        mechanism = algos.SignedDigestAlgorithm({"algorithm": self._algorithm})
        super().__init__(signing_cert=chain[0], cert_registry=registry, signature_mechanism=mechanism)

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        """The signature of the data; `dry_run` only asks how long it may get."""
        if dry_run:
            return bytes(ROOM)
        digest = base64.b64encode(hashlib.new(digest_algorithm, data).digest()).decode()
        about = {"credentialID": self._credential, "hashes": [digest], "hashAlgorithmOID": SHA256}
        allowed = self._ask("credentials/authorize", numSignatures=1, **about)
        signed = self._ask("signatures/signHash", SAD=allowed["SAD"], signAlgo=self._algorithm, **about)
        return base64.b64decode(signed["signatures"][0])

    def _ask(self, what: str, **body: Any) -> dict[str, Any]:
        """One call; signing runs in a thread of its own, so it may wait here."""
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            answer = httpx2.post(f"{self._url}/csc/v2/{what}", json=body, headers=headers, timeout=TIMEOUT)
            answer.raise_for_status()
            told: dict[str, Any] = answer.json()
        except (httpx2.HTTPError, ValueError) as exc:
            log.error("signing.key_unusable", path=self._url, error=type(exc).__name__)
            raise KeyUnusable from exc
        return told
