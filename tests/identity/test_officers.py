"""Officers: provisioned with rights and without a password, proven twice, and never beyond what they are."""

import time
from typing import Any

import httpx2
import pyotp
import pytest

from services.identity import settings
from services.identity.logins.domain import Policy
from services.identity.officers import factors
from services.identity.officers.domain import FactorWrong
from tests.identity.authenticator import SecurityKey
from tests.identity.conftest import PORTAL, Identity
from tests.identity.test_login import problem

NEW = {"username": "Can-Bo-Moi", "display_name": "Đinh Thị Hoa", "unit": "H99.02.01", "roles": ["desk"]}
PHONE = "0900000561"


async def admin(identity: Identity) -> dict[str, Any]:
    session: dict[str, Any] = (await identity.officer_logs_in("quan-tri")).json()
    return session


async def enrol_totp(identity: Identity, session: dict[str, Any]) -> pyotp.TOTP:
    made = (await identity.does(session, "POST", "/officers/me/totp")).json()
    authenticator = pyotp.TOTP(made["secret"])
    first = {"code": authenticator.at(time.time() - 30), "enrolment": made["enrolment"]}
    assert (await identity.does(session, "POST", "/officers/me/totp/confirmation", first)).status_code == 204
    return authenticator


async def gives(identity: Identity, login: str, code: str) -> httpx2.Response:
    return await identity.asks("gateway", "POST", f"/officer-logins/{login}/totp", {"code": code})


# ── provisioning ──


async def test_an_administrator_provisions_an_officer_who_chooses_a_password_by_a_code(identity: Identity) -> None:
    chief = await admin(identity)
    made = await identity.does(chief, "POST", "/officers", {**NEW, "phone": PHONE})
    assert (made.status_code, made.json()["username"], made.json()["has_password"]) == (201, "can-bo-moi", False)
    assert problem(await identity.officer_logs_in("can-bo-moi", "")) == (422, "invalid-request")
    assert problem(await identity.officer_logs_in("can-bo-moi", "bất kỳ")) == (401, "credentials-rejected")

    sent = await identity.asks("gateway", "POST", "/officer-recoveries", {"username": "can-bo-moi"})
    challenge, code = await identity.code_of(sent, PHONE)
    given = {"code": code, "password": "mật khẩu của tôi"}
    answer = await identity.asks("gateway", "POST", f"/officer-recoveries/{challenge}/confirmation", given)

    assert answer.status_code == 204
    assert (await identity.officer_logs_in("can-bo-moi", "mật khẩu của tôi")).status_code == 201
    nobody = await identity.asks("gateway", "POST", "/officer-recoveries", {"username": "khong-co"})
    assert nobody.json().keys() == sent.json().keys()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"roles": ["god"]}, (422, "role-unknown")),
        ({"roles": ["system_admin", "desk"]}, (422, "roles-together")),
        ({"unit": "H99.77"}, (422, "unit-unknown")),
        ({"username": "mot-cua"}, (409, "username-taken")),
        ({"username": "Đinh Hoa"}, (422, "username-malformed")),
        ({"password": "đặt thay"}, (422, "invalid-request")),
    ],
)
async def test_what_no_officer_can_be_is_refused(identity: Identity, changed: dict[str, Any], expected: Any) -> None:
    assert problem(await identity.does(await admin(identity), "POST", "/officers", {**NEW, **changed})) == expected


async def test_a_right_that_is_taken_away_is_gone_with_the_next_token_and_remembered(identity: Identity) -> None:
    chief, clerk = await admin(identity), (await identity.officer_logs_in()).json()
    rights = {"display_name": "Hoàng Thu Hà", "unit": "H99.01", "roles": ["inspector"]}

    assert (await identity.does(chief, "PUT", f"/officers/{clerk['account_ref']}", rights)).status_code == 200

    me = (await identity.does(clerk, "GET", "/officers/me")).json()
    assert (me["unit"], me["roles"]) == ("H99.01", ["inspector"])
    history = (await identity.does(chief, "GET", f"/officers/{clerk['account_ref']}/history")).json()
    assert [(h["unit"], h["roles"], h["changed_by"]) for h in history] == [
        ("H99.02.01", ["desk"], None),
        ("H99.01", ["inspector"], chief["account_ref"]),
    ]


async def test_an_officer_who_leaves_is_out_everywhere(identity: Identity) -> None:
    chief, clerk = await admin(identity), (await identity.officer_logs_in()).json()

    assert (await identity.does(chief, "DELETE", f"/officers/{clerk['account_ref']}")).status_code == 204

    assert problem(await identity.token(clerk["session"])) == (401, "session-ended")
    assert problem(await identity.officer_logs_in()) == (401, "credentials-rejected")
    logins = (await identity.does(chief, "GET", f"/officers/{clerk['account_ref']}/logins")).json()
    assert [entry["outcome"] for entry in logins] == ["deactivated", "ok"]


async def test_nobody_changes_their_own_rights_and_only_administrators_those_of_others(identity: Identity) -> None:
    chief, clerk = await admin(identity), (await identity.officer_logs_in()).json()
    rights = {"display_name": "Tôi", "unit": "H99.01", "roles": ["leader"]}

    assert problem(await identity.does(chief, "PUT", f"/officers/{chief['account_ref']}", rights)) == (
        403,
        "own-account",
    )
    for method, path in (("GET", "/officers"), ("POST", "/officers"), ("DELETE", f"/officers/{chief['account_ref']}")):
        assert (await identity.does(clerk, method, path, NEW if method == "POST" else None)).status_code == 403


async def test_a_closed_unit_stays_in_the_history_with_who_took_over(identity: Identity) -> None:
    chief = await admin(identity)
    opened = {"id": "h99.02.09", "name": "UBND xã Cũ", "level": "commune", "parent": "H99", "valid_from": "2025-07-01"}
    assert (await identity.does(chief, "POST", "/units", opened)).status_code == 201
    assert problem(await identity.does(chief, "POST", "/units", opened)) == (409, "unit-open")
    busy = await identity.does(chief, "POST", "/units/H99.02.01/closure", {"last_day": "2026-06-30"})
    assert problem(busy) == (409, "unit-has-officers")

    closure = {"last_day": "2026-06-30", "successor": "H99.02.01"}
    assert (await identity.does(chief, "POST", "/units/H99.02.09/closure", closure)).status_code == 200

    async def open_on(day: str) -> set[str]:
        return {unit["id"] for unit in (await identity.does(chief, "GET", f"/units?on={day}")).json()}

    assert "H99.02.09" in await open_on("2026-06-30")
    assert "H99.02.09" not in await open_on("2026-07-01")
    (history,) = (await identity.does(chief, "GET", "/units/H99.02.09/history")).json()
    assert history["successor"] == "H99.02.01"


# ── the second factor ──


async def test_the_authenticators_code_is_asked_for_and_good_once(identity: Identity) -> None:
    authenticator = await enrol_totp(identity, (await identity.officer_logs_in()).json())
    asked = [(await identity.officer_logs_in()).json()["login"] for _ in range(2)]
    code = authenticator.now()

    answer = await gives(identity, asked[0], code)

    assert answer.status_code == 201
    assert (await identity.does(answer.json(), "GET", "/officers/me")).json()["second_factors"] == ["totp"]
    assert problem(await gives(identity, asked[1], code)) == (401, "factor-wrong"), "the same code once more"
    assert problem(await gives(identity, asked[0], authenticator.at(time.time() + 30))) == (410, "factor-expired")


async def test_a_second_factor_may_be_tried_five_times(identity: Identity) -> None:
    authenticator = await enrol_totp(identity, (await identity.officer_logs_in()).json())
    login = (await identity.officer_logs_in()).json()["login"]
    wrong = f"{(int(authenticator.now()) + 1) % 1_000_000:06d}"
    answers = [problem(await gives(identity, login, wrong)) for _ in range(6)]

    assert answers == [(401, "factor-wrong")] * 5 + [(410, "factor-expired")]
    assert [entry for entry in await identity.audited() if entry[0] == "factor"] == [("factor", "FactorWrong")] * 5


async def test_a_security_key_is_a_second_factor(identity: Identity) -> None:
    session, key = (await identity.officer_logs_in()).json(), SecurityKey(PORTAL)
    begun = (await identity.does(session, "POST", "/officers/me/passkeys")).json()
    made = {"enrolment": begun["enrolment"], "credential": key.create(begun["options"]), "name": "Khóa USB"}
    assert (await identity.does(session, "POST", "/officers/me/passkeys/confirmation", made)).status_code == 204
    asked = (await identity.officer_logs_in()).json()
    assert asked["methods"] == ["passkey"]
    path = f"/officer-logins/{asked['login']}/passkey"

    stranger = SecurityKey(PORTAL, id=key.id)
    other_site = SecurityKey("https://evil.example", id=key.id)
    for wrong in (stranger.get(asked["passkey"]), other_site.get(asked["passkey"]), {"id": "x"}, {}):
        refused = await identity.asks("gateway", "POST", path, {"credential": wrong})
        assert problem(refused) == (401, "factor-wrong")
    right = key.get(asked["passkey"])
    answer = await identity.asks("gateway", "POST", path, {"credential": right})

    assert answer.status_code == 201
    again = (await identity.officer_logs_in()).json()
    replayed = await identity.asks(
        "gateway", "POST", f"/officer-logins/{again['login']}/passkey", {"credential": right}
    )
    assert problem(replayed) == (401, "factor-wrong")


async def test_where_the_policy_wants_it_nobody_works_without_a_second_factor(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "_policy", lambda tenant: Policy())
    session = (await identity.officer_logs_in()).json()

    assert problem(await identity.token(session["session"], "dossier")) == (403, "second-factor-needed")
    authenticator = await enrol_totp(identity, session)
    asked = (await identity.officer_logs_in()).json()
    strong = (await gives(identity, asked["login"], authenticator.now())).json()

    assert (await identity.token(strong["session"], "dossier")).status_code == 201


async def test_the_database_alone_makes_no_code(identity: Identity) -> None:
    clerk, leader = (await identity.officer_logs_in()).json(), (await identity.officer_logs_in("lanh-dao")).json()
    authenticator = await enrol_totp(identity, clerk)
    stored: bytes = await identity.db.fetchval("SELECT totp_secret FROM officer WHERE username = 'mot-cua'")

    assert authenticator.secret.encode() not in stored
    assert factors.opened(stored, clerk["account_ref"]) == authenticator.secret
    with pytest.raises(FactorWrong):
        factors.opened(stored, leader["account_ref"])


async def test_an_old_login_sets_up_no_factor(identity: Identity) -> None:
    session = (await identity.officer_logs_in()).json()
    await identity.db.execute("UPDATE session SET auth_time = auth_time - interval '11 minutes'")

    for path in ("/officers/me/totp", "/officers/me/passkeys"):
        assert problem(await identity.does(session, "POST", path)) == (401, "fresh-proof-needed")
