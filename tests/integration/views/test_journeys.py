"""Journeys and segments in ClickHouse, of whoever people turn out to be.

On the real engine, embedded in this process, against plain Python over the same events.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain import intervals
from pipeline.domain.messages import Assignment
from pipeline.store import rows
from tests.examples import examples

from ...unit.store.records import entry
from ..stored import asked, identity, put
from .conftest import SHOP, empty

HOUR, DAY = 3_600_000, 86_400_000


class Met(NamedTuple):
    """Somebody at a touchpoint."""

    who: str
    ago: int  # hours
    touchpoint: str
    ease: float | None = None
    emotion: float | None = None
    channel: str = "web"
    details: tuple[tuple[str, str], ...] = ()
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def score(self) -> float | None:
        known = [x for x in (self.ease, self.emotion) if x is not None]
        return sum(known) / len(known) if known else None


def store(client: Client, met: Sequence[Met], now: int) -> None:
    put(
        client,
        rows.INTERACTIONS,
        *(
            entry(
                identifier=each.who,
                event_id=f"e{n}",
                links=[],
                session_id="",
                touchpoint=each.touchpoint,
                channel=each.channel,
                evidence={"effectiveness": None, "ease": each.ease, "emotion": each.emotion},
                details=dict(each.details),
                properties=dict(each.properties),
                **dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), now - each.ago * HOUR),
            )
            for n, each in enumerate(met)
        ),
    )


def close(found: float | None, figure: float | None) -> bool:
    return found is None if figure is None else found == pytest.approx(figure, abs=1e-6)


values = st.none() | st.sampled_from([0.0, 50.0, 80.0, 100.0])
persons = st.sampled_from(["customer:a", "customer:b", "anonymous:x"])
places = st.sampled_from(["site_search", "help_page", "call_queue", "call_agent", "chat", "survey", "store_counter"])
meetings = st.lists(st.builds(Met, persons, st.integers(1, 27 * 24), places, values, values), min_size=1, max_size=30)


@settings(max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(meetings, st.sampled_from([None, "customer:a"]))
def test_journeys_show_who_went_on_where_and_how_soon(client: Client, met: Sequence[Met], owner: str | None) -> None:
    empty(client)
    now = int(time.time() * 1000)
    too_old = Met("customer:c", 29 * 24, "site_search", 10.0)
    store(client, [*met, too_old], now)
    owners = {} if owner is None else {"anonymous:x": owner}
    put(client, rows.IDENTITIES, identity("anonymous:x", Assignment(1, owners=tuple(owners.values()))))
    steps = {row["step"]: row for row in rows_of(client, "journey_steps") if row["journey"] == "get_help"}
    edges = {
        (row["step"], row["next"]): row for row in rows_of(client, "journey_edges") if row["journey"] == "get_help"
    }
    journey = SHOP.journeys["get_help"]
    assert [row["step"] for row in sorted(steps.values(), key=lambda row: row["position"])] == [
        s.id for s in journey.steps
    ]
    assert set(edges) == set(journey.edges)
    times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in met:
        for step in journey.steps:
            if each.touchpoint in step.touchpoints:
                times[step.id][owners.get(each.who, each.who)].append(-each.ago * 3600.0)
    for step in journey.steps:
        row, there = steps[step.id], times[step.id]
        at = [each for each in met if each.touchpoint in step.touchpoints]
        scores = [each.score for each in at if each.score is not None]
        following = [to for start, to in journey.edges if start == step.id]
        taken: dict[str, dict[str, float]] = {
            to: {
                person: min(later) - min(when)
                for person, when in there.items()
                if (later := [t for t in times[to].get(person, ()) if t >= min(when)])
            }
            for to in following
        }
        soonest = [
            min(took[p] for took in taken.values() if p in took) for p in there if any(p in x for x in taken.values())
        ]
        assert (row["persons"], row["interactions"], row["experiences"]) == (len(there), len(at), len(scores))
        mean = intervals.mean(len(scores), sum(scores), sum(x * x for x in scores), 0, 100)
        assert all(map(close, (row["score"], row["score_low"], row["score_high"]), mean))
        went = intervals.proportion(len(soonest), len(there))
        if following:
            assert (row["went_on"], row["dropped_off"]) == (len(soonest), len(there) - len(soonest))
            assert all(map(close, (row["went_on_share"], row["went_on_low"], row["went_on_high"]), went))
            assert close(row["dropped_off_share"], None if went.value is None else 1 - went.value)
            assert within_the_middle(row["median_s"], soonest)
        else:
            assert (row["went_on"], row["went_on_share"], row["dropped_off"], row["median_s"]) == (None,) * 4
        for to, took in taken.items():
            edge = edges[step.id, to]
            assert (edge["persons"], edge["went_on"]) == (len(there), len(took))
            share = intervals.proportion(len(took), len(there))
            assert all(map(close, (edge["went_on_share"], edge["went_on_low"], edge["went_on_high"]), share))
            assert within_the_middle(edge["median_s"], list(took.values()))


def rows_of(client: Client, view: str) -> list[dict[str, Any]]:
    return [dict(row) for row in client.query(f"SELECT * FROM {view}").named_results()]


def within_the_middle(found: float | None, took: Sequence[float]) -> bool:
    """The median, or of an even number the upper one of the two in the middle."""
    if not took:
        return found is None
    return found is not None and found == sorted(took)[len(took) // 2] and found >= median(took)


kinds = st.sampled_from(["store", "queue", "app"])
said = st.tuples(kinds, st.sampled_from(["one", "two"]))
lived = st.lists(
    st.builds(
        Met,
        persons,
        st.integers(0, 26 * 24),
        places,
        values,
        values,
        st.sampled_from(["web", "phone"]),
        st.lists(said, max_size=1).map(tuple),
        st.lists(said, max_size=1).map(tuple),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lived, st.sampled_from([None, "customer:a"]), st.booleans())
def test_segments_say_how_it_was_for_whom(client: Client, met: Sequence[Met], owner: str | None, refuses: bool) -> None:
    empty(client)
    now = int(time.time() * 1000)
    store(client, met, now)
    owners = {} if owner is None else {"anonymous:x": owner}
    put(client, rows.IDENTITIES, identity("anonymous:x", Assignment(1, owners=tuple(owners.values()))))
    if refuses:
        word = {"type": "consent_changed", "consent": {"analysis": False}, "event_id": "no", "session_id": ""}
        put(client, rows.INTERACTIONS, entry(identifier="customer:b", links=[], **word))
    people = [(owners.get(each.who, each.who), each) for each in met if each.score is not None]
    people = [(person, each) for person, each in people if not (refuses and person == "customer:b")]
    channels: dict[str, set[str]] = defaultdict(set)
    for person, each in people:
        channels[person].add(each.channel)
    expected: dict[tuple[Any, str, str], list[tuple[str, Met]]] = defaultdict(list)
    for person, each in people:
        day = (now - each.ago * HOUR) // DAY
        named = "known customer" if person.startswith("customer:") else "not known by name"
        several = "several channels" if len(channels[person]) > 1 else "one channel"
        told = {**dict(each.properties), **dict(each.details)}
        for kind, segment in {"known": named, "channels": several, **told}.items():
            expected[day, kind, segment].append((person, each))
    sql = """SELECT toUInt32(day) AS day_, kind, segment, experiences, persons, ease_n, ease, ease_low, ease_high,
        emotion_n, emotion, emotion_low, emotion_high, effectiveness_n, effectiveness FROM experience_by_segment"""
    found = {row[:3]: row[3:] for row in asked(client, sql)}
    assert set(found) == set(expected)
    for key, of in expected.items():
        experiences, n, *figures = found[key]
        assert (experiences, n) == (len(of), len({person for person, _ in of}))
        for at, dimension in ((0, "ease"), (4, "emotion")):
            known = [x for _, each in of if (x := getattr(each, dimension)) is not None]
            figure = intervals.mean(len(known), sum(known), sum(x * x for x in known), 0, 100)
            assert figures[at] == len(known)
            assert all(map(close, figures[at + 1 : at + 4], figure)), key
        assert figures[8:] == [0, None]


def test_segments_end_with_the_day_before_28_days(client: Client) -> None:
    empty(client)
    now = int(time.time() * 1000)
    hours = now % DAY // HOUR  # of today
    store(
        client,
        [Met("customer:a", 27 * 24 + hours, "chat", 50.0), Met("customer:a", 27 * 24 + hours + 1, "chat", 50.0)],
        now,
    )
    assert asked(client, "SELECT count() FROM experience_by_segment WHERE kind = 'known'") == [(1,)]
