"""Streams that go on while others are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from pipeline.privacy.ahead import PIECES_MAX, one_after_the_other


class Counted:
    """A stream of n pieces, which says how many were taken, and whether it is over."""

    def __init__(self, name: bytes, n: int, fails: bool = False) -> None:
        self.given = 0
        self.over = False
        self._name, self._n, self._fails = name, n, fails

    async def pieces(self) -> AsyncGenerator[bytes]:
        try:
            for _ in range(self._n):
                self.given += 1
                yield self._name
                await asyncio.sleep(0)
            if self._fails:
                raise OSError("gone")
        finally:
            self.over = True


async def test_they_come_in_their_order() -> None:
    a, b = Counted(b"a", 5), Counted(b"b", 3)
    assert [each async for each in one_after_the_other(a.pieces(), b.pieces())] == [b"a"] * 5 + [b"b"] * 3


async def test_the_next_one_goes_on_meanwhile_and_no_further_than_it_may() -> None:
    a, b = Counted(b"a", 100), Counted(b"b", 100)
    stream = one_after_the_other(a.pieces(), b.pieces())
    for _ in range(20):
        assert await anext(stream) == b"a"
        await asyncio.sleep(0)
    assert b.given == PIECES_MAX + 1  # one more in its hand
    assert a.given <= 20 + PIECES_MAX + 1
    await stream.aclose()
    assert a.over
    assert b.over


async def test_what_one_raises_comes_behind_what_it_gave() -> None:
    stream = one_after_the_other(Counted(b"a", 2, fails=True).pieces(), Counted(b"b", 9).pieces())
    assert [await anext(stream), await anext(stream)] == [b"a", b"a"]
    with pytest.raises(OSError, match="gone"):
        await anext(stream)
