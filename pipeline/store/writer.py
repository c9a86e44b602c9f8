"""Blocks into ClickHouse, and which of its failures pass by waiting.

An insert is one block and answered only when it is stored. Whether a block whose answer was lost arrived does not
matter: it is sent again, and replaces itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error, InterfaceError, OperationalError
from clickhouse_connect.driver.insert import InsertContext

from pipeline.keys import Keys
from pipeline.settings import Settings
from pipeline.store.mutations import delete_older
from pipeline.store.rows import REJECTED, Block, Column, Table

CONNECT_S = 5
ANSWER_S = 60

#: Set with each insert, because defaults differ between servers and the embedded engine.
INSERT_SETTINGS: dict[str, Any] = {
    "async_insert": 0,  # answered when stored, not when queued
    "optimize_on_insert": 1,  # what a block holds twice is stored once
    "max_partitions_per_insert_block": 0,  # rows.day_of bounds them
    "max_insert_block_size": 10_000_000,  # a batch stays one block, and so one part of each partition
}

#: What passes, by ClickHouse's names and codes: time-outs, too much at once, no memory or space just now, a replica or
#: a keeper away.
_PASSING = {
    "UNEXPECTED_END_OF_FILE": 3,
    "TIMEOUT_EXCEEDED": 159,
    "DNS_ERROR": 198,
    "TOO_MANY_SIMULTANEOUS_QUERIES": 202,
    "NO_FREE_CONNECTION": 203,
    "SOCKET_TIMEOUT": 209,
    "NETWORK_ERROR": 210,
    "NO_ZOOKEEPER": 225,
    "ABORTED": 236,
    "MEMORY_LIMIT_EXCEEDED": 241,
    "TABLE_IS_READ_ONLY": 242,
    "NOT_ENOUGH_SPACE": 243,
    "TOO_MANY_PARTS": 252,
    "ALL_CONNECTION_TRIES_FAILED": 279,
    "TOO_FEW_LIVE_REPLICAS": 285,
    "UNKNOWN_STATUS_OF_INSERT": 319,
    "QUERY_WAS_CANCELLED": 394,
    "SYSTEM_ERROR": 425,
    "KEEPER_EXCEPTION": 999,
}
TRANSIENT = frozenset(_PASSING.values())


def is_transient(error: Error) -> bool:
    """Whether waiting helps: nobody answered, or ClickHouse said so by its code. What it refuses is a bug."""
    if error.code is None:
        return isinstance(error, OperationalError | InterfaceError)
    return error.code in TRANSIENT


def connect(settings: Settings, keys: Keys, database: str | None = None) -> Client:
    """A client of the settings' ClickHouse; it has asked for the version. Close it. Raises the driver's Error."""
    url = urlsplit(settings.clickhouse)
    return clickhouse_connect.get_client(
        interface=url.scheme or "http",
        host=url.hostname or settings.host,
        port=url.port or (8443 if url.scheme == "https" else 8123),
        username=keys.clickhouse_user,
        password=keys.clickhouse_password,
        database=database,
        connect_timeout=CONNECT_S,
        send_receive_timeout=ANSWER_S,
        compress=False,
        autogenerate_session_id=False,  # sessions would let only one query run at a time
        client_name="throughline",
    )


class Writer:
    """Stores into one table. Not for several threads at once."""

    def __init__(self, client: Client, table: Table) -> None:
        """Asks ClickHouse for the table's column types. Raises the driver's Error."""
        self._client = client
        self._table = table
        self._contexts = {table.name: self._context(table)}
        if table.judge is not None:
            self._contexts[REJECTED.name] = self._context(REJECTED)

    def _context(self, table: Table) -> InsertContext:
        return self._client.create_insert_context(
            table.name, list(table.column_names), column_oriented=True, settings=INSERT_SETTINGS
        )

    def store(self, block: Block) -> None:
        """Delete what is gone, insert what is there, and what was refused. Raises the driver's Error."""
        if block.gone and self._table.tombstones is not None:
            delete_older(self._client, self._table.name, self._table.tombstones, block.gone)
        if block.columns[0]:
            self.insert(block.columns)
        if block.refused is not None:
            self._insert(self._contexts[REJECTED.name], block.refused)

    def insert(self, columns: Sequence[Column]) -> None:
        """Store the rows as one block; returns when ClickHouse has said that it has them. Raises the driver's Error."""
        self._insert(self._contexts[self._table.name], columns)

    def _insert(self, context: InsertContext, columns: Sequence[Column]) -> None:
        context.req_block_size = len(columns[0])
        context.data = columns
        try:
            self._client.data_insert(context)
        finally:
            context.data = None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
