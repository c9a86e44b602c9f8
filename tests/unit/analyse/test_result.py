"""What results are, and how they are shown."""

from __future__ import annotations

import argparse
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from rich.console import Console

from pipeline.analyse import main, shown, source
from pipeline.analyse.result import Result, Row, analysis_id
from pipeline.settings import Settings

RESULT = Result(
    *("drivers", 1, 2, date(2026, 9, 1), date(2026, 10, 1), 1234, 7),
    parameters={"of": "touchpoints"},
    caveats=("Association, not cause.",),
    rows=(
        Row("queue", "Queue [red]", {"share": 0.25, "share_low": 0.2, "share_high": 0.3}, {"quadrant": "improve"}),
        Row("chat", "Chat", {"share": None}),
    ),
)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_figure_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="queue: share"):
        Row("queue", "Queue", {"share": value})


def test_an_analysis_is_what_was_asked_and_not_what_came_out() -> None:
    assert analysis_id(replace(RESULT, n=1, rows=(), caveats=(), refused="too few")) == analysis_id(RESULT)
    others = [
        *(replace(RESULT, kind="segments"), replace(RESULT, version=2), replace(RESULT, definition=3)),
        *(replace(RESULT, period_from=date(2026, 9, 2)), replace(RESULT, period_to=date(2026, 9, 30))),
        *(replace(RESULT, seed=8), replace(RESULT, parameters={"of": "dimensions"})),
    ]
    assert len({analysis_id(each) for each in (RESULT, *others)}) == len(others) + 1


def test_a_result_is_shown_with_n_intervals_and_caveats() -> None:
    written = io.StringIO()
    columns = (
        shown.label("Touchpoint"),
        shown.estimate("Share", "share", shown.PERCENT),
        shown.note("What to do", "quadrant"),
    )
    shown.show(Console(file=written, width=200), RESULT, columns)
    text = written.getvalue()
    for said in ("n 1,234", "2026-09-01 up to 2026-10-01", "seed 7", "definition 2", "! Association, not cause."):
        assert said in text
    assert "25 % (20 to 30)" in text
    assert "Queue [red]" in text  # no markup of others
    assert shown.NOBODY_KNOWS in text


def test_a_refusal_is_a_sentence() -> None:
    written = io.StringIO()
    shown.show(Console(file=written, width=200), replace(RESULT, rows=(), refused="Too few people."), ())
    assert "No figures: Too few people." in written.getvalue()


def test_programs_get_everything() -> None:
    said = json.loads(shown.as_json(RESULT))
    assert said["analysis_id"] == analysis_id(RESULT)
    assert said["period_from"] == "2026-09-01"
    assert said["rows"][0]["figures"]["share"] == 0.25


NOW = datetime(2026, 11, 27, 23, 30, tzinfo=UTC)


def test_a_period_is_days_of_the_business() -> None:
    asked = argparse.Namespace(since=None, until=None)
    found = source.period(Settings(time_zone="Europe/Berlin"), asked, NOW)
    assert (found.since, found.until) == (date(2026, 8, 30), date(2026, 11, 28))  # it is tomorrow there
    begin, end = found.bounds_ms
    assert datetime.fromtimestamp(begin / 1000, UTC) == datetime(2026, 8, 29, 22, tzinfo=UTC)  # summer
    assert datetime.fromtimestamp(end / 1000, UTC) == datetime(2026, 11, 27, 23, tzinfo=UTC)  # winter


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(source.CannotAnalyse, match="first day that no longer counts"):
        source.period(Settings(), argparse.Namespace(since=date(2026, 11, 27), until=date(2026, 11, 27)), NOW)


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_analysis_takes_the_common_arguments(name: str) -> None:
    parser = argparse.ArgumentParser()
    main.add_commands(parser)
    found = parser.parse_args([name, "--from", "2026-09-01", "--to", "2026-10-01", "--seed", "3", "--json"])
    assert (found.since, found.until, found.seed, found.json) == (date(2026, 9, 1), date(2026, 10, 1), 3, True)
    assert main.analysis(name).COLUMNS
