"""Who may subscribe, to what, and where it may go."""

from uuid import UUID

import pytest

from tests.notification.webhooks.conftest import POLICE, PROVINCE, House, life
from tests.notification.webhooks.receiver import receiving, says
from tests.tracking import callers

URL = "https://webhook.cong-an.example.vn/mot-cua"
PATH = "/api/v1/subscriptions"
CLIENT = {"client_id": "a", "client_secret": "b"}


def admin() -> dict[str, str]:
    """A token of the moment: it lives for a minute."""
    return callers.officer("notification", "system_admin")


async def refused(house: House, asked: dict[str, object], name: str = POLICE) -> str:
    answer = await house.http.post(PATH, json={"url": URL, **asked}, headers=house.as_system(name))
    assert answer.status_code >= 400, answer.text
    return str(answer.json()["type"]).removeprefix("urn:motcua:problem:")


async def test_the_key_is_shown_once_and_kept_sealed(house: House) -> None:
    whose = {**house.as_system(POLICE), "Idempotency-Key": "once"}
    made = await house.http.post(PATH, json={"url": URL}, headers=whose)
    key = made.json()["signing_key"]
    assert key.startswith("whsec_")
    again = await house.http.post(PATH, json={"url": URL}, headers=whose)
    assert (again.status_code, again.content, again.headers["location"]) == (201, b"", made.headers["location"])
    seen = await house.http.get(made.headers["location"], headers=house.as_system(POLICE))
    assert "signing_key" not in seen.json()
    for table in ("subscription", "idempotency_key"):
        stored = await house.db.fetchval(f"SELECT string_agg(t::text, '') FROM {table} t")  # noqa: S608
        assert key not in stored
        assert key.encode().hex() not in stored


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"url": "http://webhook.cong-an.example.vn/"}, "url-not-allowed"),
        ({"url": "https://evil.example.vn/"}, "url-not-allowed"),
        ({"url": "https://webhook.cong-an.example.vn:22/"}, "url-not-allowed"),
        ({"url": "https://169.254.169.254/latest"}, "url-not-allowed"),
        ({"types": ["NotificationSent"]}, "event-type-unknown"),
        ({"types": ["NoSuchThing"]}, "event-type-unknown"),
        ({"subscriber": PROVINCE}, "subscriber-unknown"),
        ({"at_once": 1000}, "invalid-request"),
        ({"start": "yesterday"}, "invalid-request"),
        ({"authority": "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----"}, "certificate-not-usable"),
        (
            {"authentication": {"type": "oauth2", "token_url": "https://evil.example.vn/t", **CLIENT}},
            "url-not-allowed",
        ),
    ],
)  # fmt: skip
async def test_what_was_not_agreed_is_refused(house: House, asked: dict[str, object], problem: str) -> None:
    assert await refused(house, asked) == problem


async def test_only_registered_systems_and_administrators_may(house: House) -> None:
    assert await refused(house, {}, name="somebody") == "forbidden"
    for who in (callers.citizen(UUID(int=1), "notification"), callers.officer("notification", "leader")):
        assert (await house.http.get(PATH, headers=who)).status_code == 403
    assert (await house.http.get(PATH)).status_code == 401


async def test_everybody_sees_their_own_and_administrators_see_all(house: House) -> None:
    mine = (await house.http.post(PATH, json={"url": URL}, headers=house.as_system(POLICE))).json()["id"]
    async with receiving() as receiver:
        theirs = str(await house.subscribe(receiver.url))
    own = (await house.http.get(PATH, headers=house.as_system(POLICE))).json()["items"]
    assert [one["id"] for one in own] == [mine]
    everything = (await house.http.get(PATH, headers=admin())).json()["items"]
    assert [one["id"] for one in everything] == [mine, theirs]
    for act in ("get", "delete"):
        answer = await house.http.request(act.upper(), f"{PATH}/{theirs}", headers=house.as_system(POLICE))
        assert answer.status_code == 404
    for act in ("pause", "resume", "signing-keys", "ping", "resends", "replays"):
        body = {"resends": {"event_id": mine}, "replays": {"since": "2026-01-01T00:00:00Z"}}.get(act, {})
        answer = await house.http.post(f"{PATH}/{theirs}/{act}", json=body, headers=house.as_system(POLICE))
        assert answer.status_code == 404, act


async def test_an_administrator_subscribes_for_an_agency(house: House) -> None:
    made = await house.http.post(PATH, json={"url": URL, "subscriber": POLICE}, headers=admin())
    assert made.json()["subscriber"] == POLICE


async def test_a_change_under_an_old_version_is_refused(house: House) -> None:
    made = await house.http.post(PATH, json={"url": URL}, headers=house.as_system(POLICE))
    url, whose = made.headers["location"], house.as_system(POLICE)
    changed = await house.http.put(url, json={"url": URL + "/2", "types": ["FeePaid"]}, headers=whose)
    assert changed.json()["types"] == ["vn.motcua.payment.FeePaid.v1"]
    late = await house.http.put(url, json={"url": URL}, headers={**whose, "If-Match": '"1"'})
    assert late.json()["type"] == "urn:motcua:problem:version-conflict"


async def test_a_ping_says_what_came_of_it(house: House) -> None:
    async with receiving(says(401)) as receiver:
        subscription = await house.subscribe(receiver.url)
        url, whose = f"{PATH}/{subscription}/ping", house.as_system(PROVINCE)
        failed = (await house.http.post(url, headers=whose)).json()
        receiver.answers = None
        fine = (await house.http.post(url, headers=whose)).json()
    assert (failed["accepted"], failed["status"], failed["trouble"]) == (False, 401, "status")
    assert (fine["accepted"], fine["trouble"]) == (True, None)
    assert receiver.received[-1].event["type"] == "vn.motcua.notification.Ping.v1"


async def test_after_a_rotation_both_keys_sign_for_a_while(house: House) -> None:
    async with receiving() as receiver:
        subscription = await house.subscribe(receiver.url)
        url, whose = f"{PATH}/{subscription}", house.as_system(PROVINCE)
        rotated = (await house.http.post(f"{url}/signing-keys", json={"signing": "ed25519"}, headers=whose)).json()
        await house.http.post(f"{url}/ping", headers=whose)
        assert rotated["signing_key"].startswith("whpk_")
        kinds = [one.partition(",")[0] for one in receiver.received[-1].headers["webhook-signature"].split()]
        assert sorted(kinds) == ["v1", "v1a"]


async def test_a_subscription_begins_where_it_was_told_to(house: House) -> None:
    await house.hear(*life(1, 2))
    async with receiving() as receiver:
        positions = [
            await house.db.fetchval(
                "SELECT position FROM delivery_line WHERE subscription_id = $1",
                await house.subscribe(receiver.url, start=start),
            )
            for start in ("now", "beginning", "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
        ]
    assert positions == [2, 0, 0, 2]
