"""ClickHouse's rows of somebody who was erased: deleted, looked for afterwards, and until when the old files stay.

Rows are deleted by mutations, and these are waited for: then no query sees them, and no merge brings them back. The
files they were in stay until ClickHouse drops what is not in use any more (`old_parts_lifetime`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline.domain.sweeping import Shared
from pipeline.domain.view import time_text
from pipeline.keys import Keys
from pipeline.privacy.progress import now_ms
from pipeline.privacy.proof import Ageing, Place
from pipeline.privacy.scope import Scope
from pipeline.settings import Settings
from pipeline.store.writer import connect
from pipeline.topics import DAY_MS

IDS_MAX = 200  # in one statement
MUTATION_S_MAX = 60
OLD_PARTS_S = 480  # ClickHouse's default of old_parts_lifetime


@dataclass(frozen=True, slots=True)
class Doomed:
    """Rows of one table that are from before an erasure."""

    table: str
    where: str
    parameters: dict[str, Any]


def doomed(scope: Scope) -> Iterator[Doomed]:
    """The rows of all tables. Pure."""
    ids = sorted(scope.whole)
    for start in range(0, len(ids), IDS_MAX):
        given = {"ids": ids[start : start + IDS_MAX], "before": scope.before}
        old = "toUnixTimestamp64Milli(least(occurred_at, received_at)) < {before:Int64}"
        yield Doomed("interactions", f"identifier IN {{ids:Array(String)}} AND {old}", given)
        named = (
            "(identifier IN {ids:Array(String)} OR person IN {ids:Array(String)} OR earlier_person IN "
            "{ids:Array(String)} OR hasAny(owners, {ids:Array(String)}) OR hasAny(candidates, {ids:Array(String)}))"
        )
        yield Doomed("identities", f"{named} AND assignment < {{version:UInt64}}", {**given, "version": scope.version})
        yield Doomed("customer_scores", _scores(), {**given, "day": scope.before // DAY_MS})
        opened = "toUnixTimestamp64Milli(opened_at) < {before:Int64}"
        yield Doomed("alerts", f"subject IN {{ids:Array(String)}} AND {opened}", given)
    for each in scope.shared:
        yield from _of_shared(each, scope.before)


def _scores() -> str:
    """Rows of days before, rows that are taken back, and whatever a newer row has replaced."""
    person = "person IN {ids:Array(String)}"
    newest = (
        "(person, day, definition, version) NOT IN (SELECT person, day, definition, max(version) FROM customer_scores "
        "WHERE person IN {ids:Array(String)} GROUP BY person, day, definition)"
    )
    taken_back = "effectiveness_n + ease_n + emotion_n = 0"
    return f"{person} AND (toInt32(day) < {{day:Int32}} OR {taken_back} OR {newest})"


def _of_shared(shared: Shared, before: int) -> Iterator[Doomed]:
    old = "toUnixTimestamp64Milli(least(occurred_at, received_at)) < {before:Int64}"
    start = f"identifier = {{identifier:String}} AND {old}"
    given = {"identifier": shared.identifier, "before": before}
    for at in range(0, len(shared.owned), IDS_MAX):
        owned = shared.owned[at : at + IDS_MAX]
        yield Doomed("interactions", f"{start} AND session_id IN {{owned:Array(String)}}", {**given, "owned": owned})
    if shared.until is None:
        return
    apart = (
        "session_id NOT IN (SELECT session_id FROM identities FINAL WHERE identifier = {identifier:String} AND "
        "session_id != '')"
    )
    earlier = "toUnixTimestamp64Milli(occurred_at) < {until:Int64}"
    yield Doomed("interactions", f"{start} AND {earlier} AND {apart}", {**given, "until": shared.until})


class ClickHouseTables:
    """The real ones. Each call connects by itself. Raises clickhouse-connect's errors."""

    def __init__(self, settings: Settings, secrets: Keys) -> None:
        self._settings = settings
        self._secrets = secrets

    async def erase(self, scope: Scope) -> dict[str, int]:
        """Delete what is from before: how many rows of each table."""
        return await asyncio.to_thread(self._erase, list(doomed(scope)))

    async def look(self, scope: Scope) -> list[Place]:
        """Look for what is from before in every table."""
        return await asyncio.to_thread(self._look, list(doomed(scope)))

    async def ageing(self) -> list[Ageing]:
        """Until when the files of deleted rows stay."""
        what = "files in which deleted rows were, which no query reads"
        return [Ageing("ClickHouse, inactive parts", what, time_text(now_ms() + OLD_PARTS_S * 1000))]

    def _erase(self, found: Iterable[Doomed]) -> dict[str, int]:
        gone: dict[str, int] = {}
        client = connect(self._settings, self._secrets, self._settings.clickhouse_database)
        try:
            for each in found:
                n = self._count(client, each)
                gone[f"ClickHouse table {each.table}"] = gone.get(f"ClickHouse table {each.table}", 0) + n
                if n:
                    client.command(
                        f"ALTER TABLE {each.table} DELETE WHERE {each.where}",
                        each.parameters,
                        settings={"mutations_sync": 2, "max_execution_time": MUTATION_S_MAX},
                    )
        finally:
            client.close()
        return gone

    def _look(self, found: Iterable[Doomed]) -> list[Place]:
        left: dict[str, int] = {}
        client = connect(self._settings, self._secrets, self._settings.clickhouse_database)
        try:
            for each in found:
                left[each.table] = left.get(each.table, 0) + self._count(client, each)
            rows = {table: self._count(client, Doomed(table, "1", {})) for table in left}
        finally:
            client.close()
        how = "each row compared by the columns that name people"
        return [
            Place(f"ClickHouse table {table}", how, rows[table], {}, {"row": n} if n else {})
            for table, n in sorted(left.items())
        ]

    def _count(self, client: Client, each: Doomed) -> int:
        query = f"SELECT count() FROM {each.table} WHERE {each.where}"  # noqa: S608  # names of ours, values are parameters
        return int(client.query(query, each.parameters).result_rows[0][0])
