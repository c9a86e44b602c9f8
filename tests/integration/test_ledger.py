"""The ledger on the real ClickHouse engine (embedded in this process): rows that are there, erased, and carried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain import tallies
from pipeline.domain.balance import Place, Readings, balance, carried
from pipeline.domain.sweeping import Shared
from pipeline.domain.tallies import Tally
from pipeline.partition import partition_of
from pipeline.reconciliation import Tables
from pipeline.settings import Settings
from pipeline.store import erasing, migrations, mutations, rows
from pipeline.store.erasing import Erasure
from tests.examples import examples

from ..unit.store.records import entry
from .stored import START, asked, put

PARTITIONS = 5
HIDING = (7, 1 << 63)
names = count()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with clickhouse_connect.get_client(interface="chdb") as client:
        migrations.migrate(client, Settings())
        yield client


@pytest.fixture(autouse=True)
def _empty(client: Client) -> None:
    for table in ("interactions", "tallies", "erased_rows", "tallies_carried", "contacts", "consents"):
        client.command(f"TRUNCATE TABLE {table}")


def held(client: Client) -> Tables:
    return Tables(client, PARTITIONS)


def said(client: Client, identifier: str, event_id: str, at: int = 0, **more: Any) -> dict[str, Any]:
    record = entry(identifier=identifier, event_id=event_id, links=[], **more)
    record |= dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), START + at)
    put(client, rows.INTERACTIONS, record | more)
    return record


def tallied(client: Client, counts: dict[Place, Tally]) -> None:
    put(client, rows.TALLIES, *(tallies.fields(*place, PARTITIONS, each) for place, each in counts.items()))


def place(identifier: str, channel: str = "web") -> Place:
    return channel, partition_of(identifier, PARTITIONS)


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=20).map(lambda text: f"customer:{text}"), min_size=1, max_size=50), st.integers(1, 99))
def test_clickhouse_knows_the_partition_of_an_identifier(client: Client, ids: list[str], partitions: int) -> None:
    sql = "SELECT arrayMap(each -> kafkaMurmurHash(each) % {n:UInt32}, {ids:Array(String)})"
    assert asked(client, sql, ids=ids, n=partitions) == [([partition_of(each, partitions) for each in ids],)]


def test_rows_count_once_at_the_partition_of_their_identifier(client: Client) -> None:
    expected: Counter[Place] = Counter()
    for n in range(40):
        identifier, channel = f"customer:{n}", ("web", "phone")[n % 2]
        for _ in range(1 + n % 3):  # stored again
            said(client, identifier, "e", channel=channel)
        expected[place(identifier, channel)] += 1
    assert held(client).held().rows == expected
    assert held(client).told_apart(held(client).held()).repeated == {}


def test_copies_of_different_days_are_told_apart(client: Client) -> None:
    for day in range(3):
        said(client, "customer:1", "e", occurred_at_sent=START + day * rows.DAY_MS)
    told = held(client).told_apart(held(client).held())
    assert (told.rows, told.repeated) == ({place("customer:1"): 3}, {place("customer:1"): 2})


def erase(client: Client, ids: set[str], request: str = "r", before: int = 100, **more: Any) -> None:
    erasure = Erasure(START + before, 1, frozenset(ids), request=request, hiding=HIDING, partitions=PARTITIONS, **more)
    erasing.delete_erased(client, str(client.database), erasure)


def test_what_an_erasure_deletes_is_written_down_once_and_without_names(client: Client) -> None:
    expected: Counter[Place] = Counter()
    for n in range(12):
        identifier, channel = f"customer:{n % 4}", ("web", "phone")[n % 2]
        for _ in range(2):
            said(client, identifier, f"e{n}", channel=channel)
        expected[place(identifier, channel)] += 1
    said(client, "customer:1", "from afterwards", at=100)
    said(client, "customer:else", "somebody else's")
    for _ in range(2):  # again, as a coordinator does that was killed
        erase(client, {f"customer:{n}" for n in range(4)})
    assert held(client).held().erased == expected
    assert held(client).held().rows == Counter([place("customer:1"), place("customer:else")])
    texts = [str(row) for row in asked(client, "SELECT * FROM erased_rows")]
    assert not [text for text in texts if "customer" in text or "e1" in text]


def test_an_erasure_that_was_killed_half_way_counts_all_it_deletes(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(6):
        said(client, "customer:k", f"e{n}")
    with monkeypatch.context() as killed:

        def die(*_: Any) -> int:
            raise KeyboardInterrupt

        killed.setattr(mutations, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            erase(client, {"customer:k"})
    client.command("ALTER TABLE interactions DELETE WHERE event_id IN ('e0', 'e1') SETTINGS mutations_sync = 2")
    said(client, "customer:k", "e9")  # the sink had not stored this by then
    erase(client, {"customer:k"})
    said(client, "customer:k", "e0")  # the sink went back a little
    erase(client, {"customer:k"})
    assert held(client).held().erased == {place("customer:k"): 7}
    assert held(client).held().rows == {}


def test_what_was_erased_and_came_again_counts_with_the_next_erasure(client: Client) -> None:
    said(client, "customer:a", "e")
    erase(client, {"customer:a"})
    said(client, "customer:a", "e", at=100)  # a copy from afterwards: stitch stores it anew
    erase(client, {"customer:a"}, request="another", before=200)
    assert held(client).held().erased == {place("customer:a"): 2}


def test_an_event_of_which_a_copy_stays_is_not_counted(client: Client) -> None:
    said(client, "customer:b", "e", at=99)
    said(client, "customer:b", "e", at=101, occurred_at_sent=START + 99)
    erase(client, {"customer:b"})
    assert held(client).held().erased == {}
    assert held(client).held().rows == {place("customer:b"): 1}


def test_of_what_is_shared_the_part_that_was_theirs_counts(client: Client) -> None:
    for session in ("hers", "his"):
        for n in range(3):
            said(client, "device:d", f"{session}{n}", session_id=session)
    shared = Shared(identifier="device:d", placeholder="erased:1.o", owned=["hers"], settled=["hers", "his"])
    erase(client, {"customer:her"}, shared=[shared])
    assert held(client).held().erased == {place("device:d"): 3}
    assert held(client).held().rows == {place("device:d"): 3}


def test_the_view_says_what_became_of_everything(client: Client) -> None:
    web, other = place("customer:1"), place("customer:2")
    assert web != other
    for n in range(3):
        said(client, "customer:1", f"e{n}")
    said(client, "customer:2", "e")
    said(client, "customer:2", "old")
    erase(client, {"customer:2"})
    said(client, "customer:1", "moved")
    before = Tally(read_to=1, received=1, stored=1)
    tallied(client, {web: before, other: before})
    counts = {
        web: Tally(read_to=9, received=9, rekeyed_in=1, stored=5, duplicates=2, rejected=1, refused=2),
        other: Tally(read_to=2, received=2, rekeyed_out=1, stored=1),
    }
    assert not any(each.difference for each in counts.values())
    tallied(client, counts)
    held(client).carry({other: 1}, {})
    columns = "received, carried, rekeyed, stored, duplicates, rejected, erased, on_the_way"
    found = {(row[0], row[1]): row[2:] for row in asked(client, f"SELECT channel, partition, {columns} FROM ledger")}
    assert found == {web: (9, 0, 1, 4, 2, 1, 2, 1), other: (2, 1, -1, 0, 0, 0, 2, 0)}
    for received, before_, rekeyed, *rest in found.values():
        assert received + before_ + rekeyed == sum(rest)
    assert held(client).tallies() == counts
    drawn = balance(Readings(counts, held(client).held(), counts, {}, {}))
    lines = {(line.channel, line.partition): line for line in drawn.partitions}
    assert [(line.stored, line.in_flight) for line in (lines[web], lines[other])] == [(4, 1), (0, 0)]


def test_what_is_carried_replaces_what_was_carried_before(client: Client) -> None:
    said(client, "customer:1", "e")
    counts = {place("customer:1"): Tally(rekeyed_in=2, duplicates=2)}
    tallied(client, counts)
    for _ in range(2):
        readings = Readings(counts, held(client).held(), counts, {}, {})
        held(client).carry(*carried(readings))
        now = held(client).held()
        assert now.carried == {("web", 0): 0} | {place("customer:1"): 1}
        assert now.rekeyed == {"web": 2}
        assert balance(Readings(counts, now, counts, {}, {})).adds_up


def test_what_an_erasure_wrote_down_survives_its_proof(client: Client) -> None:
    """No text of it is anybody's, so the search for what remains finds nothing."""
    said(client, "customer:1", "e")
    erase(client, {"customer:1"})
    erasure = Erasure(START + 100, 1, frozenset({"customer:1"}))
    assert erasing.remaining(client, str(client.database), erasure)["erased_rows"] == 0
    assert asked(client, "SELECT count() FROM erased_rows") == [(1,)]
