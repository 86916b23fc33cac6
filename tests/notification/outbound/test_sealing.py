"""Secrets at rest."""

import pytest

from services.notification.systems.outbound.sealing import CannotOpen, NoSealingKey, keys_of

OLD, NEW = "2026a:" + "ab" * 32, "2026b:" + "cd" * 32
SECRET = "whsec_bí mật"
PURPOSE = "subscription 7: signing key"


def test_a_sealed_secret_opens_again_and_shows_nothing() -> None:
    sealed = keys_of(OLD).seal(SECRET, PURPOSE)
    assert keys_of(OLD).open(sealed, PURPOSE) == SECRET
    assert SECRET.encode() not in sealed
    assert sealed != keys_of(OLD).seal(SECRET, PURPOSE), "a nonce is used once"


def test_it_opens_for_its_own_purpose_only() -> None:
    """So nobody who may write the table can move one subscriber's secret to another's row."""
    sealed = keys_of(OLD).seal(SECRET, PURPOSE)
    with pytest.raises(CannotOpen):
        keys_of(OLD).open(sealed, "subscription 8: signing key")


def test_a_changed_value_does_not_open() -> None:
    sealed = keys_of(OLD).seal(SECRET, PURPOSE)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(CannotOpen):
            keys_of(OLD).open(changed, PURPOSE)
    for short in (b"", sealed[:1], sealed[:5], sealed[:20]):
        with pytest.raises(CannotOpen):
            keys_of(OLD).open(short, PURPOSE)


def test_the_installations_key_can_be_rotated() -> None:
    before = keys_of(OLD).seal(SECRET, PURPOSE)
    both = keys_of(f"{NEW},{OLD}")
    assert both.open(before, PURPOSE) == SECRET
    assert not both.is_fresh(before)
    again = both.seal(SECRET, PURPOSE)
    assert both.is_fresh(again)
    assert keys_of(NEW).open(again, PURPOSE) == SECRET
    with pytest.raises(CannotOpen, match="2026a"):
        keys_of(NEW).open(before, PURPOSE)


@pytest.mark.parametrize("setting", ["", "2026a", "2026a:abcd", "2026a:" + "xy" * 32, f"{OLD};{NEW}", f"{OLD},"])
def test_keys_that_cannot_be_read_are_refused_without_being_shown(setting: str) -> None:
    with pytest.raises(NoSealingKey, match="MOTCUA_SEALING_KEYS must be") as refused:
        keys_of(setting)
    assert "abcd" not in str(refused.value)


def test_keys_do_not_show_themselves() -> None:
    assert "ab" * 32 not in repr(keys_of(OLD))
    assert "\\xab" not in repr(keys_of(OLD))
