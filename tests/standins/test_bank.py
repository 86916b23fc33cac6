"""The bank stand-in, seen by a merchant that computes the signatures by itself."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import parse_qsl, quote_plus, urlsplit

import httpx2
import pytest

from tests.standins.conftest import Bank, Merchant

T = TypeVar("T")

RETURN_URL = "http://127.0.0.1:9/thanh-toan/ket-qua"


def hmac_sha512(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


def query_of(parameters: Mapping[str, str]) -> str:
    return "&".join(f"{quote_plus(name)}={quote_plus(parameters[name])}" for name in sorted(parameters))


def stamp(at: datetime) -> str:
    return (at + timedelta(hours=7)).strftime("%Y%m%d%H%M%S")


def request_of(bank: Bank, **changed: str) -> dict[str, str]:
    now = datetime.now(UTC)
    asked = {
        "vnp_Version": "2.1.0",
        "vnp_Command": "pay",
        "vnp_TmnCode": bank.tmn_code,
        "vnp_Amount": "1600000",
        "vnp_CreateDate": stamp(now),
        "vnp_CurrCode": "VND",
        "vnp_IpAddr": "127.0.0.1",
        "vnp_Locale": "vn",
        "vnp_OrderInfo": "Le phi ho so H99.02.01-261122-0001",
        "vnp_OrderType": "other",
        "vnp_ReturnUrl": RETURN_URL,
        "vnp_TxnRef": secrets.token_hex(8),
        "vnp_ExpireDate": stamp(now + timedelta(minutes=15)),
        **changed,
    }
    return {name: value for name, value in asked.items() if value}


def url_of(bank: Bank, asked: Mapping[str, str]) -> str:
    query = query_of(asked)
    signature = hmac_sha512(bank.secret, query)
    return f"{bank.address}/paymentv2/vpcpay.html?{query}&vnp_SecureHash={signature}"


def decide(bank: Bank, asked: Mapping[str, str], decision: str = "pay") -> httpx2.Response:
    return httpx2.post(url_of(bank, asked), data={"decision": decision})


def carried_by(response: httpx2.Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(response.headers["location"]).query))


def is_signed(bank: Bank, said: Mapping[str, str]) -> bool:
    unsigned = {name: value for name, value in said.items() if name != "vnp_SecureHash"}
    return said["vnp_SecureHash"] == hmac_sha512(bank.secret, query_of(unsigned))


def eventually(look: Callable[[], T], seconds: float = 10) -> T:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def callbacks_of(bank: Bank, txn_ref: str) -> list[str]:
    listed = httpx2.get(f"{bank.address}/transactions").json()
    return next(payment["callbacks"] for payment in listed if payment["txn_ref"] == txn_ref)


def test_the_page_shows_the_amount_and_the_code(bank: Bank) -> None:
    asked = request_of(bank)

    page = httpx2.get(url_of(bank, asked))

    assert page.status_code == 200
    assert "16.000 đ" in page.text
    assert asked["vnp_TxnRef"] in page.text
    assert "Thanh toán" in page.text
    assert "Huỷ" in page.text
    assert "<script" not in page.text


def test_a_payment_is_told_to_the_merchant_and_to_the_browser(bank: Bank, merchant: Merchant) -> None:
    asked = request_of(bank)

    back = decide(bank, asked)

    assert back.status_code == 303
    assert back.headers["location"].startswith(RETURN_URL + "?")
    told = eventually(lambda: merchant.heard_of(asked["vnp_TxnRef"]))[0]
    assert told == carried_by(back)
    assert is_signed(bank, told)
    assert told["vnp_Amount"] == "1600000"
    assert told["vnp_ResponseCode"] == told["vnp_TransactionStatus"] == "00"
    assert told["vnp_TransactionNo"].isdigit()


def test_a_cancelled_payment_is_told_as_such(bank: Bank, merchant: Merchant) -> None:
    asked = request_of(bank)

    back = decide(bank, asked, "cancel")

    told = eventually(lambda: merchant.heard_of(asked["vnp_TxnRef"]))[0]
    assert told == carried_by(back)
    assert is_signed(bank, told)
    assert (told["vnp_ResponseCode"], told["vnp_TransactionStatus"]) == ("24", "02")


def test_a_payer_decides_once(bank: Bank, merchant: Merchant) -> None:
    asked = request_of(bank)
    first = decide(bank, asked)

    again = decide(bank, asked, "cancel")
    page = httpx2.get(url_of(bank, asked))

    assert carried_by(again) == carried_by(first) == carried_by(page)
    eventually(lambda: callbacks_of(bank, asked["vnp_TxnRef"]) == ["00"])
    assert len(merchant.heard_of(asked["vnp_TxnRef"])) == 1


def test_nobody_pays_after_the_end(bank: Bank) -> None:
    asked = request_of(bank, vnp_ExpireDate=stamp(datetime.now(UTC) - timedelta(minutes=1)))

    assert carried_by(decide(bank, asked))["vnp_ResponseCode"] == "11"


def test_the_callback_is_repeated_until_the_merchant_has_understood(bank: Bank, merchant: Merchant) -> None:
    asked = request_of(bank)
    merchant.answers[asked["vnp_TxnRef"]] = [
        b'{"RspCode": "99"}',
        b"<html>",
        b'{"RspCode": "97"}',
        b'{"RspCode": "02"}',
    ]

    decide(bank, asked)

    expected = ["99", "not VNPAY", "97", "02"]
    eventually(lambda: callbacks_of(bank, asked["vnp_TxnRef"]) == expected)
    assert len({said["vnp_SecureHash"] for said in merchant.heard_of(asked["vnp_TxnRef"])}) == 1


def test_a_forged_request_is_refused(bank: Bank) -> None:
    asked = request_of(bank)
    forged = url_of(bank, asked).replace("vnp_Amount=1600000", "vnp_Amount=100")

    refused = httpx2.get(forged)

    assert refused.status_code == 400
    assert "Sai chữ ký" in refused.text


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"vnp_TmnCode": "OTHER001"}, "72"),
        ({"vnp_Version": "2.0.0"}, "03"),
        ({"vnp_CurrCode": "USD"}, "03"),
        ({"vnp_Amount": "16000.5"}, "03"),
        ({"vnp_Amount": "1"}, "03"),
        ({"vnp_OrderInfo": ""}, "03"),
    ],
)
def test_a_wrong_request_is_refused(bank: Bank, changed: dict[str, str], code: str) -> None:
    refused = httpx2.get(url_of(bank, request_of(bank, **changed)))

    assert refused.status_code == 400
    assert f"Mã lỗi: {code}" in refused.text


def test_a_reference_names_one_payment(bank: Bank) -> None:
    asked = request_of(bank)
    httpx2.get(url_of(bank, asked))

    refused = httpx2.get(url_of(bank, {**asked, "vnp_Amount": "100"}))

    assert refused.status_code == 400


QUERY = (
    *("vnp_RequestId", "vnp_Version", "vnp_Command", "vnp_TmnCode", "vnp_TxnRef", "vnp_TransactionDate"),
    *("vnp_CreateDate", "vnp_IpAddr", "vnp_OrderInfo"),
)
ANSWER = (
    *("vnp_ResponseId", "vnp_Command", "vnp_ResponseCode", "vnp_Message", "vnp_TmnCode", "vnp_TxnRef"),
    *("vnp_Amount", "vnp_BankCode", "vnp_PayDate", "vnp_TransactionNo", "vnp_TransactionType"),
    *("vnp_TransactionStatus", "vnp_OrderInfo", "vnp_PromotionCode", "vnp_PromotionAmount"),
)


def ask_about(bank: Bank, asked: Mapping[str, str], **changed: str) -> dict[str, str]:
    message = {
        "vnp_RequestId": secrets.token_hex(16),
        "vnp_Version": "2.1.0",
        "vnp_Command": "querydr",
        "vnp_TmnCode": bank.tmn_code,
        "vnp_TxnRef": asked["vnp_TxnRef"],
        "vnp_TransactionDate": asked["vnp_CreateDate"],
        "vnp_CreateDate": stamp(datetime.now(UTC)),
        "vnp_IpAddr": "127.0.0.1",
        "vnp_OrderInfo": "Truy van",
        **changed,
    }
    text = "|".join(message[name] for name in QUERY)
    signed = {"vnp_SecureHash": hmac_sha512(bank.secret, text), **message, **changed}
    answer: dict[str, str] = httpx2.post(f"{bank.address}/merchant_webapi/api/transaction", json=signed).json()
    return answer


def test_a_query_tells_how_a_payment_ended(bank: Bank) -> None:
    asked = request_of(bank)
    back = carried_by(decide(bank, asked))

    answer = ask_about(bank, asked)

    text = "|".join(answer[name] for name in ANSWER)
    assert answer["vnp_SecureHash"] == hmac_sha512(bank.secret, text)
    assert (answer["vnp_ResponseCode"], answer["vnp_TransactionStatus"]) == ("00", "00")
    assert answer["vnp_TransactionNo"] == back["vnp_TransactionNo"]
    assert answer["vnp_Amount"] == "1600000"


def test_a_query_before_the_decision_says_so(bank: Bank) -> None:
    asked = request_of(bank)
    httpx2.get(url_of(bank, asked))

    assert ask_about(bank, asked)["vnp_TransactionStatus"] == "01"


def test_bad_queries_are_refused_with_their_code(bank: Bank) -> None:
    asked = request_of(bank)
    unknown = ask_about(bank, asked)
    httpx2.get(url_of(bank, asked))
    twice = "the-same-request"
    ask_about(bank, asked, vnp_RequestId=twice)

    assert unknown["vnp_ResponseCode"] == "91"
    assert ask_about(bank, asked, vnp_RequestId=twice)["vnp_ResponseCode"] == "94"
    assert ask_about(bank, asked, vnp_SecureHash="0" * 128)["vnp_ResponseCode"] == "97"
    assert ask_about(bank, asked, vnp_TmnCode="OTHER001")["vnp_ResponseCode"] == "02"
