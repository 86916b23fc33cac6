"""Whatever order things happen in, the ledger agrees with what the provider says, and nothing is paid twice.

A wallet's payers, calls, questions, deadlines, refunds, statements and killed requests are interleaved at random over
the real database and the wallet's stand-in. After every step each fee was paid at most once and receipts have no gap;
at the end, when all news has arrived, every đồng that the wallet holds is booked.
"""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from contracts.dossier import DossierWithdrawn
from tests.payment.counter import COPIES, NOW, Counter
from tests.payment.outside import Outside

TWICE = """
SELECT count(*) FROM (SELECT assessment_id FROM posting WHERE pays GROUP BY assessment_id HAVING count(*) > 1) twice
"""
GAPS = "SELECT coalesce(max(number), 0) - count(*) FROM receipt"
SUM = "SELECT coalesce(sum(amount), 0)::int FROM ledger_entry"
HELD = """
SELECT coalesce(sum(e.amount), 0)::int FROM ledger_entry e JOIN posting p USING (posting_id)
WHERE account = 'provider:momo' AND p.movement <> 'settlement'
"""


class Money(RuleBasedStateMachine):
    loop: asyncio.AbstractEventLoop
    payment: Counter
    outside: Outside

    def __init__(self) -> None:
        super().__init__()
        self.codes: list[str] = []
        self.attempts: list[dict[str, Any]] = []
        self.held_before = self.now(self.payment.db.fetchval(HELD))
        self.now(self.outside.behave(never=True))

    def now(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @rule()
    def a_dossier_is_accepted(self) -> None:
        self.codes.append(self.now(self.payment.accepted(COPIES)))

    @precondition(lambda self: self.codes)
    @rule(data=st.data())
    def somebody_begins_to_pay(self, data: st.DataObject) -> None:
        code = data.draw(st.sampled_from(self.codes))
        if self.now(self.payment.fees(code))["outstanding"]:
            self.attempts.append(self.now(self.payment.begins(code, "momo")))

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), decision=st.sampled_from(["pay", "pay", "pay", "cancel"]))
    def the_payer_decides(self, data: st.DataObject, decision: str) -> None:
        self.now(self.outside.pay(data.draw(st.sampled_from(self.attempts)), decision))

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), copies=st.integers(1, 4))
    def the_wallet_calls(self, data: st.DataObject, copies: int) -> None:
        started = data.draw(st.sampled_from(self.attempts))
        self.now(self._call(started, copies))

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), after=st.integers(0, 12))
    def the_process_dies_while_the_wallet_calls(self, data: st.DataObject, after: int) -> None:
        """The request ends after so many milliseconds, wherever it is; its transaction is undone or done."""
        started = data.draw(st.sampled_from(self.attempts))
        self.now(self._killed(self._call(started, 1), after / 1000))

    async def _call(self, started: dict[str, Any], copies: int) -> None:
        call = await self.outside.call_of(started)
        if call["resultCode"] != 1000:
            body = json.dumps(call).encode()
            await asyncio.gather(*[self.payment.provider_calls("momo", body) for _ in range(copies)])

    async def _killed(self, work: Coroutine[Any, Any, Any], after: float) -> None:
        task = asyncio.ensure_future(work)
        await asyncio.wait([task], timeout=after)
        task.cancel()
        await asyncio.wait([task])

    @rule()
    def silent_attempts_are_asked_about(self) -> None:
        self.now(self.payment.fire("attempt.question"))

    @rule()
    def attempts_expire(self) -> None:
        self.now(self.payment.fire("attempt.expiry"))

    @rule()
    def surplus_goes_back(self) -> None:
        self.now(self.payment.fire("refund"))

    @precondition(lambda self: self.codes)
    @rule(data=st.data())
    def a_dossier_is_withdrawn(self, data: st.DataObject) -> None:
        code = data.draw(st.sampled_from(self.codes))
        self.now(self.payment.hears(DossierWithdrawn(version=3, occurred_at=NOW, dossier_code=code)))

    @precondition(lambda self: self.attempts)
    @rule()
    def the_statement_comes(self) -> None:
        self.now(self._statement())

    async def _statement(self) -> None:
        head, *lines = (await self.outside.statement("/statements/momo.csv")).decode().splitlines()
        ours = [line for line in lines if any(started["reference"] in line for started in self.attempts)]
        if ours:
            path, body = "/statements/momo", "\n".join([head, *ours]).encode()
            await self.payment.call("POST", path, self.payment.officer("cashier"), 202, content=body)
            await self.payment.fire("statement.reconcile")

    @invariant()
    def nothing_is_paid_twice_and_every_posting_balances(self) -> None:
        assert self.now(self.payment.db.fetchval(TWICE)) == 0
        assert self.now(self.payment.db.fetchval(GAPS)) == 0
        assert self.now(self.payment.db.fetchval(SUM)) == 0

    def teardown(self) -> None:
        """All news arrives: the ledger holds exactly what the wallet holds."""
        self.now(self._statement())
        self.now(self.payment.fire("refund"))
        lines = self.now(self.outside.statement("/statements/momo.csv")).decode().splitlines()[1:]
        ours = [line.split(",") for line in lines if any(s["reference"] in line for s in self.attempts)]
        moved = sum(int(amount) if kind == "capture" else -int(amount) for kind, _, _, amount, *_ in ours)
        assert self.now(self.payment.db.fetchval(HELD)) - self.held_before == moved
        for code in self.codes:
            said = [name for _, name in self.now(self.payment.events(code))]
            assert said.count("FeePaid") <= 1
            assert said.count("ReceiptIssued") == said.count("FeePaid")


@pytest.fixture
async def loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_the_ledger_agrees_with_the_wallet_whatever_happens(
    payment: Counter, bank: str, loop: asyncio.AbstractEventLoop
) -> None:
    Money.loop, Money.payment, Money.outside = loop, payment, Outside(bank)
    how = settings(max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Money, settings=how)
