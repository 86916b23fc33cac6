"""Each identifier has one form, whatever people type; and what only looks like one is none."""

import unicodedata
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import identifiers
from contracts.identifiers import Doubt
from contracts.refusal import Refusal

LATIN = st.characters(categories=["Lu", "Ll"], max_codepoint=0x24F).filter(
    lambda c: unicodedata.name(c, "").startswith("LATIN ")
)
words = st.text(LATIN, min_size=1, max_size=12)
BLANKS = st.text(st.sampled_from(" \t\u00a0\u200b\u2009\ufeff"), max_size=3)
CANONICAL: list[Callable[[str], str]] = [
    identifiers.identity_number,
    identifiers.look_up_number,
    identifiers.person_name,
    identifiers.phone_number,
    identifiers.email_address,
    identifiers.tax_code,
    identifiers.agency_id,
    identifiers.unit_code,
]


@pytest.mark.parametrize("canonical", CANONICAL, ids=lambda f: f.__name__)
@given(text=st.text(max_size=40))
def test_any_text_is_refused_or_has_one_form(canonical: Callable[[str], str], text: str) -> None:
    try:
        once = canonical(text)
    except Refusal:
        return
    assert canonical(once) == once


# ── identity numbers ──


@given(st.from_regex(r"[0-9]{12}", fullmatch=True), BLANKS, BLANKS)
def test_twelve_digits_are_an_identity_number_however_they_are_spaced(number: str, some: str, more: str) -> None:
    assert identifiers.identity_number(f"{some}{number[:3]}{more}{number[3:6]} {number[6:]}{some}") == number


def _has_not_twelve_ascii_characters(text: str) -> bool:
    typed = "".join(c for c in text if not c.isspace() and unicodedata.category(c) != "Cf")
    return not typed.isascii() or len(typed) != 12


@given(st.text(max_size=16).filter(_has_not_twelve_ascii_characters))
def test_anything_else_is_no_identity_number(text: str) -> None:
    with pytest.raises(identifiers.IdentityNumberMalformed):
        identifiers.identity_number(text)


@pytest.mark.parametrize(
    "text", ["０００１９００００００１", "٠٠٠١٩٠٠٠٠٠٠١", "00019000000O", "-00190000001", "०००१९०००००००"]
)
def test_digits_that_only_look_like_digits_are_refused(text: str) -> None:
    with pytest.raises(identifiers.IdentityNumberMalformed):
        identifiers.identity_number(text)


def test_an_old_number_serves_for_look_up_only() -> None:
    assert identifiers.look_up_number("123 456 789") == "123456789"
    with pytest.raises(identifiers.IdentityNumberMalformed):
        identifiers.identity_number("123456789")


def test_what_does_not_fit_in_a_number_is_a_doubt_and_no_refusal() -> None:
    born = date(1990, 3, 8)
    assert identifiers.doubts("001190000001", born, "female") == frozenset()
    assert identifiers.doubts("000190000001", born, "female") == {Doubt.PLACE_UNKNOWN}
    assert identifiers.doubts("001090000001", born, "female") == {Doubt.GENDER_DIFFERS}
    assert identifiers.doubts("001390000001", born, "female") == {Doubt.YEAR_DIFFERS}
    assert Doubt.CENTURY_UNKNOWN in identifiers.doubts("001490000001")
    assert identifiers.doubts("001301000003", date(2001, 1, 31), "female") == frozenset()


@given(st.from_regex(r"[0-9]{12}", fullmatch=True), st.dates())
def test_no_well_formed_number_is_beyond_doubting(number: str, born: date) -> None:
    assert identifiers.doubts(number, born) <= set(Doubt)


# ── names ──


@given(st.lists(words, min_size=1, max_size=6))
def test_a_mask_shows_the_first_letter_of_each_word_and_nothing_else(parts: list[str]) -> None:
    name = identifiers.person_name(" ".join(parts))
    mask = identifiers.masked(name)

    assert [len(word) for word in mask.split(" ")] == [len(word) for word in name.split(" ")]
    for shown, word in zip(mask.split(" "), name.split(" "), strict=True):
        assert shown[0] == word[0]
        assert set(shown[1:]) <= {"*"}


def test_a_name_in_two_unicode_forms_is_one_name() -> None:
    composed, decomposed = "Lê Thị Cúc", "Le\u0302 Thi\u0323 Cu\u0301c"

    assert identifiers.person_name(decomposed) == composed
    assert identifiers.masked(decomposed) == "L* T** C**"


@pytest.mark.parametrize("text", ["", "   ", "\u200b", "123", "--"])
def test_a_name_has_letters(text: str) -> None:
    with pytest.raises(identifiers.NameMissing):
        identifiers.person_name(text)


@pytest.mark.parametrize("text", ["Nguyễn Thị \u0410n", "Νguyễn An", "阮氏安", "An\u202e🙂", "An <script>", "An2"])
def test_letters_that_only_look_latin_are_refused(text: str) -> None:
    with pytest.raises(identifiers.NameInForeignLetters):
        identifiers.person_name(text)


@given(words, words)
def test_invisible_characters_and_spaces_make_no_other_name(first: str, last: str) -> None:
    assert identifiers.person_name(f" {first}\t\u200b {last}\u00ad\n") == identifiers.person_name(f"{first} {last}")


@pytest.mark.parametrize(("one", "other"), [("HOÀ", "Hòa"), ("Nguyễn  Thị An", "nguyễn thị an"), ("Thuỷ", "thủy")])
def test_names_that_a_reader_takes_for_one_are_one(one: str, other: str) -> None:
    assert identifiers.same_name(one, other)


@pytest.mark.parametrize(("one", "other"), [("Thủy", "Thùy"), ("Đức", "Dức"), ("An", "Ân"), ("Lê An", "An Lê")])
def test_a_tone_or_a_letter_makes_another_name(one: str, other: str) -> None:
    assert not identifiers.same_name(one, other)


# ── phones and addresses ──


@pytest.mark.parametrize(
    "text", ["0900000001", "+84900000001", "84900000001", "0900 000 001", "(090) 000.0001", "\u200b0900-000-001"]
)
def test_a_mobile_number_has_one_form(text: str) -> None:
    assert identifiers.phone_number(text) == "+84900000001"


def test_a_foreign_number_is_kept_and_doubted() -> None:
    kept = identifiers.phone_number("+856 20 5555 5555")
    assert kept == "+8562055555555"
    assert not identifiers.is_vietnamese_mobile(kept)
    assert identifiers.is_vietnamese_mobile("+84900000001")


@pytest.mark.parametrize("text", ["", "09000", "０９００００００００", "0900000001; DROP", "+"])
def test_what_is_no_phone_is_refused(text: str) -> None:
    with pytest.raises(identifiers.PhoneMalformed):
        identifiers.phone_number(text)


def test_only_the_domain_of_an_address_loses_its_case() -> None:
    assert identifiers.email_address(" An.Nguyen@Example.VN ") == "An.Nguyen@example.vn"


@pytest.mark.parametrize("text", ["nobody", "a@b", "@example.vn", "a b@example.vn", "a@example.vn\nBcc: b@example.vn"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(identifiers.EmailMalformed):
        identifiers.email_address(text)


# ── tax codes, agencies, units ──


@pytest.mark.parametrize("text", ["0100047516", "0100233488", "0100 047 516", "0100047516-001", "0100047516001"])
def test_real_tax_codes_are_taken(text: str) -> None:
    assert identifiers.tax_code(text).startswith(("0100047516", "0100233488"))


def test_a_branch_is_written_with_a_hyphen() -> None:
    assert identifiers.tax_code("0100047516001") == "0100047516-001"


def test_a_person_may_be_their_own_tax_code() -> None:
    assert identifiers.tax_code("000190000001") == "000190000001"


@pytest.mark.parametrize("text", ["0100047517", "0000000000", "0100047516-000", "010004751", "٠١٠٠٠٤٧٥١٦", ""])
def test_what_is_no_tax_code_is_refused(text: str) -> None:
    with pytest.raises(identifiers.TaxCodeMalformed):
        identifiers.tax_code(text)


@given(st.from_regex(r"[0-9]{9}", fullmatch=True), st.integers(0, 9))
def test_of_ten_endings_at_most_one_is_right(base: str, last: int) -> None:
    digit = identifiers.check_digit(base)
    if digit == str(last):
        assert identifiers.tax_code(f"{base}{last}") == f"{base}{last}"
    else:
        with pytest.raises(identifiers.TaxCodeMalformed):
            identifiers.tax_code(f"{base}{last}")


@given(st.from_regex(r"[0-9]{9}", fullmatch=True), st.integers(0, 8), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(base: str, place: int, change: int) -> None:
    """The weights of all nine places are prime to 11."""
    other = base[:place] + str((int(base[place]) + change) % 10) + base[place + 1 :]
    digit = identifiers.check_digit(base)
    assert digit is None or identifiers.check_digit(other) != digit


def test_both_kinds_of_agency_id_are_understood() -> None:
    assert identifiers.agency_root(identifiers.agency_id("h42.12.05")) == "H42"
    assert identifiers.agency_root(identifiers.agency_id("000.00.05.H42")) == "H42"


@pytest.mark.parametrize("text", ["Z99", "H9", "H99.1", "000.00.H42", "H99.02.01.04.05.06", ""])
def test_what_is_no_agency_id_is_refused(text: str) -> None:
    with pytest.raises(identifiers.AgencyIdMalformed):
        identifiers.agency_id(text)


def test_a_unit_code_has_two_or_five_digits() -> None:
    assert [identifiers.unit_code(code) for code in ("01", "00 004")] == ["01", "00004"]
    for wrong in ("1", "001", "0000", "000004"):
        with pytest.raises(identifiers.UnitCodeMalformed):
            identifiers.unit_code(wrong)
