"""The rules of identity, as sentences."""

import dataclasses
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.identity import AccountEvent, AccountStandardised, VerificationSource
from services.identity import domain
from services.identity.domain import Account, Kind, State

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
REF = UUID("01900000-0000-7000-8000-000000000001")
KEY = b"a key of this test"
MOVES = domain.TRANSITIONS["Account"]
AN = domain.proven(name="Nguyễn Thị An", number="000190000001", level=2, phone="0900000001", email="an@EXAMPLE.vn")

words = st.text(st.characters(categories=["Lu", "Ll"]), min_size=1, max_size=12)


def log_in(before: Account, person: domain.Person = AN, at: datetime = NOW) -> tuple[Account, list[AccountEvent]]:
    account, *events = domain.link_eid(before, person, KEY, at)
    return account, events


def test_the_first_login_standardises_the_account_and_says_so_without_the_name_or_the_number() -> None:
    account, (event,) = log_in(domain.account(REF))

    assert (account.state, account.version) == (State.EID_LINKED, 1)
    assert account.verification_source == VerificationSource.VNEID
    assert isinstance(event, AccountStandardised)
    assert (event.version, event.masked_name, event.occurred_at) == (1, "N***** T** A*", NOW)
    assert "An" not in event.model_dump_json()
    assert AN.identity_number not in event.model_dump_json()


def test_the_next_login_says_nothing_new_but_follows_the_providers_contact_data() -> None:
    first, _ = log_in(domain.account(REF))
    moved = dataclasses.replace(AN, phone="+84911111111")

    again, events = log_in(first, moved, NOW + timedelta(days=1))

    assert events == []
    assert again.version == 1
    assert again.person == moved
    assert again.standardised_at == NOW


def test_a_changed_name_is_told_again() -> None:
    first, _ = log_in(domain.account(REF))

    again, (event,) = log_in(first, dataclasses.replace(AN, full_name="Nguyễn Thị Bình An"))

    assert (again.version, event.version) == (2, 2)
    assert isinstance(event, AccountStandardised)
    assert event.masked_name == "N***** T** B*** A*"


def test_a_local_account_becomes_level_two_when_its_owner_comes_by_vneid() -> None:
    local = dataclasses.replace(domain.account(REF), state=State.ACTIVE)

    account, events = log_in(local)

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
        domain.link_eid(first, dataclasses.replace(AN, identity_number="000190000009"), KEY, NOW)


def test_level_one_proves_nobody() -> None:
    with pytest.raises(domain.IdentityLevelTooLow):
        domain.proven(name="Phạm Văn Dũng", number="000058000004", level=1, phone=None, email=None)


def test_no_move_leads_out_of_a_closed_or_locked_account() -> None:
    assert not {before for before, _ in MOVES} & domain.LOGIN_CLOSED


def test_every_state_but_the_first_can_be_reached() -> None:
    assert {after for _, after in MOVES} == set(State) - {State.PENDING_OTP}


# ── masks, digests and validators ─────────────────────────────────────────────────────────────────


@given(st.lists(words, min_size=1, max_size=6))
def test_a_mask_shows_the_first_letter_of_each_word_and_nothing_else(parts: list[str]) -> None:
    name = domain.person_name(" ".join(parts))
    mask = domain.masked(name)

    assert [len(word) for word in mask.split(" ")] == [len(word) for word in name.split(" ")]
    for shown, word in zip(mask.split(" "), name.split(" "), strict=True):
        assert shown[0] == word[0]
        assert set(shown[1:]) <= {"*"}


def test_a_name_in_two_unicode_forms_is_one_name() -> None:
    composed, decomposed = "Lê Thị Cúc", "Le\u0302 Thi\u0323 Cu\u0301c"

    assert domain.person_name(decomposed) == composed
    assert domain.masked(decomposed) == "L* T** C**"


@pytest.mark.parametrize("text", ["", "   ", "\u200b", "123", "--"])
def test_a_name_has_letters(text: str) -> None:
    with pytest.raises(domain.NameMissing):
        domain.person_name(text)


@given(words, words)
def test_invisible_characters_and_spaces_make_no_other_name(first: str, last: str) -> None:
    assert domain.person_name(f" {first}\t\u200b {last}\n") == domain.person_name(f"{first} {last}")


@given(st.from_regex(r"[0-9]{12}", fullmatch=True))
def test_twelve_digits_are_an_identity_number_however_they_are_spaced(number: str) -> None:
    assert domain.identity_number(f" {number[:3]} {number[3:6]}\u00a0{number[6:]} ") == number


def _has_not_twelve_ascii_characters(text: str) -> bool:
    typed = "".join(text.split())
    return not typed.isascii() or len(typed) != 12


@given(st.text(max_size=16).filter(_has_not_twelve_ascii_characters))
def test_anything_else_is_no_identity_number(text: str) -> None:
    with pytest.raises(domain.IdentityNumberMalformed):
        domain.identity_number(text)


@pytest.mark.parametrize("text", ["０００１９００００００１", "٠٠٠١٩٠٠٠٠٠٠١", "00019000000O", "-00190000001"])
def test_digits_that_only_look_like_digits_are_refused(text: str) -> None:
    with pytest.raises(domain.IdentityNumberMalformed):
        domain.identity_number(text)


@pytest.mark.parametrize("text", ["0900000001", "+84900000001", "0900 000 001", "(090) 000.0001"])
def test_a_mobile_number_has_one_form(text: str) -> None:
    assert domain.phone_number(text) == "+84900000001"


def test_a_foreign_number_is_kept_as_it_is() -> None:
    assert domain.phone_number("+856 20 5555 5555") == "+8562055555555"
    assert domain.phone_number(None) is None


def test_only_the_domain_of_an_address_loses_its_case() -> None:
    assert domain.email_address(" An.Nguyen@Example.VN ") == "An.Nguyen@example.vn"
    assert domain.email_address("nobody") is None


@given(st.from_regex(r"[0-9]{12}", fullmatch=True), st.binary(min_size=1, max_size=64))
def test_a_digest_depends_on_the_key(number: str, key: bytes) -> None:
    assert domain.digest_of(number, key) == domain.digest_of(number, key)
    assert domain.digest_of(number, key) != domain.digest_of(number, key + b"!")
    assert number not in domain.digest_of(number, key)


# ── sessions and guesses ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", list(Kind))
def test_a_used_session_stays_awake_but_ends_with_its_life(kind: Kind) -> None:
    session, at = domain.begin_session(kind, REF, 2, NOW), NOW
    while at < session.expires_at:
        session = domain.keep_alive(session, at)
        at += domain.SLEEP[kind] / 2

    assert at == session.expires_at == NOW + domain.LIFE[kind]


def test_a_session_that_slept_has_ended() -> None:
    session = domain.begin_session(Kind.CITIZEN, REF, 2, NOW)

    with pytest.raises(domain.SessionEnded):
        domain.keep_alive(session, NOW + domain.SLEEP[Kind.CITIZEN])


def test_the_sixth_guess_is_not_looked_at() -> None:
    domain.judge_attempts(domain.ATTEMPTS)

    with pytest.raises(domain.TooManyAttempts):
        domain.judge_attempts(domain.ATTEMPTS + 1)
