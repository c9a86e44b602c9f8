"""`throughline status`: the processes, the lag of every stage, rows stored per table, what was rejected."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka.errors import KafkaError
from clickhouse_connect.driver.exceptions import Error as ClickHouseError
from rich.console import Console
from rich.table import Table

from pipeline import kafka, keys
from pipeline.local.home import StackFile, attached
from pipeline.settings import Settings
from pipeline.store.writer import connect
from pipeline.topics import ALERTS, TOPICS, Topic

ANSWER_S_MAX = 20.0
_BOUNDS = {"max_execution_time": int(ANSWER_S_MAX)}


@dataclass(slots=True)
class Status:
    """What is known now; None where the answer could not be had, with the reason in `troubles`."""

    processes: list[dict[str, Any]] = field(default_factory=list)
    lags: dict[str, dict[str, int]] | None = None
    rows: dict[str, int] | None = None
    rejected: dict[str, int] | None = None
    troubles: list[str] = field(default_factory=list)


def read(settings: Settings) -> Status:
    """Ask everybody. Troubles are part of the answer, not errors."""
    settings = attached(settings)
    status = Status(processes=_processes(StackFile.read(settings.home)))
    if not status.processes and not settings.kafka:
        status.troubles.append(f"No stack runs in {settings.home}. `throughline up` starts one.")
        return status
    try:
        status.lags = asyncio.run(asyncio.wait_for(kafka.lags(settings, _read(settings)), ANSWER_S_MAX))
    except (KafkaError, TimeoutError, OSError) as error:
        status.troubles.append(f"Kafka at {settings.bootstrap} does not answer: {error!r}")
    try:
        status.rows, status.rejected = _stored(settings)
    except ClickHouseError as error:
        first_line = str(error).splitlines()[0][:200]
        status.troubles.append(f"ClickHouse at {settings.clickhouse} does not answer: {first_line}")
    return status


def _read(settings: Settings) -> list[Topic]:
    """The topics, with who is told of them outside."""
    more = ("webhook",) if settings.webhook_url else ()
    return [replace(each, readers=(*each.readers, *more)) if each == ALERTS else each for each in TOPICS]


def show(status: Status) -> None:
    """Print it for people."""
    console = Console(highlight=False)
    for trouble in status.troubles:
        console.print(trouble, style="bold red", markup=False)
    if status.processes:
        console.print(
            _table("Processes", ("name", "process", "ports", "up", "restarts"), [_row(p) for p in status.processes])
        )
    if status.lags is not None:
        rows = [
            (stage, f"{sum(topics.values()):,}", ", ".join(f"{t} {n:,}" for t, n in sorted(topics.items()) if n))
            for stage, topics in sorted(status.lags.items())
        ]
        console.print(_table("Lag (records not yet processed)", ("stage", "all", "topics"), rows))
    if status.rows is not None:
        console.print(
            _table("Stored in ClickHouse", ("table", "rows"), [(t, f"{n:,}") for t, n in status.rows.items()])
        )
    if status.rejected is not None:
        reasons = [(reason, f"{n:,}") for reason, n in status.rejected.items()]
        console.print(_table("Rejected", ("reason", "events"), reasons or [("none", "0")]))


def _processes(running: StackFile | None) -> list[dict[str, Any]]:
    if running is None or not _alive(running.pid):
        return []
    now = time.time()
    own = {"name": "supervisor", "pid": running.pid, "ports": [], "restarts": 0, "up_s": now - running.since}
    return [own | {"alive": True}] + [
        {
            "name": row.name,
            "pid": row.pid,
            "ports": row.ports,
            "restarts": row.restarts,
            "up_s": now - row.since,
            "alive": _alive(row.pid),
        }
        for row in running.processes
    ]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _stored(settings: Settings) -> tuple[dict[str, int], dict[str, int]]:
    """Rows per table as queries see them (replaced rows count once), and rejected events by reason."""
    client = connect(settings, keys.load_or_create(settings), settings.clickhouse_database)
    try:
        names = client.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE 'Replacing%' "
            "AND name != 'migrations' ORDER BY name"
        ).result_rows
        rows = {}
        for (name,) in names:
            answer = client.query("SELECT count() FROM {name:Identifier} FINAL", {"name": name}, settings=_BOUNDS)
            rows[str(name)] = int(answer.result_rows[0][0])
        rejected = client.query(
            "SELECT reason, count() FROM rejected FINAL GROUP BY reason ORDER BY reason"
        ).result_rows
        return rows, {str(reason): int(count) for reason, count in rejected}
    finally:
        client.close()


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    up = _duration(each["up_s"]) if each["alive"] else "down"
    return each["name"], str(each["pid"]), " ".join(map(str, each["ports"])), up, str(each["restarts"])


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for place, column in enumerate(columns):
        numeric = column in ("rows", "all", "events", "up", "restarts", "process")
        table.add_column(column, justify="right" if numeric and place else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
