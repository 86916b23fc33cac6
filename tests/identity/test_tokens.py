"""Keys change without a gap, sessions end everywhere within a minute, and a login may be asked for again."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Response

from kit import auth
from kit.problems import Unauthenticated
from kit.settings import load
from services.identity import tokens
from services.identity.app import app
from services.identity.providers.oidc import Provider
from services.identity.settings import IdentitySettings
from tests.identity.conftest import AN, ISSUER, Identity
from tests.identity.test_login import problem
from tests.notification.outside import serving


def knowing(published: dict[str, Any]) -> auth.Verifier:
    keys = auth.Keys(ISSUER)
    keys.use(published)
    return auth.Verifier("dossier", keys)


def rotate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "LOOK_AGAIN", 0.0)
    tokens.rotate(load(IdentitySettings).token_key)


async def test_a_rotation_refuses_nobody(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    session = (await identity.logs_in())["session"]
    rotate(monkeypatch)
    service, before = knowing(tokens.published()), await identity.token(session)
    app.state.verifier.keys.use(tokens.published())

    rotate(monkeypatch)

    after = await identity.token(session)
    for answer in (before, after):
        assert await service.verify(answer.json()["access_token"])
    assert len(tokens.published()["keys"]) == 3


async def test_a_key_is_retired_when_it_neither_signs_nor_just_did(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = (await identity.token((await identity.logs_in())["session"])).json()["access_token"]

    for _ in range(3):
        rotate(monkeypatch)

    with pytest.raises(Unauthenticated):
        await knowing(tokens.published()).verify(old)


def test_a_rotated_file_is_whole_and_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(tokens.new_key()))

    names = tokens.rotate(path)

    assert path.stat().st_mode & 0o077 == 0
    assert [key["kid"] for key in json.loads(path.read_text())["keys"]] == names
    assert list(tmp_path.iterdir()) == [path]


async def test_sessions_are_seen_and_ended_by_their_owner(identity: Identity) -> None:
    here, there = await identity.logs_in(), await identity.logs_in()
    listed = (await identity.does(here, "GET", "/my/sessions")).json()
    assert [one["method"] for one in listed] == ["vneid", "vneid"]
    assert there["session"] not in str(listed)

    stranger = await identity.officer_logs_in()
    assert (await identity.does(stranger.json(), "DELETE", f"/my/sessions/{listed[0]['id']}")).status_code == 404
    assert (await identity.does(here, "DELETE", f"/my/sessions/{listed[0]['id']}")).status_code == 204
    assert problem(await identity.token(there["session"])) == (401, "session-ended")
    assert (await identity.does(here, "DELETE", "/my/sessions")).status_code == 204
    assert problem(await identity.token(here["session"])) == (401, "session-ended")


# ── a second login at the provider ──


async def test_a_second_login_asks_for_the_person_again(identity: Identity) -> None:
    wish = {"callback_url": "http://127.0.0.1:8080/dang-nhap/vneid"}
    async with httpx2.AsyncClient() as browser:
        first = (await identity.asks("gateway", "POST", "/logins", wish)).json()
        await browser.post(first["authorization_url"], data={"identity_number": AN})
        plain = (await identity.asks("gateway", "POST", "/logins", wish)).json()["authorization_url"]
        fresh = (await identity.asks("gateway", "POST", "/logins", {**wish, "fresh": True})).json()["authorization_url"]

        assert "prompt=login" not in plain
        assert "prompt=login" in fresh
        assert "max_age=0" in fresh
        assert "đăng nhập lần thứ hai" in (await browser.get(fresh)).text


async def test_a_provider_that_signs_with_a_new_key_is_asked_for_it(identity: Identity) -> None:
    await identity.logs_in()
    (known,) = Provider._known.values()
    known.keys.keys[0]._dict_value["kid"] = "an older one"  # as if it had been read before the provider changed its key

    assert (await identity.logs_in())["account_ref"]


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}"])
async def test_a_provider_that_answers_nonsense_is_away(
    identity: Identity, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    app = FastAPI()

    @app.get("/{path:path}")
    async def nonsense(path: str) -> Response:
        return Response(answer, media_type="application/json")

    async with serving(app) as address:
        monkeypatch.setattr("kit.settings._loaded", {})
        monkeypatch.setenv("MOTCUA_VNEID_ISSUER", address)
        wish = {"callback_url": "http://127.0.0.1:8080/dang-nhap/vneid"}
        refused = await identity.asks("gateway", "POST", "/logins", wish)

    assert problem(refused) in {(503, "provider-away"), (400, "provider-answer-refused")}
