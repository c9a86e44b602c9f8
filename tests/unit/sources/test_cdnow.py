"""CDNOW purchases: made-up rows in the file's format."""

from __future__ import annotations

import pytest

from pipeline.sources.adapter import Imported, Line, NotThisFile, Refused, Row
from pipeline.sources.cdnow import read


def rows(*texts: str) -> list[Row]:
    return list(read(Line(n, text) for n, text in enumerate(texts, 1)))


def ids(found: list[Row]) -> list[str]:
    return [row.event["event_id"] for row in found if isinstance(row, Imported)]


def test_a_purchase_is_an_order_in_the_store() -> None:
    [row] = rows(" 00007 0003 19970105  2   29.33")
    assert isinstance(row, Imported)
    assert row.channel == "in_store"
    event = row.event
    assert (event["type"], event["touchpoint"]) == ("order_placed", "cd_shop")
    assert event["identifiers"] == {"customer": "00007"}
    assert event["measures"] == {"amount": 29.33, "items": 2.0}
    assert event["properties"] == {"order_id": "00007-0003-19970105-2-29.33-1", "currency": "USD", "sample_id": "0003"}
    assert event["occurred_at"] == 852465600000  # noon UTC
    assert event["event_id"] == event["properties"]["order_id"]


def test_rows_that_repeat_others_stay_apart_and_keep_their_ids() -> None:
    texts = [
        " 00007 0003 19970105  2   29.33",
        " 00007 0003 19970105  2   29.33",
        " 00008 0004 19970105  2   29.33",
        " 00007 0003 19970105  2   29.33",
    ]
    assert len(set(ids(rows(*texts)))) == 4
    assert ids(rows(*texts)) == ids(rows(*texts))


def test_a_refused_repeat_does_not_count() -> None:
    good, bad = " 00007 0003 19970105  2   29.33", " 00007 0003 19970229  2   29.33"
    assert ids(rows(good, bad, bad, good)) == ids(rows(good, good))


@pytest.mark.parametrize(
    "text",
    [
        "00007 0003 19970105 2",
        "00007 0003 19971305 2 29.33",
        "00007 0003 19970105 two 29.33",
        "00007 0003 19970105 2 29.333",
        "00007 0003 19970105 2 nan",
        "00007 0003 19970105 2 1e9.00",
        "abc 0003 19970105 2 29.33",
    ],
)
def test_a_bad_row_is_refused_and_the_next_one_goes_in(text: str) -> None:
    first, bad, last = rows(" 00007 0003 19970105  2   29.33", text, " 00008 0004 19970105  2   29.33")
    assert isinstance(first, Imported)
    assert isinstance(bad, Refused)
    assert bad.line == 2
    assert isinstance(last, Imported)


@pytest.mark.parametrize("text", ["id,name", "", "id_visitor|id_session", "00007 0003 1997-01-05 2 29.33"])
def test_another_file_is_refused_at_its_first_line(text: str) -> None:
    with pytest.raises(NotThisFile, match="line 1"):
        rows(text)
