"""`throughline analyse paths` and `throughline report` as they are called, against a real ClickHouse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from pipeline.clickhouse import connect
from tests import reported
from tests.conftest import Stack
from tests.integration.conftest import Called

from .stored import asked
from .views import test_paths as planted

FROM, TO = "2023-05-01", "2023-06-01"  # nobody else's
BEGAN = round(datetime(2023, 5, 2, 9, tzinfo=UTC).timestamp() * 1000)
Call = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Client]:
    with connect(stack.settings, stack.keys, "throughline") as made:
        did = [each._replace(who=each.who.replace(":", ":paths-")) for each in planted.planted()]
        planted.store(made, did, BEGAN)
        yield made


@pytest.fixture
def call(throughline: Called, client: Client) -> Call:
    """Calls a command; gives its status and what it printed."""

    def called(*arguments: str) -> tuple[int, str]:
        status, printed = throughline(*arguments)
        return status or 0, printed

    return called


def test_paths_are_found_drawn_and_kept(call: Call, client: Client, tmp_path: Path) -> None:
    drawn, chart = tmp_path / "paths.svg", tmp_path / "paths.mmd"
    days = ("--from", FROM, "--to", TO)
    status, printed = call("analyse", "paths", *days, "--json", "--svg", str(drawn), "--mermaid", str(chart))
    assert status == 0, printed
    found = json.loads(printed)
    rows = {row["item"]: row for row in found["rows"]}
    assert found["n"] == 76
    assert rows["path:buy:find>choose>pay>wait>receive"]["figures"]["people"] == 40
    assert rows["move:buy:find>pay"]["figures"]["people"] == 15
    assert "Finds it" in drawn.read_text(encoding="utf-8")
    assert chart.read_text(encoding="utf-8").startswith("flowchart TD\n")
    assert asked(client, "SELECT n, cost FROM paths WHERE part = 'contact'") == [(12, 90.0)]
    assert "12 people" not in printed
    status, printed = call("analyse", "paths", *days)
    assert status == 0
    assert "Help pages (web) → phone, about Delivery" in printed
    assert "! Each person counts once in a journey" in printed


def test_a_period_without_people_is_refused_with_status_1(call: Call) -> None:
    status, printed = call("analyse", "paths", "--from", "2022-01-01", "--to", "2022-02-01")
    assert status == 1
    assert "No figures: nothing in the period was done by 10 people or more" in printed


def test_the_report_is_a_page_of_what_was_kept(call: Call, client: Client, tmp_path: Path) -> None:
    reported.keep_everything(client)
    page = tmp_path / "report.html"
    status, printed = call("report", "--html", str(page))
    assert (status, printed.strip()) == (0, str(page))
    text = page.read_text(encoding="utf-8")
    for said in ("Improve Call queue", "Delivery times are said on the help page.", "Makes up her mind"):
        assert said in text
    status, printed = call("report", "--html", str(page), "--from", "2030-01-01")
    assert status == 0
    assert "nothing to say under: What to do first, What drives experience" in printed
    status, printed = call("report", "--html", str(page), "--from", "2030-01-01", "--to", "2029-01-01")
    assert status == 1
    assert "is not before" in printed
    status, printed = call("report", "--html", str(tmp_path / "nowhere" / "report.html"))
    assert status == 1
    assert "No such file" in printed
