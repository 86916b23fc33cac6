"""A security key in software: makes and signs what WebAuthn's browsers would pass on (packed in attestation `none`)."""

import hashlib
import json
import secrets
import struct
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT_AND_VERIFIED, WITH_KEY = 0x05, 0x40


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


@dataclass
class SecurityKey:
    """One key pair, for one site."""

    origin: str
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    uses: int = 0

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._site = hashlib.sha256((urlsplit(self.origin).hostname or "").encode()).digest()

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to `navigator.credentials.create`."""
        numbers = self._key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        data = (
            self._data(PRESENT_AND_VERIFIED | WITH_KEY) + bytes(16) + struct.pack(">H", len(self.id)) + self.id + public
        )
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(options, "webauthn.create", attestationObject=b64(attestation))

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to `navigator.credentials.get`."""
        self.uses += 1
        data = self._data(PRESENT_AND_VERIFIED)
        client = self._client(options, "webauthn.get")
        signature = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(options, "webauthn.get", authenticatorData=b64(data), signature=b64(signature))

    def _data(self, flags: int) -> bytes:
        return self._site + bytes([flags]) + struct.pack(">I", self.uses)

    def _client(self, options: dict[str, Any], what: str) -> bytes:
        return json.dumps({"type": what, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _answer(self, options: dict[str, Any], what: str, **response: str) -> dict[str, Any]:
        client = {"clientDataJSON": b64(self._client(options, what))}
        return {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": {**client, **response}}
