"""What is counted in the background: what is kept, how old it may become, and what never piles up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from pipeline.serve.counting import KEPT_MAX, PERSONS, RETRY_S, WAITING_MAX, Counting
from pipeline.serve.reports import ReportsAway
from tests.serving import until


class Table:
    """Counts by hand, with a clock of its own."""

    def __init__(self, ahead: tuple[str, ...] = ()) -> None:
        self.now = 1_000.0
        self.took_s = 0.0
        self.away = False
        self.counted: list[str] = []
        self.at_once = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.counting: Counting[str, int] = Counting(self._count, ahead, PERSONS, lambda: self.now)

    async def _count(self, key: str) -> int:
        self.at_once += 1
        assert self.at_once == 1
        try:
            await self.go_on.wait()
            self.counted.append(key)
            self.now += self.took_s
            if self.away:
                raise ReportsAway("away")
            return len(self.counted)
        finally:
            self.at_once -= 1


@asynccontextmanager
async def running(table: Table) -> AsyncIterator[Table]:
    task = asyncio.create_task(table.counting.run())
    try:
        yield table
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def value(table: Table, key: str) -> Callable[[], bool]:
    return lambda: table.counting.get(key).kept is not None


async def test_a_first_question_is_answered_later_and_the_next_at_once() -> None:
    async with running(Table()) as table:
        table.go_on.clear()
        first = table.counting.get("a")
        assert (first.kept, first.coming, first.failed, first.busy) == (None, True, False, False)
        table.go_on.set()
        await until(value(table, "a"))
        again = table.counting.get("a")
        assert again.kept is not None
        assert (again.kept.value, again.kept.began_at, again.coming) == (1, 1_000.0, False)
        assert table.counted == ["a"]


async def test_what_is_asked_for_is_counted_again_and_meanwhile_shown_with_its_age() -> None:
    async with running(Table()) as table:
        table.counting.get("a")
        await until(value(table, "a"))
        table.now += PERSONS.fresh_s + 1
        old = table.counting.get("a")
        assert old.kept is not None
        assert (old.kept.value, old.coming) == (1, True)
        await until(lambda: len(table.counted) == 2)


async def test_nothing_older_than_the_bound_is_shown() -> None:
    async with running(Table()) as table:
        table.counting.get("a")
        await until(value(table, "a"))
        table.go_on.clear()
        table.now += PERSONS.age_max_s + 1
        assert table.counting.get("a").kept is None


async def test_what_takes_long_is_counted_less_often() -> None:
    async with running(Table()) as table:
        table.took_s = 20.0
        table.counting.get("a")
        await until(value(table, "a"))
        table.now = 1_000.0 + PERSONS.rest * 20.0 - 1
        assert not table.counting.get("a").coming
        table.now += 2
        assert table.counting.get("a").coming


async def test_what_is_counted_ahead_is_there_before_anybody_asks() -> None:
    async with running(Table(ahead=("a", "b"))) as table:
        await until(lambda: table.counted == ["a", "b"])
        table.now += PERSONS.ahead_s + 1
        table.counting.get("c")  # wakes it
        await until(lambda: len(table.counted) == 5)


async def test_a_failure_is_told_and_tried_again_later() -> None:
    async with running(Table()) as table:
        table.away = True
        table.counting.get("a")
        await until(lambda: table.counting.get("a").failed)
        assert not table.counting.get("a").coming
        table.now += RETRY_S + 1
        table.away = False
        table.counting.get("a")
        await until(value(table, "a"))
        assert not table.counting.get("a").failed


async def test_only_so_many_wait_and_the_others_are_told() -> None:
    table = Table()
    answers = [table.counting.get(f"k{n}") for n in range(WAITING_MAX + 1)]
    assert [each.busy for each in answers] == [False] * WAITING_MAX + [True]
    assert not answers[-1].coming


async def test_only_so_many_are_kept() -> None:
    async with running(Table()) as table:
        for n in range(KEPT_MAX + 3):
            table.counting.get(f"k{n}")
            await until(value(table, f"k{n}"))
        table.go_on.clear()
        assert table.counting.get("k0").kept is None
        assert table.counting.get(f"k{KEPT_MAX + 2}").kept is not None
