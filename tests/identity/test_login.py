"""Logging in with VNeID: real provider protocol, real PostgreSQL."""

import asyncio
from typing import Any

import httpx2
import pytest

from services.identity.providers import oidc
from tests.identity.conftest import AN, BINH, DUNG_LEVEL_1, PORTAL, Identity
from tests.standins.conftest import free_port


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("urn:motcua:problem:")


async def test_the_first_login_makes_an_account_and_tells_the_others_a_mask_and_a_digest(identity: Identity) -> None:
    session = await identity.logs_in(AN)

    (event,) = await identity.said()
    assert session["display_name"] == "Nguyễn Thị An"
    assert (event["account_ref"], event["version"]) == (session["account_ref"], 1)
    assert event["masked_name"] == "N***** T** A*"
    assert AN not in str(event)
    assert "Nguyễn" not in str(event)


async def test_the_next_login_is_the_same_account_and_no_news(identity: Identity) -> None:
    first, second = await identity.logs_in(AN), await identity.logs_in(AN)

    assert first["account_ref"] == second["account_ref"]
    assert first["session"] != second["session"]
    assert len(await identity.said()) == 1


async def test_two_people_are_two_accounts_with_two_digests(identity: Identity) -> None:
    await identity.logs_in(AN)
    await identity.logs_in(BINH)

    said = await identity.said()
    assert len({event["account_ref"] for event in said}) == 2
    assert len({event["identity_digest"] for event in said}) == 2


@pytest.mark.parametrize("racing", [12])
async def test_racing_first_logins_of_one_person_make_one_account(identity: Identity, racing: int) -> None:
    begun = [await identity.begins_login(AN) for _ in range(racing)]

    answers = await asyncio.gather(*(identity.completes_login(*login) for login in begun))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["account_ref"] for answer in answers}) == 1
    assert len(await identity.said()) == 1
    assert await identity.db.fetchval("SELECT count(*) FROM account") == 1


async def test_somebody_with_level_one_is_told_where_to_get_level_two(identity: Identity) -> None:
    answer = await identity.completes_login(*await identity.begins_login(DUNG_LEVEL_1))

    assert problem(answer) == (403, "identity-level-too-low")
    assert "công an" in answer.json()["title"]
    assert await identity.db.fetchval("SELECT count(*) FROM account") == 0
    assert await identity.audited() == [("vneid", "IdentityLevelTooLow")]


async def test_a_login_is_answered_once(identity: Identity) -> None:
    login = await identity.begins_login(AN)
    await identity.completes_login(*login)

    assert problem(await identity.completes_login(*login)) == (410, "login-expired")


async def test_a_login_that_took_too_long_is_begun_anew(identity: Identity) -> None:
    login = await identity.begins_login(AN)
    await identity.db.execute("UPDATE login SET expires_at = now() - interval '1 second'")

    assert problem(await identity.completes_login(*login)) == (410, "login-expired")


@pytest.mark.parametrize("column", ["nonce", "code_verifier"])
async def test_an_answer_to_another_question_is_refused(identity: Identity, column: str) -> None:
    login = await identity.begins_login(AN)
    await identity.db.execute(f"UPDATE login SET {column} = 'another one'")  # noqa: S608

    assert problem(await identity.completes_login(*login)) == (400, "provider-answer-refused")


async def test_an_answer_of_another_issuer_is_refused(identity: Identity) -> None:
    state, answer = await identity.begins_login(AN)

    refused = await identity.completes_login(state, {**answer, "issuer": "https://vneid.example"})

    assert problem(refused) == (400, "provider-answer-refused")


async def test_a_provider_that_is_away_is_said_to_be_away(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.settings._loaded", {})
    monkeypatch.setenv("MOTCUA_VNEID_ISSUER", f"http://127.0.0.1:{free_port()}")

    wish = {"provider": "vneid", "callback_url": f"{PORTAL}/dang-nhap/vneid"}
    answer = await identity.asks("gateway", "POST", "/logins", wish)

    assert problem(answer) == (503, "provider-away")
    assert "VNeID" in answer.json()["title"]


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/x", "http://127.0.0.1.evil.example:8080/x", "http://127.0.0.1:8081/dang-nhap/vneid"],
)
async def test_the_browser_comes_back_to_our_site_only(identity: Identity, elsewhere: str) -> None:
    answer = await identity.asks("gateway", "POST", "/logins", {"callback_url": elsewhere})

    assert problem(answer) == (422, "callback-forbidden")


async def test_a_locked_account_is_told_why(identity: Identity) -> None:
    await identity.logs_in(AN)
    await identity.db.execute("UPDATE account SET state = 'locked_security'")

    answer = await identity.completes_login(*await identity.begins_login(AN))

    assert problem(answer) == (403, "account-is-locked")
    assert "một cửa" in answer.json()["detail"]


async def test_the_database_knows_no_secret_of_a_login_or_a_session(identity: Identity) -> None:
    state, answer = await identity.begins_login(AN)
    session = (await identity.completes_login(state, answer)).json()["session"]

    await identity.begins_login(BINH)
    rows: list[Any] = [
        *await identity.db.fetch("SELECT * FROM login"),
        *await identity.db.fetch("SELECT * FROM session"),
        *await identity.db.fetch("SELECT * FROM idempotency_key"),
    ]
    assert len(rows) == 2
    assert session not in str(rows)
    assert state not in str(rows)


@pytest.mark.parametrize(
    ("claim", "level"), [("2", 2), (2, 2), ("level2", 2), ("1", 1), (None, 0), ("", 0), ("high", 0)]
)
def test_levels_are_read_from_whatever_providers_write(claim: object, level: int) -> None:
    assert oidc._level(claim) == level
