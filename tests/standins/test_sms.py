"""The SMS stand-in, used as eSMS is."""

import secrets

import httpx2
import pytest

from tests.standins.conftest import Sms


def send(sms: Sms, **changed: str) -> dict[str, str]:
    body = {
        "ApiKey": sms.key,
        "SecretKey": sms.secret,
        "Phone": "0900000001",
        "Content": "Ho so H99.02.01-261122-0001 da co ket qua.",
        "Brandname": "AnBinh",
        "SmsType": "2",
        "IsUnicode": "0",
        "RequestId": secrets.token_hex(16),
        **changed,
    }
    url = f"{sms.address}/MainService.svc/json/SendMultipleMessage_V4_post_json/"
    answer: dict[str, str] = httpx2.post(url, json=body).json()
    return answer


def inbox(sms: Sms, phone: str) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = httpx2.get(f"{sms.address}/messages", params={"phone": phone}).json()
    return listed


def test_a_message_reaches_its_phone(sms: Sms) -> None:
    answer = send(sms, Phone="0900000011")

    (message,) = inbox(sms, "0900000011")
    assert answer["CodeResult"] == "100"
    assert message["sms_id"] == answer["SMSID"]
    assert message["content"] == "Ho so H99.02.01-261122-0001 da co ket qua."
    assert "Ho so H99.02.01-261122-0001 da co ket qua." in httpx2.get(sms.address).text


def test_a_repeated_request_is_not_sent_again(sms: Sms) -> None:
    first = send(sms, Phone="0900000012", RequestId="the-same")

    again = send(sms, Phone="0900000012", RequestId="the-same")

    assert again["CodeResult"] == "124"
    assert again["SMSID"] == first["SMSID"]
    assert len(inbox(sms, "0900000012")) == 1


def test_the_same_text_in_another_request_is_sent(sms: Sms) -> None:
    send(sms, Phone="0900000013")
    send(sms, Phone="0900000013")

    assert len(inbox(sms, "0900000013")) == 2


def test_a_phone_is_the_same_with_its_country_code(sms: Sms) -> None:
    send(sms, Phone="+84900000014")
    send(sms, Phone="84900000014")

    assert len(inbox(sms, "0900000014")) == 2


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"ApiKey": "wrong"}, "101"),
        ({"SecretKey": ""}, "101"),
        ({"Phone": "12345"}, "108"),
        ({"Content": ""}, "110"),
        ({"RequestId": "x" * 51}, "110"),
        ({"Brandname": ""}, "104"),
        ({"SmsType": "7"}, "118"),
    ],
)
def test_a_bad_request_says_which_rule_it_broke(sms: Sms, changed: dict[str, str], code: str) -> None:
    assert send(sms, **changed)["CodeResult"] == code
