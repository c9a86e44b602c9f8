"""Web sessions: made-up rows in the file's format."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.sources.adapter import Imported, Line, NotThisFile, Refused, Row
from pipeline.sources.web_sessions import HEADING, read

PLAIN = {
    "visitor": "11111111-2222-3333-4444-555555555555",
    "session": "0123456789abcdef0123456789abcdef",
    "number": "7",
    "agent": "Mozilla/5.0 (made up)",
    "device": "Desktop - Chrome",
    "ds": "2015-02-15",
    "first": "2015-02-16 00:50:41",
    "last": "2015-02-16 01:13:42",
    "did_search": "1",
    "sent_message": "0",
    "sent_booking_request": "0",
}


def rows(*texts: str) -> list[Row]:
    return list(read(Line(n, text) for n, text in enumerate((HEADING, *texts), 1)))


def visit(**changes: str) -> tuple[str, dict[str, Any]]:
    [row] = rows("|".join((PLAIN | changes).values()))
    assert isinstance(row, Imported), row
    return row.channel, row.event


def test_a_visit_is_one_interaction() -> None:
    channel, event = visit()
    assert channel == "web"
    assert event["event_id"] == event["session_id"] == PLAIN["session"]
    assert event["occurred_at"] == 1424047841000
    assert event["identifiers"] == {"anonymous": PLAIN["visitor"]}
    assert event["properties"] == {"device": "Desktop", "app": "Chrome", "user_agent": "Mozilla/5.0 (made up)"}
    assert event["measures"] == {
        "duration_s": 1381.0,
        "session_number": 7.0,
        "did_search": 1.0,
        "sent_message": 0.0,
        "sent_booking_request": 0.0,
    }


@pytest.mark.parametrize(
    ("device", "channel", "touchpoint"),
    [
        ("Desktop - IE", "web", "site_home"),
        ("Other - Other", "web", "site_home"),
        ("iPhone - iOS", "mobile", "app_home"),
        ("iPhone - Web", "mobile", "site_home"),
        ("iPad - Web", "mobile", "site_home"),
        ("Android Phone - Android", "mobile", "app_home"),
        ("Android Tablet - Moweb", "mobile", "site_home"),
        ("Unknown - Moweb", "mobile", "site_home"),
    ],
)
def test_the_device_makes_it_web_or_mobile(device: str, channel: str, touchpoint: str) -> None:
    got, event = visit(device=device)
    assert (got, event["touchpoint"]) == (channel, touchpoint)


def test_an_unnamed_browser_is_left_out() -> None:
    assert "user_agent" not in visit(agent="")[1]["properties"]


@pytest.mark.parametrize(
    "changes",
    [
        {"visitor": ""},
        {"session": ""},
        {"first": "16.2.2015"},
        {"last": "2015-02-15 01:13:42"},
        {"did_search": "yes"},
        {"number": "-1"},
        {"device": "Desktop"},
        {"agent": "one|more"},
    ],
)
def test_a_bad_row_is_refused_and_the_next_one_goes_in(changes: dict[str, str]) -> None:
    bad, good = rows("|".join((PLAIN | changes).values()), "|".join(PLAIN.values()))
    assert isinstance(bad, Refused)
    assert isinstance(good, Imported)


def test_another_file_is_refused_at_its_first_line() -> None:
    with pytest.raises(NotThisFile, match="line 1"):
        list(read([Line(1, "vru+line\tcall_id")]))
