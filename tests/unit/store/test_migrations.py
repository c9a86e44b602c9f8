"""Which migrations are due, and which disagreements between files and database are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.settings import BadSetting, Settings
from pipeline.store.migrations import VIEWS, BadMigrations, Migration, plan, read_tables, read_views

ONE, TWO, THREE = (Migration(f"000{n}_t.sql", f"CREATE TABLE t{n};") for n in (1, 2, 3))
VIEW = Migration(VIEWS, "CREATE OR REPLACE VIEW v;")


def applied(*migrations: Migration) -> dict[str, str]:
    return {each.name: each.checksum for each in migrations}


def test_an_empty_database_gets_everything_in_order() -> None:
    assert plan([ONE, TWO], VIEW, {}) == [ONE, TWO, VIEW]


def test_nothing_is_due_twice() -> None:
    assert plan([ONE, TWO], VIEW, applied(ONE, TWO, VIEW)) == []


def test_views_are_made_anew_after_a_migration_and_after_a_change_of_their_own() -> None:
    assert plan([ONE, TWO], VIEW, applied(ONE, VIEW)) == [TWO, VIEW]
    assert plan([ONE], Migration(VIEWS, "other"), applied(ONE, VIEW)) == [Migration(VIEWS, "other")]


def test_a_run_that_was_cut_off_goes_on() -> None:
    assert plan([ONE, TWO], VIEW, applied(ONE)) == [TWO, VIEW]


def test_a_changed_migration_is_refused() -> None:
    with pytest.raises(BadMigrations, match=r"0001_t\.sql was changed"):
        plan([Migration(ONE.name, "something else")], VIEW, applied(ONE))


def test_a_database_ahead_of_the_files_is_refused() -> None:
    with pytest.raises(BadMigrations, match="ahead"):
        plan([ONE], VIEW, applied(ONE, TWO))


def test_a_number_from_the_past_is_refused() -> None:
    with pytest.raises(BadMigrations, match=r"0002_t\.sql is new"):
        plan([ONE, TWO, THREE], VIEW, applied(ONE, THREE))


def test_statements_are_split_and_freed_of_comments() -> None:
    text = (
        "-- first; not the end;\nCREATE TABLE a (x String COMMENT 'a; b');\n\n  -- more\nCREATE VIEW b AS\nSELECT 1\n;"
    )
    assert Migration("m", text).statements == ["CREATE TABLE a (x String COMMENT 'a; b')", "CREATE VIEW b AS\nSELECT 1"]


@pytest.mark.parametrize("names", [["0002_a.sql"], ["0001_a.sql", "0003_b.sql"], ["0001_A.sql"], ["1_a.sql"]])
def test_files_must_be_numbered_without_gaps(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(BadMigrations):
        read_tables(tmp_path)


def test_a_folder_without_migrations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_tables(tmp_path)


@pytest.mark.parametrize("zone", ["", "Europe/Paris'", "a b", "../etc", "A/B/C/D"])
def test_a_time_zone_must_look_like_one(zone: str) -> None:
    with pytest.raises(BadSetting, match="TIME_ZONE"):
        read_views(Settings().schemas / "clickhouse", zone)


def test_every_view_and_table_says_what_it_is() -> None:
    folder = Settings().schemas / "clickhouse"
    statements = [s for each in (*read_tables(folder), read_views(folder, "UTC")) for s in each.statements]
    assert len(statements) > 5
    repeatable = (
        *("CREATE TABLE IF NOT EXISTS ", "CREATE MATERIALIZED VIEW IF NOT EXISTS ", "CREATE OR REPLACE VIEW "),
        *("CREATE OR REPLACE TABLE touchpoint_hours", "CREATE OR REPLACE TABLE contacts"),  # made of others, and again
    )
    for statement in statements:
        if re.match(
            r"INSERT INTO (consents|contacts|complaints|definitions|orders|touchpoint_changes)\nSELECT\s|ALTER TABLE ",
            statement,
        ):
            continue  # rows that replace themselves, settings, and comments on columns
        assert statement.startswith(repeatable), statement[:60]
        assert "\nCOMMENT '" in statement, statement[:60]
