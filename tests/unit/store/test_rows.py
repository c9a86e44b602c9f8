"""Rows from records: what each output record becomes."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.messages import Assignment
from pipeline.store import rows

from .records import entry, identity

EPOCH_DAY = date(1970, 1, 1)


def table_rows(table: rows.Table, *records: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows as mappings, all with the versions 0, 1, …"""
    columns = table.columns_of([rows.Stored(n, record) for n, record in enumerate(records)])
    assert len({len(column) for column in columns}) == 1
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def test_version_orders_by_epoch_then_offset() -> None:
    assert rows.version(1, 0) == 1 << 48
    assert rows.version(1, (1 << 48) - 1) < rows.version(2, 0)
    assert rows.version(0xFFFF, (1 << 48) - 1) == (1 << 64) - 1


@pytest.mark.parametrize(("epoch", "offset"), [(-1, 0), (0x10000, 0), (1, -1), (1, 1 << 48)])
def test_version_that_does_not_fit_is_refused(epoch: int, offset: int) -> None:
    with pytest.raises(rows.Inconsistent):
        rows.version(epoch, offset)


@pytest.mark.parametrize(
    ("time_ms", "day"),
    [
        (1_700_000_000_000, date(2023, 11, 14)),
        (-1, date(1990, 1, 1)),
        (0, date(1990, 1, 1)),
        (-(1 << 63), date(1990, 1, 1)),
        ((1 << 63) - 1, date(2105, 12, 31)),
    ],
)
def test_day_is_bounded(time_ms: int, day: date) -> None:
    assert EPOCH_DAY.toordinal() + rows.day_of(time_ms) == day.toordinal()


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=2, max_size=300))
def test_wild_clocks_touch_a_bounded_number_of_partitions(times: list[int]) -> None:
    years = {(EPOCH_DAY.fromordinal(EPOCH_DAY.toordinal() + rows.day_of(each))).year for each in times}
    assert years <= set(range(1990, 2106))


def test_interaction_without_answer_or_evidence_has_nulls() -> None:
    (row,) = table_rows(rows.INTERACTIONS, entry())
    assert row["answer_question"] == ""
    assert [row[f"answer_{name}"] for name in ("value", "min", "max")] == [None, None, None]
    assert [row[name] for name in rows.DIMENSIONS] == [None, None, None]


def test_interaction_keeps_answer_evidence_and_items() -> None:
    (row,) = table_rows(
        rows.INTERACTIONS,
        entry(
            answer={"question": "nps", "value": 7.0, "min": 0.0, "max": 10.0},
            evidence={"effectiveness": 0.0, "ease": None, "emotion": 70.0},
            items=[{"product": "p", "quantity": 2.0, "price": None, "name": "n"}],
        ),
    )
    assert (row["answer_question"], row["answer_value"], row["answer_min"], row["answer_max"]) == ("nps", 7, 0, 10)
    assert (row["effectiveness"], row["ease"], row["emotion"]) == (0.0, None, 70.0)
    assert row["items"] == [("p", 2.0, None, "n")]


def test_day_is_that_of_the_time_as_sent() -> None:
    first, second = table_rows(rows.INTERACTIONS, entry(), entry(occurred_at=1_600_000_000_000))
    assert first["occurred_day"] == second["occurred_day"]


def test_rejected_keeps_sizes_but_no_bytes() -> None:
    secret = b"+1 555 0100"
    (row,) = table_rows(
        rows.REJECTED,
        {
            "id": "interactions.web/3/9",
            "topic": "interactions.web",
            "partition": 3,
            "offset": 9,
            "timestamp": 1,
            "reason": "broken_avro",
            "detail": "",
            "key": None,
            "value": secret,
        },
    )
    assert (row["key_bytes"], row["value_bytes"]) == (None, len(secret))
    assert not any(isinstance(value, bytes) for value in row.values())


def test_identity_with_one_owner_is_one_row_whatever_its_sessions() -> None:
    (row,) = rows.identity_rows(identity(owners=["customer:1"], person="customer:1", until=5, sessions={"s": "x"}))
    assert (row["person"], row["until"], row["earlier_person"]) == ("customer:1", None, "")


def test_shared_identity_has_a_row_for_each_settled_session() -> None:
    shared = identity(
        owners=["customer:1", "customer:2"],
        candidates=["customer:1", "customer:2"],
        ambiguous=True,
        until=50,
        sessions={"s1": "customer:2", "s2": "", "": "customer:1"},
    )
    main, *sessions = table_rows(rows.IDENTITIES, shared)
    assert (main["session_id"], main["person"], main["until"], main["earlier_person"]) == (
        "",
        "device:d",
        50,
        "customer:1",
    )
    assert [(row["session_id"], row["person"]) for row in sessions] == [("s1", "customer:2"), ("s2", "device:d")]
    assert {row["version"] for row in (main, *sessions)} == {0}


def test_identity_that_contradicts_itself_ends_the_process() -> None:
    with pytest.raises(rows.Inconsistent):
        rows.identity_rows(identity(owners=["customer:1"], person="customer:2"))


@given(
    st.builds(
        Assignment,
        version=st.just(1),
        owners=st.lists(st.sampled_from(["a", "b", "c"]), unique=True).map(tuple),
        until=st.none() | st.integers(0, 3),
        sessions=st.dictionaries(st.sampled_from(["s1", "s2"]), st.sampled_from(["", "a", "b"])),
    ),
    st.sampled_from(["", "s1", "s3"]),
    st.integers(0, 3),
)
def test_identity_rows_say_what_the_assignment_says(assignment: Assignment, session_id: str, at: int) -> None:
    record = identity(
        person=assignment.owners[0] if len(assignment.owners) == 1 else "device:d",
        owners=list(assignment.owners),
        until=assignment.until,
        sessions=assignment.sessions,
    )
    by_session = {row["session_id"]: row for row in rows.identity_rows(record)}
    main = by_session[""]
    if session_id and session_id in by_session:
        person = by_session[session_id]["person"]
    elif main["until"] is not None and at < main["until"]:
        person = main["earlier_person"]
    else:
        person = main["person"]
    assert person == assignment.owner("device:d", session_id, at)
