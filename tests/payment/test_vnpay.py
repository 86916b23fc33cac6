"""VNPAY 2.1.0: what we sign, and whom we believe."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest

from services.payment.domain import ATTEMPT_LIFE, Outcome, PaymentAttempt, Report
from services.payment.providers import Call, Order, Unbelievable, vnpay
from services.payment.providers.vnpay import Code

MERCHANT = vnpay.VNPay(
    "https://pay.example.vn/vpcpay.html", "https://pay.example.vn/api", "ANBINH01", "a secret of tests only"
)
NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
ATTEMPT_ID = UUID("019abf00-0000-7000-8000-000000000001")
ATTEMPT = PaymentAttempt(ATTEMPT_ID, UUID(int=7), "vnpay", ATTEMPT_ID.hex, 16_000, NOON, NOON + ATTEMPT_LIFE)
SUCCESS = {
    "vnp_Amount": "1600000",
    "vnp_BankCode": "NCB",
    "vnp_BankTranNo": "VNP14226112",
    "vnp_CardType": "ATM",
    "vnp_OrderInfo": "Nop phi ho so H99.02.01-261122-0001",
    "vnp_PayDate": "20261122120130",
    "vnp_ResponseCode": "00",
    "vnp_TmnCode": "ANBINH01",
    "vnp_TransactionNo": "14226112",
    "vnp_TransactionStatus": "00",
    "vnp_TxnRef": ATTEMPT_ID.hex,
}


def signed(**changes: str) -> dict[str, str]:
    call = {**SUCCESS, **changes}
    return {**call, "vnp_SecureHash": vnpay.sign(call, MERCHANT.secret)}


def heard(call: dict[str, str]) -> Report:
    return MERCHANT.hear(Call(call, b""))


def test_the_signature_is_hmac_sha512_over_sorted_and_encoded_fields() -> None:
    # printf 'vnp_Amount=1600000&vnp_OrderInfo=Nop+phi+%3A5' | openssl dgst -sha512 -hmac 'key'
    expected = (
        "c56a4d966c78e7cc09917e316c24012b9ed6a93cc18ffb0f97fc1f37de516572"
        "9f8ecd27f97c9199f522b9efcb8c691489c67336ffaf09282048c6cb80a21a31"
    )
    assert vnpay.sign({"vnp_OrderInfo": "Nop phi :5", "vnp_Amount": "1600000"}, "key") == expected


def test_the_payer_is_sent_with_everything_vnpay_demands() -> None:
    url = MERCHANT.redirect_url(ATTEMPT, Order("X", "Nop phi ho so X", "http://portal.example.vn/x", "192.0.2.7"))

    query = dict(parse_qsl(urlsplit(url).query))
    assert url.startswith(MERCHANT.url + "?")
    assert query.pop("vnp_SecureHash") == vnpay.sign(query, MERCHANT.secret)
    assert query == {
        "vnp_Version": "2.1.0",
        "vnp_Command": "pay",
        "vnp_TmnCode": "ANBINH01",
        "vnp_Amount": "1600000",
        "vnp_CurrCode": "VND",
        "vnp_TxnRef": ATTEMPT_ID.hex,
        "vnp_OrderInfo": "Nop phi ho so X",
        "vnp_OrderType": "other",
        "vnp_Locale": "vn",
        "vnp_ReturnUrl": "http://portal.example.vn/x",
        "vnp_IpAddr": "192.0.2.7",
        "vnp_CreateDate": "20261122120000",
        "vnp_ExpireDate": "20261122121500",
    }


def test_a_signed_success_is_believed() -> None:
    report = heard(signed())

    assert (report.outcome, report.amount, report.transaction) == (Outcome.SUCCEEDED, 16_000, "14226112")
    assert report.reference == ATTEMPT.reference
    assert report.paid_at == NOON + timedelta(seconds=90)


def test_fields_that_are_not_vnpays_are_not_signed() -> None:
    assert heard({**signed(), "utm_source": "zalo"}).amount == 16_000


@pytest.mark.parametrize(
    ("response", "status", "outcome"),
    [("24", "02", Outcome.CANCELLED), ("51", "02", Outcome.FAILED), ("00", "01", Outcome.FAILED)],
)
def test_a_payment_that_did_not_work_has_no_transaction(response: str, status: str, outcome: Outcome) -> None:
    call = signed(vnp_ResponseCode=response, vnp_TransactionStatus=status, vnp_TransactionNo="0")

    report = heard(call)

    assert (report.outcome, report.transaction, report.paid_at) == (outcome, "", None)


@pytest.mark.parametrize("field", sorted(SUCCESS))
def test_changing_any_field_after_signing_is_noticed(field: str) -> None:
    with pytest.raises(Unbelievable) as refused:
        heard({**signed(), field: "1"})
    assert refused.value.answer.code == Code.BAD_SIGNATURE


@pytest.mark.parametrize("signature", ["", "00", "é" * 128, "0" * 128])
def test_a_strange_signature_is_refused(signature: str) -> None:
    with pytest.raises(Unbelievable) as refused:
        heard({**SUCCESS, "vnp_SecureHash": signature})
    assert refused.value.answer.code == Code.BAD_SIGNATURE


def test_a_call_signed_with_another_secret_is_refused() -> None:
    with pytest.raises(Unbelievable):
        replace(MERCHANT, secret="another").hear(Call(signed(), b""))


def test_a_call_for_another_merchant_is_refused_even_when_signed() -> None:
    with pytest.raises(Unbelievable) as refused:
        heard(signed(vnp_TmnCode="SOMEONE1"))
    assert refused.value.answer.code == Code.BAD_SIGNATURE


def test_a_fraction_of_a_dong_is_never_our_amount() -> None:
    with pytest.raises(Unbelievable) as refused:
        heard(signed(vnp_Amount="1600050"))
    assert refused.value.answer.code == Code.WRONG_AMOUNT


@pytest.mark.parametrize("change", [{"vnp_Amount": "much"}, {"vnp_PayDate": "yesterday"}])
def test_what_cannot_be_read_has_no_effect(change: dict[str, str]) -> None:
    with pytest.raises(Unbelievable) as refused:
        heard(signed(**change))
    assert refused.value.answer.code == Code.UNREADABLE


def test_of_a_call_only_known_fields_are_kept() -> None:
    kept = MERCHANT.evidence(Call({**signed(), "name": "Nguyễn Thị An", "vnp_TxnRef": "a\0b" + "c" * 999}, b""))

    assert "name" not in kept
    assert kept["vnp_TxnRef"] == "ab" + "c" * 253
    assert kept["vnp_SecureHash"] == signed()["vnp_SecureHash"]
