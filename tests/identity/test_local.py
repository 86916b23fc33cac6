"""Local accounts: registered by a code to the phone, never by somebody else's hand."""

import asyncio
import itertools
from typing import Any

import httpx2
import pytest

from services.identity import clients, passwords, settings
from services.identity.logins.domain import Policy
from services.identity.otp import codes
from tests.identity.conftest import AN, PASSWORD, Identity
from tests.identity.test_login import problem

_numbers = itertools.count(10)


@pytest.fixture
def phone() -> str:
    """A phone that no other test reads."""
    return f"+849000005{next(_numbers)}"


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def asks_for(identity: Identity, path: str, **wish: Any) -> httpx2.Response:
    return await identity.asks("gateway", "POST", path, wish)


async def confirms(identity: Identity, path: str, challenge: str, code: str, **given: Any) -> httpx2.Response:
    return await identity.asks("gateway", "POST", f"{path}/{challenge}", {"code": code, **given})


async def test_a_code_from_the_phone_makes_an_account_with_its_owners_own_password(
    identity: Identity, phone: str
) -> None:
    session = await identity.registers(phone)

    me = (await identity.does(session, "GET", "/accounts/me")).json()
    assert (me["state"], me["phone"], me["has_password"]) == ("active", phone, True)
    assert me["standardisation"] == {
        "complete": False,
        "verified": False,
        "missing": ["identity_number", "issued_on"],
        "doubts": [],
    }
    assert await identity.said() == []
    assert PASSWORD not in str(await identity.db.fetch("SELECT * FROM credential"))


async def test_nothing_exists_before_the_code_comes_back_and_no_code_is_stored(identity: Identity, phone: str) -> None:
    sent = await asks_for(identity, "/registrations", full_name="Nguyễn Thị An", phone=phone)
    challenge, code = await identity.code_of(sent, phone)

    assert await identity.db.fetchval("SELECT count(*) FROM account") == 0
    (row,) = await identity.db.fetch("SELECT * FROM otp_challenge")
    assert code not in str(dict(row) | {"facts": {}})
    assert challenge not in str(row)
    assert "OTP" in (await identity.texts(phone))[0]
    assert phone not in str(await identity.db.fetch("SELECT payload FROM outbox"))


async def test_a_code_is_good_once(identity: Identity, phone: str) -> None:
    sent = await asks_for(identity, "/registrations", full_name="Nguyễn Thị An", phone=phone)
    challenge, code = await identity.code_of(sent, phone)
    given = (f"{challenge}/confirmation", code)

    answers = await asyncio.gather(*(confirms(identity, "/registrations", *given, password=PASSWORD) for _ in range(2)))

    assert sorted(answer.status_code for answer in answers) == [201, 410]
    assert problem(await confirms(identity, "/registrations", *given, password=PASSWORD)) == (410, "code-expired")
    assert await identity.db.fetchval("SELECT count(*) FROM account") == 1


async def test_a_code_may_be_tried_five_times(identity: Identity, phone: str) -> None:
    sent = await asks_for(identity, "/registrations", full_name="Nguyễn Thị An", phone=phone)
    challenge, code = await identity.code_of(sent, phone)
    path = f"{challenge}/confirmation"

    answers = [await confirms(identity, "/registrations", path, wrong(code), password=PASSWORD) for _ in range(5)]

    assert [answer.json()["tries_left"] for answer in answers] == [4, 3, 2, 1, 0]
    assert problem(await confirms(identity, "/registrations", path, code, password=PASSWORD)) == (410, "code-expired")


async def test_tries_made_at_once_are_five_in_all(identity: Identity, phone: str) -> None:
    sent = await asks_for(identity, "/registrations", full_name="Nguyễn Thị An", phone=phone)
    challenge, code = await identity.code_of(sent, phone)
    guesses = (
        confirms(identity, "/registrations", f"{challenge}/confirmation", wrong(code), password=PASSWORD)
        for _ in range(12)
    )

    answers = await asyncio.gather(*guesses)

    assert sorted(answer.status_code for answer in answers) == [410] * 7 + [422] * 5


async def test_an_old_code_is_no_code(identity: Identity, phone: str) -> None:
    sent = await asks_for(identity, "/registrations", full_name="Nguyễn Thị An", phone=phone)
    challenge, code = await identity.code_of(sent, phone)
    assert sent.json()["expires_in"] <= 300
    await identity.db.execute("UPDATE otp_challenge SET expires_at = now()")

    answer = await confirms(identity, "/registrations", f"{challenge}/confirmation", code, password=PASSWORD)

    assert problem(answer) == (410, "code-expired")


async def test_a_code_for_one_thing_is_worth_nothing_for_another(identity: Identity, phone: str) -> None:
    await identity.registers(phone)
    challenge, code = await identity.code_of(await identity.local_login(phone), phone)

    elsewhere = await confirms(identity, "/recoveries", f"{challenge}/confirmation", code, password=PASSWORD)

    assert problem(elsewhere) == (410, "code-expired")
    assert (await confirms(identity, "/local-logins", f"{challenge}/completion", code)).status_code == 201


async def test_a_weak_password_is_refused_and_the_code_is_not_used_up(identity: Identity, phone: str) -> None:
    sent = await asks_for(identity, "/registrations", full_name="Nguyễn Thị An", phone=phone)
    challenge, code = await identity.code_of(sent, phone)
    path = f"{challenge}/confirmation"

    assert problem(await confirms(identity, "/registrations", path, code, password="0" + phone[3:])) == (
        422,
        "password-too-weak",
    )
    assert (await confirms(identity, "/registrations", path, code, password=PASSWORD)).status_code == 201


async def test_a_phone_that_has_an_account_is_told_so_and_nobody_else_is(identity: Identity, phone: str) -> None:
    await identity.registers(phone)

    again = await asks_for(identity, "/registrations", full_name="Lê Thị Cúc", phone=phone)

    assert again.status_code == 202
    assert again.json().keys() == {"challenge", "expires_in"}
    assert "da co tai khoan" in (await identity.texts(phone))[0]
    answer = await confirms(
        identity, "/registrations", f"{again.json()['challenge']}/confirmation", "000000", password=PASSWORD
    )
    assert problem(answer) == (422, "code-wrong")


async def test_codes_to_one_phone_are_limited_whoever_asks(identity: Identity, phone: str) -> None:
    asked = [asks_for(identity, "/registrations", full_name="Nguyễn Thị An", phone=phone) for _ in range(8)]

    answers = await asyncio.gather(*asked)

    assert sorted(answer.status_code for answer in answers) == [202] * 5 + [429] * 3
    assert len(await identity.texts(phone)) == 5


async def test_a_login_takes_the_password_and_a_code(identity: Identity, phone: str) -> None:
    await identity.registers(phone)

    challenge, code = await identity.code_of(await identity.local_login(f"0{phone[3:]}"), phone)
    answer = await confirms(identity, "/local-logins", f"{challenge}/completion", code)

    assert answer.status_code == 201
    assert (await identity.does(answer.json(), "GET", "/accounts/me")).json()["phone"] == phone


async def test_an_unknown_number_looks_like_a_wrong_password(identity: Identity, phone: str) -> None:
    await identity.registers(phone)

    answers = [
        await identity.local_login(phone, "x" * 12),
        await identity.local_login("0900000599"),
        await identity.local_login("?"),
    ]

    assert {problem(answer) for answer in answers} == {(401, "credentials-rejected")}
    assert len({answer.text for answer in answers}) == 1


async def test_a_forgotten_password_is_replaced_by_a_code_and_every_session_ends(
    identity: Identity, phone: str
) -> None:
    session = await identity.registers(phone)
    sent = await asks_for(identity, "/recoveries", phone=phone)
    challenge, code = await identity.code_of(sent, phone)

    answer = await confirms(identity, "/recoveries", f"{challenge}/confirmation", code, password="một mật khẩu mới")

    assert answer.status_code == 204
    assert problem(await identity.token(session["session"])) == (401, "session-ended")
    assert problem(await identity.local_login(phone)) == (401, "credentials-rejected")
    assert (await identity.local_login(phone, "một mật khẩu mới")).status_code == 202


async def test_nobody_learns_from_a_recovery_whether_a_number_has_an_account(identity: Identity, phone: str) -> None:
    await identity.registers(phone)
    stranger = f"+849000006{phone[-2:]}"

    known, unknown = [await asks_for(identity, "/recoveries", phone=number) for number in (phone, stranger)]

    assert known.status_code == unknown.status_code == 202
    assert known.json().keys() == unknown.json().keys()
    assert len(known.text) == len(unknown.text)
    assert await identity.texts(stranger) == []
    for sent in (known, unknown):
        path = f"{sent.json()['challenge']}/confirmation"
        answer = await confirms(identity, "/recoveries", path, "000000", password=PASSWORD)
        assert problem(answer) == (422, "code-wrong")
        assert answer.json()["tries_left"] == 4


async def test_a_contact_is_changed_by_a_code_to_the_new_one_after_a_fresh_login(
    identity: Identity, phone: str
) -> None:
    session, other = await identity.registers(phone), f"+849000007{phone[-2:]}"

    sent = await identity.does(session, "POST", "/accounts/me/contact-changes", {"phone": other})
    challenge, code = await identity.code_of(sent, other)
    path = f"/accounts/me/contact-changes/{challenge}/confirmation"
    assert (await identity.does(session, "POST", path, {"code": code})).status_code == 204

    assert (await identity.does(session, "GET", "/accounts/me")).json()["phone"] == other
    assert (await identity.local_login(other)).status_code == 202
    assert problem(await identity.local_login(phone)) == (401, "credentials-rejected")


async def test_an_old_login_changes_no_contact(identity: Identity, phone: str) -> None:
    session = await identity.registers(phone)
    await identity.db.execute("UPDATE session SET auth_time = auth_time - interval '11 minutes'")

    answer = await identity.does(session, "POST", "/accounts/me/contact-changes", {"phone": "0900000777"})

    assert problem(answer) == (401, "fresh-proof-needed")
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_user_authentication", max_age=600'


async def test_nobody_uses_a_code_that_somebody_else_asked_for(identity: Identity, phone: str) -> None:
    mine, other = await identity.registers(phone), f"+849000007{phone[-2:]}"
    yours = await identity.registers(f"+849000008{phone[-2:]}")
    sent = await identity.does(mine, "POST", "/accounts/me/contact-changes", {"phone": other})
    challenge, code = await identity.code_of(sent, other)

    path = f"/accounts/me/contact-changes/{challenge}/confirmation"

    assert problem(await identity.does(yours, "POST", path, {"code": code})) == (410, "code-expired")


async def test_a_number_that_somebody_proved_is_not_declared_by_others(identity: Identity, phone: str) -> None:
    await identity.logs_in(AN)
    sent = await asks_for(identity, "/registrations", full_name="Nguyễn Thị An", phone=phone, identity_number=AN)
    challenge, code = await identity.code_of(sent, phone)

    answer = await confirms(identity, "/registrations", f"{challenge}/confirmation", code, password=PASSWORD)

    assert problem(answer) == (409, "identity-number-taken")
    assert await identity.db.fetchval("SELECT count(*) FROM account") == 1


async def test_a_business_registers_with_its_tax_code(identity: Identity, phone: str) -> None:
    wish = {"subject": "business", "full_name": "Hoàng Thị Giang", "phone": phone}
    assert problem(await asks_for(identity, "/registrations", **wish)) == (422, "organisation-incomplete")
    firm = {"organisation_name": "Công ty TNHH Mây Tre An Bình", "tax_code": "9900000009"}

    sent = await asks_for(identity, "/registrations", **wish, **firm)
    challenge, code = await identity.code_of(sent, phone)
    made = await confirms(identity, "/registrations", f"{challenge}/confirmation", code, password=PASSWORD)

    assert made.json()["display_name"] == "Công ty TNHH Mây Tre An Bình"


async def test_a_local_login_is_off_where_the_tenant_says_so(
    identity: Identity, phone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "_policy", lambda tenant: Policy())
    for path in ("/registrations", "/local-logins", "/recoveries"):
        wish = {"full_name": "An", "phone": phone, "password": PASSWORD}
        wanted = {"/registrations": ("full_name", "phone"), "/local-logins": ("phone", "password")}.get(
            path, ("phone",)
        )
        answer = await asks_for(identity, path, **{name: wish[name] for name in wanted})
        assert problem(answer) == (403, "login-method-off"), path
    methods = (await identity.asks("gateway", "GET", "/login-methods")).json()
    assert methods == {"citizens": ["vneid"]}


async def test_notification_away_keeps_nobody_waiting(
    identity: Identity, phone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "PATIENCE", (0,))
    away = httpx2.AsyncClient(base_url="http://127.0.0.1:9")
    monkeypatch.setattr(clients.notification, "_http", away)

    assert (await asks_for(identity, "/recoveries", phone=phone)).status_code == 202
    assert (await asks_for(identity, "/registrations", full_name="An Lê", phone=phone)).status_code == 202
    await away.aclose()


def test_an_officer_is_nobody_who_hashes_other_peoples_passwords() -> None:
    assert passwords._hasher.type.name == "ID"
