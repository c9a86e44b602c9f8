"""Bank calls: made-up rows in the file's format."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.sources.adapter import Imported, Line, NotThisFile, Refused, Row
from pipeline.sources.bank_calls import HEADING, read

PLAIN = {
    "vru+line": "ZZ0101",
    "call_id": "11111",
    "customer_id": "4711",
    "priority": "2",
    "type": "PS",
    "date": "990210",
    "vru_entry": "9:00:10",
    "vru_exit": "9:00:20",
    "vru_time": "10",
    "q_start": "9:00:20",
    "q_exit": "9:01:00",
    "q_time": "40",
    "outcome": "AGENT",
    "ser_start": "9:01:00",
    "ser_exit": "9:03:00",
    "ser_time": "120",
    "server": "NOBODY",
}


def rows(*texts: str) -> list[Row]:
    return list(read(Line(n, text) for n, text in enumerate((HEADING, *texts), 1)))


def call(**changes: str) -> dict[str, Any]:
    [row] = rows("\t".join((PLAIN | changes).values()))
    assert isinstance(row, Imported), row
    assert row.channel == "phone"
    return row.event


def at(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1000  # type: ignore[arg-type]


def test_a_call_is_one_interaction_at_its_entry_in_israel() -> None:
    event = call()
    assert event["occurred_at"] == at(1999, 2, 10, 7, 0, 10)  # Israel is two hours ahead in winter
    assert (event["type"], event["touchpoint"], event["source"]) == ("call_ended", "call_queue", "bank")
    assert event["identifiers"] == {"customer": "4711"}
    assert event["session_id"] == "ZZ0101-11111-990210"
    assert event["event_id"] == "ZZ0101-11111-990210-9:00:10"
    assert event["measures"] == {"duration_s": 170.0, "vru_s": 10.0, "wait_s": 40.0, "handle_s": 120.0}
    details = {name: value for name, value in event["details"].items() if value is not None}
    assert details == {
        "queue": "PS",
        "direction": "inbound",
        "wait_s": 40.0,
        "handle_s": 120.0,
        "outcome": "AGENT",
        "agent": "NOBODY",
    }


def test_summer_time_counts_by_the_clock() -> None:
    assert call(date="990701")["occurred_at"] == at(1999, 7, 1, 6, 0, 10)


@pytest.mark.parametrize("customer", ["0", "6.02157E+11", "3.12E+11"])
def test_an_unknown_caller_is_a_visitor_of_its_own(customer: str) -> None:
    """A number that a spreadsheet has rounded may be anybody's."""
    event = call(customer_id=customer)
    assert event["identifiers"] == {"anonymous": "ZZ0101-11111"}
    assert event["properties"].get("customer_id_rounded", "0") == customer


def test_what_was_not_seen_is_left_out() -> None:
    none = dict.fromkeys(("q_start", "q_exit", "ser_start", "ser_exit"), "0:00:00")
    times = {"q_time": "0", "ser_time": "0", "outcome": "HANG", "server": "NO_SERVER"}
    event = call(**none, **times)
    assert event["measures"] == {"duration_s": 10.0, "vru_s": 10.0}
    assert event["details"]["wait_s"] is None
    assert event["details"]["agent"] is None


def test_a_call_without_a_queue_waited_for_nothing() -> None:
    event = call(q_start="0:00:00", q_exit="0:00:00", q_time="0")
    assert event["measures"]["wait_s"] == 0.0


@pytest.mark.parametrize(
    ("times", "duration_s"),
    [
        ({"vru_entry": "23:59:50", "vru_exit": "23:59:58", "q_start": "23:59:58", "q_exit": "0:00:38"}, 130.0),
        ({"vru_entry": "23:59:50", "vru_exit": "0:00:00", "q_start": "0:00:00", "q_exit": "0:00:40"}, 130.0),
    ],
)
def test_what_lies_past_midnight_is_on_the_next_day(times: dict[str, str], duration_s: float) -> None:
    event = call(**times, ser_start="0:00:40", ser_exit="0:02:00", ser_time="80")
    assert event["occurred_at"] == at(1999, 2, 10, 21, 59, 50)
    assert event["measures"]["duration_s"] == duration_s
    assert event["measures"]["wait_s"] == 40.0


def test_clocks_that_contradict_each_other_are_no_midnight() -> None:
    event = call(vru_entry="9:01:05", vru_exit="9:00:20", vru_time="-45")
    assert event["occurred_at"] == at(1999, 2, 10, 7, 1, 5)
    assert event["measures"] == {"duration_s": 115.0, "wait_s": 40.0, "handle_s": 120.0}


def test_a_phantom_call_says_nothing_about_service() -> None:
    event = call(outcome="PHANTOM")
    assert event["measures"] == {}
    assert event["details"]["wait_s"] is None
    assert event["details"]["outcome"] == "PHANTOM"
    assert event["properties"]["wait_s"] == "40"


@pytest.mark.parametrize(
    "changes",
    [
        {"date": "990230"},
        {"date": ""},
        {"vru_entry": "24:00:00"},
        {"vru_entry": "nine"},
        {"q_time": "-3"},
        {"customer_id": ""},
        {"call_id": "x"},
        {"vru+line": ""},
        {"ser_time": "9" * 40},
        {"vru_exit": "9:0²:00"},
    ],
)
def test_a_bad_row_is_refused_and_the_next_one_goes_in(changes: dict[str, str]) -> None:
    bad, good = rows("\t".join((PLAIN | changes).values()), "\t".join(PLAIN.values()))
    assert isinstance(bad, Refused)
    assert bad.line == 2
    assert isinstance(good, Imported)
    assert good.line == 3


def test_a_cut_row_is_refused() -> None:
    assert rows("ZZ0101\t11111\t0") == [Refused(2, "3 columns instead of 17")]


def test_another_file_is_refused_at_its_first_line() -> None:
    with pytest.raises(NotThisFile, match="line 1"):
        list(read([Line(1, "id,name")]))
    with pytest.raises(NotThisFile, match="line 1"):
        list(read([]))
