"""Sessions, tokens, officers, and who may know what."""

import asyncio
from uuid import UUID

import httpx2
import pytest
from fastapi.routing import APIRoute

from kit import auth
from kit.auth import CitizenToken, OfficerToken, SystemToken
from kit.problems import Unauthenticated
from services.identity import passwords, seed, tokens
from services.identity.accounts import api as accounts
from services.identity.consents import api as consents
from services.identity.logins import api as logins
from services.identity.officers import api as officers
from services.identity.sessions import api as sessions
from tests.identity.conftest import AN, ISSUER, OFFICERS, PASSWORD, Identity
from tests.identity.test_login import problem

ROUTERS = [part.router for part in (accounts, consents, logins, officers, sessions)]
ANY = {
    "ref": UUID(int=1), "consent_id": UUID(int=1), "session_id": "0" * 64, "unit_id": "H99",
    **dict.fromkeys(("state", "session", "challenge", "login"), "s" * 40),
}  # fmt: skip


def verifier(audience: str) -> auth.Verifier:
    keys = auth.Keys(ISSUER)
    keys.use(tokens.published())
    return auth.Verifier(audience, keys)


# ── tokens ──


async def test_a_citizens_token_says_who_and_how_strongly_proven(identity: Identity) -> None:
    session = await identity.logs_in(AN)

    made = (await identity.token(session["session"], "dossier")).json()

    token = await verifier("dossier").verify(made["access_token"])
    assert isinstance(token, CitizenToken)
    assert (str(token.ref), token.name, token.acr) == (session["account_ref"], "Nguyễn Thị An", 2)
    assert made["expires_in"] <= 55


async def test_a_token_is_worth_nothing_at_another_service(identity: Identity) -> None:
    session = await identity.logs_in(AN)
    made = (await identity.token(session["session"], "dossier")).json()

    with pytest.raises(Unauthenticated):
        await verifier("payment").verify(made["access_token"])


async def test_an_officers_token_has_the_unit_and_the_roles_of_now(identity: Identity) -> None:
    session = (await identity.officer_logs_in()).json()
    await identity.db.execute("UPDATE officer SET roles = '{desk,cashier}' WHERE username = 'mot-cua'")

    made = (await identity.token(session["session"])).json()

    token = await verifier("dossier").verify(made["access_token"])
    assert isinstance(token, OfficerToken)
    assert (token.unit, token.roles) == ("H99.02.01", frozenset({"desk", "cashier"}))


async def test_an_officer_who_was_removed_gets_no_further_token(identity: Identity) -> None:
    session = (await identity.officer_logs_in()).json()
    await identity.db.execute("UPDATE officer SET active = false")

    assert problem(await identity.token(session["session"])) == (401, "session-ended")


async def test_tokens_are_for_services_that_exist(identity: Identity) -> None:
    session = await identity.logs_in(AN)

    assert problem(await identity.token(session["session"], "treasury")) == (422, "audience-unknown")


async def test_a_service_is_known_by_its_secret(identity: Identity) -> None:
    token = await verifier("dossier").verify(await identity.own_token("payment", "dossier"))
    assert token == SystemToken("payment", "system", "payment")

    for client, secret in (("payment", "wrong"), ("nobody", "secret of nobody"), ("nobody", "")):
        given = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
        answer = await identity.http.post("/oauth/token", json={**given, "audience": "dossier"})
        assert problem(answer) == (401, "client-unknown")


async def test_a_system_of_another_agency_may_talk_to_notification_and_nobody_else(identity: Identity) -> None:
    token = await verifier("notification").verify(await identity.own_token("cong-an", "notification"))
    assert token == SystemToken("cong-an", "system", "cong-an")

    given = {"grant_type": "client_credentials", "client_id": "cong-an", "client_secret": "secret of cong-an"}
    for audience in ("dossier", "identity", "payment", "tracking", "cong-an"):
        answer = await identity.http.post("/oauth/token", data={**given, "audience": audience})
        assert problem(answer) == (422, "audience-unknown"), audience


async def test_a_malformed_request_for_a_token_is_refused_without_an_echo(identity: Identity) -> None:
    answer = await identity.http.post("/oauth/token", data={"grant_type": "password", "client_secret": "hush"})

    assert problem(answer) == (422, "invalid-request")
    assert "hush" not in answer.text


# ── sessions ──


async def test_a_session_ends_by_logging_out(identity: Identity) -> None:
    session = (await identity.logs_in(AN))["session"]

    for _ in range(2):
        assert (await identity.asks("gateway", "DELETE", f"/sessions/{session}")).status_code == 204
    assert problem(await identity.token(session)) == (401, "session-ended")


async def test_a_session_ends_by_itself_and_is_kept_awake_by_use(identity: Identity) -> None:
    session = (await identity.logs_in(AN))["session"]
    await identity.db.execute("UPDATE session SET expires_at = now() + interval '1 minute'")

    assert (await identity.token(session)).status_code == 201
    assert await identity.db.fetchval("SELECT expires_at > now() + interval '29 minutes' FROM session")

    await identity.db.execute("UPDATE session SET expires_at = now()")
    assert problem(await identity.token(session)) == (401, "session-ended")


async def test_the_session_of_an_account_that_was_locked_meanwhile_has_ended(identity: Identity) -> None:
    session = (await identity.logs_in(AN))["session"]
    await identity.db.execute("UPDATE account SET state = 'locked_security'")

    assert problem(await identity.token(session)) == (401, "session-ended")


# ── officers ──


async def test_an_officer_logs_in_with_name_and_password(identity: Identity) -> None:
    answer = await identity.officer_logs_in(" Mot-Cua ")

    assert answer.status_code == 201
    assert (answer.json()["unit"], answer.json()["roles"]) == ("H99.02.01", ["desk"])
    assert await identity.audited() == [("password", "ok")]


async def test_an_unknown_name_looks_like_a_wrong_password(identity: Identity) -> None:
    wrong, unknown = await identity.officer_logs_in(password="x"), await identity.officer_logs_in("khong-co", "x")

    assert problem(wrong) == problem(unknown) == (401, "credentials-rejected")
    assert wrong.json() == unknown.json()


async def test_guesses_made_at_once_are_five_in_all(identity: Identity) -> None:
    answers = await asyncio.gather(*(identity.officer_logs_in(password=f"guess {n}") for n in range(12)))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [401] * 5 + [429] * 7
    assert {answer.headers.get("retry-after") for answer in answers if answer.status_code == 429} == {"900"}


async def test_a_locked_name_stays_closed_to_the_right_password_and_opens_by_itself(identity: Identity) -> None:
    for n in range(6):
        await identity.officer_logs_in(password=f"guess {n}")

    assert problem(await identity.officer_logs_in()) == (429, "too-many-attempts")
    assert (await identity.officer_logs_in("lanh-dao")).status_code == 201
    await identity.db.execute("UPDATE login_attempt SET at = at - interval '15 minutes'")
    assert (await identity.officer_logs_in()).status_code == 201


async def test_the_right_password_forgives_the_wrong_ones(identity: Identity) -> None:
    for _ in range(2):
        for n in range(4):
            await identity.officer_logs_in(password=f"guess {n}")
        assert (await identity.officer_logs_in()).status_code == 201


async def test_hashing_leaves_the_event_loop_free() -> None:
    stored = await passwords.hashed(PASSWORD)
    hashing = asyncio.gather(*(passwords.matches(stored, PASSWORD) for _ in range(4)))
    turns = 0
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)

    assert await hashing == [True] * 4
    assert turns > 50


async def test_seeding_again_changes_nobody(identity: Identity) -> None:
    before = await identity.db.fetch("SELECT ref, username, password_hash FROM officer ORDER BY username")

    assert await seed.seed(identity.db, OFFICERS, PASSWORD) == len(OFFICERS)

    after = await identity.db.fetch("SELECT ref, username, password_hash FROM officer ORDER BY username")
    assert before == after


async def test_seeding_with_another_password_changes_the_password_only(identity: Identity) -> None:
    before = await identity.db.fetchval("SELECT ref FROM officer WHERE username = 'mot-cua'")

    await seed.seed(identity.db, OFFICERS, "mot mat khau khac")

    assert (await identity.officer_logs_in()).status_code == 401
    answer = await identity.officer_logs_in(password="mot mat khau khac")
    assert UUID(answer.json()["account_ref"]) == before


# ── who may know what ──


async def test_somebody_sees_their_own_profile(identity: Identity) -> None:
    session = await identity.logs_in(AN)
    token = (await identity.token(session["session"], "identity")).json()["access_token"]

    me = await identity.http.get("/api/v1/accounts/me", headers={"Authorization": f"Bearer {token}"})

    assert me.json()["identity_number"] == AN
    assert me.json()["phone"] == "+84900000001"
    assert me.json()["birth_date"] == "1990-03-08"


async def test_contact_details_are_for_notification_and_every_time_is_recorded(identity: Identity) -> None:
    ref = (await identity.logs_in(AN))["account_ref"]
    path = f"/accounts/{ref}/contact"

    given = await identity.asks("notification", "GET", path, purpose="dossier_submitted")

    assert given.json() == {"name": "Nguyễn Thị An", "email": "an.nguyen@example.vn", "phone": "+84900000001"}
    rows = await identity.db.fetch("SELECT account_ref, told, purpose FROM contact_disclosure")
    assert [tuple(row) for row in rows] == [(UUID(ref), "notification", "dossier_submitted")]


@pytest.mark.parametrize("who", ["gateway", "dossier", "tracking"])
async def test_nobody_else_is_given_contact_details(identity: Identity, who: str) -> None:
    ref = (await identity.logs_in(AN))["account_ref"]

    refused = await identity.asks(who, "GET", f"/accounts/{ref}/contact", purpose="curiosity")

    assert refused.status_code == 403
    assert await identity.db.fetchval("SELECT count(*) FROM contact_disclosure") == 0


async def test_who_they_are_is_told_of_verified_accounts_to_notification_alone(identity: Identity) -> None:
    ref = (await identity.logs_in(AN))["account_ref"]
    path = f"/accounts/{ref}/identification"

    given = (await identity.asks("notification", "GET", path, purpose="national_portal")).json()

    assert (given["name"], given["number"]) == ("Nguyễn Thị An", AN)
    rows = await identity.db.fetch("SELECT told, purpose FROM contact_disclosure")
    assert [tuple(row) for row in rows] == [("notification", "national_portal")]
    for who in ("payment", "dossier", "gateway"):
        assert (await identity.asks(who, "GET", path, purpose="curiosity")).status_code == 403
    await identity.db.execute("UPDATE account SET state = 'active'")
    assert (await identity.asks("notification", "GET", path, purpose="national_portal")).status_code == 404


async def test_a_purpose_is_a_word(identity: Identity) -> None:
    ref = (await identity.logs_in(AN))["account_ref"]

    answer = await identity.asks("notification", "GET", f"/accounts/{ref}/contact", purpose="gọi cho bà An")

    assert answer.status_code == 422
    assert "bà An" not in answer.text


async def test_without_a_token_only_keys_and_tokens_are_answered(identity: Identity) -> None:
    routes = [route for part in ROUTERS for route in part.routes if isinstance(route, APIRoute)]
    assert len(routes) >= 40
    for route in routes:
        path = route.path.format_map(ANY)
        for method in route.methods or ():
            assert problem(await identity.http.request(method, path, json={})) == (401, "unauthenticated"), path
    assert (await identity.http.get("/.well-known/jwks.json")).json()["keys"][0].keys() >= {"kid", "x", "y"}


async def test_the_published_keys_hold_nothing_private(identity: Identity) -> None:
    answer: httpx2.Response = await identity.http.get("/.well-known/jwks.json")

    assert "d" not in answer.json()["keys"][0]
