"""Signatures of webhooks, against the specification's own examples and other people's libraries."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from services.notification.systems.outbound.signatures import (
    Scheme,
    SigningKey,
    SigningKeyNotValid,
    SigningKeys,
    headers,
)

# The example of Standard Webhooks 1.0.0; its Ed25519 pair is the one of Svix's documentation.
ID, AT, PAYLOAD = "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), b'{"test": 2432232314}'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="


def signed(key: SigningKey, at: datetime = AT) -> str:
    return headers(SigningKeys(key), ID, PAYLOAD, at)["webhook-signature"]


def test_the_known_examples_come_out() -> None:
    assert signed(SigningKey.read(SECRET)) == V1
    assert signed(SigningKey.read(PRIVATE)) == V1A


def test_a_key_is_written_as_it_was_read() -> None:
    assert SigningKey.read(SECRET).text == SigningKey.read(SECRET).shown == SECRET
    assert SigningKey.read(PRIVATE).text == PRIVATE


def test_of_an_ed25519_pair_the_subscriber_sees_the_public_half_only() -> None:
    assert SigningKey.read(PRIVATE).shown == PUBLIC


@settings(max_examples=30)
@given(body=st.text())
def test_the_official_library_verifies_v1(body: str) -> None:
    key, now = SigningKey.new(Scheme.HMAC), datetime.now(UTC)
    Webhook(key.shown).verify(body, headers(SigningKeys(key), ID, body.encode(), now), json_parse=False)


@settings(max_examples=30)
@given(body=st.binary())
def test_whoever_has_the_public_key_verifies_v1a(body: bytes) -> None:
    key = SigningKey.new(Scheme.ED25519)
    sent = headers(SigningKeys(key), ID, body, AT)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.shown.removeprefix("whpk_")))
    signature = base64.b64decode(sent["webhook-signature"].removeprefix("v1a,"))
    public.verify(signature, b".".join([ID.encode(), sent["webhook-timestamp"].encode(), body]))


def test_the_previous_key_signs_until_its_time_and_no_longer() -> None:
    old, new = SigningKey.new(Scheme.HMAC), SigningKey.new(Scheme.ED25519)
    keys = SigningKeys(old).rotated(new, AT + timedelta(hours=24))

    overlap = headers(keys, ID, PAYLOAD, AT + timedelta(hours=23))["webhook-signature"].split(" ")
    after = headers(keys, ID, PAYLOAD, AT + timedelta(hours=24))["webhook-signature"].split(" ")

    assert [one.partition(",")[0] for one in overlap] == ["v1a", "v1"]
    assert overlap[1] == signed(old, AT + timedelta(hours=23))
    assert [one.partition(",")[0] for one in after] == ["v1a"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "whsec_%",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        SECRET.removeprefix("whsec_"),
        PUBLIC,
        PRIVATE[:-4],
        PRIVATE.replace("Fs6Kvg==", "Fs6Kvw=="),
        "hwsec_" + SECRET.removeprefix("whsec_"),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(SigningKeyNotValid) as refused:
        SigningKey.read(text)
    assert text == "" or text not in str(refused.value)


@pytest.mark.parametrize("size", [24, 64])
def test_secrets_of_24_to_64_bytes_are_good(size: int) -> None:
    assert len(SigningKey.read("whsec_" + base64.b64encode(bytes(size)).decode()).raw) == size


@pytest.mark.parametrize("scheme", list(Scheme))
def test_a_key_does_not_show_itself(scheme: Scheme) -> None:
    keys = SigningKeys(SigningKey.new(scheme))
    assert repr(keys.current.raw)[2:-1] not in repr(keys)
    assert "raw" not in repr(keys)
