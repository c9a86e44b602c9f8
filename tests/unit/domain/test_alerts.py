"""Alerts: one a cause, whatever is seen, done and forgotten in whichever order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.domain import alerts
from pipeline.domain.alert_shown import cursor, position, shown
from pipeline.domain.alerts import (
    ACKNOWLEDGED,
    DAY_MS,
    HOUR_MS,
    OPEN,
    RESOLVED,
    SEVERE,
    THRESHOLD,
    Action,
    Alert,
    Cause,
    Look,
    Refused,
    Rules,
)
from tests.examples import examples

NOON = 1_764_158_400_000
RULES = Rules(severe_max=2, standing_max=6)


def cause(kind: str = THRESHOLD, name: str = "checkout/score", **changes: Any) -> Cause:
    given: dict[str, Any] = {"reason": "it is red", "touchpoint": "checkout", "owner": "lead", "deputy": "head"}
    return Cause(kind=kind, cause=name, **given | changes)


def severe(who: str, name: str = "door/2026-11-26", since: int = NOON, **changes: Any) -> Cause:
    return cause(SEVERE, name, identifier=who, person=who, since=since, **changes)


class Kept:
    """Alerts as a process keeps them."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.alerts: dict[str, Alert] = {}

    def take(self, changed: list[Alert]) -> list[str]:
        self.alerts |= {each.alert_id: each for each in changed}
        return [each.change for each in changed]

    def look(self, *causes: Cause, at: int = NOON, **more: Any) -> list[str]:
        return self.take(alerts.decide(Look(causes, **more), self.alerts, at, self.rules).changed)

    def act(self, what: str, at: int = NOON, note: str = "", by: str = "key:read") -> Alert | None:
        after = alerts.act(self.only, Action("a", self.only.alert_id, what, by, note), at)
        self.take([after] if after else [])
        return after

    @property
    def only(self) -> Alert:
        (alert,) = self.alerts.values()
        return alert


def test_a_cause_opens_one_alert_that_is_resolved_by_itself_when_it_is_over() -> None:
    kept = Kept()
    red = cause(value=41.0, low=35.0, high=47.0, n=60, what_to_do="look")
    assert kept.look(red) == ["opened"]
    assert kept.look(red, at=NOON + 1) == []
    opened = kept.only
    assert (opened.stage, opened.owner, opened.deputy, opened.value, opened.n) == (OPEN, "lead", "head", 41.0, 60)
    assert kept.look(at=NOON + 2, over={red.key: "its dot is green"}) == ["resolved"]
    over = kept.only
    assert (over.stage, over.closed_at, over.resolved_by, over.resolution) == (
        *(RESOLVED, NOON + 2, ""),
        "its dot is green",
    )
    assert kept.look(at=NOON + 3) == []


def test_a_cause_that_comes_back_is_a_new_alert() -> None:
    kept = Kept()
    for at in (NOON, NOON, NOON + 5, NOON - 5):  # also where the clock stands still, or goes back
        assert kept.look(cause(), at=at) == ["opened"]
        assert kept.look(at=at) == ["resolved"]
    assert len(kept.alerts) == 4


def test_while_the_cause_holds_what_a_person_resolved_stays_resolved() -> None:
    kept = Kept()
    kept.look(cause())
    kept.act("resolve", note="it was the printer")
    assert (kept.only.stage, kept.only.resolved_by, kept.only.resolution) == (
        RESOLVED,
        "key:read",
        "it was the printer",
    )
    assert kept.look(cause(value=3.0), at=NOON + DAY_MS) == []
    assert kept.look(at=NOON + DAY_MS + 1) == ["ceased"]
    assert kept.only.closed_at == NOON
    assert kept.look(cause(), at=NOON + DAY_MS + 2) == ["opened"]


def test_what_keeps_an_alert_opens_none() -> None:
    kept = Kept()
    grey = cause(opens=False, reason="that may be red or yellow")
    assert kept.look(grey) == []
    kept.look(cause())
    assert kept.look(grey, at=NOON + DAY_MS) == []
    assert kept.only.reason == "it is red"


def test_what_was_not_seen_is_not_over() -> None:
    kept = Kept()
    kept.look(cause())
    assert kept.look(at=NOON + 1, unseen=frozenset({THRESHOLD})) == []
    assert kept.look(at=NOON + 1, unseen=frozenset({SEVERE})) == ["resolved"]


def test_it_goes_to_the_deputy_when_nobody_has_taken_it_in_time() -> None:
    kept = Kept()
    kept.look(cause())
    later = NOON + RULES.escalate_ms
    assert alerts.escalated(kept.alerts.values(), later - 1, RULES) == []
    assert kept.take(alerts.escalated(kept.alerts.values(), later, RULES)) == ["escalated"]
    assert alerts.escalated(kept.alerts.values(), later + 1, RULES) == []
    assert shown(kept.only)["assigned_to"] == "head"
    assert kept.act("acknowledge", later + 2) is not None
    assert shown(kept.only)["assigned_to"] == "head"


@pytest.mark.parametrize("spared", ["acknowledged", "resolved", "nobody"])
def test_what_was_taken_in_time_or_has_no_deputy_is_not_escalated(spared: str) -> None:
    kept = Kept()
    kept.look(cause(deputy="" if spared == "nobody" else "head"))
    if spared != "nobody":
        kept.act("acknowledge" if spared == "acknowledged" else "resolve")
    assert alerts.escalated(kept.alerts.values(), NOON + 100 * DAY_MS, RULES) == []


def test_who_acknowledges_last_has_it_and_the_same_twice_changes_nothing() -> None:
    kept = Kept()
    kept.look(cause())
    assert kept.act("acknowledge", NOON + 1, "on it", "desk:1") is not None
    assert kept.act("acknowledge", NOON + 2, "on it", "desk:1") is None
    assert kept.act("acknowledge", NOON + 2, "", "desk:1") is None
    kept.act("acknowledge", NOON + 3, "", "desk:2")
    assert (kept.only.acknowledged_by, kept.only.acknowledged_at, kept.only.note) == ("desk:2", NOON + 3, "on it")


def test_what_cannot_be_done_is_refused_with_its_reason() -> None:
    def refused(alert: Alert | None, what: str = "acknowledge") -> str:
        with pytest.raises(Refused) as error:
            alerts.act(alert, Action("a", "x", what, "me"), NOON)
        assert error.value.detail.endswith(".")
        return error.value.reason

    assert refused(None) == "unknown_alert"
    assert refused(Alert(alert_id="stands_alone|x", kind="stands_alone", opened_at=1)) == "stands_alone"
    kept = Kept()
    kept.look(cause())
    assert refused(kept.only, "burn") == "unknown_action"
    kept.act("resolve")
    assert refused(kept.only) == refused(kept.only, "resolve") == "already_resolved"


def test_figures_are_told_now_and_then_and_whose_it_is_at_once() -> None:
    kept = Kept()
    kept.look(severe("anonymous:1"))
    assert kept.look(severe("anonymous:1", n=2), at=NOON + RULES.refresh_ms - 1) == []
    assert kept.look(severe("anonymous:1", n=2), at=NOON + RULES.refresh_ms) == ["refreshed"]
    known = replace(severe("anonymous:1", n=2), person="customer:1", since=NOON - 9)
    assert kept.look(known, at=NOON + RULES.refresh_ms + 1) == ["refreshed"]
    assert (kept.only.person, kept.only.since, kept.only.n) == ("customer:1", NOON - 9, 2)
    kept.act("resolve")
    assert kept.look(severe("anonymous:1"), at=NOON + DAY_MS) == ["refreshed"]  # a parting
    assert (kept.only.person, kept.only.stage) == ("anonymous:1", RESOLVED)


def test_a_severe_experience_is_over_after_a_week_though_nobody_sees_it_any_more() -> None:
    kept = Kept()
    kept.look(severe("customer:1"))
    assert kept.look(at=NOON + RULES.holds_ms - 1) == []
    assert kept.look(at=NOON + RULES.holds_ms) == ["resolved"]


def test_of_many_on_one_day_some_have_their_own_alert_and_the_others_one() -> None:
    kept = Kept()
    everybody = [severe(f"customer:{n}") for n in range(5)]
    assert kept.look(*everybody) == ["opened"] * 3
    together = next(each for each in kept.alerts.values() if not each.identifier)
    assert (together.n, together.person, together.reason[:13]) == (3, "", "3 more people")
    for at in (NOON + 1, NOON + DAY_MS):
        assert "opened" not in kept.look(*reversed(everybody), severe("customer:9"), at=at)
    assert kept.look(severe("customer:1", "door/2026-11-27"), at=NOON + DAY_MS) == ["opened"]


def test_beyond_the_bound_none_is_opened_and_it_is_said() -> None:
    kept = Kept()
    causes = [cause(name=str(n)) for n in range(9)]
    decided = alerts.decide(Look(causes), {}, NOON, RULES)
    assert (len(decided.changed), decided.held_back) == (6, 3)
    kept.take(decided.changed)
    assert kept.look(*causes[3:], at=NOON + 1) == ["opened"] * 0 + ["resolved"] * 3
    assert kept.look(*causes[3:], at=NOON + 2) == ["opened"] * 3


def test_what_is_over_for_long_is_forgotten_and_what_holds_is_not() -> None:
    kept = Kept()
    kept.look(cause())
    kept.act("resolve")
    later = NOON + 2 * RULES.kept_ms
    assert alerts.expired(kept.alerts.values(), later, RULES) == []
    kept.look(at=NOON)
    assert alerts.expired(kept.alerts.values(), NOON + RULES.kept_ms, RULES) == []
    assert alerts.expired(kept.alerts.values(), NOON + RULES.kept_ms + 1, RULES) == [kept.only.alert_id]


def test_no_id_names_anybody() -> None:
    kept = Kept()
    kept.look(severe("customer:4711"))
    assert "4711" not in kept.only.alert_id
    assert kept.only.alert_id.startswith(f"severe-{NOON}-")


def test_what_identify_tells_is_shown_and_left_alone() -> None:
    alone = Alert(alert_id="stands_alone|device:1", kind="stands_alone", subject="device:1", opened_at=NOON, state="")
    kept = Kept()
    kept.take([alone])
    assert kept.look(at=NOON + 100 * DAY_MS) == []
    assert alerts.escalated([alone], NOON + 100 * DAY_MS, RULES) == []
    told = shown(alone)
    assert (told["state"], told["person"]) == (OPEN, "device:1")
    assert "/v1/identity/free" in told["what_to_do"]
    assert shown(msgspec.structs.replace(alone, closed_at=NOON))["state"] == RESOLVED


@pytest.mark.parametrize("text", ["x", "ä", "W10", "WzEsMl0", "bm8", "🦊", "=" * 9])
def test_a_place_in_the_list_is_opaque_and_nothing_else_is_one(text: str) -> None:
    assert position(cursor((NOON, "stands_alone|device:ä/ö"))) == (NOON, "stands_alone|device:ä/ö")
    with pytest.raises(ValueError, match="not a place"):
        position(text)


KEYS = [(THRESHOLD, "", "a"), (THRESHOLD, "", "b"), (SEVERE, "customer:1", "x/1"), (SEVERE, "customer:2", "x/1")]
held = st.lists(
    st.tuples(st.sampled_from(KEYS), st.booleans(), st.integers(1, 3)), max_size=5, unique_by=lambda e: e[0]
)


class Machine(RuleBasedStateMachine):
    """Looks, actions, time and restarts in any order. `log` is the topic: whoever starts knows no more than that."""

    def __init__(self) -> None:
        super().__init__()
        self.rules = Rules(escalate_ms=HOUR_MS, holds_ms=3 * HOUR_MS, severe_max=9, kept_ms=10 * HOUR_MS)
        self.now = NOON
        self.log: list[Alert] = []
        self.kept: dict[str, Alert] = {}
        self.opened: list[str] = []

    def put(self, changed: list[Alert]) -> None:
        for each in changed:
            before = self.kept.get(each.alert_id)
            self.check_step(before, each)
            self.log.append(each)
            self.kept[each.alert_id] = each

    def check_step(self, before: Alert | None, after: Alert) -> None:
        assert after != before
        if before is None:
            assert after.change == "opened"
            self.opened.append(after.alert_id)
            return
        assert (before.key, before.opened_at) == (after.key, after.opened_at)
        order = [OPEN, ACKNOWLEDGED, RESOLVED]
        assert order.index(after.stage) >= order.index(before.stage)
        assert before.closed_at in (None, after.closed_at)
        assert before.ceased_at is None
        assert after.updated_at >= before.updated_at or after.change == "refreshed"

    @rule(found=held, unseen=st.sets(st.sampled_from([THRESHOLD, SEVERE])))
    def look(self, found: list[Any], unseen: set[str]) -> None:
        causes = [
            cause(kind, name, identifier=who, person=who, since=self.now, n=n, opens=opens)
            for (kind, who, name), opens, n in found
        ]
        holding = {each.key for each in self.kept.values() if each.ceased_at is None}
        decided = alerts.decide(Look(causes, unseen=frozenset(unseen)), self.kept, self.now, self.rules)
        self.put(decided.changed)
        new = [each.key for each in decided.changed if each.change == "opened"]
        assert sorted(new) == sorted(each.key for each in causes if each.opens and each.key not in holding)
        seen = {each.key for each in causes}
        assert all(each.key not in seen for each in decided.changed if each.change in ("resolved", "ceased"))

    @rule(data=st.data(), what=st.sampled_from(["acknowledge", "resolve"]), by=st.sampled_from(["ann", "ben"]))
    def act(self, data: st.DataObject, what: str, by: str) -> None:
        alert_id = data.draw(st.sampled_from([*sorted(self.kept), "none"]))
        alert = self.kept.get(alert_id)
        try:
            after = alerts.act(alert, Action("x", alert_id, what, by), self.now)
        except Refused:
            assert alert is None or not alert.standing
            return
        assert alert is not None
        assert alert.standing
        self.put([after] if after else [])

    @rule(ms=st.sampled_from([-HOUR_MS, 0, 1, HOUR_MS // 2, HOUR_MS, 4 * HOUR_MS]))
    def time(self, ms: int) -> None:
        self.now += ms
        self.put(alerts.escalated(self.kept.values(), self.now, self.rules))
        for each in self.kept.values():
            late = each.standing and each.state == OPEN and self.now - each.opened_at >= self.rules.escalate_ms
            assert not late or each.escalated_at is not None

    @rule()
    def forget(self) -> None:
        for alert_id in alerts.expired(self.kept.values(), self.now, self.rules):
            del self.kept[alert_id]
            self.log = [each for each in self.log if each.alert_id != alert_id]

    @rule()
    def restart(self) -> None:
        """What a new process reads is what the old one knew."""
        codec = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Alert)
        read = [codec[1].decode(codec[0].encode(each)) for each in self.log]
        assert {each.alert_id: each for each in read} == self.kept

    @invariant()
    def one_alert_a_cause(self) -> None:
        holding = [each.key for each in self.kept.values() if each.ceased_at is None]
        assert len(holding) == len(set(holding))
        assert len(self.opened) == len(set(self.opened))


Machine.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=30, deadline=None)
TestMachine = Machine.TestCase
