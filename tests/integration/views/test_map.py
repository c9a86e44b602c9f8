"""The figures of the map on the real engine, embedded in this process, against plain Python over the same events."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain import blueprint, digest, periods
from pipeline.domain.blueprint import CHANNELS, EVERYBODY, KNOWN, Passage, Segment, Sums
from pipeline.domain.digest import Changed
from pipeline.domain.governance import Order
from pipeline.domain.messages import Assignment
from pipeline.domain.periods import Window
from pipeline.serve import closely
from pipeline.serve import digest as weekly
from pipeline.serve.figures import Counted, Figures
from pipeline.serve.reports import PAGE, Effort, Row
from pipeline.serve.touchpoints import Governance
from pipeline.store import rows
from tests.examples import examples

from ...unit.store.records import entry
from ..stored import identity, put
from .conftest import SHOP, empty
from .test_journeys import DAY, HOUR, Met, places, store, within_the_middle
from .test_touchpoints import cell

STORES = Segment("store", "one")


class Embedded:
    """Reports of the embedded engine."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def rows(self, sql: str, parameters: Mapping[str, Any] | None = None, effort: Effort = PAGE) -> list[Row]:
        return [dict(row) for row in self._client.query(sql, dict(parameters or {})).named_results()]


class Person(NamedTuple):
    """What they met in a period."""

    met: list[Met]

    def at(self, touchpoints: Sequence[str]) -> list[float]:
        return [-each.ago * 3600.0 for each in self.met if each.touchpoint in touchpoints]


def figures(client: Client) -> Figures:
    return Figures(Embedded(client), "UTC", ["store", "queue"])


def week(now: int) -> Window:
    """A period of 7 days, and the 7 days before."""
    return Window(now - 7 * DAY, now, now - 14 * DAY, now - 7 * DAY)


def expected(
    people: Mapping[str, Person], touchpoints: Sequence[str], following: Sequence[str]
) -> tuple[int, list[float]]:
    """(people there, how long it took those who went on)"""
    there = {name: min(at) for name, each in people.items() if (at := each.at(touchpoints))}
    took = []
    for name, first in there.items():
        later = [at for at in people[name].at(following) if at >= first]
        if later:
            took.append(min(later) - first)
    return len(there), took


persons = st.sampled_from(["customer:a", "customer:b", "anonymous:x"])
experiences = st.builds(
    Met,
    persons,
    st.integers(1, 14 * 24 - 1).filter(lambda ago: ago != 7 * 24),
    places,
    st.none() | st.sampled_from([0.0, 50.0, 100.0]),
    st.none(),
    st.sampled_from(["web", "phone"]),
    st.lists(st.tuples(st.just("store"), st.sampled_from(["one", "two"])), max_size=1).map(tuple),
)
segments = st.sampled_from([EVERYBODY, *KNOWN, *CHANNELS, STORES])


@settings(max_examples=examples(6), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(experiences, min_size=1, max_size=40), segments, st.sampled_from([None, "customer:a"]), st.booleans())
def test_how_people_go_on_is_what_a_few_lines_say(
    client: Client, met: Sequence[Met], segment: Segment, owner: str | None, refuses: bool
) -> None:
    empty(client)
    now = int(time.time() * 1000)
    store(client, [*met, Met("customer:c", 15 * 24, "site_search", 10.0)], now)
    owners = {} if owner is None else {"anonymous:x": owner}
    put(client, rows.IDENTITIES, identity("anonymous:x", Assignment(1, owners=tuple(owners.values()))))
    if refuses:
        word = {"type": "consent_changed", "consent": {"analysis": False}, "event_id": "no", "session_id": ""}
        put(client, rows.INTERACTIONS, entry(identifier="customer:b", links=[], **word))
    by_person: dict[str, list[Met]] = defaultdict(list)
    for each in met:
        by_person[owners.get(each.who, each.who)].append(each)
    if refuses:
        by_person.pop("customer:b", None)
    people = {name: of for name, of in by_person.items() if belongs(name, of, segment)}

    found = asyncio.run(figures(client).count(SHOP.journeys.values(), week(now), "7", segment))
    for earlier, ways in ((False, found.ways), (True, found.before)):
        of = {name: Person([each for each in them if (each.ago > 7 * 24) == earlier]) for name, them in people.items()}
        for journey in SHOP.journeys.values():
            at = {step.id: step.touchpoints for step in journey.steps}
            for step in journey.steps:
                following = [to for start, to in journey.edges if start == step.id]
                everywhere = [place for to in following for place in at[to]]
                for key, after in (("", everywhere), *((to, at[to]) for to in following)):
                    passage = ways[journey.id, step.id, key]
                    there, took = expected(of, step.touchpoints, after)
                    assert passage.persons == there
                    assert passage.interactions == sum(len(each.at(step.touchpoints)) for each in of.values())
                    if following:
                        assert passage.went_on == len(took)
                        assert passage.dropped_off == there - len(took)
                        assert within_the_middle(passage.median_s, took)
                    else:
                        assert (passage.went_on, passage.median_s, passage.dropped_off) == (None, None, None)
    assert_sums(found, people, segment, now)


def belongs(name: str, of: Sequence[Met], segment: Segment) -> bool:
    told = [each for each in of if each.score is not None]
    if segment.kind == "known":
        return name.startswith("customer:") == (segment == KNOWN[0])
    if segment.kind == "channels":
        return (len({each.channel for each in told}) > 1) == (segment == CHANNELS[0])
    return segment == EVERYBODY or any(("store", "one") in each.details for each in told)


def assert_sums(found: Counted, people: Mapping[str, Sequence[Met]], segment: Segment, now: int) -> None:
    """Of a segment: what its people met, by touchpoint, period and day."""
    wanted: dict[tuple[str, int, bool], list[Met]] = defaultdict(list)
    if segment != EVERYBODY:
        for each in (each for of in people.values() for each in of):
            at = now - each.ago * HOUR
            wanted[each.touchpoint, at - at % DAY, each.ago > 7 * 24].append(each)
    sums = {(each.touchpoint, each.at, each.earlier): each for each in found.sums}
    assert set(sums) == set(wanted)
    for key, of in wanted.items():
        known = [each.ease for each in of if each.ease is not None]
        assert sums[key].interactions == len(of)
        assert sums[key].parts[1] == (len(known), sum(known), sum(x * x for x in known))


def test_everybodys_figures_are_those_of_the_dots(client: Client) -> None:
    """In the hours of a dot the map says what touchpoint_dots says, and of the period before what was then."""
    now = int(time.time() * 1000)
    for days in range(12):
        evidence = {"ease": [50.0 + days] * 10, "emotion": [60.0] * 8, "effectiveness": []}
        put(client, rows.TOUCHPOINT_SCORES, cell(now - days * DAY, evidence))
    dot = next(
        client.query(
            "SELECT value, low, high, n, dot, since FROM touchpoint_dots WHERE touchpoint = 'call_queue'"
        ).named_results()
    )
    since = round(dot["since"].timestamp() * 1000)
    window = Window(since, now + HOUR, since - 7 * DAY, since)
    sums = asyncio.run(figures(client).everybody(window, "7"))
    found = blueprint.reading(SHOP.touchpoints["call_queue"], sums, ())
    (met,) = client.query(
        "SELECT sum(expected_n) AS n, sum(expected_met) AS met FROM touchpoint_sums WHERE hour >= {since:DateTime}",
        {"since": dot["since"]},
    ).named_results()
    assert (found.expected, found.met.value) == (met["n"], met["met"] / met["n"] if met["n"] else None)
    assert found.figure == pytest.approx((dot["value"], dot["low"], dot["high"]))
    assert (found.n, found.dot) == (dot["n"], dot["dot"])
    assert sum(each.interactions for each in sums if each.earlier) == sum(
        now - days * DAY < since for days in range(12)
    )
    assert all(each.at % DAY == 0 for each in sums)
    hourly = asyncio.run(figures(client).everybody(window, "today"))
    assert sum(each.interactions for each in hourly) == sum(each.interactions for each in sums)
    assert all(each.at % HOUR == 0 for each in hourly)
    evidence = asyncio.run(figures(client).evidence(window, "call_queue"))
    told = {(each.dimension, each.kind): each.n for each in evidence if each.n}
    assert sum(told.values()) == found.n
    assert {dimension for dimension, _ in told} == {"ease", "emotion"}


def test_observations_and_hours_of_today(client: Client) -> None:
    now = int(time.time() * 1000)
    window = periods.window("today", now, UTC)
    times = [now - 1, window.since, window.earlier_since, window.earlier_until + 1]
    observed = [
        {
            **dict.fromkeys(("source", "observation_id"), f"o{n}"),
            "touchpoint": "shift_planning",
            "kind": "staff",
            "measure": "agents_missing",
            "note": "",
            "value": 2.0 + n,
            **dict.fromkeys(("observed_at", "received_at"), at),
        }
        for n, at in enumerate(times)
    ]
    put(client, rows.OBSERVATIONS, *observed)
    asked = figures(client).observed(
        window, "today", {"shift_planning": "agents_missing", "dispatch": "handover_late_min"}
    )
    found = sorted(asyncio.run(asked), key=lambda each: (each.earlier, -each.at))
    of = {(each.earlier, n) for each in found for n, *_ in each.parts}
    assert of <= {(False, 1), (False, 2), (True, 1)}  # the last one was later yesterday than it is now
    assert sum(each.interactions for each in found if each.earlier) == 1
    assert sum(each.interactions for each in found if not each.earlier) == 2
    assert all(isinstance(each, Sums) and each.at % HOUR == 0 for each in found)


def test_segments_are_offered_by_what_there_was(client: Client) -> None:
    now = int(time.time() * 1000)
    told = [Met("customer:a", 1, "chat", 50.0, details=(("store", name),)) for name in ("one", "two", "one")]
    store(client, [*told, Met("customer:a", 1, "chat", None, details=(("store", "silent"),))], now)
    found = asyncio.run(figures(client).segments()).segments
    assert found == [*KNOWN, *CHANNELS, Segment("store", "one"), Segment("store", "two")]


def test_a_closer_look_reads_words_of_customers_and_staff(client: Client) -> None:
    """Every question of it is one that the engine takes."""
    now = int(time.time() * 1000)
    answer = {"question": "csat", "value": 2.0, "min": 1.0, "max": 5.0}
    times = dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), now - HOUR)
    word = {"type": "survey_answered", "touchpoint": "chat", "answer": answer, "properties": {"comment": "slow"}}
    put(client, rows.INTERACTIONS, entry(identifier="customer:a", event_id="s1", links=[], **word, **times))
    parts: Any = type("Parts", (), {"reports": Embedded(client), "figures": figures(client)})()
    known = SHOP.touchpoints["chat"]
    reading = blueprint.reading(known, (), ())
    found = asyncio.run(closely.closely(parts, known, reading, week(now), UTC))
    assert [each["text"] for each in found["verbatims"]] == ["slow"]
    assert found["verbatims"][0]["about"].startswith("Csat 2 of 5")
    assert (found["notes"], found["alerts"], found["pulls"]) == ([], [], [])
    assert not any(found[f"{name}_note"] for name in ("verbatims", "notes", "alerts"))


def test_nobody_anywhere_is_zero_everywhere(client: Client) -> None:
    found = asyncio.run(figures(client).count(SHOP.journeys.values(), week(int(time.time() * 1000)), "7", EVERYBODY))
    assert found.ways["buy", "find", "choose"] == Passage(0, 0, 0, None)
    assert found.ways["buy", "receive", ""] == Passage(0, 0, None, None)


def test_a_week_is_told_from_what_is_stored(client: Client) -> None:
    """Cells, answers, notes and complaints of the week, and nothing of the weeks around it."""
    now = int(time.time() * 1000)
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    week = digest.week("", today)
    monday = periods.midnight(week.monday, UTC)
    for at, value in ((monday + DAY, 90.0), (monday - DAY, 40.0), (monday + 8 * DAY, 1.0)):
        evidence = {"ease": [value - 1, value + 1] * 20, "emotion": [], "effectiveness": []}
        if at < now:
            put(client, rows.TOUCHPOINT_SCORES, cell(at, evidence))
    answer = {"question": "csat", "value": 2.0, "min": 1.0, "max": 5.0}
    for n, (at, words) in enumerate(((monday + DAY, "slow"), (monday - DAY, "earlier"))):
        times = dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), at)
        word = {"type": "survey_answered", "touchpoint": "chat", "answer": answer, "properties": {"comment": words}}
        put(client, rows.INTERACTIONS, entry(identifier="customer:a", event_id=f"s{n}", links=[], **word, **times))
    note = {
        "source": "desk",
        "touchpoint": "shift_planning",
        "kind": "staff",
        "measure": "agents_missing",
        "value": 2.0,
    }
    for n, (at, words) in enumerate(((monday + DAY, "two are ill"), (monday - DAY, "earlier"))):
        told = {**note, "observation_id": f"n{n}", "note": words, "observed_at": at, "received_at": at}
        put(client, rows.OBSERVATIONS, told)
    who = {"recorded_at": now, "recorded_by": "staff:0123456789abcdef"}
    for n, what in ((-1, "earlier"), (0, "monday"), (6, "sunday"), (7, "later")):
        on = (week.monday - date(1970, 1, 1)).days + n
        put(client, rows.CHANGES, {"change_id": what, "touchpoint": "chat", "changed_on": on, "what": what} | who)
    found = asyncio.run(weekly.told(Embedded(client), SHOP, week, now, ZoneInfo("UTC")))
    sunday = week.monday + timedelta(days=6)
    assert found.changes == [Changed("Chat", week.monday, "monday"), Changed("Chat", sunday, "sunday")]
    assert [(each.touchpoint, each.text, each.rating) for each in found.customers] == [("Chat", "slow", 0.25)]
    assert [(each.touchpoint, each.text) for each in found.staff] == [("Planning of shifts", "two are ill")]
    assert (found.until, found.counts.interactions) == (None, 1)
    (queue,) = [reading for known, reading in found.readings if known.id == "call_queue"]
    assert (queue.figure.value, queue.n) == (90.0, 40)
    assert queue.change is not None
    assert (queue.change.by, queue.change.beyond_chance, queue.change.better) == (50.0, True, True)
    text = digest.markdown(digest.digest(found))
    assert "- Call queue: score 90.0 after 40.0 \\(40 pieces of evidence, between" in text
    assert "> slow" in text


def test_governance_asks_what_the_engine_takes_and_says_what_there_is(client: Client) -> None:
    now = int(time.time() * 1000)
    evidence = {"ease": [10.0, 12.0] * 20, "emotion": [], "effectiveness": []}
    put(client, rows.TOUCHPOINT_SCORES, cell(now, evidence), cell(now, evidence, touchpoint="kiosk"))
    client.command("TRUNCATE TABLE alerts")
    columns = (
        "alert_id, kind, touchpoint, state, opened_at, acknowledged_at, closed_at, resolved_by, ceased_at, version"
    )
    for row in (
        "'a1', 'threshold', 'call_queue', 'open', now64(3) - 7200, NULL, NULL, '', NULL, 1",
        "'a2', 'severe', 'call_queue', 'acknowledged', now64(3) - 36000, now64(3) - 32400, NULL, '', NULL, 1",
        "'a3', 'severe', 'call_queue', 'resolved', now64(3) - 36000, NULL, now64(3) - 18000, '', now64(3), 1",
        "'a4', 'threshold', 'chat', 'resolved', now64(3) - 7200, NULL, now64(3), 'key:read', NULL, 1",
    ):
        client.command(f"INSERT INTO alerts ({columns}) SELECT {row}")
    parts: Any = type("Parts", (), {"reports": Embedded(client), "catalogued": SHOP.touchpoints})()
    page: Any = Governance(parts, None)  # type: ignore[arg-type]
    found, unowned, elsewhere, _ = asyncio.run(page._read())
    client.command("TRUNCATE TABLE alerts")
    first, of = found[0], {each.touchpoint.id: each for each in found}
    assert (first.touchpoint.id, first.order) == ("call_queue", Order.UNANSWERED)
    alerts = first.alerts
    assert (alerts.open, alerts.taken, alerts.acted, alerts.acknowledged, alerts.resolved) == (2, 1, False, 1, 1)
    assert (alerts.oldest_h, alerts.acknowledged_h, alerts.resolved_h) == (pytest.approx(10, abs=0.1), 1, 5)
    assert of["chat"].alerts.acted
    assert (unowned, elsewhere) == ([{"name": "kiosk", "n": "1"}], 0)
