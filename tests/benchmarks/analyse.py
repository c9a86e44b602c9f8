"""How long drivers take where there are many customers: `python -m tests.benchmarks.analyse`.

10 touchpoints, 1,000,000 customers who were at some six of them, 200 samples: the computing alone, in this process; and
with `--stored`, before that, the whole command in a process of its own against a ClickHouse that has the interactions
(some 7,000,000). Prints seconds, the seconds of processors that the computing process used (on a machine with other
work these say more), and its memory at its peak; they should be under 60 s and under 2 GB. `--home` keeps the data for
the next run.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import clickhouse_connect
import numpy as np
from clickhouse_connect.driver.client import Client

from pipeline import catalogue, keys
from pipeline.analyse import driving, shown
from pipeline.analyse.driving import Sampling
from pipeline.local import ports, process
from pipeline.local.bare import START_S_MAX, with_ports
from pipeline.settings import Settings
from pipeline.store import catalogued, migrations
from tests.benchmarks.bench import machine
from tests.unit.analyse.worlds import world

TOUCHPOINTS, PEOPLE, SAMPLES = 10, 1_000_000, 200
TARGET_S, TARGET_MB = 60.0, 2_000.0
MISSED = 0.4  # of the touchpoints a customer was not at
EFFECTS = (0.5, 0.3, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0, 0.05, 0.4)


def line(what: str, took_s: float, who: int, worked_before_s: float) -> None:
    """Print what was measured of this process or its children."""
    peak_mb = resource.getrusage(who).ru_maxrss / 1024
    kept = "kept" if took_s < TARGET_S and peak_mb < TARGET_MB else "MISSED"
    print(
        f"| {what} | {took_s:.1f} s | {worked_s(who) - worked_before_s:.1f} s | {peak_mb:,.0f} MB | {kept} |",
        flush=True,
    )


def worked_s(who: int) -> float:
    """Seconds of processors."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def computed(people: int) -> None:
    """The computing alone."""
    values = world(people, EFFECTS, missing=MISSED)
    worked, began = worked_s(resource.RUSAGE_SELF), time.perf_counter()
    with shown.progress(f"{SAMPLES} samples of {people:,} people", people) as advance:
        driving.study(values, Sampling(1, SAMPLES), advance)
    took_s = time.perf_counter() - began
    line(f"computing, {people:,} customers", took_s, resource.RUSAGE_SELF, worked)


@contextmanager
def front(home: Path) -> Iterator[Settings]:
    """A ClickHouse by itself, in a process of its own, with tables, views and the shop's catalogue."""
    settings = with_ports(Settings(home=home, kafka_port=0, clickhouse_port=0))
    known = keys.load_or_create(settings)
    child = process.spawn("clickhouse", settings)
    try:
        process.wait_until(lambda: ports.answers(settings.host, settings.clickhouse_port), child, settings, START_S_MAX)
        with connected(settings, known, "default") as client:
            client.command("CREATE DATABASE IF NOT EXISTS throughline")
        with connected(settings, known, "throughline") as client:
            migrations.migrate(client, settings)
            catalogued.load(client, catalogue.load(settings.catalogue_folder), time.time_ns() // 1_000_000)
        yield settings
    finally:
        process.end([child])


def connected(settings: Settings, known: keys.Keys, database: str) -> Client:
    return clickhouse_connect.get_client(
        dsn=settings.clickhouse,
        username=known.clickhouse_user,
        password=known.clickhouse_password,
        database=database,
        send_receive_timeout=600,
    )


def fill(client: Client, people: int) -> None:
    """An interaction at six of ten touchpoints each, and an answer that is made of what they were like."""
    names = list(catalogue.load(Settings().catalogue_folder).touchpoints)[:TOUCHPOINTS]
    places = ", ".join(f"'{each}'" for each in names)
    effects = ", ".join(str(each) for each in EFFECTS)
    score = "60 + 30 * (cityHash64(person, place) % 10000 / 10000 - 0.5) AS score"
    common = "toDate(at) AS day, concat('customer:', toString(person)) AS who, 'shop' AS source"
    for start in range(0, people, 100_000):
        count = min(100_000, people - start)
        client.command(
            f"""INSERT INTO interactions (occurred_day, identifier, source, event_id, channel, type, touchpoint,
                occurred_at, occurred_at_sent, received_at, ease, evidence_kind, definition, version)
            SELECT {common}, concat(toString(person), '-', toString(place)), 'web', 'goal_completed',
                [{places}][place + 1], now64(3) - toIntervalSecond(3 * 86400 + cityHash64(person) % 5000000) AS at, at,
                at, score, 'observed', 1, person
            FROM (SELECT {start} + intDiv(number, {TOUCHPOINTS}) AS person, number % {TOUCHPOINTS} AS place, {score}
                FROM numbers({count * TOUCHPOINTS}))
            WHERE cityHash64(place, person, 1) % 100 >= {round(100 * MISSED)}"""
        )
        client.command(
            f"""INSERT INTO interactions (occurred_day, identifier, source, event_id, channel, type, touchpoint,
                occurred_at, occurred_at_sent, received_at, answer_question, answer_value, answer_min, answer_max,
                emotion, evidence_kind, definition, version)
            SELECT {common}, concat(toString(person), '-nps'), 'message', 'survey_answered', 'survey',
                now64(3) - toIntervalSecond(2 * 86400) AS at, at, at, 'nps', answer, 0, 10, 10 * answer, 'asked', 1,
                person
            FROM (SELECT {start} + number AS person, toFloat64(greatest(0, least(10, round((50
                + arraySum((place, effect) -> effect * 30 * (cityHash64({start} + number, place) % 10000 / 10000 - 0.5),
                    range({TOUCHPOINTS}), [{effects}]) + 10 * (cityHash64(number, 'noise') % 10000 / 5000 - 1)) / 10))))
                    AS answer
                FROM numbers({count}))"""
        )


def stored(home: Path, people: int) -> None:
    """The whole command."""
    with front(home) as settings:
        with connected(settings, keys.load_or_create(settings), "throughline") as client:
            if not client.query("SELECT count() FROM interactions").result_rows[0][0]:
                fill(client, people)
            rows = client.query("SELECT count() FROM interactions").result_rows[0][0]
        environment = settings.environment() | {"THROUGHLINE_CLICKHOUSE_URL": settings.clickhouse}
        command = [sys.executable, "-m", "pipeline.cli", "analyse", "drivers"]
        worked, began = worked_s(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
        took_s = time.perf_counter() - began
        what = f"throughline analyse drivers, {people:,} customers, {rows:,} interactions"
        line(what, took_s, resource.RUSAGE_CHILDREN, worked)  # the only child that has ended
        print(f"\n{done.stdout}{done.stderr}")
        if done.returncode:
            sys.exit(f"it ended with status {done.returncode}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--stored", action="store_true", help="also the whole command")
    parser.add_argument("--home", type=Path, help="where ClickHouse keeps its data; filled only if it is new")
    arguments = parser.parse_args()
    print(machine())
    print(f"numpy {np.__version__}; {TOUCHPOINTS} touchpoints, {SAMPLES} samples")
    print("| what | took | worked | peak | target |\n| --- | --- | --- | --- | --- |")
    if arguments.stored:  # first: a child is said to be as large as this process was when it began
        with tempfile.TemporaryDirectory() as temporary:
            stored(arguments.home or Path(temporary), arguments.people)
    computed(arguments.people)


if __name__ == "__main__":
    main()
