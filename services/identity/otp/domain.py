"""One-time passwords: what a code confirms, how long, how often it may be tried, and how often one is sent."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from contracts.refusal import Refusal

TRIES = 5
LONGEST = timedelta(minutes=5)
"""However a tenant's policy reads, a code lives no longer (domain rule I-A4)."""


class CodeWrong(Refusal):
    """Not the code that was sent; one answer, whether or not a code was ever sent."""

    status = 422
    title = "Mã OTP không đúng. Vui lòng kiểm tra lại tin nhắn."
    title_en = "The one-time password is wrong."


class CodeExpired(Refusal):
    """The code was used, is too old, was tried too often, or was for something else."""

    status = 410
    title = "Mã OTP đã hết hiệu lực hoặc đã được dùng. Vui lòng yêu cầu mã mới."
    title_en = "The one-time password has expired or was already used; ask for a new one."


class TooManyCodes(Refusal):
    """Too many codes to one phone, for one account or from one address."""

    status = 429
    title = "Bạn đã yêu cầu mã OTP quá nhiều lần. Vui lòng thử lại sau 30 phút."
    title_en = "Too many one-time passwords were asked for; please try again in 30 minutes."


class Purpose(StrEnum):
    """What a code confirms; a code for one thing is worth nothing for another."""

    REGISTRATION = "registration"
    LOGIN = "login"
    RECOVERY = "recovery"
    PASSWORD = "password"  # noqa: S105 (the name of a purpose)
    CONTACT = "contact"
    OFFICER = "officer"


class Channel(StrEnum):
    SMS = "sms"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What waits for a code. `facts` are what the code confirms, kept no longer than the code."""

    purpose: Purpose
    subject: UUID | None
    """The account or officer; None before there is one, and for a challenge that nobody can answer."""
    facts: dict[str, Any]
    code_mac: bytes
    expires_at: datetime


WINDOW = timedelta(minutes=30)
MOST = {"phone": 5, "subject": 8, "address": 40}
"""Codes within the window: to one phone or mailbox, for one account, from one network address, which many share."""


def judge_sending(counts: dict[str, int]) -> None:
    """`counts` include the one asked for now: recorded before it is judged, so that racing ones see each other."""
    if any(count > MOST[kind] for kind, count in counts.items()):
        raise TooManyCodes(retry_after=int(WINDOW.total_seconds()))


def mac(key: bytes, handle: str, purpose: Purpose, code: str) -> bytes:
    """What is stored of a code: bound to its challenge and purpose, and not to be guessed without the key, as six
    digits under a plain hash would be."""
    return hmac.new(key, f"otp\n{handle}\n{purpose}\n{code}".encode(), hashlib.sha256).digest()


def check(challenge: Challenge, given: bytes, tries: int) -> None:
    """Whether the code with that `mac` is the one; `tries` counts this try too."""
    if not hmac.compare_digest(challenge.code_mac, given):
        raise CodeWrong(tries_left=max(0, TRIES - tries))
