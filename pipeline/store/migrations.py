"""The tables and views of ClickHouse, made from `schemas/clickhouse`.

`NNNN_name.sql` is applied once, in the order of its number, and never changes afterwards. `views/NN_name.sql` is the
view as it should be now: all views are made anew when one of them, the time zone or a table has changed. Both are
safe to repeat, since ClickHouse knows no transaction around them: a run that was cut off is simply run again.

A statement ends with a semicolon at the end of a line; whole-line comments begin with `--`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Protocol

from pipeline import catalogue
from pipeline.settings import BadSetting, Settings

VIEWS = "views"  # under which name all of them are recorded
PARTS_DEEP = 3  # parts that name parts that name parts
_FILE = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RECORD = """CREATE TABLE IF NOT EXISTS migrations
(
    name       String COMMENT 'file of schemas/clickhouse, or views',
    checksum   String COMMENT 'SHA-256 of its text',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when it was applied'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY name
COMMENT 'Which migrations of the schema this database has seen.'"""


class BadMigrations(RuntimeError):
    """The files and the database do not fit each other; says which file, and what to do."""


class Result(Protocol):
    """What a query gives."""

    @property
    def result_rows(self) -> Sequence[Sequence[Any]]: ...


class Database(Protocol):
    """The part of clickhouse_connect's Client that is used here."""

    database: str | None

    def command(
        self,
        cmd: str,
        parameters: dict[str, Any] | None = None,
        *,
        settings: dict[str, Any] | None = None,
        use_database: bool = True,
    ) -> object: ...

    def query(self, query: str) -> Result: ...


@dataclass(frozen=True, slots=True)
class Migration:
    """A text of statements, under the name by which it is recorded."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        """Its statements, without comments."""
        code = re.sub(r"^[ \t]*--.*\n?", "", self.text, flags=re.MULTILINE)
        return [each.strip() for each in re.split(r";[ \t]*(?:\n|\Z)", code) if each.strip()]


def migrate(client: Database, settings: Settings) -> list[str]:
    """Make the database of the settings what the files say; returns the names of what was applied.

    The client's database becomes that one. Raises BadMigrations, BadSetting (database's name, time zone),
    FileNotFoundError where there are no files, and the client's errors.
    """
    folder = settings.schemas / "clickhouse"
    tables = read_tables(folder)
    zone = settings.time_zone or catalogue.load(settings.catalogue_folder).business.time_zone
    views = read_views(folder, zone)
    if not _NAME.fullmatch(settings.clickhouse_database):
        raise BadSetting("THROUGHLINE_CLICKHOUSE_DATABASE must be a plain name: letters, digits, underscores")
    client.command(f"CREATE DATABASE IF NOT EXISTS {settings.clickhouse_database}", use_database=False)
    client.database = settings.clickhouse_database
    client.command(_RECORD)
    applied = {
        str(name): str(checksum)
        for name, checksum in client.query("SELECT name, checksum FROM migrations FINAL").result_rows
    }
    due = plan(tables, views, applied)
    for migration in due:
        for statement in migration.statements:
            client.command(statement)
        client.command(
            "INSERT INTO migrations (name, checksum) SELECT {name:String}, {checksum:String}",
            {"name": migration.name, "checksum": migration.checksum},
            settings={"async_insert": 0},
        )
    return [migration.name for migration in due]


def plan(tables: Sequence[Migration], views: Migration, applied: Mapping[str, str]) -> list[Migration]:
    """What is to be applied, in order. Raises BadMigrations where the database has seen something else."""
    known = {migration.name: migration for migration in tables}
    for name, checksum in applied.items():
        if name == VIEWS:
            continue
        if name not in known:
            raise BadMigrations(f"the database has {name}, which is not among the files: it is ahead of this version")
        if known[name].checksum != checksum:
            raise BadMigrations(f"{name} was changed after it was applied: undo that, and add a new migration")
    due = [migration for migration in tables if migration.name not in applied]
    newest = max((name for name in applied if name != VIEWS), default="")
    for migration in due:
        if migration.name < newest:
            raise BadMigrations(f"{migration.name} is new, but the database has {newest} already: give it a new number")
    if due or applied.get(VIEWS) != views.checksum:
        due.append(views)  # a view keeps the columns that its tables had when it was made
    return due


def read_tables(folder: Path) -> list[Migration]:
    """The numbered migrations in order. Raises FileNotFoundError and BadMigrations."""
    paths = sorted(folder.glob("*.sql"))
    if not paths:
        raise FileNotFoundError(f"no migrations in {folder}")
    for number, path in enumerate(paths, 1):
        if not _FILE.fullmatch(path.name) or int(path.name[:4]) != number:
            raise BadMigrations(f"{path.name} should be {number:04}_some_name.sql: numbers begin at 1 and have no gaps")
    return [Migration(path.name, path.read_text()) for path in paths]


def read_views(folder: Path, time_zone: str) -> Migration:
    """All views as one text, with `${time_zone}` and the texts of `parts` put in; a part may name others.

    Raises BadSetting for what cannot be a zone's name; whether there is such a zone, ClickHouse knows.
    """
    if not _ZONE.fullmatch(time_zone):
        raise BadSetting(f"THROUGHLINE_TIME_ZONE must be a name like Europe/Paris, not {time_zone!r}")
    texts = {
        path.stem: "\n".join(line for line in path.read_text().rstrip().splitlines() if not line.startswith("--"))
        for path in sorted((folder / VIEWS / "parts").glob("*.sql"))
    }
    known = {"time_zone": time_zone} | texts
    for _ in range(PARTS_DEEP):
        known = {name: Template(text).substitute(known) for name, text in known.items()}
    paths = sorted((folder / VIEWS).glob("*.sql"))
    return Migration(VIEWS, "\n".join(Template(path.read_text()).substitute(known) for path in paths))
