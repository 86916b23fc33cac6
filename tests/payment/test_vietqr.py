"""VietQR: the codes that any bank's phone reads, and purpose texts that survive any bank."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import ids
from services.payment.domain import PaymentAttempt
from services.payment.providers import Call, Order, Unbelievable, Unsupported
from services.payment.providers.vietqr import VietQR, crc, payload
from services.payment.reconciliation.formats.camt053 import REFERENCE

ACCOUNT = VietQR("970436", "0123456789")


def test_the_checksum_is_crc_16_ccitt_false() -> None:
    assert f"{crc('123456789'):04X}" == "29B1"


@pytest.mark.parametrize(
    ("bank", "account", "amount", "purpose", "expected"),
    [
        (
            *("970403", "0011012345678", None, ""),
            "00020101021138570010A00000072701270006970403011300110123456780208QRIBFTTA53037045802VN63049E6F",
        ),
        (
            *("970415", "0011001932418", 120_000, "ung ho lu lut"),
            "00020101021238570010A00000072701270006970415011300110019324180208QRIBFTTA530370454061200005802VN"
            "62170813ung ho lu lut6304C15C",
        ),
        (
            *("970436", "0123456789", 16_000, "LP 000001"),
            "00020101021238540010A00000072701240006970436011001234567890208QRIBFTTA53037045405160005802VN"
            "62130809LP 0000016304BFE2",
        ),
    ],
)
def test_the_published_codes_come_out(bank: str, account: str, amount: int | None, purpose: str, expected: str) -> None:
    assert payload(bank, account, amount, purpose) == expected


@given(st.uuids())
def test_a_reference_is_found_in_whatever_the_bank_writes_around_it(attempt_id: UUID) -> None:
    reference = ACCOUNT.reference(attempt_id)

    assert re.fullmatch(r"[A-Z2-7]{14}", reference)
    found = REFERENCE.search(f"NGUYEN THI AN CHUYEN TIEN {reference}-231126-10:01:30 FT2632".replace(" ", ""))
    assert found
    assert found.group() == reference


def test_references_of_attempts_made_together_differ() -> None:
    assert len({ACCOUNT.reference(ids.new()) for _ in range(10_000)}) == 10_000


async def test_the_code_says_amount_and_reference() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    attempt = PaymentAttempt(UUID(int=1), UUID(int=2), "vietqr", "MCABC", 16_000, now, now + timedelta(days=3))

    started = await ACCOUNT.begin(attempt, Order("X", "info", "http://x", "127.0.0.1"))

    assert started.qr
    assert "540516000" in started.qr
    assert "0805MCABC" in started.qr


async def test_nobody_may_call_in_the_banks_name_and_the_bank_cannot_be_asked() -> None:
    with pytest.raises(Unbelievable):
        ACCOUNT.hear(Call({}, b"{}"))
    now = datetime.now(UTC)
    with pytest.raises(Unsupported):
        await ACCOUNT.query(PaymentAttempt(UUID(int=1), UUID(int=2), "vietqr", "MC", 1, now, now))
