"""The tables of ClickHouse under another identifier key.

Of every table that has texts, the rows with an old identifier anywhere are read a part at a time, and put in again
renamed, with the version that they had: what is published afterwards under the new identifier is newer (see
`store/rows.py`). Only then are the old rows deleted. A run that was killed in between puts in the same rows again, and
they replace themselves.

Rows are found by what they hold, not by a list of columns, so a new table or column is looked into as well. Seals are
the exception: they are named in `SEALS`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline.domain.identifiers import Keyring
from pipeline.domain.renaming import Renaming
from pipeline.rotate.rewriting import Tell
from pipeline.store.rows import TABLES
from pipeline.store.writer import INSERT_SETTINGS

ROWS_MAX = 10_000  # read and put in at once, about

#: Table → its columns of seals in hexadecimal digits.
SEALS = {table.name: table.seals for table in TABLES if table.seals}
_TEXT = re.compile(r"(LowCardinality\()?String\)?")


class NotRenamed(RuntimeError):
    """Rows of a table would still hold old identifiers; nothing of them was deleted."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table as the database has it."""

    name: str
    columns: tuple[tuple[str, str], ...]  # name and type
    identity: str  # its sort key, as SQL

    @property
    def names(self) -> list[str]:
        """Of its columns."""
        return [name for name, _ in self.columns]

    def condition(self, pattern: str, generations: int) -> str:
        """SQL: whether a row holds an old identifier, or a seal of one of so many generations. '' where none can."""
        seals = SEALS.get(self.name, ())
        ends = ", ".join(f"'{place:02x}'" for place in range(1, generations + 1))
        found = [
            f"match({name}, '{pattern}')" if _TEXT.fullmatch(kind) else f"match(toString({name}), '{pattern}')"
            for name, kind in self.columns
            if "String" in kind and name not in seals
        ]
        found += [f"arrayExists(seal -> length(seal) = 32 AND right(seal, 2) IN ({ends}), {name})" for name in seals]
        return " OR ".join(found)


def tables(client: Client) -> list[Table]:
    """All tables of the client's database that keep rows."""
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, name, kind in client.query(
        "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() "
        "AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') ORDER BY table, position"  # those follow from the others
    ).result_rows:
        columns.setdefault(table, []).append((name, kind))
    found = client.query(
        "SELECT name, sorting_key FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        " ORDER BY name"
    )
    return [Table(name, tuple(columns[name]), key) for name, key in found.result_rows]


def rename_tables(client: Client, keyring: Keyring, tell: Tell) -> None:
    """Rename every table. Raises the driver's Error, NotRenamed."""
    renaming = Renaming(keyring)
    if renaming.pattern is None:
        return
    for table in tables(client):
        condition = table.condition(renaming.pattern, len(keyring.older))
        if condition:
            _rename_table(client, table, condition, renaming, tell)


def _rename_table(client: Client, table: Table, condition: str, renaming: Renaming, tell: Tell) -> None:
    count = int(client.query(f"SELECT count() FROM {table.name} WHERE {condition}").result_rows[0][0])  # noqa: S608 - our names
    if not count:
        return
    shares = count // ROWS_MAX + 1
    looked = 0
    for share in range(shares):
        part = f"cityHash64({table.identity}) % {shares} = {share}"
        rows = client.query(
            # FINAL: of what a merge would leave, so that no superseded row gets a new life under the new identifier.
            f"SELECT {', '.join(table.names)} FROM {table.name} FINAL WHERE {part} AND ({condition})"  # noqa: S608
        ).result_rows
        changed = [renamed_row(table, row, renaming) for row in rows]
        if changed:
            client.insert(table.name, changed, column_names=table.names, settings=INSERT_SETTINGS)
        looked += len(rows)
        tell(f"rows of {table.name}, of {count:,}", looked)
    tell(f"deleting what was renamed of {table.name}", looked)
    client.command(f"ALTER TABLE {table.name} DELETE WHERE {condition}", settings={"mutations_sync": 2})


def renamed_row(table: Table, row: Sequence[Any], renaming: Renaming) -> list[Any]:
    """A row with current identifiers and seals. Raises NotRenamed where an old identifier would stay."""
    seals = SEALS.get(table.name, ())
    new: list[Any] = []
    for (name, _), value in zip(table.columns, row, strict=True):
        if name in seals:
            new.append([renaming.sealed(seal) for seal in value])
        else:
            new.append(renaming.value(value))
    if renaming.concerns(repr(new).encode()) and renaming.text(repr(new)) != repr(new):
        raise NotRenamed(f"rows of {table.name} cannot be renamed whole")
    return new
