"""ClickHouse's engine in this process: one request in, one answer out, as a server would give it.

Every request gets a connection of its own (1 ms), unless it names a session: then the session's, whose temporary tables
and SETs last until it has idled for its time-out. Calls block and may come from several threads at once.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.local.clickhouse_reader import READER_SETTINGS, Grants, Refused, admitted, output_format
from pipeline.local.clickhouse_sql import Statement

SESSIONS_MAX = 256
SESSION_TIMEOUT_S = 60
SESSION_TIMEOUT_S_MAX = 3600
#: Where the embedded engine's defaults are not a server's, and what bounds one request.
DEFAULTS = {
    "implicit_select": "0",
    "allow_introspection_functions": "0",
    "max_execution_time": "300",
    "max_memory_usage": str(4 * 1024**3),
    "max_result_bytes": str(256 * 1024**2),
    # Compiling a dashboard's hundred formulas takes longer than they ever do, and happens when a query is asked again.
    "compile_expressions": "0",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CODE = re.compile(r"Code: (\d+)")


class EngineError(Exception):
    """An error of ClickHouse: its code, and its text as a server words it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class ExternalTable:
    """A table sent along with a query."""

    name: str
    structure: str  # 'x UInt8, y String'
    format: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Query:
    """One request. `settings` hold for it alone, also within a session."""

    statement: Statement
    database: str = ""
    default_format: str = "TabSeparated"
    params: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    session: str = ""
    session_timeout_s: int = SESSION_TIMEOUT_S
    session_must_exist: bool = False
    tables: Sequence[ExternalTable] = ()
    grants: Grants | None = None  # what a reader may read; None: everything, and more than reading


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gave: the body in `format`, and counts for its summary."""

    body: bytes
    format: str
    result_rows: int = 0
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0


@dataclass(slots=True)
class _Session:
    connection: Any
    expires: float = 0.0
    busy: bool = False


class Engine:
    """The engine over one data folder. Only one process at a time may have it open."""

    def __init__(self, folder: Path) -> None:
        # A server's time zone does not depend on where a developer sits; the engine reads it when it is loaded.
        os.environ["TZ"] = "UTC"
        import chdb

        folder.mkdir(parents=True, exist_ok=True)
        self._open = chdb.connect
        self._path = str(folder)
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()
        self._base = self._open(self._path)  # keeps the engine open between requests
        row = self._base.query("SELECT version(), timezone()", "TabSeparated").bytes().decode().split()
        self.version, self.timezone = row

    def close(self) -> None:
        """Close everything; no request may be running."""
        with self._lock:
            for session in self._sessions.values():
                session.connection.close()
            self._sessions.clear()
        self._base.close()

    def execute(self, query: Query) -> Answer:
        """Do what a request says. Raises EngineError."""
        try:
            if query.grants is not None:
                return self._for_reader(query, query.grants)
            if query.session:
                return self._in_session(query)
            connection = self._connect()
            try:
                return _perform(connection, query, DEFAULTS | dict(query.settings))
            finally:
                connection.close()
        except RuntimeError as error:  # chdb raises nothing else
            raise _translated(error, self.version) from error

    def _connect(self) -> Any:
        return self._open(self._path)

    def _for_reader(self, query: Query, grants: Grants) -> Answer:
        """A reader has no session: it could keep nothing there, and another user's has what it may not see."""
        if query.tables or query.statement.data is not None:
            raise _refusal("A reader sends no data")
        connection = self._connect()
        try:
            _set(connection, DEFAULTS | READER_SETTINGS)
            _set(connection, query.settings)  # the engine refuses those that would change something
            if query.database:
                connection.query(f"USE {_quoted_name(query.database)}")

            def ask(sql: str) -> str:
                return str(connection.query(sql, "TSVRaw", params=dict(query.params)).bytes().decode())

            text = admitted(query.statement.sql.decode(errors="replace"), query.database or "default", grants, ask)
            statement = Statement(text.encode(), "", None, output_format(text), True)
            return _read(connection, statement, query)
        except Refused as error:
            raise _refusal(str(error)) from error
        finally:
            connection.close()

    def _in_session(self, query: Query) -> Answer:
        session = self._enter(query)
        try:
            before = _values(session.connection, query.settings)
            try:
                return _perform(session.connection, query, query.settings)
            finally:
                _set(session.connection, before)
        finally:
            with self._lock:
                session.busy = False
                session.expires = time.monotonic() + query.session_timeout_s

    def _enter(self, query: Query) -> _Session:
        with self._lock:
            self._expire()
            session = self._sessions.get(query.session)
            if session is None:
                if query.session_must_exist:
                    raise EngineError(372, f"Code: 372. DB::Exception: Session {query.session} not found. "
                                           "(SESSION_NOT_FOUND)")  # fmt: skip
                session = _Session(self._connect())
                _set(session.connection, DEFAULTS)
                self._sessions[query.session] = session
            if session.busy:
                raise EngineError(373, f"Code: 373. DB::Exception: Session {query.session} is locked by a concurrent "
                                       "client. (SESSION_IS_LOCKED)")  # fmt: skip
            session.busy = True
            return session

    def _expire(self) -> None:
        """Close the sessions that are over, and the oldest idle ones beyond what may be open."""
        now = time.monotonic()
        idle = sorted((s.expires, name) for name, s in self._sessions.items() if not s.busy)
        surplus = len(self._sessions) - SESSIONS_MAX + 1
        for place, (expires, name) in enumerate(idle):
            if expires < now or place < surplus:
                self._sessions.pop(name).connection.close()


def _perform(connection: Any, query: Query, settings: Mapping[str, str]) -> Answer:
    statement = query.statement
    _set(connection, settings)
    if query.database:
        connection.query(f"USE {_quoted_name(query.database)}")
    for table in query.tables:
        connection.query(f"CREATE TEMPORARY TABLE {_quoted_name(table.name)} ({table.structure})")
        _insert(connection, f"INSERT INTO {_quoted_name(table.name)}", table.format, table.data)
    if statement.data is not None:
        rows, size = _insert(connection, statement.sql.decode(), statement.insert_format, statement.data)
        return Answer(b"", query.default_format, written_rows=rows, written_bytes=size)
    return _read(connection, statement, query)


def _read(connection: Any, statement: Statement, query: Query) -> Answer:
    result = connection.query(statement.sql.decode(errors="replace"), query.default_format, params=dict(query.params))
    return Answer(
        result.bytes(),
        statement.output_format or query.default_format,
        result.rows_read(),
        result.storage_rows_read(),
        result.storage_bytes_read(),
        result.rows_written(),
        result.bytes_written(),
    )


def _insert(connection: Any, sql: str, data_format: str, data: bytes) -> tuple[int, int]:
    with connection.send_insert(sql, data_format) as insert:
        insert.append(data)
        done = insert.finish()
    return done.rows_written, done.bytes_written


def _set(connection: Any, settings: Mapping[str, str | None]) -> None:
    """Change settings of a connection; None sets the default."""
    for name in settings:
        if not _NAME.match(name):
            raise EngineError(115, f"Code: 115. DB::Exception: Unknown setting '{name}'. (UNKNOWN_SETTING)")
    if settings:
        changes = (f"{name} = {'DEFAULT' if value is None else _quoted(value)}" for name, value in settings.items())
        connection.query(f"SET {', '.join(changes)}")


def _values(connection: Any, names: Mapping[str, str]) -> dict[str, str | None]:
    """What these settings are now; None for a default."""
    if not names:
        return {}
    listed = ", ".join(_quoted(name) for name in names)
    text = connection.query(
        f"SELECT name, value FROM system.settings WHERE changed AND name IN ({listed})",  # noqa: S608 - quoted
        "TabSeparatedRaw",
    ).bytes().decode()  # fmt: skip
    changed = dict(line.split("\t", 1) for line in text.splitlines())
    return {name: changed.get(name) for name in names}


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quoted_name(text: str) -> str:
    return "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _refusal(why: str) -> EngineError:
    return EngineError(497, f"Code: 497. DB::Exception: bi: Not enough privileges. {why}. (ACCESS_DENIED)")


def _translated(error: RuntimeError, version: str) -> EngineError:
    text = str(error)
    found = _CODE.search(text)
    text = text[found.start() :] if found else f"Code: 1001. DB::Exception: {text}. (STD_EXCEPTION)"
    if "(version " not in text:
        text += f" (version {version})"
    return EngineError(int(found.group(1)) if found else 1001, text)
