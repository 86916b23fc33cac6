"""An officer's second factor: TOTP (RFC 6238) under encryption, and passkeys (WebAuthn)."""

import secrets
import time
from typing import Any
from urllib.parse import urlsplit

import pyotp
import webauthn
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from webauthn.helpers import base64url_to_bytes, options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from kit.settings import load
from services.identity.officers.domain import FactorWrong, Officer, PasskeyRefused
from services.identity.officers.store import Passkey
from services.identity.settings import IdentitySettings

STEP = 30
"""Seconds of one TOTP code."""
ISSUER = "Mot Cua"

# ── TOTP ──────────────────────────────────────────────────────────────────────────────────────────


def _cipher() -> AESGCM:
    """Under a key of its own, derived from the installation's: the database alone makes no code."""
    return AESGCM(HKDF(SHA256(), 32, None, b"officers' totp secrets").derive(load(IdentitySettings).digest))


def new_secret() -> str:
    """A new secret for an authenticator, in base 32."""
    return pyotp.random_base32()


def address(secret: str, username: str) -> str:
    """The `otpauth://` address that an authenticator reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def sealed(secret: str, officer: str) -> bytes:
    """The secret as it is stored; bound to its officer."""
    nonce = secrets.token_bytes(12)
    return nonce + _cipher().encrypt(nonce, secret.encode(), officer.encode())


def opened(stored: bytes, officer: str) -> str:
    """The secret again; FactorWrong if it was moved from another officer's row."""
    try:
        return _cipher().decrypt(stored[:12], stored[12:], officer.encode()).decode()
    except InvalidTag as moved:
        raise FactorWrong() from moved


def step_of(secret: str, code: str, at: float | None = None) -> int:
    """Which time step the code is of: now's, or one beside it, because clocks differ. FactorWrong for any other."""
    totp, now = pyotp.TOTP(secret), int((time.time() if at is None else at) // STEP)
    for step in (now, now - 1, now + 1):
        if secrets.compare_digest(totp.at(step * STEP), code):
            return step
    raise FactorWrong()


# ── passkeys ──────────────────────────────────────────────────────────────────────────────────────


def _site() -> tuple[str, str]:
    """(the host that keys are bound to, the origin that browsers say)."""
    parts = urlsplit(load(IdentitySettings).gateway_url)
    return parts.hostname or "", f"{parts.scheme}://{parts.netloc}"


def registration(officer: Officer, known: list[Passkey], challenge: bytes) -> dict[str, Any]:
    """What the browser's `navigator.credentials.create` is given."""
    host, _ = _site()
    options = webauthn.generate_registration_options(
        rp_id=host,
        rp_name="Một Cửa",
        user_id=officer.ref.bytes,
        user_name=officer.username,
        user_display_name=officer.display_name,
        challenge=challenge,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=key.credential_id) for key in known],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    return dict(options_to_json_dict(options))


def registered(officer: Officer, answer: dict[str, Any], challenge: bytes, name: str) -> Passkey:
    """The new key; PasskeyRefused for an answer to something else."""
    host, origin = _site()
    try:
        made = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=host,
            expected_origin=origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as refused:
        raise PasskeyRefused() from refused
    return Passkey(made.credential_id, officer.ref, made.credential_public_key, made.sign_count, name)


def request(known: list[Passkey], challenge: bytes) -> dict[str, Any]:
    """What the browser's `navigator.credentials.get` is given."""
    host, _ = _site()
    options = webauthn.generate_authentication_options(
        rp_id=host,
        challenge=challenge,
        allow_credentials=[PublicKeyCredentialDescriptor(id=key.credential_id) for key in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return dict(options_to_json_dict(options))


def answered(known: list[Passkey], answer: dict[str, Any], challenge: bytes) -> tuple[Passkey, int]:
    """(which key signed the challenge, its new count); FactorWrong for anything else."""
    host, origin = _site()
    try:
        named = base64url_to_bytes(str(answer["id"]))
        key = next(key for key in known if key.credential_id == named)
        checked = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=host,
            expected_origin=origin,
            credential_public_key=key.public_key,
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, StopIteration) as refused:
        raise FactorWrong() from refused
    return key, checked.new_sign_count
