"""Outcomes from files: CSV and JSON Lines say the same, and what is wrong is said by its line."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.settings import Settings
from pipeline.sources.adapter import ImportedOutcome, Line, NotThisFile, Refused, Row
from pipeline.sources.main import Outgoing, prepare
from pipeline.sources.outcomes import read
from pipeline.wire import Codec
from tests.collecting import NOON
from tests.outcomes import sent

HEADING = "outcome_id,source,kind,occurred_at,amount,currency,customer,email"


def rows(*texts: str) -> list[Row]:
    return list(read(Line(n, text) for n, text in enumerate(texts, 1)))


def outcomes(*texts: str) -> list[dict[str, Any]]:
    found = rows(*texts)
    assert not [row for row in found if isinstance(row, Refused)]
    return [row.given for row in found if isinstance(row, ImportedOutcome)]


def test_both_kinds_of_files_say_the_same() -> None:
    cells = f"r-1,billing,refund,{NOON},-20,USD,4711,"
    time = "2025-11-22T11:00:00+01:00"
    expected = sent(received_at=None)
    assert outcomes("\ufeff" + HEADING, cells) == [expected]
    assert outcomes(HEADING, "", f'r-1,"billing",refund,{time}, -20.0 ,USD,4711,') == [expected]
    assert outcomes(json.dumps(sent()), "", json.dumps(sent(occurred_at=time))) == [expected, expected]


def test_an_empty_cell_says_nothing() -> None:
    [churn] = outcomes("Kind, source,outcome_id,occurred_at,email", f"churn,billing,r-2,{NOON},jo@example.com")
    identifiers = {"email": "jo@example.com"}
    given = sent(outcome_id="r-2", kind="churn", amount=None, currency="", identifiers=identifiers)
    assert churn == given | {"received_at": None}
    assert outcomes(HEADING, f"r-1,billing,refund,{NOON},-20,USD,4711,")[0]["identifiers"] == {"customer": "4711"}


@given(st.text(alphabet='a",; é', min_size=1, max_size=20).filter(lambda text: text.strip() == text))
def test_what_csv_quotes_is_read_as_it_was(text: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow([text, "billing", "churn", NOON, "", "", "4711", ""])
    assert outcomes(HEADING, out.getvalue().rstrip("\r\n"))[0]["outcome_id"] == text


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ("", "there is no column ''"),
        ("outcome_id;source;kind", "there is no column 'outcome_id;source;kind'"),
        (HEADING + ",name", "there is no column 'name'"),
        (HEADING + ",email", "a column stands twice"),
        ("outcome_id,source,kind,customer", "the column occurred_at is missing"),
        ("outcome_id,source,kind,occurred_at,amount", "a column that says who it is is missing"),
        ("[]", "there is no column"),
    ],
)
def test_another_file_is_refused_with_what_it_should_be(heading: str, said: str) -> None:
    with pytest.raises(NotThisFile, match=r"^line 1: this is no file of outcomes: ") as why:
        rows(heading, "x")
    assert said in str(why.value)
    assert "It begins with a heading such as 'outcome_id,source" in str(why.value)


@pytest.mark.parametrize(
    ("first", "bad", "why"),
    [
        (HEADING, "r-1,billing,refund", "3 columns instead of 8"),
        (HEADING, f'"r-1,billing,refund,{NOON},-20,USD,4711,', "its quotes do not end on the line"),
        (HEADING, f"r-1,billing,refund,{NOON},-20 USD,USD,4711,", "amount must be a number"),
        (HEADING, f"r-1,billing,refund,{NOON},nan,USD,4711,", "amount must be a number"),
        (HEADING, "r-1,billing,refund,22.11.2025,-20,USD,4711,", "occurred_at must be a time in RFC 3339"),
        (HEADING, "r-1,billing,refund,2025-11-22T10:00:00,-20,USD,4711,", "occurred_at must be a time in RFC 3339"),
        (json.dumps(sent()), "{", "not JSON"),
        (json.dumps(sent()), "{}", "no outcome: Object missing required field `outcome_id`"),
        (json.dumps(sent()), json.dumps(sent(jo="x")), "no outcome: a field that there is not; there are outcome_id"),
        (json.dumps(sent()), json.dumps(sent(amount="-20")), "no outcome: Expected `float | null`, got `str`"),
        (json.dumps(sent()), "[1]", "no outcome: Expected `object`, got `array`"),
    ],
)
def test_a_bad_row_is_named_and_the_others_go_in(first: str, bad: str, why: str) -> None:
    good = json.dumps(sent()) if first.startswith("{") else f"r-1,billing,refund,{NOON},-20,USD,4711,"
    *_, refused, last = rows(first, bad, good)
    assert isinstance(refused, Refused)
    assert (refused.line, refused.why[: len(why)]) == (2, why)
    assert isinstance(last, ImportedOutcome)


def test_a_row_is_ready_for_kafka_with_nobody_in_clear(tmp_path: Path) -> None:
    settings = replace(Settings(), home=tmp_path)
    bad = f"r-1,billing,refund,{NOON},20,USD,4711,"
    found = rows(HEADING, f"r-1,billing,refund,{NOON},-20,USD,,jo@example.com", bad)
    made, refused = prepare(settings, Codec(settings.schemas), found, NOON + 9)
    assert isinstance(made, Outgoing)
    assert (made.topic, made.key) == ("outcomes", "billing\0r-1")
    name, record = Codec(settings.schemas).decode(made.value)
    assert (name, record["received_at"], record["amount"]) == ("outcome", NOON + 9, -20.0)
    assert record["identifiers"]["email"].startswith("k1.")
    assert b"jo@" not in made.value
    assert isinstance(refused, Refused)
    assert refused.line == 3
    assert "so it must be negative" in refused.why
