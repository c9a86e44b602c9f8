"""Taking rows out of ClickHouse for good: mutations, which write anew what they touch. Slow, and so for what is rare.

A deletion names whom it is about, and ClickHouse keeps a list of its newest ones: one of each table (set by the
migrations), which is why `forget` comes behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from clickhouse_connect.driver.client import Client

from pipeline.store.rows import Tombstones

VALUES_MAX = 1_000  # bound to one statement
CHARS_MAX = 48_000  # of them, as an address has them: servers bound the length of a request's head

T = TypeVar("T")

#: Not kept in the list of queries, and answered when every replica has done it.
UNLOGGED: dict[str, Any] = {"log_queries": 0}
SETTINGS: dict[str, Any] = {**UNLOGGED, "mutations_sync": 2}


def batches(values: Iterable[T], values_max: int = VALUES_MAX) -> Iterator[list[T]]:
    """The values, as many at once as one statement may have: texts, or tuples with texts in them."""
    batch: list[T] = []
    chars = 0
    for value in values:
        size = len(quote(str(value)))
        if batch and (len(batch) == values_max or chars + size > CHARS_MAX):
            yield batch
            batch, chars = [], 0
        batch.append(value)
        chars += size
    if batch:
        yield batch


def count(client: Client, table: str, condition: str, parameters: Mapping[str, Any]) -> int:
    """How many rows of a table meet a condition, also those that a newer version has replaced. Raises Error."""
    sql = f"SELECT count() FROM {table} WHERE {condition}"  # noqa: S608  # names of ours, values are bound
    return int(client.query(sql, dict(parameters), settings=UNLOGGED).result_rows[0][0])


def delete(client: Client, table: str, condition: str, parameters: Mapping[str, Any]) -> int:
    """Delete those rows; returns how many there were. `forget` has to follow. Raises the driver's Error."""
    found = count(client, table, condition, parameters)
    if found:
        client.command(f"ALTER TABLE {table} DELETE WHERE {condition}", dict(parameters), settings=SETTINGS)
    return found


def update(client: Client, table: str, change: str, condition: str, parameters: Mapping[str, Any]) -> int:
    """Change those rows; returns how many there were. `forget` has to follow. Raises the driver's Error."""
    found = count(client, table, condition, parameters)
    if found:
        client.command(f"ALTER TABLE {table} UPDATE {change} WHERE {condition}", dict(parameters), settings=SETTINGS)
    return found


def forget(client: Client, table: str) -> None:
    """Let ClickHouse's list of mutations hold one that names nobody. Raises the driver's Error."""
    client.command(f"ALTER TABLE {table} DELETE WHERE 0", settings=SETTINGS)


def older(by: Tombstones, gone: Mapping[str, int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Conditions, with what is bound to them, for the rows of these keys that have a smaller version than said."""
    condition = (
        f"{by.column} IN {{values:Array(String)}} AND {by.key} IN {{keys:Array(String)}} "
        f"AND version < transform({by.key}, {{keys:Array(String)}}, {{versions:Array(UInt64)}}, toUInt64(0))"
    )
    for batch in batches(gone.items(), VALUES_MAX // 3):
        keys, versions = zip(*batch, strict=True)
        values = sorted({by.value(key) for key in keys})
        yield condition, {"values": values, "keys": list(keys), "versions": list(versions)}


def delete_older(client: Client, table: str, by: Tombstones, gone: Mapping[str, int]) -> int:
    """Delete these rows; returns how many there were. Raises the driver's Error."""
    found = sum(delete(client, table, condition, parameters) for condition, parameters in older(by, gone))
    if found:
        forget(client, table)
    return found
