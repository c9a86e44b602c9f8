"""What the views say, on the real engine (embedded in this process), of rows written by the sink's own writer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import definitions
from pipeline.domain.intervals import Z95
from pipeline.domain.messages import UNASSIGNED, Assignment
from pipeline.settings import Settings
from pipeline.store import migrations, rows, writer
from tests.examples import examples

from ..unit.store.records import entry
from .stored import START, asked, cell, identity, offsets, put, score

names = count()  # so that examples do not meet


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with clickhouse_connect.get_client(interface="chdb") as client:
        migrations.migrate(client, Settings(time_zone="Asia/Kathmandu"))
        yield client


def test_columns_hold_what_records_say(client: Client) -> None:
    record = entry(
        identifier="customer:columns",
        links=["anonymous:ä", "device:\x00"],
        masks={"phone:k1.00": "+1 ••• ••42"},
        items=[{"product": "p", "quantity": 1.5, "price": None, "name": "n"}] * 2,
        answer={"question": "nps", "value": 7.0, "min": 0.0, "max": 10.0},
        measures={"results": math.inf},
        properties={"query": "blue 'shoes'\n\t\\", "": ""},
        details={"wait_s": "12"},
        consent={"service": True, "analysis": True},
        evidence={"effectiveness": 100.0, "ease": None, "emotion": 0.0},
        evidence_kind="asked",
        occurred_at_sent=-1,
    )
    put(client, rows.INTERACTIONS, record)
    (row,) = client.query("SELECT * FROM interactions FINAL WHERE identifier = 'customer:columns'").named_results()
    same = ("links", "masks", "measures", "properties", "details", "consent", "session_id", "evidence_kind")
    assert {name: row[name] for name in same} == {name: record[name] for name in same}
    assert [tuple(item.values()) for item in row["items"]] == [("p", 1.5, None, "n")] * 2
    assert (row["answer_value"], row["effectiveness"], row["ease"], row["emotion"]) == (7.0, 100.0, None, 0.0)
    assert row["occurred_day"] == date(1990, 1, 1)
    assert row["occurred_at"].replace(tzinfo=UTC) == datetime.fromtimestamp(START / 1000, UTC)


def test_the_sink_fills_every_column(client: Client) -> None:
    for table in rows.TABLES:
        described = {row[0] for row in asked(client, f"DESCRIBE TABLE {table.name}")}
        assert described == set(table.column_names), table.name


def test_wild_clocks_fit_one_block(client: Client) -> None:
    records = [
        entry(identifier="customer:wild", event_id=str(year), occurred_at_sent=(year - 1970) * 365 * rows.DAY_MS)
        for year in range(1900, 2300)
    ]
    put(client, rows.INTERACTIONS, *records)
    assert asked(client, "SELECT count() FROM interactions FINAL WHERE identifier = 'customer:wild'") == [(400,)]


def test_what_is_stored_twice_is_seen_once_and_the_newest_counts(client: Client) -> None:
    first = entry(identifier="customer:twice", received_at=START + 10, touchpoint="late copy")
    better = entry(identifier="customer:twice", received_at=START + 5, touchpoint="early copy")
    for _ in range(2):
        put(client, rows.INTERACTIONS, first, at=1)
        put(client, rows.INTERACTIONS, better, first, first, at=2)  # a block that repeats itself, too
        put(client, rows.INTERACTIONS, better, at=3)
        put(client, rows.INTERACTIONS, first, at=1)
    assert asked(client, "SELECT touchpoint FROM interactions FINAL WHERE identifier = 'customer:twice'") == [
        ("early copy",)
    ]


persons = st.sampled_from(["customer:a", "customer:b", "customer:c"])
sessions = st.sampled_from(["", "s1", "s2", "s3"])
times = st.integers(0, 4)
assignments = st.builds(
    Assignment,
    version=st.integers(1, 1000),
    owners=st.lists(persons, unique=True, max_size=3).map(tuple),
    until=st.none() | times.map(lambda t: START + t),
    sessions=st.dictionaries(sessions, persons | st.just(""), max_size=3),
    ambiguous=st.booleans(),
    candidates=st.lists(persons, unique=True).map(tuple),
)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(assignments, max_size=4), min_size=1, max_size=8),
    st.lists(st.tuples(sessions, times), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_the_person_is_the_assignments_owner(
    client: Client,
    histories: Sequence[Sequence[Assignment]],
    happened: Sequence[tuple[str, int]],
    random: Any,
    at_once: bool,
) -> None:
    """Any assignments, one after another, stored in any order, some twice: the newest one says whose it is."""
    world = next(names)
    newest: dict[str, Assignment] = {}
    stored: list[rows.Stored] = []
    for n, history in enumerate(histories):
        identifier = f"device:{world}-{n}"
        newest[identifier] = history[-1] if history else UNASSIGNED
        stored += [rows.Stored(rows.version(1, next(offsets)), identity(identifier, each)) for each in history]
        put(
            client,
            rows.INTERACTIONS,
            *(
                entry(identifier=identifier, event_id=str(event), session_id=session, occurred_at=START + at)
                for event, (session, at) in enumerate(happened)
            ),
        )
    stored += random.sample(stored, len(stored) // 2)
    random.shuffle(stored)
    identities = writer.Writer(client, rows.IDENTITIES)
    for block in [stored] if at_once and stored else [[each] for each in stored]:
        identities.insert(rows.IDENTITIES.columns_of(block))
    expected = {
        (identifier, str(event), assignment.owner(identifier, session, START + at), assignment.ambiguous)
        for identifier, assignment in newest.items()
        for event, (session, at) in enumerate(happened)
    }
    sql = """SELECT identifier, event_id, person, ambiguous FROM interactions_by_person
        WHERE startsWith(identifier, {prefix:String})"""
    seen = asked(client, sql, prefix=f"device:{world}-")
    assert len(seen) == len(expected)
    assert set(seen) == expected


TIMELINE = """SELECT identifier, event_id FROM person_timeline(
    person = {person:String}, before_at = {at:Int64}, before_source = {source:String}, before_event_id = {event:String})
    ORDER BY occurred_at DESC, source DESC, event_id DESC LIMIT {n:UInt32}"""


def test_person_timeline_goes_on_from_a_position(client: Client) -> None:
    put(client, rows.IDENTITIES, identity("anonymous:t", Assignment(1, owners=("customer:t",))))
    shared = Assignment(2, ("customer:x", "customer:y"), None, {"mine": "customer:t"}, (), True)
    put(client, rows.IDENTITIES, identity("device:t", shared))
    put(
        client,
        rows.INTERACTIONS,
        *(entry(identifier="customer:t", event_id=f"c{n}", occurred_at=START + n) for n in range(5)),
        *(entry(identifier="anonymous:t", event_id=f"a{n}", occurred_at=START + n) for n in range(5)),
        entry(identifier="device:t", event_id="d1", session_id="mine", occurred_at=START + 2),
        entry(identifier="device:t", event_id="d2", session_id="theirs", occurred_at=START + 2),
        entry(identifier="customer:other", event_id="o", occurred_at=START + 2),
    )

    def page(at: int, source: str, event: str, n: int) -> list[str]:
        return [row[1] for row in asked(client, TIMELINE, person="customer:t", at=at, source=source, event=event, n=n)]

    everything = page((1 << 63) - 1, "", "", 100)
    assert everything == ["c4", "a4", "c3", "a3", "d1", "c2", "a2", "c1", "a1", "c0", "a0"]
    assert page(START + 2, "shop", "d1", 3) == ["c2", "a2", "c1"]
    assert page(START, "shop", "a0", 10) == []


def test_a_parting_moves_interactions_back_at_the_next_query(client: Client) -> None:
    put(client, rows.INTERACTIONS, entry(identifier="anonymous:p", event_id="1"))
    sql = "SELECT person FROM interactions_by_person WHERE identifier = 'anonymous:p'"
    for owners, person in (((), "anonymous:p"), (("customer:p",), "customer:p"), ((), "anonymous:p")):
        put(client, rows.IDENTITIES, identity("anonymous:p", Assignment(1, owners=owners)))
        assert asked(client, sql) == [(person,)]


def test_persons_counts_each_interaction_once(client: Client) -> None:
    put(client, rows.IDENTITIES, identity("anonymous:q", Assignment(1, owners=("customer:q",))))
    put(client, rows.IDENTITIES, identity("phone:k1.q", Assignment(2, owners=("customer:q",))))
    for _ in range(2):
        put(client, rows.INTERACTIONS, entry(identifier="anonymous:q", session_id="v1"), at=7)
        put(client, rows.INTERACTIONS, entry(identifier="customer:q", session_id="v2", channel="phone"), at=8)
    sql = "SELECT identifiers, interactions, sessions, channels, ambiguous FROM persons WHERE person = 'customer:q'"
    assert asked(client, sql) == [(["anonymous:q", "customer:q", "phone:k1.q"], 2, 2, ["phone", "web"], False)]


def test_customer_current_is_the_newest_that_was_not_taken_back(client: Client) -> None:
    put(client, rows.CUSTOMER_SCORES, score("customer:s", 20_000, ease=10.0), score("customer:s", 20_001, emotion=20.0))
    sql = "SELECT toUInt32(day), definition, ease, emotion FROM customer_current WHERE person = 'customer:s'"
    assert asked(client, sql) == [(20_001, 1, None, 20.0)]
    put(client, rows.CUSTOMER_SCORES, score("customer:s", 20_001))
    assert asked(client, sql) == [(20_000, 1, 10.0, None)]
    put(client, rows.CUSTOMER_SCORES, score("customer:s", 20_002, definition=2, ease=11.0))
    assert asked(client, sql) == [(20_000, 1, 10.0, None)]
    with live(client, 2, 1):
        assert asked(client, sql) == [(20_002, 2, 11.0, None)]
    by_definition = sql.replace("customer_current", "customer_by_definition") + " ORDER BY definition"
    assert asked(client, by_definition) == [(20_000, 1, 10.0, None), (20_002, 2, 11.0, None)]
    put(client, rows.IDENTITIES, identity("customer:s", Assignment(1, owners=("customer:t",))))
    assert asked(client, sql) == []


def test_touchpoint_views_take_each_cell_once_by_the_definition_that_is_live(client: Client) -> None:
    client.command("SYSTEM STOP MERGES touchpoint_scores")  # a merge would do FINAL's work
    hour = START // 3_600_000 * 3_600_000 + 900_000  # a quarter past: with the zone's 5:45 the start of an hour
    for _ in range(2):  # absolute and repeated: nothing is added up twice, and an older one changes nothing
        put(client, rows.TOUCHPOINT_SCORES, cell(hour, 0, 1, [50.0], 3), at=8)
        put(client, rows.TOUCHPOINT_SCORES, cell(hour, 0, 1, [1.0], 1), at=7)
        put(client, rows.TOUCHPOINT_SCORES, cell(hour, 2, 1, [1.0], 1), at=7)
        put(client, rows.TOUCHPOINT_SCORES, cell(hour, 2, 1, [100.0], 2), at=8)
    put(client, rows.TOUCHPOINT_SCORES, cell(hour + 900_000, 1, 1, [0.0, 80.0], 4), cell(hour - 900_000, 1, 1, [], 100))
    put(client, rows.TOUCHPOINT_SCORES, cell(hour + 900_000, 1, 2, [30.0], 9), cell(hour - 900_000, 1, 2, [], 100))
    sql = """SELECT toUnixTimestamp(hour) * 1000, definition, interactions, ease_asked_n, ease_asked_mean,
        ease_asked_low, ease_asked_high, emotion_asked_mean, emotion_asked_low FROM touchpoint_hourly ORDER BY hour"""
    before, during = asked(client, sql)
    assert before[2:] == (100, 0, None, None, None, None, None)
    values = [50.0, 100.0, 0.0, 80.0]
    mean = sum(values) / 4
    margin = Z95 * math.sqrt(sum((x - mean) ** 2 for x in values) / 3 / 4)
    assert during[:4] == (hour, 1, 9, 4)
    assert during[4:7] == pytest.approx((mean, max(mean - margin, 0), min(mean + margin, 100)))
    assert during[7:] == (None, None)
    days = asked(client, "SELECT sum(interactions), count() FROM touchpoint_daily")
    assert days[0][0] == 109
    with live(client, 2, 1):
        assert [row[1:5] for row in asked(client, sql)] == [(2, 100, 0, None), (2, 9, 1, 30.0)]
    each = """SELECT definition, sum(interactions), sum(ease_asked_n) FROM touchpoint_quarters_by_definition
        GROUP BY definition ORDER BY definition"""
    assert asked(client, each) == [(1, 109, 4), (2, 109, 1)]
    daily = """SELECT definition, sum(interactions), sum(ease_n), max(ease), max(ease_low)
        FROM touchpoint_daily_by_definition GROUP BY definition ORDER BY definition"""
    first, second = asked(client, daily)
    assert first == pytest.approx((1, 109, 4, mean, max(mean - margin, 0)), rel=1e-4)
    assert second == (2, 109, 1, 30.0, None)


def test_what_another_definition_says_otherwise_is_there_while_both_are_counted(client: Client) -> None:
    assert asked(client, "SELECT count() FROM definition_differences") == [(0,)]
    at, old, new = START - 90_000_000, [50.0, 60.0, 70.0], [20.0, 40.0]
    for definition, values in ((1, old), (2, new)):
        put(client, rows.TOUCHPOINT_SCORES, {**cell(at, 0, definition, values, 3), "touchpoint": "desk"})
    people = {
        1: {"same": (50.0, True), "better": (50.0, True), "worse": (50.0, False), "lost": (10.0, False)},
        2: {"same": (54.0, True), "better": (56.0, False), "worse": (44.9, True), "new": (10.0, False)},
    }
    for definition, found in people.items():
        for name, (overall, risk) in found.items():
            row = score(f"customer:differs-{name}", 20_000, definition, ease=overall)
            put(client, rows.CUSTOMER_SCORES, {**row, "overall": overall, "at_risk": risk})
    with live(client, 1, 2):
        [row] = asked(
            client,
            """SELECT dimension, definition_live, definition_beside, live_n, live_mean, beside_n, beside_mean, change,
                change_low, change_high FROM definition_differences WHERE touchpoint = 'desk'""",
        )
        margin = Z95 * math.sqrt(100 / 3 + 200 / 2)
        assert row[:8] == ("ease", 1, 2, 3, 60.0, 2, 30.0, -30.0)
        assert row[8:] == pytest.approx((-30 - margin, -30 + margin))
        shown = "SELECT better, worse, risk_gained, risk_lost, both FROM definition_customers"
        better, worse, gained, lost, both = asked(client, shown)[0]
        assert (better, worse, gained, lost, both) == (1, 1, 1, 1, 3)


@contextmanager
def live(client: Client, definition: int, beside: int) -> Iterator[None]:
    """While that definition is live, and another one counted beside it."""
    number = next(names) + 1
    definitions.load(client, [definitions.Recorded(number, definition, beside, START)])
    yield
    client.command(f"ALTER TABLE definitions DELETE WHERE number = {number}", settings={"mutations_sync": 2})


def test_views_do_not_depend_on_join_use_nulls(client: Client) -> None:
    put(client, rows.INTERACTIONS, entry(identifier="customer:nulls"))
    sql = "SELECT person, ambiguous FROM interactions_by_person WHERE identifier = 'customer:nulls'"
    assert client.query(sql, settings={"join_use_nulls": 1}).result_rows == [("customer:nulls", False)]


def test_bounded_ranges_and_one_persons_timeline_read_little(client: Client) -> None:
    """By what the engine would read: a bounded query must not read every granule."""
    put(
        client,
        rows.INTERACTIONS,
        *(
            entry(identifier=f"customer:{n % 5000}", event_id=str(n), occurred_at_sent=START - n * 60_000)
            | {"occurred_at": START - n * 60_000}
            for n in range(100_000)
        ),
    )

    def granules(query: str, table: str) -> tuple[int, int]:
        """Read and there, of a table."""
        plan = [row[0] for row in asked(client, f"EXPLAIN indexes = 1 {query}")]
        start = next(n for n, line in enumerate(plan) if f"ReadFromMergeTree ({client.database}.{table})" in line)
        found = [line.split("Granules:")[1].split("/") for line in plan[start:] if "Granules:" in line and "/" in line]
        return int(found[-1][0]), int(found[0][1])

    read, there = granules(
        "SELECT count() FROM interactions_by_person WHERE occurred_day = '2023-11-10'", "interactions"
    )
    assert read * 3 < there
    bounded = "occurred_at BETWEEN '2023-11-10 10:00:00' AND '2023-11-10 11:00:00'"
    read, there = granules(f"SELECT count() FROM interactions_by_person WHERE {bounded}", "interactions")
    assert read * 3 < there
