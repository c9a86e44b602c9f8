"""A new definition on the real stack: replayed beside the live one while events stream in, then switched to."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.catalogue import load
from tests.comparison import answer_differences, differences
from tests.system import reading
from tests.system.feeding import feed
from tests.system.generator import storm
from tests.system.running import REPO, RunningStack, command, wait_until
from tests.truth import Expected, answer, expected_of

pytestmark = pytest.mark.long

PARTITIONS = 4
EVENTS, RATE = 1_500, 250.0
VIEW_SIZE = 200
EARLIER_MS = 60_000

#: The same kinds of evidence, judged otherwise.
OTHER = {
    "version: 1": "version: 2",
    "half_life_days: 30": "half_life_days: 3",
    "goal_completed: {effectiveness: 100}": "goal_completed: {effectiveness: 80}",
    "goal_abandoned: {effectiveness: 0}": "goal_abandoned: {effectiveness: 40, ease: 30}",
    "unresolved: {queue: answered, effectiveness: 0": "unresolved: {queue: answered, effectiveness: 10",
    "points: [[0, 100], [20, 95], [60, 80], [180, 50], [600, 10], [1200, 0]]": "points: [[0, 90], [300, 0]]",
    "severe_below: 20": "severe_below: 5",
    "contacts: [call_ended, chat_ended, complaint_opened]": "contacts: [call_ended, complaint_opened]",
}


def other_version(catalogue: Path) -> None:
    """Put a second version beside the first."""
    text = (catalogue / "scores.yaml").read_text()
    for old, new in OTHER.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (catalogue / "scores-2.yaml").write_text(text)


def scores_differ(told: Expected, seen: reading.Seen, now_ms: int) -> list[str]:
    """Where scores and cells are not what the oracle says."""
    kinds = ("customer scores", "touchpoint cells")
    lines = differences(told, seen, now_ms)
    return [line for line in lines if line.startswith(kinds) or line.startswith(" ")] if lines else []


@pytest.mark.timeout(600)
def test_history_is_rescored_while_events_stream_in(tmp_path: Path) -> None:
    now_ms = time.time_ns() // 1_000_000 - EARLIER_MS
    home, catalogue = tmp_path / "home", tmp_path / "catalogue"
    shutil.copytree(REPO / "schemas" / "catalogue", catalogue)
    with RunningStack(home, workers=2, partitions=PARTITIONS, catalogue=catalogue) as stack:
        stack.ready()
        deliveries = storm(EVENTS, 5, now_ms)
        middle = len(deliveries) // 2

        missing = stack.run("rescore", "--version", "2", "--yes")
        assert missing.returncode == 1
        assert f"there is no version 2 in {catalogue} (there is 1)" in missing.stderr
        asyncio.run(feed(stack, deliveries[:middle], 2_000.0, lambda count: None))
        reading.wait_until_quiet(stack, 120)

        other_version(catalogue)  # the workers that run have never heard of it
        assert "Version 2 was never used" in stack.run("check").stdout
        shown = stack.run("rescore", "--version", "2", "--dry-run")
        assert shown.returncode == 0, shown.stderr
        assert "Version 2 beside version 1" in shown.stdout
        assert live(stack) == (1, 2)

        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(lambda: asyncio.run(feed(stack, deliveries[middle:], RATE, lambda count: None)))
            for topic in ("profiles.inbox", "definitions"):
                killed(stack, topic)
            switched = stack.run("rescore", "--version", "2", "--yes")
            assert switched.returncode == 0, switched.stderr
            coming.result(180)
        assert live(stack) == (2, 1)
        reading.wait_until_quiet(stack, 120)

        scorings = load(catalogue).scorings
        former, told = (expected_of(home, deliveries, now_ms, PARTITIONS, scorings[version]) for version in (1, 2))
        assert former.cells != told.cells
        assert scores_differ(told, reading.seen(stack, 2), now_ms) == []
        seen = reading.seen(stack, 1)
        assert seen.cells == former.cells  # counted on beside it
        assert len(seen.scores) > 0
        assert reading.ledger(stack) == []
        interactions_are_judged(stack, told)
        contexts_are_by_the_new_one(stack, told)
        views_show_the_live_one(stack)

        again = stack.run("rescore", "--version", "2", "--yes")
        assert (again.returncode, "live already" in again.stdout) == (0, True)
        assert "Scores are by version 2" in stack.run("check").stdout

        back = stack.run("rescore", "--version", "1", "--yes")
        assert back.returncode == 0, back.stderr
        reading.wait_until_quiet(stack, 120)
        assert live(stack) == (1, 2)
        assert scores_differ(former, reading.seen(stack, 1), now_ms) == []


def live(stack: RunningStack) -> tuple[int, int]:
    """By which definition views show scores, and what is counted beside it."""
    (row,) = reading.rows(stack, "SELECT definition, beside FROM definition_live")
    return row["definition"], row["beside"]


def killed(stack: RunningStack, topic: str) -> None:
    """Begin, and be killed when something was written to a topic: while history is told, and near the switch."""
    before = size(stack, topic)
    process = subprocess.Popen(
        command("rescore", "--version", "2", "--yes"),
        cwd=REPO,
        env=stack.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: size(stack, topic) > before or process.poll() is not None, f"something is in {topic}")
    finally:
        process.kill()
        process.wait(20)


def size(stack: RunningStack, topic: str) -> int:
    """How many records a topic has ever had."""
    ends = asyncio.run(reading.ends(stack))
    return sum(end for place, end in ends.items() if place.topic == topic)


def interactions_are_judged(stack: RunningStack, told: Expected) -> None:
    """All but those that have left their identifier's view say what the new definition says."""
    per_identifier: dict[str, int] = {}
    for identifier, _, _ in told.stored:
        per_identifier[identifier] = per_identifier.get(identifier, 0) + 1
    query = "SELECT identifier, source, event_id, definition, effectiveness, ease, emotion FROM interactions FINAL"
    old = 0
    for row in reading.rows(stack, query):
        key = (row["identifier"], row["source"], row["event_id"])
        if row["definition"] == 1:
            assert per_identifier[row["identifier"]] > VIEW_SIZE, row
            old += 1
            continue
        values = (row["effectiveness"], row["ease"], row["emotion"])
        assert rounded(values) == rounded(told.stored[key].values), key
    assert old < len(told.stored) / 4


def rounded(values: tuple[float | None, ...]) -> list[float | None]:
    return [None if value is None else round(value, 6) for value in values]


def contexts_are_by_the_new_one(stack: RunningStack, told: Expected) -> None:
    asked = random.Random(1).sample(sorted(told.keys), 100)
    answers = asyncio.run(reading.contexts(stack, asked))
    wrong: dict[Any, list[str]] = {key: answer_differences(answer(told, told.keys[key]), answers[key]) for key in asked}
    assert {key: lines for key, lines in wrong.items() if lines} == {}
    known = [each["scores"]["definition"] for each in answers.values() if each["match"] == "one"]
    assert set(known) == {2}


def views_show_the_live_one(stack: RunningStack) -> None:
    (row,) = reading.rows(
        stack,
        """SELECT
            (SELECT sum(interactions) FROM touchpoint_quarters) AS quarters,
            (SELECT sum(interactions) FROM touchpoint_daily) AS daily,
            (SELECT sum(interactions) FROM touchpoint_scores FINAL WHERE definition = 2) AS cells,
            (SELECT sum(interactions) FROM touchpoint_daily_by_definition WHERE definition = 1) AS former,
            (SELECT uniqExact(definition) FROM customer_current) AS definitions,
            (SELECT uniqExact(definition) FROM customer_by_definition) AS every,
            (SELECT count() FROM definition_differences WHERE change != 0) AS differences""",
    )
    assert row["quarters"] == row["daily"] == row["cells"] == row["former"]
    assert (row["definitions"], row["every"]) == (1, 2)
    assert row["differences"] > 3
