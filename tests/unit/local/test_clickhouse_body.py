"""Bodies of requests to the ClickHouse front."""

from __future__ import annotations

import gzip
import zlib

import lz4.frame
import pytest

from pipeline.local import clickhouse_body
from pipeline.local.clickhouse_body import BadBody, unpacked

TEXT = b"SELECT 1 " * 100


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (TEXT, ""),
        (TEXT, "identity"),
        (gzip.compress(TEXT, mtime=0), "gzip"),
        (zlib.compress(TEXT), "deflate"),
        (lz4.frame.compress(TEXT), "lz4"),
        (clickhouse_body.zstd.compress(TEXT), "zstd"),
        (b"", "lz4"),
    ],
)
def test_every_encoding_is_unpacked(packed: bytes, encoding: str) -> None:
    assert unpacked(packed, encoding) == (TEXT if packed else b"")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "lz4", "zstd"])
def test_what_is_not_packed_is_named(encoding: str) -> None:
    with pytest.raises(BadBody, match=encoding):
        unpacked(TEXT, encoding)


def test_half_a_body_is_not_taken_for_a_whole_one() -> None:
    with pytest.raises(BadBody, match="too early"):
        unpacked(gzip.compress(TEXT)[:-12], "gzip")


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(BadBody, match="Unknown"):
        unpacked(TEXT, "br")


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clickhouse_body, "UNPACKED_BYTES_MAX", 1000)
    with pytest.raises(BadBody, match="1000") as caught:
        unpacked(gzip.compress(bytes(1001)), "gzip")
    assert caught.value.code == 307


def test_all_requests_together_hold_no_more_than_the_budget() -> None:
    budget = clickhouse_body.Budget(100)
    with budget.account() as one:
        one.add(60)
        with budget.account() as other:
            other.add(40)
            with pytest.raises(BadBody) as caught:
                other.add(1)
        assert caught.value.code == 202
        one.add(40)
    with budget.account() as again:
        again.add(100)
