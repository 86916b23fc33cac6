"""What is secret of a subscription: sealed in the database, shown once, rotated, and never the end of everything."""

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.notification.systems.subscriptions import clients
from tests.notification.outbound.certificates import Authority
from tests.notification.webhooks.conftest import PROVINCE, House, life
from tests.notification.webhooks.receiver import Received, receiving
from tests.support import eventually

OLD, NEW = f"a:{'5a' * 32}", f"b:{'b5' * 32}"


async def subscribed(house: House, url: str, **asked: object) -> dict[str, str]:
    """The answer to a new subscription, key and all."""
    headers = house.as_system(PROVINCE)
    answer = await house.http.post("/api/v1/subscriptions", json={"url": url, **asked}, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


def verifies(key: str, got: Received) -> bool:
    try:
        Webhook(key).verify(got.body, got.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_after_a_rotation_both_keys_verify_until_the_agreed_time(house: House) -> None:
    async with receiving() as receiver, house.delivering():
        made = await subscribed(house, receiver.url)
        path, headers = f"/api/v1/subscriptions/{made['id']}/signing-keys", house.as_system(PROVINCE)
        second = (await house.http.post(path, json={}, headers=headers)).json()
        await house.hear(*life(1, 1))
        await eventually(lambda: len(receiver.received) == 1)

        before = await _epoch(house)
        third = (await house.http.post(path, json={"previous_valid_hours": 0}, headers=headers)).json()
        await eventually(lambda: _newer(house, before), what="the engine signs with the new key")
        await house.hear(*life(2, 1))
        await eventually(lambda: len(receiver.received) == 2)

    both, after = receiver.received
    keys = [made["signing_key"], second["signing_key"], third["signing_key"]]
    assert [verifies(key, both) for key in keys] == [True, True, False]
    assert [verifies(key, after) for key in keys] == [False, False, True]
    assert second["previous_valid_until"] > made["created_at"]


async def _epoch(house: House) -> int:
    """It grows whenever the engine takes the subscription anew, as after every change."""
    return int(await house.db.fetchval("SELECT epoch FROM delivery_line"))


async def _newer(house: House, before: int) -> bool:
    return await _epoch(house) > before


async def test_no_secret_stands_in_the_database(house: House) -> None:
    chain, key = Authority.new().issue("motcua.anbinh.example.vn")
    access = {"type": "mtls", "chain": chain.decode(), "key": key.decode()}
    made = await subscribed(house, "http://127.0.0.1:9/", authentication=access)
    row = await house.db.fetchrow("SELECT s::text AS all, s.* FROM subscription s")
    assert row is not None
    assert made["signing_key"].removeprefix("whsec_") not in row["all"]
    for stored in (row["key"], row["authentication"]):
        assert b"PRIVATE KEY" not in stored
        assert made["signing_key"].encode() not in stored


async def test_how_we_are_let_in_can_be_changed(house: House) -> None:
    made = await subscribed(house, "http://127.0.0.1:9/")
    path, headers = f"/api/v1/subscriptions/{made['id']}/access", house.as_system(PROVINCE)
    token = {"type": "oauth2", "token_url": "http://127.0.0.1:9/token", "client_id": "mot-cua", "client_secret": "x"}

    changed = await house.http.put(path, json={"authentication": token}, headers=headers | {"If-Match": '"1"'})
    outside = token | {"token_url": "http://10.0.0.1/token"}
    wrong = await house.http.put(path, json={"authentication": outside}, headers=headers | {"If-Match": '"2"'})
    nonsense = await house.http.put(path, json={"authority": "PEM"}, headers=headers | {"If-Match": '"2"'})
    emptied = await house.http.put(path, json={}, headers=headers | {"If-Match": '"2"'})

    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert wrong.json()["type"] == "urn:motcua:problem:url-not-allowed"
    assert nonsense.json()["type"] == "urn:motcua:problem:certificate-not-usable"
    assert emptied.status_code == 200
    assert await house.db.fetchval("SELECT authentication FROM subscription") is None


async def test_the_installations_key_is_changed_without_anybody_noticing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver:
        made = await subscribed(house, receiver.url)
        _installation_has(monkeypatch, f"{NEW},{OLD}")
        await clients.renew_seals(house.db)
        _installation_has(monkeypatch, NEW)
        async with house.delivering():
            await house.hear(*life(1, 1))
            await eventually(lambda: len(receiver.received) == 1)
    assert verifies(made["signing_key"], receiver.received[0])


@pytest.mark.parametrize("keys", ["", NEW, "nonsense"])
async def test_secrets_that_cannot_be_opened_let_events_wait_and_nothing_end(
    house: House, monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    async with receiving() as receiver:
        made = await subscribed(house, receiver.url)
        _installation_has(monkeypatch, keys)
        async with house.delivering():
            await house.hear(*life(1, 1))
            await eventually(lambda: _troubles(house), what="an attempt is on record")
        assert await _troubles(house) == ["ours"]
        assert (await _see(house, made["id"])) == "active"

        _installation_has(monkeypatch, OLD)
        await house.db.execute("UPDATE delivery SET due_at = now()")
        async with house.delivering():
            await eventually(lambda: len(receiver.received) == 1)


async def _troubles(house: House) -> list[str]:
    return [row["trouble"] for row in await house.db.fetch("SELECT trouble FROM attempt")]


async def _see(house: House, subscription: str) -> str:
    path = f"/api/v1/subscriptions/{subscription}"
    return str((await house.http.get(path, headers=house.as_system(PROVINCE))).json()["state"])


def _installation_has(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setattr("kit.settings._loaded", {})
    monkeypatch.setenv("MOTCUA_SEALING_KEYS", keys)
