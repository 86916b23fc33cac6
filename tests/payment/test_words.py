"""Amounts in words, as they stand on a receipt."""

import pytest

from services.payment.words import in_words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "không đồng"),
        (1, "một đồng"),
        (10, "mười đồng"),
        (11, "mười một đồng"),
        (14, "mười bốn đồng"),
        (15, "mười lăm đồng"),
        (20, "hai mươi đồng"),
        (21, "hai mươi mốt đồng"),
        (24, "hai mươi tư đồng"),
        (25, "hai mươi lăm đồng"),
        (91, "chín mươi mốt đồng"),
        (100, "một trăm đồng"),
        (104, "một trăm linh bốn đồng"),
        (105, "một trăm linh năm đồng"),
        (110, "một trăm mười đồng"),
        (111, "một trăm mười một đồng"),
        (115, "một trăm mười lăm đồng"),
        (144, "một trăm bốn mươi tư đồng"),
        (8_000, "tám nghìn đồng"),
        (15_000, "mười lăm nghìn đồng"),
        (21_000, "hai mươi mốt nghìn đồng"),
        (100_000, "một trăm nghìn đồng"),
        (105_000, "một trăm linh năm nghìn đồng"),
        (1_005_000, "một triệu không trăm linh năm nghìn đồng"),
        (1_000_005, "một triệu không trăm linh năm đồng"),
        (1_010_015, "một triệu không trăm mười nghìn không trăm mười lăm đồng"),
        (1_000_000_000, "một tỷ đồng"),
        (1_000_000_021, "một tỷ không trăm hai mươi mốt đồng"),
        (
            2_024_105_501,
            "hai tỷ không trăm hai mươi tư triệu một trăm linh năm nghìn năm trăm linh một đồng",
        ),
        (1_000_000_000_000, "một nghìn tỷ đồng"),
        (1_005_000_000_000, "một nghìn không trăm linh năm tỷ đồng"),
    ],
)
def test_amounts_are_read_as_people_read_them(amount: int, words: str) -> None:
    assert in_words(amount) == words


@pytest.mark.parametrize("tens", range(1, 10))
def test_no_word_is_doubled_or_lost_between_the_groups(tens: int) -> None:
    assert "  " not in in_words(tens * 10 * 1_001_001)
    assert in_words(tens * 10).removesuffix(" đồng") in in_words(tens * 10 * 1_000)


def test_a_negative_amount_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="never negative"):
        in_words(-1)
