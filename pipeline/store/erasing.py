"""Taking out of ClickHouse what is of somebody who was erased, and looking whether anything is left.

*Before* the erasure is a row of an interaction whose first sign (when it occurred, or was received) is earlier, an
assignment that identify gave earlier, an alert that was opened earlier or is about something earlier, and a score of
an earlier day or without evidence. What is from afterwards stays. Rows that a newer version has replaced count as well:
what is looked at is what is stored, not what queries see.

Call it when the sink has stored all that was published when the profiles had erased; it may be repeated.

Which interactions are deleted is written down first, in `erased_rows`, for the ledger: of each a keyed digest, so that
repeats and kills count none twice, with its channel and partition number and nothing else. An event of which a copy
stays is not counted.

Decisions
- 2026-11-24 `remaining` looks at every column that can hold a text, of every table that there is, so that a new one
  cannot be forgotten. Sessions that were an erased person's on a shared device are found by the rows that are there,
  not by lists of those that are not: so each statement names a bounded number of them, and asks no other table.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline.domain.sweeping import Shared
from pipeline.store import mutations
from pipeline.store.mutations import UNLOGGED, VALUES_MAX, batches
from pipeline.store.rows import SCORE_KEY
from pipeline.topics import DAY_MS

_SINCE = "least(occurred_at, received_at) < fromUnixTimestamp64Milli({before:Int64})"
#: Table → SQL: whether a row that names somebody is from before. Elsewhere any row is.
_BEFORE = {
    "interactions": _SINCE,
    "consents": _SINCE,
    "contacts": _SINCE,
    "identities": "assignment < {version:UInt64}",
    "complaints": _SINCE,
    "orders": _SINCE,
    "outcomes": _SINCE,
    "alerts": "least(opened_at, ifNull(since, opened_at)) < fromUnixTimestamp64Milli({before:Int64})",
}
#: Whoever is named there, the row is its identifier's.
_OF_AN_IDENTIFIER = ("interactions", "consents", "contacts", "complaints", "orders", "outcomes")
_WHOLE = ("identities", "alerts")  # whoever is named there in whatever column, the row goes
#: Columns in which somebody else's interaction may name them → what is left of it.
_SCRUBBED = {
    "links": "arrayFilter(each -> each NOT IN {ids:Array(String)}, links)",
    "masks": "mapFilter((name, mask) -> name NOT IN {ids:Array(String)}, masks)",
    "properties": "mapApply((name, said) -> (name, if(said IN {ids:Array(String)}, '', said)), properties)",
    "details": "mapApply((name, said) -> (name, if(said IN {ids:Array(String)}, '', said)), details)",
}
_TEXT = re.compile(r"(LowCardinality\()?String\)?")
_MAP = re.compile(r"Map\((?P<name>(LowCardinality\()?String\)?), (?P<value>.+)\)")
_FIELD = re.compile(r"(\w+) (?:LowCardinality\()?String\b")

Columns = Mapping[str, Sequence[tuple[str, str]]]  # of each table: name and type


@dataclass(frozen=True, slots=True)
class Erasure:
    """Whom an erasure concerns, as identify says it."""

    before: int  # ms
    version: int  # the first that identify gave in the erasure: an assignment with a smaller one is from before
    whole: frozenset[str]  # identifiers that were the person's alone
    shared: Sequence[Shared] = ()  # what was theirs of those that others have a part in
    rejected: Sequence[str] = ()  # ids of their dead letters
    request: str = ""  # its id
    hiding: tuple[int, int] = (0, 0)  # the key of the digests in erased_rows: 64 bits each
    partitions: int = 1  # of the topics that stitch reads


@dataclass(frozen=True, slots=True)
class Rows:
    """Some of the rows of one table."""

    table: str
    condition: str
    parameters: dict[str, Any]


def delete_erased(client: Client, database: str, erasure: Erasure) -> dict[str, int]:
    """Delete what is from before, and who was erased from what others said before.

    Returns table → rows, stored versions counted. Raises the driver's Error.
    """
    found: Counter[str] = Counter()
    columns = _columns(client, database)
    for rows in _theirs(client, database, erasure, columns):
        if rows.table == "interactions":
            _note(client, database, erasure, rows)
        found[rows.table] += mutations.delete(client, f"{database}.{rows.table}", rows.condition, rows.parameters)
    change = ", ".join(f"{name} = {left}" for name, left in _SCRUBBED.items())
    for rows in _others(erasure, {"interactions": [each for each in columns["interactions"] if each[0] in _SCRUBBED]}):
        name = f"{database}.{rows.table}"
        found[rows.table] += mutations.update(client, name, change, rows.condition, rows.parameters)
    for table, n in found.items():
        if n:
            mutations.forget(client, f"{database}.{table}")
    return dict(sorted(found.items()))


def _note(client: Client, database: str, erasure: Erasure, rows: Rows) -> None:
    """Write down which interactions will be gone, for the ledger."""
    event = "identifier, source, event_id"
    sql = (
        f"INSERT INTO {database}.erased_rows (request, event, channel, partition) "  # noqa: S608  # names of ours
        f"SELECT {{request:String}}, sipHash64Keyed(({{hiding_a:UInt64}}, {{hiding_b:UInt64}}), {event}), "
        "argMax(channel, version), kafkaMurmurHash(identifier) % {partitions:UInt32} "
        f"FROM {database}.interactions WHERE ({rows.condition}) AND ({event}) NOT IN (SELECT {event} "
        f"FROM {database}.interactions WHERE identifier IN {{ids:Array(String)}} AND NOT ({rows.condition})) "
        f"GROUP BY {event}"
    )
    first, second = erasure.hiding
    bound = {"request": erasure.request, "hiding_a": first, "hiding_b": second, "partitions": erasure.partitions}
    client.command(sql, {**rows.parameters, **bound}, settings={**UNLOGGED, "async_insert": 0})


def remaining(client: Client, database: str, erasure: Erasure) -> dict[str, int]:
    """Every table that keeps rows → how many of or about the erased from before are left. Raises the driver's Error."""
    columns = _columns(client, database)
    found = Counter(dict.fromkeys(columns, 0))
    for rows in (*_theirs(client, database, erasure, columns), *_others(erasure, columns)):
        found[rows.table] += mutations.count(client, f"{database}.{rows.table}", rows.condition, rows.parameters)
    return dict(sorted(found.items()))


def counts(client: Client, database: str) -> dict[str, int]:
    """Every table that keeps rows → how many, stored versions counted. Raises the driver's Error."""
    return {table: mutations.count(client, f"{database}.{table}", "1", {}) for table in _columns(client, database)}


def lingers_s(client: Client) -> int:
    """For how long a deletion may still be seen in ClickHouse's files: old parts, and its list of mutations (s).

    Raises the driver's Error.
    """
    names = ("old_parts_lifetime", "merge_tree_clear_old_temporary_directories_interval_seconds")
    found = client.query(
        "SELECT name, value FROM system.merge_tree_settings WHERE name IN {names:Array(String)}", {"names": list(names)}
    ).result_rows
    return sum(int(value) for _, value in found)


def _columns(client: Client, database: str) -> dict[str, list[tuple[str, str]]]:
    """The columns of every table that keeps rows."""
    found = client.query(
        "SELECT table, name, type FROM system.columns WHERE database = {database:String} AND table IN ("
        "SELECT name FROM system.tables WHERE database = {database:String} AND engine LIKE '%MergeTree') "
        "ORDER BY table, position",
        {"database": database},
    ).result_rows
    columns: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for table, name, kind in found:
        columns[table].append((name, kind))
    return dict(columns)


def _theirs(client: Client, database: str, erasure: Erasure, columns: Columns) -> Iterator[Rows]:
    """The rows from before that are the erased person's."""
    given = {"before": erasure.before, "version": erasure.version}
    for ids in batches(sorted(erasure.whole)):
        bound = {**given, "ids": ids}
        for table in _OF_AN_IDENTIFIER:
            yield Rows(table, f"identifier IN {{ids:Array(String)}} AND {_SINCE}", bound)
        for table in _WHOLE:
            yield Rows(table, f"{_BEFORE[table]} AND ({_naming(columns[table])})", bound)
        yield from _scores(client, database, erasure, ids)
    for table in _OF_AN_IDENTIFIER:
        yield from _sessions(client, database, erasure, table)
    for rejected in batches(erasure.rejected):
        yield Rows("rejected", "id IN {rejected:Array(String)}", {"rejected": rejected})


def _scores(client: Client, database: str, erasure: Erasure, ids: Sequence[str]) -> Iterator[Rows]:
    """Scores of earlier days, such as were taken back, and all that newer ones have replaced."""
    person, bound = "person IN {ids:Array(String)}", {"ids": ids, "day": erasure.before // DAY_MS}
    yield Rows("customer_scores", f"{person} AND toUInt16(day) < {{day:UInt16}}", bound)
    sql = (
        f"SELECT {SCORE_KEY.key} AS key, "  # noqa: S608  # names of ours, values are bound
        "max(version) + (argMax(effectiveness_n + ease_n + emotion_n, version) = 0) AS bound "
        f"FROM {database}.customer_scores WHERE {person} AND toUInt16(day) >= {{day:UInt16}} "
        "GROUP BY person, day, definition HAVING min(version) < bound"
    )
    gone = {str(key): int(version) for key, version in client.query(sql, bound, settings=UNLOGGED).result_rows}
    for condition, parameters in mutations.older(SCORE_KEY, gone):
        yield Rows("customer_scores", condition, parameters)


def _sessions(client: Client, database: str, erasure: Erasure, table: str) -> Iterator[Rows]:
    """What was theirs of identifiers that others have a part in: by session, else by time."""
    shared = {each.identifier: each for each in erasure.shared}
    until: dict[int | None, list[tuple[str, str]]] = defaultdict(list)  # None: at any time before
    for ids in batches(sorted(shared)):
        sql = (
            f"SELECT DISTINCT identifier, session_id FROM {database}.{table} "  # noqa: S608  # names of ours
            f"WHERE identifier IN {{ids:Array(String)}} AND {_SINCE} ORDER BY identifier, session_id"
        )
        bound = {"ids": ids, "before": erasure.before}
        decided: dict[str, tuple[frozenset[str], frozenset[str]]] = {
            each: (frozenset(shared[each].owned), frozenset(shared[each].settled)) for each in ids
        }
        for identifier, session_id in client.query(sql, bound, settings=UNLOGGED).result_rows:
            owned, settled = decided[identifier]
            if session_id and session_id in owned:
                until[None].append((identifier, session_id))
            elif (not session_id or session_id not in settled) and shared[identifier].until is not None:
                until[shared[identifier].until].append((identifier, session_id))
    for time, sessions in until.items():
        limit = "" if time is None else " AND occurred_at < fromUnixTimestamp64Milli({until:Int64})"
        for pairs in batches(sessions, VALUES_MAX // 2):
            condition = (
                "identifier IN {ids:Array(String)} AND (identifier, session_id) IN "
                f"{{pairs:Array(Tuple(String, String))}} AND {_SINCE}{limit}"
            )
            bound = {"pairs": pairs, "ids": sorted({identifier for identifier, _ in pairs}), "before": erasure.before}
            yield Rows(table, condition, bound if time is None else {**bound, "until": time})


def _others(erasure: Erasure, columns: Columns) -> Iterator[Rows]:
    """Rows from before that are not the erased person's, and name them in one of these columns."""
    given = {"before": erasure.before, "version": erasure.version}
    for ids in batches(sorted(erasure.whole)):
        for table in sorted(columns.keys() - {*_WHOLE, "customer_scores"}):
            named, before = _naming(columns[table]), _BEFORE.get(table, "1")
            theirs = "identifier IN {ids:Array(String)}" if table in _OF_AN_IDENTIFIER else "0"
            if named:
                yield Rows(table, f"{before} AND NOT ({theirs}) AND ({named})", {**given, "ids": ids})


def _naming(columns: Sequence[tuple[str, str]]) -> str:
    """SQL: whether one of the texts in these columns is one of `ids`. '' where they hold no texts."""
    return " OR ".join(_named(name, kind) for name, kind in columns if "String" in kind)


def _named(name: str, kind: str) -> str:
    if _TEXT.fullmatch(kind):
        return f"{name} IN {{ids:Array(String)}}"
    if kind == "Array(String)":
        return f"arrayExists(each -> each IN {{ids:Array(String)}}, {name})"
    if found := _MAP.fullmatch(kind):
        kinds = {"mapKeys": found["name"], "mapValues": found["value"]}
        texts = [f"{of}({name})" for of, kind in kinds.items() if _TEXT.fullmatch(kind)]
        return " OR ".join(f"arrayExists(each -> each IN {{ids:Array(String)}}, {each})" for each in texts)
    fields = [f"{name}.{field}" for field in _FIELD.findall(kind)] if kind.startswith("Array(Tuple(") else []
    if fields:
        return f"arrayExists(each -> each IN {{ids:Array(String)}}, arrayConcat({', '.join(fields)}))"
    return f"arrayExists(each -> position(toString({name}), each) > 0, {{ids:Array(String)}})"
