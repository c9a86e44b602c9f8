"""`analyse link` and `analyse changes` on stored rows: what is found is what the rows say, worked out in Python."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

from pipeline import catalogue
from pipeline.analyse import main as analyse
from pipeline.analyse.before_after import Changed, Evidence, How, compared
from pipeline.analyse.linking import OUTCOMES, Customers, links
from pipeline.clickhouse import connect
from pipeline.settings import Settings
from tests.conftest import Stack
from tests.outcomes import Rows

ZONE = ZoneInfo(catalogue.load(Settings().catalogue_folder).business.time_zone)
LANDMARK, UNTIL = date(1996, 5, 1), date(1996, 7, 30)  # long before whatever other tests store
SEEN = datetime(1995, 1, 10, 12, tzinfo=UTC)
N = 300


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Client]:
    with connect(stack.settings, stack.keys, stack.settings.clickhouse_database) as made:
        yield made


def command(stack: Stack, capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, Any]:
    """What the command says as JSON."""
    parser = argparse.ArgumentParser()
    analyse.add_commands(parser)
    assert analyse.run(stack.settings, parser.parse_args([*words, "--json"])) == status
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def at(day: date, hour: float = 0.0) -> datetime:
    """A moment of the business's day."""
    return datetime(day.year, day.month, day.day, tzinfo=ZONE) + timedelta(hours=hour)


@pytest.fixture(scope="module")
def world(client: Client) -> Customers:
    """Customers whose later net amount follows their score; and the arrays that have to be read of them."""
    rng = np.random.default_rng(1)
    rows = Rows()
    score, before, between, recent = (np.round(rng.uniform(20, 100, N), 3) for _ in range(4))
    spend, held = np.round(rng.gamma(2, 30, N), 2), np.round(rng.gamma(2, 30, N), 2)
    oldest = np.round(rng.gamma(2, 20, N), 2)
    order = np.round(2 * score + rng.gamma(2, 30, N), 2)
    refund = np.where(rng.random(N) < 0.7 - 0.005 * score, -10.0, 0.0)
    churned = (rng.random(N) < 0.2).astype(float)
    last, first = UNTIL - timedelta(days=1), LANDMARK
    for n in range(N):
        who = f"customer:link-{n}"
        rows.happened(who, SEEN + timedelta(days=n % 200))
        rows.happened(who, at(LANDMARK - timedelta(days=10)), ease=float(recent[n]))
        # The three windows touch; what is at their edges belongs to the later one.
        rows.bought(who, at(LANDMARK - timedelta(days=30 + 180), 0), float(oldest[n]))
        rows.bought(who, at(LANDMARK - timedelta(days=30 + 90), 0), float(held[n]))
        rows.bought(who, at(LANDMARK - timedelta(days=1), 23.9), float(spend[n]))
        rows.bought(who, at(first if n % 2 else last, 0 if n % 2 else 23.9), float(order[n]))
        rows.bought(who, at(UNTIL), 10_000.0)
        if refund[n]:
            rows.outcome(who, at(LANDMARK + timedelta(days=40)), "refund", -10.0)
        if churned[n]:
            rows.outcome(who, at(LANDMARK + timedelta(days=50)), "churn")
        # Scores as they stood: of the last day that was over then. Those of later days are other people's business.
        for day, value in (
            (LANDMARK, score),
            (LANDMARK - timedelta(days=30), between),
            (LANDMARK - timedelta(days=120), before),
        ):
            over = at(day).astimezone(UTC).date()
            rows.scored(who, over - timedelta(days=1), float(value[n]))
            rows.scored(who, over - timedelta(days=3), 1.0)
        rows.scored(who, at(LANDMARK).astimezone(UTC).date(), 99.0 - float(score[n]))
    _strangers(rows)
    rows.store(client)
    held_at, landmark = at(LANDMARK - timedelta(days=120)), at(LANDMARK)
    seen = [SEEN + timedelta(days=n % 200) for n in range(N)]
    return Customers(
        score=score,
        tenure_days=np.array([(landmark - each) / timedelta(days=1) for each in seen]),
        # The window of earlier spend is the 90 days up to the landmark.
        spend=spend,
        after={"net": order + refund, "bought": np.ones(N), "returned": (refund < 0).astype(float), "churned": churned},
        recent=recent,
        score_before=before,
        score_between=between,
        control_tenure_days=np.array([(held_at - each) / timedelta(days=1) for each in seen]),
        control_spend=oldest,
        control={"net": held, "bought": np.ones(N), "returned": np.zeros(N)},
    )


def _strangers(rows: Rows) -> None:
    """Who must not count, with results that would show."""
    for n in range(20):
        day = LANDMARK - timedelta(days=10)
        for who, when, consent in (
            (f"customer:link-refuses-{n}", day, {"analysis": False}),
            (f"anonymous:link-{n}", day, {}),
            (f"customer:link-inactive-{n}", LANDMARK - timedelta(days=100), {}),
            (f"customer:link-swiss-{n}", day, {}),
        ):
            rows.happened(who, at(when), consent=consent)
            if consent:
                rows.happened(who, at(when, 1), "consent_changed", consent=consent)
            rows.scored(who, LANDMARK - timedelta(days=11), 30.0)
            rows.outcome(who, at(LANDMARK + timedelta(days=5)), "renewal", 50_000.0)
        rows.bought(f"customer:link-swiss-{n}", at(LANDMARK - timedelta(days=40)), 5.0, "CHF")
        rows.happened(f"customer:link-scoreless-{n}", at(day))


PERIOD = ("--from", LANDMARK.isoformat())


def test_several_currencies_are_refused(world: Customers, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    said = command(stack, capsys, "link", *PERIOD, status=1)
    assert said["refused"].startswith("amounts are in several currencies and cannot be added up: choose one")
    assert "USD (" in said["refused"]
    assert "CHF (20 people)" in said["refused"]
    assert said["rows"] == []
    other = command(stack, capsys, "link", *PERIOD, "--currency", "GBP", status=1)
    assert other["refused"].startswith("there are no amounts in 'GBP'; there are in: USD")


def test_link_says_of_the_rows_what_arrays_say(
    world: Customers, client: Client, stack: Stack, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    picture = tmp_path / "dose.svg"
    said = command(stack, capsys, "link", *PERIOD, "--currency", "USD", "--svg", str(picture))
    assert (said["period_from"], said["period_to"], said["n"]) == (LANDMARK.isoformat(), UNTIL.isoformat(), N)
    rows = {row["item"]: row for row in said["rows"]}
    for link in links(world):
        figures = rows[link.outcome.name]["figures"]
        assert figures["n"] == N
        assert rows[link.outcome.name]["notes"]["reason"] == link.reason
        for name, of in (
            ("mean", link.mean),
            ("spearman", link.spearman),
            ("effect", link.effect),
            ("control", link.control),
        ):
            assert (figures[name], figures[f"{name}_low"], figures[f"{name}_high"]) == pytest.approx(tuple(of)), name
        for band in link.bands:
            found = rows[f"{link.outcome.name}:{band.low:g}"]["figures"]
            assert (found["n"], found["mean"]) == (band.n, pytest.approx(band.mean.value))
    low, high = rows["net"]["figures"]["effect_low"], rows["net"]["figures"]["effect_high"]
    assert low < 20 < high  # 2 for each point were planted
    assert rows["net"]["notes"]["verdict"] == "more with better experience"
    assert rows["returned"]["notes"]["verdict"] == "less with better experience"
    assert rows["bought"]["notes"]["reason"] == "fewer than 10 customers have none"
    assert said["caveats"][0].startswith("Association, not cause")
    assert "Left out: 20 customers who were active, without a score by then." in said["caveats"]
    assert "Left out: 20 customers with amounts in other currencies than USD." in said["caveats"]
    assert not any("is not null" in each for each in said["caveats"])
    drawn = ElementTree.fromstring(picture.read_text())
    points = drawn.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(points) == sum(len(link.bands) for link in links(world))
    shown = client.query("SELECT outcome, n, effect, unit FROM link_effects ORDER BY position").result_rows
    assert [row[0] for row in shown] == [each.name for each in OUTCOMES]
    assert shown[0] == ("net", N, rows["net"]["figures"]["effect"], "USD")
    bands = client.query("SELECT score_from, score_to, n FROM link_bands WHERE outcome = 'net' ORDER BY score_from")
    assert sum(row[2] for row in bands.result_rows) == N


def test_results_that_are_not_all_in_are_refused(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    recent = datetime.now(ZONE).date() - timedelta(days=40)
    said = command(stack, capsys, "link", "--from", recent.isoformat(), status=1)
    assert said["refused"].startswith(f"the 90 days after {recent} are over on {recent + timedelta(days=90)}")


def test_too_few_customers_are_refused(world: Customers, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    early = command(stack, capsys, "link", "--from", "1995-08-01", "--currency", "USD", status=1)
    assert early["refused"].startswith("0 customers were active and have a score; it takes 50 to say anything")
    late = command(stack, capsys, "link", "--from", "1997-06-01", "--currency", "USD", status=1)
    assert late["refused"].startswith("no customer was active in the 90 days before 1997-06-01. Choose more --active")


# What came of changes


NAMES = [f"change-test-{n}" for n in range(8)]
START, DAYS = date(1993, 1, 4), 112
ON = START + timedelta(days=60)
CHANGES = [Changed("change-test-a", NAMES[0], ON), Changed("change-test-b", NAMES[1], ON + timedelta(days=100))]


@pytest.fixture(scope="module")
def evidence(client: Client) -> Evidence:
    """Cells of touchpoints, of which the first gets 10 points better; and what was changed."""
    rng = np.random.default_rng(2)
    size = (len(NAMES), DAYS, 3)
    n = rng.poisson(8, size).astype(float)
    level = rng.uniform(40, 60, (len(NAMES), 1)) + rng.normal(0, 2, size[:2])
    level[0, 60:] += 10
    total = np.round(n * level[:, :, None] + rng.normal(0, 15, size) * np.sqrt(n), 3)
    asked = rng.binomial(n.astype(int), 0.4).astype(float)
    dimensions = ("effectiveness", "ease", "emotion")
    columns = ["window_start", "touchpoint", "channel", "partition", "definition", "interactions"]
    columns += [
        f"{each}_{kind}_{what}" for each in dimensions for kind in ("asked", "observed") for what in ("n", "sum")
    ]
    cells = []
    for t, name in enumerate(NAMES):
        for d in range(DAYS):
            cell: list[Any] = [at(START + timedelta(days=d), 23.75 if d % 2 else 0), name, "web", d % 2, 1, 100]
            for k in range(3):
                answers, sum_ = asked[t, d, k], total[t, d, k]
                told = sum_ * answers / n[t, d, k] if n[t, d, k] else 0.0
                cell += [answers, told, n[t, d, k] - answers, sum_ - told]
            cells.append(
                [int(x) if isinstance(x, float) and c.endswith("_n") else x for c, x in zip(columns, cell, strict=True)]
            )
    client.insert("touchpoint_scores", cells, columns)
    client.insert(
        "changes",
        [[c.change_id, c.touchpoint, c.on, "Shorter form", at(c.on), "staff:x"] for c in CHANGES],
        ["change_id", "touchpoint", "changed_on", "what", "recorded_at", "recorded_by"],
    )
    return Evidence(NAMES, START, n, total, asked.sum(axis=2))


def test_changes_say_of_the_rows_what_arrays_say(
    evidence: Evidence, client: Client, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    period = ("--from", START.isoformat(), "--to", (ON + timedelta(days=200)).isoformat())
    said = command(stack, capsys, "changes", *period)
    (expected,) = compared(CHANGES, evidence, How(until=date(2026, 1, 1)), CHANGES[:1])
    without, found = said["rows"]  # the newest first
    assert found["item"] == "change-test-a"
    figures = found["figures"]
    for name in ("before", "after", "difference", "others_difference", "effect", "earlier"):
        of = getattr(expected, name)
        assert (figures[name], figures[f"{name}_low"], figures[f"{name}_high"]) == pytest.approx(tuple(of)), name
    assert (figures["before_n"], figures["after_n"], figures["others"]) == (expected.before_n, expected.after_n, 7)
    assert figures["effect_low"] < 10 < figures["effect_high"]
    assert found["notes"]["verdict"] == "better"
    assert (without["notes"]["verdict"], without["figures"]["difference"]) == ("grey", None)
    assert without["notes"]["reason"] == "no dimension has 10 pieces of evidence on 4 days, before and after"
    sql = "SELECT change_id, what, verdict, effect FROM change_effects ORDER BY changed_on"
    shown = client.query(sql).result_rows
    assert shown[0] == ("change-test-a", "Shorter form", "better", figures["effect"])
    assert shown[1] == ("change-test-b", "Shorter form", "grey", None)


def test_where_nothing_is_recorded_it_says_how_to(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    said = command(stack, capsys, "changes", "--from", "1991-01-01", "--to", "1991-02-01", status=1)
    assert said["refused"].startswith("no change is recorded from 1991-01-01 up to 1991-02-01. POST /v1/changes")
