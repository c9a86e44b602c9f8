"""Complaints in ClickHouse, on the real engine (embedded in this process): stages, what is overdue, who answered."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import catalogue
from pipeline.domain import complaints
from pipeline.domain.messages import Assignment
from pipeline.settings import Settings
from pipeline.store import catalogued, migrations, rows
from tests.examples import examples

from ..unit.store.records import entry
from .stored import asked, identity, put

HOUR = 3_600_000
NOW = time.time_ns() // 1_000_000
TYPES = (*complaints.STAGES, complaints.UPDATED)
names = count()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with clickhouse_connect.get_client(interface="chdb") as client:
        migrations.migrate(client, Settings())
        catalogued.load(client, catalogue.load(Settings().catalogue_folder), NOW)
        yield client


def said(client: Client, who: str, kind: str, hours_ago: float, **changes: Any) -> None:
    """A word on a complaint."""
    at = NOW - int(hours_ago * HOUR)
    times = dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), at)
    told = {"event_id": f"{kind}-{at}", "consent": {}, "type": kind, "touchpoint": "call_queue"} | times | changes
    put(client, rows.INTERACTIONS, entry(identifier=who, **told))


def one(client: Client, person: str, *columns: str) -> tuple[Any, ...]:
    (row,) = asked(
        client, f"SELECT {', '.join(columns)} FROM complaint_times WHERE person = {{person:String}}", person=person
    )
    return row


Word = tuple[int, str]  # hours ago, type


def told(words: Sequence[Word]) -> dict[str, Any]:
    """What the view must say of words on one complaint: word after word, in the order of their times."""
    state: dict[str, Any] = dict.fromkeys((*complaints.STAGES.values(), "reopened_at"))
    state["received"], state["reopened"] = max(words)[0], 0
    for ago, kind in sorted(words, key=lambda word: (-word[0], word[1])):
        if kind in (complaints.OPENED, complaints.UPDATED):
            if state["closed"] is not None:  # it begins anew
                state |= dict.fromkeys((*complaints.BETWEEN_STAGES, "closed"))
                state |= {"reopened_at": ago, "reopened": state["reopened"] + 1}
        elif state[complaints.STAGES[kind]] is None:
            state[complaints.STAGES[kind]] = ago
    return state


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from(TYPES)), min_size=1, max_size=9, unique=True),
    st.randoms(use_true_random=False),
)
def test_stages_and_their_times_are_what_the_words_say_in_the_order_of_their_times(
    client: Client, words: list[Word], random: Any
) -> None:
    who = f"customer:c{next(names)}"
    expected = told(words)
    random.shuffle(words)
    for ago, kind in words:
        said(client, who, kind, ago, event_id=f"{kind} {ago}", properties={"complaint_id": "c"})
    columns = ("received", *complaints.BETWEEN_STAGES, "closed", "reopened")
    row = one(client, who, *(f"toUnixTimestamp64Milli({name}_at)" for name in columns), "reopened")
    found = {name: None if at is None else (NOW - at) // HOUR for name, at in zip(columns, row, strict=False)}
    found["reopened_at"] = found.pop("reopened")
    assert found | {"reopened": row[-1]} == expected


def test_words_of_several_identifiers_of_one_person_are_on_one_complaint(client: Client) -> None:
    put(client, rows.IDENTITIES, identity("anonymous:one", Assignment(1, ("customer:one",))))
    said(client, "anonymous:one", "complaint_opened", 5, issue="late")
    said(client, "customer:one", "complaint_assessed", 4, issue="late", touchpoint="email")
    assert one(client, "customer:one", "issue", "touchpoint", "stage", "assessed_h", "identifier") == (
        *("late", "call_queue", "assessed", 1.0),
        "anonymous:one",
    )


@pytest.mark.parametrize(
    ("words", "overdue"),
    [
        ([(23, "opened")], ""),
        ([(25, "opened")], "acknowledged"),
        ([(25, "opened"), (1, "acknowledged")], ""),
        ([(49, "opened"), (47, "acknowledged")], "assessed"),
        ([(49, "opened"), (1, "investigated")], ""),  # a stage was left out, and a later one was reached
        ([(200, "opened"), (1, "assessed")], "investigated"),  # the earliest of two
        ([(337, "opened"), (1, "responded")], "closed"),
        ([(400, "opened"), (1, "closed")], ""),
        ([(400, "opened"), (300, "closed"), (20, "opened")], ""),  # the time begins anew
        ([(400, "opened"), (300, "closed"), (30, "updated")], "acknowledged"),
        ([(400, "opened"), (300, "closed"), (200, "responded")], ""),  # told late: it stays closed
    ],
)
def test_the_earliest_stage_that_is_past_its_time_is_overdue(
    client: Client, words: list[tuple[float, str]], overdue: str
) -> None:
    who = f"customer:o{next(names)}"
    for ago, stage in reversed(words):
        said(client, who, f"complaint_{stage}", ago, properties={"complaint_id": "c"})
    assert one(client, who, "overdue") == (overdue,)


def test_what_an_opening_is_about_is_no_complaint_and_a_stage_is_about_its_opening(client: Client) -> None:
    said(client, "customer:about", "complaint_opened", 3, event_id="o1", about="call-1")
    said(client, "customer:about", "complaint_closed", 2, about="o1", properties={"root_cause": "r", "next_step": "n"})
    assert one(client, "customer:about", "complaint", "stage", "root_cause", "next_step") == ("o1", "closed", "r", "n")


def test_who_refuses_analysis_has_no_complaint_there(client: Client) -> None:
    said(client, "customer:refuses", "complaint_opened", 30)
    assert len(asked(client, "SELECT 1 FROM complaint_times WHERE person = 'customer:refuses'")) == 1
    said(client, "customer:refuses", "consent_changed", 1, consent={"analysis": False})
    assert asked(client, "SELECT 1 FROM complaint_times WHERE person = 'customer:refuses'") == []


def test_without_a_catalogue_nothing_is_overdue() -> None:
    with clickhouse_connect.get_client(interface="chdb") as client:
        migrations.migrate(client, Settings(clickhouse_database="bare"))
        said(client, "customer:bare", "complaint_opened", 9_999)
        assert one(client, "customer:bare", "overdue") == ("",)
