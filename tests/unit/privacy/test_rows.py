"""Which tables an export asks."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.privacy.rows import IMPERSONAL, TABLES

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas" / "clickhouse"


def columns(table: str) -> set[str]:
    """As its migration makes them."""
    for path in SCHEMAS.glob("0*.sql"):
        made = re.search(rf"CREATE TABLE IF NOT EXISTS {table}\n\((.*?)\n\)", path.read_text(), re.DOTALL)
        if made:
            return set(re.findall(r"^    (\w+) +[A-Z]", made[1], re.MULTILINE))
    raise AssertionError(f"no migration makes {table}")


def test_every_table_is_asked_or_says_nothing_of_any_one_person() -> None:
    made = {
        name
        for path in SCHEMAS.glob("0*.sql")
        for name in re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", path.read_text())
    }
    assert {table.name for table in TABLES} | IMPERSONAL == made - {"migrations"}
    assert not {table.name for table in TABLES} & IMPERSONAL


def test_pages_go_on_behind_columns_that_there_are_and_that_the_rows_show() -> None:
    for table in TABLES:
        assert set(table.key) <= columns(table.name)
        if not table.columns.startswith("*"):
            shown = set(table.columns.split(", "))
            assert set(table.key) <= shown <= columns(table.name)
