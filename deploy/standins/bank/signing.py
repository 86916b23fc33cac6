"""VNPAY 2.1.0 signatures: HMAC-SHA512, upper or lower case hex, over the sorted query or the joined fields."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus

SIGNATURE = "vnp_SecureHash"
NOT_SIGNED = (SIGNATURE, "vnp_SecureHashType")


def query(parameters: Mapping[str, str]) -> str:
    """The parameters sorted by name and form-encoded: what is signed, and what is sent."""
    filled = {name: value for name, value in sorted(parameters.items()) if value}
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in filled.items())


def signed_query(parameters: Mapping[str, str], secret: str) -> str:
    unsigned = query(parameters)
    return f"{unsigned}&{SIGNATURE}={sign(unsigned, secret)}"


def is_signed(parameters: Mapping[str, str], secret: str) -> bool:
    """Whether the parameters of a query carry the signature over all the other `vnp_` ones."""
    unsigned = {k: v for k, v in parameters.items() if k.startswith("vnp_") and k not in NOT_SIGNED}
    return matches(query(unsigned), parameters.get(SIGNATURE, ""), secret)


def joined(fields: Iterable[str]) -> str:
    """The fields of an API message in the order of the documentation: what is signed."""
    return "|".join(fields)


def sign(text: str, secret: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


def matches(text: str, signature: str, secret: str) -> bool:
    return hmac.compare_digest(sign(text, secret).encode(), signature.lower().encode())
