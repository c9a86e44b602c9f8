"""`throughline check`: whether the catalogue can be used, and whether it knows what has been stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from aiokafka.errors import KafkaError
from clickhouse_connect.driver.exceptions import Error as ClickHouseError

from pipeline import catalogue, definitions, keys
from pipeline.definitions import Recorded
from pipeline.domain.catalogue import Catalogue
from pipeline.local.home import StackFile, attached
from pipeline.settings import Settings
from pipeline.store.writer import connect

ANSWER_S_MAX = 60
SHOWN_MAX = 50
_STORED = """SELECT touchpoint, type, count() AS n FROM interactions
GROUP BY touchpoint, type ORDER BY n DESC, touchpoint, type LIMIT 10000"""


def run(settings: Settings, say: Callable[[str], None]) -> bool:
    """Check all of it, and say what was found. True: something is wrong. Raises BadCatalogue."""
    known = catalogue.load(settings.catalogue_folder)
    for line in summary(known):
        say(line)
    settings = attached(settings)
    if StackFile.read(settings.home) is None and not settings.clickhouse_url:
        say(f"No stack runs in {settings.home}: what is stored was not looked at.")
        return False
    try:
        recorded = asyncio.run(definitions.read(settings))
    except KafkaError as error:
        say(f"Kafka at {settings.bootstrap} does not answer: {error!r}")
        return True
    said, wrong = judging(known, recorded)
    for line in said:
        say(line)
    try:
        with connect(settings, keys.load_or_create(settings), settings.clickhouse_database) as client:
            stored = client.query(_STORED, settings={"max_execution_time": ANSWER_S_MAX}).result_rows
    except ClickHouseError as error:
        say(f"ClickHouse at {settings.clickhouse} does not answer: {str(error).splitlines()[0][:200]}")
        return True
    found = unknown(known, ((str(place), str(kind), int(n)) for place, kind, n in stored))
    for line in found[:SHOWN_MAX]:
        say(line)
    if len(found) > SHOWN_MAX:
        say(f"… and {len(found) - SHOWN_MAX} more")
    if not found:
        say(
            f"All {len(stored)} pairs of touchpoint and event type that are stored are at touchpoints of the catalogue."
        )
    return wrong or bool(found)


def judging(known: Catalogue, recorded: Sequence[Recorded]) -> tuple[list[str], bool]:
    """Which definition is live and which are not, in words; True where the live one is not in the catalogue."""
    if not recorded:
        return ["It is not recorded yet which version of the scores is live."], False
    now = recorded[-1]
    former = [each for each in recorded if each.live != now.live]
    since = next(each.since for each in recorded if not former or each.number > former[-1].number)
    day = datetime.fromtimestamp(since / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    lines = [f"Scores are by version {now.live}, since {day} UTC."]
    if now.live not in known.scorings:
        return [*lines, f"Version {now.live} is live, and not in the catalogue: stitch cannot start."], True
    if now.beside:
        lines.append(f"Version {now.beside} is counted beside it.")
    if not now.replayed:
        switched = former and former[-1].number == now.number - 1
        lines.append(
            f"Its replay is not through: `throughline rescore --version {now.live if switched else now.beside}`."
        )
    judged = {each.live for each in recorded} | {each.beside for each in recorded}
    lines += [
        f"Version {version} was never used: `throughline rescore --version {version} --dry-run` says what it changes."
        for version in sorted(known.scorings.keys() - judged)
    ]
    return lines, False


def summary(known: Catalogue) -> list[str]:
    """What is in it, in words."""
    met = {each for journey in known.journeys.values() for step in journey.steps for each in step.touchpoints}
    apart = sorted(known.touchpoints.keys() - met)
    lines = [
        f"The catalogue can be used: {len(known.touchpoints)} touchpoints, all with an owner and a deputy; "
        f"{len(known.journeys)} journeys; scores of version {', '.join(map(str, sorted(known.scorings)))}."
    ]
    if apart:
        lines.append(f"In no journey: {', '.join(apart)}.")
    return lines


def unknown(known: Catalogue, stored: Iterable[tuple[str, str, int]]) -> list[str]:
    """A line for each (touchpoint, event type, number of interactions) whose touchpoint is not in the catalogue."""
    return [
        f"{kind} at {place}: {n:,} interactions, and no touchpoint {place} in the catalogue"
        for place, kind, n in stored
        if place not in known.touchpoints
    ]
