"""How requests to the ClickHouse front are taken apart."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.clickhouse_sql import TwoStatements, parse


@pytest.mark.parametrize(
    ("text", "sql", "insert_format", "data"),
    [
        (b"INSERT INTO t FORMAT Native\n\x01\x02", b"INSERT INTO t", "Native", b"\x01\x02"),
        (b"INSERT INTO d.t (a, b) FORMAT Native\n\n\x01", b"INSERT INTO d.t (a, b)", "Native", b"\n\x01"),
        (b'insert into t format JSONEachRow {"a":1}', b"insert into t", "JSONEachRow", b'{"a":1}'),
        (b"INSERT INTO `format` (`values`) FORMAT CSV\r\n1\n", b"INSERT INTO `format` (`values`)", "CSV", b"1\n"),
        (b"INSERT INTO t SETTINGS async_insert=0 FORMAT CSV\n1", b"INSERT INTO t SETTINGS async_insert=0", "CSV", b"1"),
        (
            b"/* why; */ INSERT INTO t -- FORMAT x\n FORMAT TSV;\n1",
            b"/* why; */ INSERT INTO t -- FORMAT x",
            "TSV",
            b"1",
        ),
        (b"INSERT INTO t (a) FORMAT Native", b"INSERT INTO t (a)", "Native", b""),
    ],
)
def test_an_inserts_data_is_split_off(text: bytes, sql: bytes, insert_format: str, data: bytes) -> None:
    statement = parse(text)
    assert (statement.sql, statement.insert_format, statement.data) == (sql, insert_format, data)
    assert not statement.reads_only


@pytest.mark.parametrize(
    "text",
    [
        b"INSERT INTO t VALUES (1, ';'), (2, 'FORMAT Native')",
        b"INSERT INTO t FORMAT Values (1), (2)",
        b"INSERT INTO t (a) SELECT 1 FORMAT Null",
        b"INSERT INTO t VALUES (1);",
    ],
)
def test_other_inserts_are_left_to_the_engine(text: bytes) -> None:
    statement = parse(text)
    assert (statement.sql, statement.data) == (text, None)


@pytest.mark.parametrize(
    ("text", "output_format"),
    [
        (b"SELECT 1", ""),
        (b"SELECT 1 FORMAT JSON", "JSON"),
        (b"SELECT 1 FORMAT JSON;", "JSON"),
        (b"SELECT 1 FORMAT JSON SETTINGS max_threads = 1, x = 'FORMAT y'", "JSON"),
        (b"SELECT 1 SETTINGS max_threads = 1 FORMAT Native", "Native"),
        (b"SELECT format FROM t", ""),
        (b"SELECT 'FORMAT JSON' AS x FROM t -- FORMAT CSV", ""),
        (b"SELECT * FROM format(JSONEachRow, '{}') FORMAT CSV", "CSV"),
        (b"SELECT a AS format FORMAT TSV", "TSV"),
    ],
)
def test_the_output_format_is_found(text: bytes, output_format: str) -> None:
    assert parse(text).output_format == output_format


@pytest.mark.parametrize("text", [b"SELECT 1; SELECT 2", b"DROP TABLE a;DROP TABLE b", b"SELECT ';' ; x"])
def test_two_statements_are_refused(text: bytes) -> None:
    with pytest.raises(TwoStatements):
        parse(text)


@pytest.mark.parametrize("text", [b"SELECT 1;", b"SELECT 1 ;\n -- the end\n", b"SELECT ';', `;`, \";\" /* ; */"])
def test_one_statement_may_end_with_a_semicolon(text: bytes) -> None:
    assert parse(text).reads_only


@pytest.mark.parametrize(
    "text", [b"INSERT INTO t SELECT 1", b"CREATE TABLE t (a Int8)", b"DROP TABLE t", b"", b"KILL QUERY"]
)
def test_what_changes_something_is_no_read(text: bytes) -> None:
    assert not parse(text).reads_only


@given(st.binary(max_size=300))
def test_no_bytes_break_it(text: bytes) -> None:
    with contextlib.suppress(TwoStatements):
        parse(b"SELECT " + text)


@given(st.binary(max_size=300))
def test_an_inserts_data_is_never_changed(data: bytes) -> None:
    assert parse(b"INSERT INTO t FORMAT RowBinary\n" + data).data == data
