"""Several streams worked on at the same time, and read one after the other: each is a few pieces ahead, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

PIECES_MAX = 2  # of each that wait to be read


class Ahead:
    """A stream that goes on by itself until enough is waiting. `close` it, also where it was read to its end."""

    def __init__(self, pieces: AsyncGenerator[bytes]) -> None:
        self._waiting: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(PIECES_MAX)
        self._task = asyncio.create_task(self._go_on(pieces))

    async def _go_on(self, pieces: AsyncGenerator[bytes]) -> None:
        end: Exception | None = None
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    await self._waiting.put(piece)
        except Exception as error:  # noqa: BLE001  # raised where it is read
            end = error
        await self._waiting.put(end)

    async def read(self) -> AsyncGenerator[bytes]:
        """All of it. Raises what the stream raised, behind what it had given."""
        while (piece := await self._waiting.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def close(self) -> None:
        """Give up what nobody will read."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def one_after_the_other(*streams: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """All of them in their order, while each goes on by itself."""
    ahead = [Ahead(each) for each in streams]
    try:
        for each in ahead:
            async for piece in each.read():
                yield piece
    finally:
        for each in ahead:
            await each.close()
