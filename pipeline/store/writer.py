"""Blocks into ClickHouse.

An insert is one block and answered only when it is stored. Whether a block whose answer was lost arrived does not
matter: it is sent again, and replaces itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.insert import InsertContext

from pipeline.clickhouse import connect, is_transient
from pipeline.store.mutations import delete_older
from pipeline.store.rows import REJECTED, Block, Column, Table

__all__ = ["INSERT_SETTINGS", "Writer", "connect", "is_transient"]

#: Set with each insert, because defaults differ between servers and the embedded engine.
INSERT_SETTINGS: dict[str, Any] = {
    "async_insert": 0,  # answered when stored, not when queued
    "optimize_on_insert": 1,  # what a block holds twice is stored once
    "max_partitions_per_insert_block": 0,  # rows.day_of bounds them
    "max_insert_block_size": 10_000_000,  # a batch stays one block, and so one part of each partition
}


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
