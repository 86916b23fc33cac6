"""The bank as real ones are at times: late, twice, forged, out of order, silent."""

import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.standins.conftest import Bank, Merchant
from tests.standins.test_bank import callbacks_of, decide, eventually, is_signed, request_of


@pytest.fixture(autouse=True)
def well_again(bank: Bank) -> Iterator[None]:
    yield
    behave(bank)


def behave(bank: Bank, **how: object) -> None:
    httpx2.post(f"{bank.address}/behaviour", json=how).raise_for_status()


def paid(bank: Bank) -> str:
    """A payment that the payer made; its reference."""
    asked = request_of(bank)
    decide(bank, asked)
    return asked["vnp_TxnRef"]


def test_a_late_bank_calls_late(bank: Bank, merchant: Merchant) -> None:
    behave(bank, late=1)
    began = time.monotonic()

    reference = paid(bank)

    assert merchant.heard_of(reference) == []
    eventually(lambda: merchant.heard_of(reference))
    assert time.monotonic() - began >= 1


def test_a_bank_that_repeats_itself_says_the_same(bank: Bank, merchant: Merchant) -> None:
    behave(bank, twice=True)

    reference = paid(bank)

    eventually(lambda: callbacks_of(bank, reference) == ["00", "00"])
    first, second = merchant.heard_of(reference)
    assert first == second


def test_a_forged_call_comes_first_and_the_right_one_after_it(bank: Bank, merchant: Merchant) -> None:
    behave(bank, forged=True)

    reference = paid(bank)

    eventually(lambda: len(merchant.heard_of(reference)) == 2)
    assert [is_signed(bank, said) for said in merchant.heard_of(reference)] == [False, True]


def test_calls_out_of_order_come_in_the_opposite_order(bank: Bank, merchant: Merchant) -> None:
    behave(bank, reordered=True)

    first, second = paid(bank), paid(bank)

    eventually(lambda: merchant.heard_of(first))
    references = [said["vnp_TxnRef"] for said in merchant.heard if said["vnp_TxnRef"] in (first, second)]
    assert references == [second, first]


def test_a_silent_bank_is_known_by_its_statement_only(bank: Bank, merchant: Merchant) -> None:
    behave(bank, never=True, reversed=True)
    silent = paid(bank)
    behave(bank)
    told = paid(bank)

    eventually(lambda: merchant.heard_of(told))
    assert merchant.heard_of(silent) == []
    lines = [line.split(",") for line in httpx2.get(f"{bank.address}/statements/vnpay.csv").text.splitlines()]
    assert [kind for kind, _, reference, *_ in lines if reference == silent] == ["capture", "reversal"]
