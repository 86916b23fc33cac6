"""Who may know, set and keep what: walked over every route, and tried on what somebody asks to forget."""

import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from services.identity.accounts import store as accounts
from tests.identity.conftest import AN, Identity
from tests.identity.test_login import problem
from tests.test_architecture import SERVICES

# ── every route of every service ──


def routes(service: str) -> list[Any]:
    app = importlib.import_module(f"services.{service}.app").app
    return [route for route in iter_route_contexts(app.routes) if isinstance(route.original_route, APIRoute)]


def callers(dependant: Dependant) -> Iterator[str]:
    if who := getattr(dependant.call, "who_may_call", None):
        yield who
    for inner in dependant.dependencies:
        yield from callers(inner)


def for_officers(route: Any) -> bool:
    return any(who.startswith("officer") or who == "anybody with a token" for who in callers(route.dependant))


def words(schema: Any) -> Iterator[str]:
    """Every member's name of a JSON Schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for inner in schema.values():
            yield from words(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from words(inner)


def members(route: Any) -> set[str]:
    """The names in everything that the route takes and gives."""
    original: APIRoute = route.original_route
    fields = [original.body_field, original.response_field]
    found: set[str] = set()
    for field in fields:
        if field is not None:
            found |= set(words(field._type_adapter.json_schema()))
    return found


SECRETS = ("password", "mat_khau", "totp_secret", "code_mac")


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "gateway"])
def test_no_officer_reads_or_sets_a_password(service: str) -> None:
    """Nobody's: not a citizen's, not a colleague's. Whoever sets one has the owner's phone in hand."""
    found = [
        f"{route.methods} {route.path}"
        for route in routes(service)
        if for_officers(route)
        and any(secret in member for member in members(route) for secret in SECRETS)
        and members(route) & {"has_password"} != {m for m in members(route) if any(s in m for s in SECRETS)}
    ]
    assert found == []


def test_the_walk_sees_passwords_where_there_are_some() -> None:
    seen = {route.path for route in routes("identity") if any(m == "password" for m in members(route))}
    assert "/api/v1/officer-sessions" in seen
    assert "/api/v1/registrations/{challenge}/confirmation" in seen
    assert all(
        set(callers(r.dependant)) <= {"system(gateway)", "citizen"} for r in routes("identity") if r.path in seen
    )


def test_whoever_runs_the_system_opens_no_route_of_dossiers_payments_or_messages() -> None:
    named = "system_admin"
    found = [
        f"{service} {route.methods} {route.path}"
        for service in ("dossier", "payment", "tracking", "notification")
        for route in routes(service)
        if any(named in who for who in callers(route.dependant)) and "dossiers" in route.path
    ]
    assert found == []


# ── consent, export, closing ──


async def test_forms_are_filled_from_the_profile_only_with_consent(identity: Identity) -> None:
    session = await identity.logs_in(AN)

    async def autofill() -> dict[str, Any]:
        found: dict[str, Any] = (await identity.does(session, "GET", "/accounts/me/autofill")).json()
        return found

    assert await autofill() == {"consented": False, "fields": {}}
    (offered, *_) = (await identity.does(session, "GET", "/accounts/me/consents")).json()
    agreed = {"purpose": "autofill", "text_version": offered["text_version"]}
    for _ in range(2):
        assert (await identity.does(session, "POST", "/accounts/me/consents", agreed)).status_code == 204
    assert (await autofill())["fields"]["identity_number"] == AN

    (standing,) = [
        one["standing"]
        for one in (await identity.does(session, "GET", "/accounts/me/consents")).json()
        if one["standing"]
    ]
    path = f"/accounts/me/consents/{standing['id']}/withdrawal"
    assert (await identity.does(session, "POST", path)).status_code == 204
    assert await autofill() == {"consented": False, "fields": {}}
    assert problem(await identity.does(session, "POST", path)) == (404, "consent-unknown")
    kept = (await identity.does(session, "GET", "/accounts/me/export")).json()["consents"]
    assert [one["withdrawn_at"] is not None for one in kept] == [True]


async def test_somebody_agrees_to_the_words_they_saw(identity: Identity) -> None:
    session = await identity.logs_in(AN)
    answer = await identity.does(session, "POST", "/accounts/me/consents", {"purpose": "autofill", "text_version": 7})

    assert problem(answer) == (409, "text-outdated")


async def test_an_export_has_all_that_is_known_and_who_was_told(identity: Identity) -> None:
    session = await identity.logs_in(AN)
    await identity.asks("notification", "GET", f"/accounts/{session['account_ref']}/contact", purpose="result_ready")

    answer = await identity.does(session, "GET", "/accounts/me/export")

    data = answer.json()
    assert data["profile"]["identity_number"] == AN
    assert [entry["told"] for entry in data["contact_given_to"]] == ["notification"]
    assert [entry["outcome"] for entry in data["logins"]] == ["ok"]
    assert data["providers"][0]["provider"] == "vneid"
    assert "attachment" in answer.headers["content-disposition"]


async def test_a_closed_account_leaves_a_reference_and_a_tombstone(identity: Identity) -> None:
    session = await identity.logs_in(AN)
    ref = session["account_ref"]

    assert (await identity.does(session, "POST", "/accounts/me/closure")).status_code == 204

    rows = await identity.db.fetch("SELECT type, payload FROM outbox ORDER BY id")
    assert [row["type"].split(".")[-2] if "." in row["type"] else row["type"] for row in rows] == [
        "AccountStandardised", "AccountClosed", "tombstone",
    ]  # fmt: skip
    assert rows[-1]["payload"] is None
    assert problem(await identity.token(session["session"])) == (401, "session-ended")
    account = await accounts.find(identity.db, session["account_ref"])  # type: ignore[arg-type]
    assert account
    assert json.dumps(str(account.person)).count("None") == 7
    assert (await identity.asks("notification", "GET", f"/accounts/{ref}/contact", purpose="x")).status_code == 404
    again = await identity.logs_in(AN)
    assert again["account_ref"] != ref, "whoever comes back is somebody new"


async def test_the_archive_forgets_what_was_said_once_it_was_said(identity: Identity) -> None:
    session = await identity.logs_in(AN)
    await identity.does(session, "POST", "/accounts/me/closure")
    ref = session["account_ref"]

    assert await accounts.erase_archive(identity.db, ref) == 3  # type: ignore[arg-type]
    await identity.db.execute("UPDATE outbox SET published_at = now()")
    assert await accounts.erase_archive(identity.db, ref) == 0  # type: ignore[arg-type]

    (left,) = await identity.db.fetch("SELECT payload FROM outbox")
    assert left["payload"] is None


async def test_an_old_login_closes_no_account(identity: Identity) -> None:
    session = await identity.logs_in(AN)
    await identity.db.execute("UPDATE session SET auth_time = auth_time - interval '11 minutes'")

    assert problem(await identity.does(session, "POST", "/accounts/me/closure")) == (401, "fresh-proof-needed")
