"""Who waits for a profile hears of its next change, and of none that was not."""

from __future__ import annotations

import asyncio

from pipeline.stitch.watch import Watch


async def test_a_change_ends_the_wait() -> None:
    watch = Watch()
    seen = await watch.wait("customer:1", -1, 5)
    waiting = asyncio.create_task(watch.wait("customer:1", seen, 5))
    await asyncio.sleep(0)
    watch.changed({"customer:1", "customer:2"})
    assert await waiting != seen


async def test_without_a_change_the_count_stays() -> None:
    watch = Watch()
    seen = await watch.wait("customer:1", -1, 5)
    watch.changed({"customer:2"})
    assert await watch.wait("customer:1", seen, 0.01) == seen


async def test_what_changed_between_two_questions_is_told_at_once() -> None:
    watch = Watch()
    seen = await watch.wait("customer:1", -1, 5)
    watch.changed({"customer:1"})
    assert await watch.wait("customer:1", seen, 5) != seen


async def test_a_forgotten_profile_counts_as_changed() -> None:
    watch = Watch(profiles_max=1)
    seen = await watch.wait("customer:1", -1, 5)
    await watch.wait("customer:2", -1, 5)
    assert await watch.wait("customer:1", seen, 5) != seen


async def test_several_wait_for_one() -> None:
    watch = Watch()
    seen = await watch.wait("customer:1", -1, 5)
    waiting = [asyncio.create_task(watch.wait("customer:1", seen, 5)) for _ in range(3)]
    await asyncio.sleep(0)
    watch.changed({"customer:1"})
    assert seen not in await asyncio.gather(*waiting)
