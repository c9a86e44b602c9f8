"""What an erasure takes out of ClickHouse, on the real engine (embedded in this process): all of theirs, no more."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain.messages import Assignment
from pipeline.domain.scoring import DAY_MS
from pipeline.domain.sweeping import Shared
from pipeline.settings import Settings
from pipeline.store import erasing, migrations, mutations, rows
from pipeline.store.erasing import Erasure
from tests.examples import examples

from ..unit.store.records import entry
from .stored import START, alert, asked, identity, put, score

names = count()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with clickhouse_connect.get_client(interface="chdb") as client:
        migrations.migrate(client, Settings())
        yield client


def erase(client: Client, erasure: Erasure) -> dict[str, int]:
    """Erase, and look that nothing is left."""
    database = str(client.database)
    deleted = erasing.delete_erased(client, database, erasure)
    left = erasing.remaining(client, database, erasure)
    assert left.keys() >= {table.name for table in rows.TABLES} | {"consents", "contacts"}
    assert not any(left.values()), left
    return {table: n for table, n in deleted.items() if n}


def said(client: Client, who: str, *moments: tuple[str, int], **changes: Any) -> None:
    """Interactions (event_id, ms after START)."""
    records = [
        entry(
            identifier=who,
            event_id=event,
            **dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), START + at),
            **changes,
        )
        for event, at in moments
    ]
    put(client, rows.INTERACTIONS, *records)


def events(client: Client, who: str, table: str = "interactions") -> set[str]:
    sql = f"SELECT event_id FROM {table} WHERE identifier = {{who:String}}"
    return {row[0] for row in asked(client, sql, who=who)}


def test_what_is_from_before_goes_and_what_is_from_afterwards_stays(client: Client) -> None:
    word = {"consent": {"analysis": False}, "type": "profile_updated"}
    said(client, "customer:before", ("old", 99), ("new", 100), **word, contact="contact")
    said(client, "customer:else", ("old", 99))
    put(  # occurred afterwards by its clock, but received before
        client,
        rows.INTERACTIONS,
        entry(identifier="customer:before", event_id="fast", occurred_at=START + 200, received_at=START + 99)
        | {"contact": "self_service"},
    )
    erasure = Erasure(START + 100, 1, frozenset({"customer:before"}))
    left = erasing.remaining(client, str(client.database), erasure)
    assert left.keys() == erasing.counts(client, str(client.database)).keys()
    assert {table: n for table, n in left.items() if n} == {"interactions": 2, "consents": 1, "contacts": 2}
    assert erase(client, erasure) == {"interactions": 2, "consents": 1, "contacts": 2}
    assert events(client, "customer:before") == {"new"}
    assert events(client, "customer:before", "consents") == {"new"}
    assert events(client, "customer:before", "contacts") == {"new"}
    assert events(client, "customer:else") == {"old"}
    assert erase(client, erasure) == {}


def test_every_stored_version_goes_not_only_the_newest(client: Client) -> None:
    erasure = Erasure(START + 100, 1, frozenset({"customer:versions"}))
    client.command("SYSTEM STOP MERGES interactions")  # a merge would leave the newest
    for _ in range(3):
        said(client, "customer:versions", ("e", 1))
    assert erasing.remaining(client, str(client.database), erasure)["interactions"] == 3
    client.command("SYSTEM START MERGES interactions")
    assert erase(client, erasure)


persons = st.sampled_from(["customer:p", "customer:q", "erased"])
sessions = st.sampled_from(["", "s1", "s2", "s3"])


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(sessions, persons | st.just("")),
    st.none() | st.integers(0, 6),
    st.booleans(),
    st.lists(st.tuples(sessions, st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=10),
)
def test_of_a_shared_device_goes_what_the_assignment_erases(
    client: Client,
    settled: dict[str, str],
    until: int | None,
    first: bool,
    happened: list[tuple[str, int, int]],
) -> None:
    """Assignment.erases decides, event by event; the other owner's, and what is from afterwards, stays."""
    device, before = f"device:{next(names)}", START + 4
    placeholder = f"erased:{before}.o"
    whose = {session: placeholder if person == "erased" else person for session, person in settled.items()}
    owners = (placeholder, "customer:q") if first else ("customer:q", placeholder)
    assignment = Assignment(2, owners, None if until is None else START + until, whose)
    shared = Shared(
        identifier=device,
        placeholder=placeholder,
        owned=[session for session, person in whose.items() if person == placeholder],
        settled=list(whose),
        until=assignment.until if first else None,
    )
    expected = set()
    for n, (session, occurred, received) in enumerate(happened):
        at, received_at = START + occurred, START + received
        record = entry(
            identifier=device, event_id=str(n), session_id=session, occurred_at=at, received_at=received_at, links=[]
        )
        put(client, rows.INTERACTIONS, record)
        if not (assignment.owner(device, session, at) == placeholder and min(at, received_at) < before):
            expected.add(str(n))
    erase(client, Erasure(before, 2, frozenset({"customer:gone"}), [shared]))
    assert events(client, device) == expected


def test_assignments_that_name_them_go_and_newer_ones_stay(client: Client) -> None:
    old = Assignment(8, ("customer:i", "customer:j"), None, {"s": "customer:i"}, ("customer:i", "customer:j"), True)
    put(client, rows.IDENTITIES, identity("anonymous:i", Assignment(7, ("customer:i",))))
    put(client, rows.IDENTITIES, identity("device:i", old))
    new = Assignment(9, ("erased:5.o", "customer:j"), None, {"s": "erased:5.o"}, ("customer:j",), True)
    put(client, rows.IDENTITIES, identity("device:i", new))
    put(client, rows.IDENTITIES, identity("device:other", Assignment(6, ("customer:j",))))
    again = identity("anonymous:i", Assignment(12, ("customer:i",)))
    put(client, rows.IDENTITIES, again)
    erasure = Erasure(START, 9, frozenset({"customer:i", "anonymous:i"}))
    assert erase(client, erasure).keys() == {"identities"}
    sql = "SELECT identifier, assignment FROM identities WHERE endsWith(identifier, 'i') OR identifier = 'device:other'"
    assert sorted(set(asked(client, sql))) == [("anonymous:i", 12), ("device:i", 9), ("device:other", 6)]


def test_scores_of_earlier_days_taken_back_or_replaced_go(client: Client) -> None:
    day = START // DAY_MS
    for records in (
        [score("customer:s|1", day - 1, ease=1.0), score("customer:s|1", day, ease=2.0)],
        [score("customer:s|1", day, ease=3.0), score("customer:s|1", day, definition=2, ease=4.0)],
        [score("customer:s|1", day, definition=2), score("customer:other", day - 1, ease=5.0)],
    ):
        put(client, rows.CUSTOMER_SCORES, *records)
    assert erase(client, Erasure(START, 1, frozenset({"customer:s|1"}))).keys() == {"customer_scores"}
    sql = "SELECT person, ease FROM customer_scores WHERE person IN ('customer:s|1', 'customer:other')"
    assert sorted(asked(client, sql)) == [("customer:other", 5.0), ("customer:s|1", 3.0)]


def alone(subject: str, opened_at: int) -> dict[str, Any]:
    named = {"alert_id": f"stands_alone|{subject}", "kind": "stands_alone", "subject": subject, "reason": "too many"}
    return alert(**named, opened_at=opened_at)


def severe(name: str, identifier: str, person: str, opened_at: int, since: int | None) -> dict[str, Any]:
    about = {"identifier": identifier, "person": person, "since": since, "touchpoint": "doorstep"}
    return alert(alert_id=f"severe-{name}", kind="severe", opened_at=opened_at, **about)


def rejected(offset: int) -> dict[str, Any]:
    at = {"topic": "interactions.web", "partition": 0, "offset": offset, "timestamp": START}
    return {"id": f"interactions.web/0/{offset}", **at, "reason": "oversize", "detail": "", "key": None, "value": b"1"}


def test_alerts_and_dead_letters_go(client: Client) -> None:
    put(
        client, rows.ALERTS, alone("device:old", START - 1), alone("device:new", START), alone("device:else", START - 1)
    )
    put(client, rows.REJECTED, *(rejected(n) for n in range(4)))
    letters = ["interactions.web/0/1", "interactions.web/0/3"]
    erasure = Erasure(START, 1, frozenset({"device:old", "device:new"}), rejected=letters)
    assert erase(client, erasure) == {"alerts": 1, "rejected": 2}
    assert asked(client, "SELECT subject FROM alerts ORDER BY subject") == [("device:else",), ("device:new",)]
    assert asked(client, "SELECT offset FROM rejected ORDER BY offset") == [(0,), (2,)]


def test_alerts_of_what_was_before_go_whenever_they_were_opened(client: Client) -> None:
    put(
        client,
        rows.ALERTS,
        severe("a", "customer:v", "customer:v", START + 900, START - 1),  # opened afterwards, of what was before
        severe("b", "device:shared", "customer:v", START + 900, START - 1),
        severe("c", "customer:v", "customer:v", START + 900, START),
        severe("d", "customer:w", "customer:w", START - 9, START - 9),
    )
    assert erase(client, Erasure(START, 1, frozenset({"customer:v"}))) == {"alerts": 2}
    left = asked(client, "SELECT alert_id FROM alerts WHERE kind = 'severe' ORDER BY alert_id")
    assert left == [("severe-c",), ("severe-d",)]


def test_words_on_complaints_go_with_the_interactions_they_are_copies_of(client: Client) -> None:
    said(client, "customer:c", ("old", 99), ("new", 100), type="complaint_opened")
    assert events(client, "customer:c", "complaints") == {"old", "new"}
    erased = erase(client, Erasure(START + 100, 1, frozenset({"customer:c"})))
    assert erased == {"interactions": 1, "complaints": 1}
    assert events(client, "customer:c", "complaints") == {"new"}


def came(client: Client, who: str, *moments: tuple[str, int, int]) -> None:
    """Outcomes (outcome_id, ms after START when it occurred, when it was received)."""
    for outcome_id, occurred, received in moments:
        said = {"source": "billing", "outcome_id": outcome_id, "kind": "refund", "identifier": who, "session_id": ""}
        at = {"occurred_at": START + occurred, "received_at": START + received}
        put(client, rows.OUTCOMES, said | at | {"amount": -1.0, "currency": "USD"})


def test_outcomes_go_as_interactions_do(client: Client) -> None:
    came(client, "customer:o", ("old", 99, 99), ("late", 99, 200), ("new", 100, 100), ("corrected", 99, 99))
    came(client, "customer:o", ("corrected", 100, 100))
    came(client, "device:o", ("first", 10, 10), ("second", 60, 60))
    came(client, "customer:p", ("else", 1, 1))
    shared = Shared(identifier="device:o", placeholder=f"erased:{START + 100}.o", settled=["s"], until=START + 50)
    erasure = Erasure(START + 100, 1, frozenset({"customer:o"}), [shared])
    assert erase(client, erasure).keys() == {"outcomes"}
    found = asked(client, "SELECT outcome_id FROM outcomes FINAL ORDER BY outcome_id")
    assert [row[0] for row in found] == ["corrected", "else", "new", "second"]


def test_who_was_erased_is_taken_out_of_what_others_said_before(client: Client) -> None:
    named = {
        "links": ["anonymous:m", "device:m"],
        "masks": {"anonymous:m": "a•••", "device:m": "d•••"},
        "properties": {"friend": "anonymous:m", "query": "shoes"},
        "details": {"queue": "returns"},
    }
    said(client, "customer:m", ("old", 1), ("new", 200), **named)
    assert erase(client, Erasure(START + 100, 1, frozenset({"anonymous:m"}))) == {"interactions": 1}
    sql = "SELECT event_id, links, masks, properties, details FROM interactions WHERE identifier = 'customer:m'"
    assert sorted(asked(client, sql)) == [
        ("new", named["links"], named["masks"], named["properties"], named["details"]),
        ("old", ["device:m"], {"device:m": "d•••"}, {"friend": "", "query": "shoes"}, {"queue": "returns"}),
    ]


def test_every_column_of_every_table_is_looked_at(client: Client) -> None:
    """Also of tables that nobody has thought of, and in every kind of column that can hold a text."""
    erasure = Erasure(START + 100, 1, frozenset({"customer:hidden"}))
    client.command(
        "CREATE TABLE fresh (a String, b Array(String), c Map(LowCardinality(String), UInt8), d Map(UInt8, String), "
        "e Array(Tuple(x String, y Nullable(Float64))), f Nullable(String), g Tuple(String, UInt8), h UInt8) "
        "ENGINE = MergeTree ORDER BY a"
    )
    for column, value in (
        ("a", "'customer:hidden'"),
        ("b", "['customer:hidden']"),
        ("c", "map('customer:hidden', 1)"),
        ("d", "map(1, 'customer:hidden')"),
        ("e", "[('customer:hidden', NULL)]"),
        ("f", "'customer:hidden'"),
        ("g", "('customer:hidden', 1)"),
    ):
        client.command(f"INSERT INTO fresh ({column}) SELECT {value}")
        assert erasing.remaining(client, str(client.database), erasure)["fresh"] == 1, column
        client.command("TRUNCATE TABLE fresh")
    client.command("DROP TABLE fresh SYNC")
    for column in ("source", "session_id", "about", "goal"):
        said(client, "customer:holder", (column, 1), **{column: "customer:hidden"})
        assert erasing.remaining(client, str(client.database), erasure)["interactions"] == 1, column
        client.command("ALTER TABLE interactions DELETE WHERE identifier = 'customer:holder' SETTINGS mutations_sync=2")


def test_many_identifiers_with_any_characters_are_bound_in_several_statements(client: Client) -> None:
    ids = [f"customer:'{n}\\ \n?&=%{{}}ä" for n in range(1_200)]
    put(client, rows.INTERACTIONS, *(entry(identifier=each, links=[], received_at=START) for each in ids))
    assert erase(client, Erasure(START + 1, 1, frozenset(ids))) == {"interactions": 1_200, "contacts": 1_200}


def test_the_list_of_mutations_soon_names_nobody(client: Client) -> None:
    said(client, "customer:listed", ("e", 1))
    erase(client, Erasure(START + 100, 1, frozenset({"customer:listed"})))
    (newest,) = asked(
        client,
        "SELECT argMax(command, (create_time, mutation_id)) FROM system.mutations WHERE table = 'interactions' "
        "GROUP BY table",
    )
    assert "customer:" not in newest[0]
    sql = "SELECT name, create_table_query LIKE '%finished_mutations_to_keep = 1%' FROM system.tables WHERE name IN "
    kept = asked(
        client, f"{sql} ('interactions', 'consents', 'contacts', 'identities', 'customer_scores', 'alerts', 'rejected')"
    )
    assert len(kept) == 7
    assert all(only_one for _, only_one in kept)
    assert 0 < erasing.lingers_s(client) < 3_600


def test_batches_are_bounded_by_number_and_by_characters() -> None:
    assert [len(each) for each in mutations.batches(["a"] * 2_500)] == [1_000, 1_000, 500]
    assert [len(each) for each in mutations.batches([":" * 10_000] * 3)] == [1, 1, 1]
    assert list(mutations.batches([])) == []
