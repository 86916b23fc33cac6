"""The rules of identity, as sentences."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.identity import AccountEvent, AccountLocked, AccountStandardised, LockReason, VerificationSource
from services.identity.accounts import domain
from services.identity.accounts.domain import Account, Organisation, Person, Proof, State, Subject
from services.identity.logins import domain as logins
from services.identity.officers import domain as officers
from services.identity.otp import domain as otp
from services.identity.otp.domain import Purpose
from services.identity.sessions import domain as sessions
from services.identity.sessions.domain import Kind

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
REF, OTHER = UUID("01900000-0000-7000-8000-000000000001"), UUID("01900000-0000-7000-8000-000000000002")
KEY = b"a key of this test"
MOVES = domain.TRANSITIONS["Account"]
VNEID = VerificationSource.VNEID


def proof(**changed: Any) -> Proof:
    said = {"name": "Nguyễn Thị An", "number": "000190000001", "phone": "0900000001", "email": "an@EXAMPLE.vn"}
    return domain.proven(source=VNEID, level=2, issued_on=date(2024, 7, 15), **{**said, **changed})


AN = proof()


def log_in(before: Account, who: Proof = AN, at: datetime = NOW) -> tuple[Account, list[AccountEvent]]:
    account, *events = domain.link_eid(before, who, KEY, at)
    return account, events


def local(ref: UUID = REF, **declared: Any) -> Account:
    said = {"full_name": "Nguyễn Thị An", "identity_number": "000190000001", "phone": "+84900000001"}
    return domain.register(ref, Subject.CITIZEN, Person(**{**said, **declared}), None)


# ── becoming verified ─────────────────────────────────────────────────────────────────────────────


def test_the_first_login_standardises_the_account_and_says_so_without_the_name_or_the_number() -> None:
    account, (event,) = log_in(domain.account(REF))

    assert (account.state, account.version) == (State.EID_LINKED, 1)
    assert account.verification_source == VNEID
    assert isinstance(event, AccountStandardised)
    assert (event.version, event.masked_name, event.occurred_at) == (1, "N***** T** A*", NOW)
    assert "An" not in event.model_dump_json()
    assert "000190000001" not in event.model_dump_json()


def test_the_next_login_says_nothing_new_but_follows_the_providers_contact_data() -> None:
    first, _ = log_in(domain.account(REF))

    again, events = log_in(first, proof(phone="0911111111"), NOW + timedelta(days=1))

    assert events == []
    assert (again.version, again.person.phone, again.standardised_at) == (1, "+84911111111", NOW)


def test_a_contact_that_its_owner_confirmed_is_not_replaced_by_the_providers() -> None:
    first, _ = log_in(domain.account(REF))
    moved = domain.change_contact(first, email="moi@example.vn")

    again, _ = log_in(moved, proof(phone="0911111111"))

    assert (again.person.email, again.person.phone) == ("moi@example.vn", "+84900000001")


def test_a_changed_name_is_told_again() -> None:
    first, _ = log_in(domain.account(REF))

    again, (event,) = log_in(first, proof(name="Nguyễn Thị Bình An"))

    assert (again.version, event.version) == (2, 2)
    assert isinstance(event, AccountStandardised)
    assert event.masked_name == "N***** T** B*** A*"


def test_a_local_account_becomes_level_two_when_its_owner_comes_by_vneid() -> None:
    account, events = log_in(local())

    assert account.state == State.EID_LINKED
    assert len(events) == 1


@pytest.mark.parametrize("state", sorted(domain.LOGIN_CLOSED))
def test_a_locked_account_does_not_log_in_and_is_told_why(state: State) -> None:
    locked = dataclasses.replace(domain.account(REF), state=state)

    with pytest.raises(domain.AccountIsLocked) as refused:
        domain.link_eid(locked, AN, KEY, NOW)

    assert refused.value.detail == domain.AccountIsLocked.WHY[state]


def test_another_number_behind_the_same_login_is_a_contradiction() -> None:
    first, _ = log_in(domain.account(REF))

    with pytest.raises(domain.IdentityContradicted):
        domain.link_eid(first, proof(number="000190000009"), KEY, NOW)


def test_level_one_proves_nobody() -> None:
    with pytest.raises(domain.IdentityLevelTooLow):
        domain.proven(source=VNEID, name="Phạm Văn Dũng", number="000058000004", level=1)


def test_an_unusable_phone_of_the_provider_turns_nobody_away() -> None:
    assert proof(phone="không có", email="không có").person.phone is None


def test_no_move_leads_out_of_a_closed_or_locked_account() -> None:
    assert not {before for before, _ in MOVES} & domain.LOGIN_CLOSED


def test_every_state_but_the_first_can_be_reached() -> None:
    assert {after for _, after in MOVES} == set(State) - {State.PENDING_OTP}


# ── the four fields ───────────────────────────────────────────────────────────────────────────────


@given(st.sets(st.sampled_from(domain.FOUR_FIELDS)))
def test_the_notice_stays_until_all_four_fields_are_there_and_proven(gone: set[str]) -> None:
    full, _ = log_in(domain.account(REF))
    holed = dataclasses.replace(full, person=dataclasses.replace(full.person, **dict.fromkeys(gone)))

    assert set(domain.missing(holed.person)) == gone
    assert domain.is_standardised(holed) == (not gone)


def test_complete_but_unproven_is_not_standardised() -> None:
    declared = domain.declare(local(), dataclasses.replace(AN.person), NOW.date())

    assert domain.missing(declared.person) == ()
    assert not domain.is_standardised(declared)


def test_the_desk_standardises_what_the_card_says_too() -> None:
    declared = domain.declare(local(), AN.person, NOW.date())
    card = Proof(dataclasses.replace(AN.person, full_name="NGUYỄN THỊ AN"), VerificationSource.DESK)

    account, *events = domain.verify_at_desk(declared, card, KEY, NOW)

    assert (account.state, account.verification_source) == (State.STANDARDISED, VerificationSource.DESK)
    assert isinstance(events[0], AccountStandardised)


@pytest.mark.parametrize(
    ("field", "value"),
    [("full_name", "Lê Thị Cúc"), ("issued_on", date(2020, 1, 1)), ("phone", "+84900000009"), ("issued_on", None)],
)
def test_the_desk_is_told_which_field_differs_and_not_how(field: str, value: Any) -> None:
    declared = domain.declare(local(), AN.person, NOW.date())
    card = Proof(dataclasses.replace(AN.person, **{field: value}), VerificationSource.DESK)

    with pytest.raises(domain.IdentityContradicted) as refused:
        domain.verify_at_desk(declared, card, KEY, NOW)

    assert refused.value.extra == {"fields": [field]}


def test_what_was_proven_is_not_declared_otherwise_but_a_missing_date_of_issue_is_added() -> None:
    verified, _ = log_in(domain.account(REF), Proof(dataclasses.replace(AN.person, issued_on=None), VNEID))

    completed = domain.declare(verified, AN.person, NOW.date())

    assert domain.is_standardised(completed)
    for other in (AN.person, dataclasses.replace(AN.person, identity_number="000190000009")):
        with pytest.raises(domain.AlreadyVerified):
            domain.declare(completed, other, NOW.date())


@pytest.mark.parametrize("day", [date(2026, 11, 24), date(1900, 1, 1)])
def test_a_card_is_not_issued_in_the_future_nor_before_there_were_any(day: date) -> None:
    with pytest.raises(domain.DateOfIssueImpossible):
        domain.declare(local(), dataclasses.replace(AN.person, issued_on=day), NOW.date())


# ── one account each ──────────────────────────────────────────────────────────────────────────────


def test_a_duplicate_is_locked_and_what_was_filed_there_moves() -> None:
    verified, _ = log_in(domain.account(OTHER))

    locked, event = domain.supersede(local(), verified, NOW)

    assert (locked.state, locked.superseded_by) == (State.LOCKED_DUPLICATE, OTHER)
    assert event == AccountLocked(
        version=1, occurred_at=NOW, account_ref=REF, reason=LockReason.DUPLICATE, superseded_by=OTHER
    )


def test_a_contradictory_account_is_locked_and_nothing_moves() -> None:
    verified, _ = log_in(domain.account(OTHER))

    locked, event = domain.supersede(local(full_name="Lê Thị Cúc"), verified, NOW)

    assert (locked.state, event.reason, event.superseded_by) == (State.LOCKED_DUPLICATE, LockReason.CONTRADICTORY, None)
    with pytest.raises(domain.AccountIsLocked) as refused:
        domain.may_log_in(locked)
    assert "khác tên" in refused.value.detail


def test_a_business_with_a_persons_tax_code_is_not_that_person() -> None:
    household = Organisation("Hộ kinh doanh An Bình", "000190000001")
    business = domain.proven(source=VNEID, level=2, name="Nguyễn Thị An", number="000190000001", organisation=household)
    _, (person,) = log_in(domain.account(REF))
    made, (firm,) = log_in(domain.account(OTHER), business)

    assert isinstance(person, AccountStandardised)
    assert isinstance(firm, AccountStandardised)
    assert person.identity_digest != firm.identity_digest
    assert made.subject is Subject.BUSINESS


def test_an_organisation_registers_with_name_and_tax_code() -> None:
    with pytest.raises(domain.OrganisationIncomplete):
        domain.register(REF, Subject.ORGANISATION, AN.person, None)


def test_a_closed_account_remembers_nobody() -> None:
    verified, _ = log_in(domain.account(REF))

    closed, event = domain.close(verified, NOW)

    assert (closed.state, closed.person, closed.version, event.version) == (State.CLOSED, Person(), 2, 2)
    with pytest.raises(domain.TransitionForbidden):
        domain.close(closed, NOW)


@given(st.from_regex(r"[0-9]{12}", fullmatch=True), st.binary(min_size=1, max_size=64))
def test_a_digest_depends_on_the_key(number: str, key: bytes) -> None:
    assert domain.digest_of(number, key) == domain.digest_of(number, key)
    assert domain.digest_of(number, key) != domain.digest_of(number, key + b"!")
    assert number not in domain.digest_of(number, key)


# ── codes ─────────────────────────────────────────────────────────────────────────────────────────


def challenge(code: str = "204816", purpose: Purpose = Purpose.LOGIN) -> otp.Challenge:
    return otp.Challenge(purpose, REF, {}, otp.mac(KEY, "handle", purpose, code), NOW)


def test_the_right_code_is_right_for_its_challenge_and_purpose_only() -> None:
    otp.check(challenge(), otp.mac(KEY, "handle", Purpose.LOGIN, "204816"), 1)
    for given_for in (("handle", Purpose.RECOVERY), ("another handle", Purpose.LOGIN)):
        with pytest.raises(otp.CodeWrong):
            otp.check(challenge(), otp.mac(KEY, *given_for, "204816"), 1)


def test_who_types_a_wrong_code_is_told_how_often_they_may_try_again() -> None:
    with pytest.raises(otp.CodeWrong) as refused:
        otp.check(challenge(), otp.mac(KEY, "handle", Purpose.LOGIN, "000000"), 2)
    assert refused.value.extra == {"tries_left": 3}


@pytest.mark.parametrize("kind", sorted(otp.MOST))
def test_codes_are_limited_by_phone_account_and_address(kind: str) -> None:
    otp.judge_sending({kind: otp.MOST[kind]})
    with pytest.raises(otp.TooManyCodes):
        otp.judge_sending({kind: otp.MOST[kind] + 1})


def test_no_code_lives_longer_than_five_minutes() -> None:
    assert timedelta(minutes=5) >= otp.LONGEST
    assert otp.TRIES <= 5


# ── passwords, sessions and guesses ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "password", ["ngan", "0900000001", "090.000.0001", "+84900000001", "000190000001", "aaaaaaaaaaaa"]
)
def test_a_password_is_long_and_not_in_the_profile(password: str) -> None:
    with pytest.raises(logins.PasswordTooWeak):
        logins.check_password(password, "+84900000001", "000190000001", None)


def test_a_sentence_is_a_password() -> None:
    logins.check_password("trời mưa nhiều quá", "+84900000001", None)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_used_session_stays_awake_but_ends_with_its_life(kind: Kind) -> None:
    session, at = sessions.begin_session(kind, REF, 2, NOW), NOW
    while at < session.expires_at:
        session = sessions.keep_alive(session, at)
        at += sessions.SLEEP[kind] / 2

    assert at == session.expires_at == NOW + sessions.LIFE[kind]


def test_a_session_that_slept_has_ended() -> None:
    session = sessions.begin_session(Kind.CITIZEN, REF, 2, NOW)

    with pytest.raises(sessions.SessionEnded):
        sessions.keep_alive(session, NOW + sessions.SLEEP[Kind.CITIZEN])


def test_a_busy_session_is_written_once_a_minute() -> None:
    session = sessions.begin_session(Kind.CITIZEN, REF, 2, NOW)

    assert sessions.keep_alive(session, NOW + timedelta(seconds=59)) is session
    assert sessions.keep_alive(session, NOW + timedelta(seconds=60)) is not session


def test_a_proof_is_as_old_as_the_provider_says_and_never_from_the_future() -> None:
    early, late = NOW - timedelta(hours=1), NOW + timedelta(hours=1)

    assert sessions.begin_session(Kind.CITIZEN, REF, 2, NOW, auth_time=early).auth_time == early
    assert sessions.begin_session(Kind.CITIZEN, REF, 2, NOW, auth_time=late).auth_time == NOW


def test_whoever_is_logged_out_is_so_everywhere_within_a_minute() -> None:
    clocks_may_differ = timedelta(seconds=5)
    assert max(sessions.TOKEN_LIFE.values()) + clocks_may_differ < timedelta(minutes=1)


def test_an_officer_without_a_second_factor_may_only_set_one_up() -> None:
    session = sessions.begin_session(Kind.OFFICER, REF, 1, NOW)

    sessions.may_leave_identity(session, "identity", needs_second_factor=True)
    sessions.may_leave_identity(session, "dossier", needs_second_factor=False)
    with pytest.raises(sessions.SecondFactorNeeded):
        sessions.may_leave_identity(session, "dossier", needs_second_factor=True)


def test_the_sixth_guess_is_not_looked_at() -> None:
    logins.judge_attempts(logins.ATTEMPTS)

    with pytest.raises(logins.TooManyAttempts):
        logins.judge_attempts(logins.ATTEMPTS + 1)


# ── officers ──────────────────────────────────────────────────────────────────────────────────────


def test_whoever_runs_the_system_has_no_other_role() -> None:
    assert officers.roles(["clerk", "desk"]) == ("desk", "clerk")
    with pytest.raises(officers.RolesTogether):
        officers.roles(["system_admin", "inspector"])


@pytest.mark.parametrize("wanted", [[], ["god"], ["desk", "Desk"]])
def test_a_role_is_one_of_the_list(wanted: list[str]) -> None:
    with pytest.raises(officers.RoleUnknown):
        officers.roles(wanted)


def test_a_unit_is_closed_not_before_it_was_opened() -> None:
    opened = officers.unit("H99.02.09", " Phòng  Tư pháp ", "commune", "H99", date(2025, 7, 1))

    assert opened.name == "Phòng Tư pháp"
    assert officers.close_unit(opened, date(2026, 1, 1), "H99.01").successor == "H99.01"
    with pytest.raises(officers.UnitUnknown):
        officers.close_unit(opened, date(2025, 6, 30), None)
