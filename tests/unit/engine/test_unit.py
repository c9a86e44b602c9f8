"""A batch reads its own changes above the state, and the state survives what a process does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.batch import Unit
from pipeline.engine.store import Standing, Store

KEYS = st.tuples(st.sampled_from(["pa", "pab", "c"]), st.sampled_from(["", "\0h", "\0i1", "\0i2"])).map(
    lambda parts: "".join(parts).encode()
)
CHANGES = st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=3)), max_size=12)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("state") / "0")
    yield store
    store.close()


@given(stored=CHANGES, changes=CHANGES, prefix=st.sampled_from([b"p", b"pa", b"pa\0", b"pab\0i", b"c", b""]))
def test_a_batch_sees_state_and_changes_as_one(
    store: Store, stored: list[tuple[bytes, bytes | None]], changes: list[tuple[bytes, bytes | None]], prefix: bytes
) -> None:
    store.wipe()
    store.write(stored, Standing(1, 1, 1))
    unit = Unit(0, store, {}, [], [], {})
    expected: dict[bytes, bytes | None] = {}
    for key, value in [*stored, *changes]:
        expected[key] = value
    for key, value in changes:
        unit.put(key, value)

    live = {key: value for key, value in expected.items() if value is not None}
    found = [each for each in unit.scan(prefix) if each[0] != b"\x00meta"]
    assert found == sorted((key, value) for key, value in live.items() if key.startswith(prefix))
    assert all(unit.get(key) == value for key, value in expected.items())
    for after in live:
        assert list(unit.scan(prefix, after)) == [each for each in found if each[0] > after]


def test_data_and_offset_are_found_again_together(tmp_path: Path) -> None:
    store = Store(tmp_path / "3")
    assert store.standing == Standing(0, 0, 0)
    store.write([(b"a", b"1"), (b"b", b"2")], Standing(17, 1000, 900))
    store.write([(b"a", None)], Standing(19, 2000, 1900))
    store.close()

    again = Store(tmp_path / "3")
    assert again.standing == Standing(19, 2000, 1900)
    assert list(again.everything()) == [(b"b", b"2")]
    again.wipe()
    assert again.standing == Standing(0, 0, 0)
    assert list(again.everything()) == []
    again.close()
