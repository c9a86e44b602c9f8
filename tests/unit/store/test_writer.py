"""Which of ClickHouse's errors are waited out."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, Error, OperationalError, ProgrammingError

from pipeline.store.writer import is_transient


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (OperationalError("nobody answers"), True),
        (DatabaseError("too many parts", code=252), True),
        (DatabaseError("memory limit exceeded", code=241), True),
        (DatabaseError("read only", code=242), True),
        (DatabaseError("unknown table", code=60), False),
        (DatabaseError("cannot parse", code=27), False),
        (DatabaseError("wrong password", code=516), False),
        (DatabaseError("no code"), False),
        (DataError("does not fit its column"), False),
        (ProgrammingError("wrong number of columns"), False),
    ],
)
def test_is_transient(error: Error, transient: bool) -> None:
    assert is_transient(error) is transient
