"""What serve asks to export and to erase, of the profiles that this worker owns.

Everything is read from committed state, decoded, and given the loop back in between: a partition may hold millions of
records, and other questions must not wait for them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from pipeline.domain import exporting, records
from pipeline.domain.messages import Scrub
from pipeline.domain.recalled import Seal
from pipeline.domain.records import Erasure
from pipeline.domain.sweeping import Concern, Shared, Sweep
from pipeline.engine import Engine
from pipeline.engine.pace import SLICE_S
from pipeline.partition import partition_of

IDS_MAX = 10_000
PAIRS_MAX = 10_000
PROFILES_MAX = 200  # exported with one question
ITEMS_MAX = 2_000  # of an export, in one answer
LOOK_EVERY = 32  # records between two looks at the clock


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    """A profile, and whose word it should have heard: another's, or (the same) identify's about itself."""

    profile: str
    sender: str
    version: int


class Told(msgspec.Struct, forbid_unknown_fields=True):
    pairs: list[Pair]


class Export(msgspec.Struct, forbid_unknown_fields=True):
    ids: list[str]  # of one partition number
    after: str = ""


class Erased(msgspec.Struct, forbid_unknown_fields=True):
    ids: list[str]
    order: int


class Tidy(msgspec.Struct, forbid_unknown_fields=True):
    offsets: dict[int, int]  # number → how far of its changelog a standby copy must be


class Swept(msgspec.Struct, forbid_unknown_fields=True):
    number: int
    ids: list[str]
    before: int  # ms
    shared: list[Shared] = []
    version: int = 0  # assignments under that one are from before; 0: whoever asks does not know


Tell = Callable[[Iterable[Scrub]], Awaitable[None]]
Forget = Callable[[], int]  # empties caches; how much there was


async def to_nobody(_messages: Iterable[Scrub]) -> None:
    """For those who may not be told."""


def nothing() -> int:
    """For those who remember nothing."""
    return 0


class Looking:
    """Answers for one worker. Each raises NotMine where the worker does not own what is asked for."""

    def __init__(
        self,
        engine: Engine,
        partitions: int,
        seal: Seal,
        recalled: Mapping[bytes, Erasure],
        tell: Tell = to_nobody,
        forget: Forget = nothing,
    ) -> None:
        """`recalled`: the erasures that were read at the start. `tell` puts messages into profiles' inboxes, `forget`
        empties this process's caches of identifiers."""
        self._engine = engine
        self._partitions = partitions
        self._seal = seal
        self._recalled = recalled
        self._tell = tell
        self._forget = forget

    async def told(self, asked: Told) -> dict[str, Any]:
        """Whether each profile has heard that version of that sender's word, or a newer one."""
        if len(asked.pairs) > PAIRS_MAX:
            raise ValueError(f"at most {PAIRS_MAX} pairs at once")
        reached = True
        async for pair in _paced(iter(asked.pairs)):
            state = self._state(pair.profile)
            heard = records.newest_heard(state, pair.profile, pair.sender, self._seal)
            reached = reached and heard >= pair.version
        return {"reached": reached}

    async def erased(self, asked: Erased) -> dict[str, Any]:
        """Whether each profile knows of that order to erase it, or of a newer one."""
        if len(asked.ids) > IDS_MAX:
            raise ValueError(f"at most {IDS_MAX} ids at once")
        reached = True
        async for identifier in _paced(iter(asked.ids)):
            erasure = records.erasure(self._state(identifier), self._seal(identifier), self._recalled)
            reached = reached and erasure is not None and erasure.order >= asked.order
        return {"reached": reached}

    async def export(self, asked: Export) -> dict[str, Any]:
        """Everything that is kept under some identifiers, in pages: `next` is where another one begins, or ''."""
        if not 0 < len(asked.ids) <= PROFILES_MAX:
            raise ValueError(f"1 to {PROFILES_MAX} ids at once")
        (number,) = {partition_of(each, self._partitions) for each in asked.ids}  # raises ValueError
        where = f"stitch's state and changelog, partition number {number}"
        index, after = _page(asked.after)
        items: list[dict[str, Any]] = []
        for n, identifier in list(enumerate(asked.ids))[index:]:
            last = b""
            async for key, item in _paced(exporting.items(self._state(identifier), identifier, after)):
                if len(items) == ITEMS_MAX:
                    return {"items": items, "next": f"{n}.{exporting.cursor(last) if last else after}"}
                items.append({**item, "profile": identifier, "where": where})
                last = key
            after = ""
        return {"items": items, "next": ""}

    async def sweep(self, asked: Swept) -> dict[str, Any]:
        """Decode what may name somebody in a partition number, and count what is there of the erased from before.

        `offset` says how far of its changelog that state was.

        Profiles of others that name them are told to do so no more; the next sweep sees whether they have.
        """
        if len(asked.ids) > IDS_MAX or len(asked.shared) > IDS_MAX:
            raise ValueError(f"at most {IDS_MAX} ids at once")
        store, _ = self._engine.state(asked.number)
        offset = self._engine.offset(asked.number)
        sweep = Sweep(store, Concern(asked.ids, asked.before, asked.shared, asked.version), self._seal)
        async for _ in _paced(sweep.look(store.scan(b""))):
            pass
        self._engine.state(asked.number)  # still this worker's
        names = tuple(sorted(asked.ids))
        await self._tell([Scrub(profile, names, asked.before) for profile in sorted(sweep.naming)])
        return {"looked": sweep.looked, "found": dict(sweep.found), "offset": offset}

    async def tidy(self, asked: Tidy) -> dict[str, Any]:
        """Forget what is not in the state any more, once the standby copies here are as far as asked for.

        `behind` says which are not: ask again. `copies` are those here, of whatever number.
        """
        copied = self._engine.copied()
        behind = {
            number: end - copied[number] for number, end in asked.offsets.items() if copied.get(number, end) < end
        }
        if behind:
            return {"behind": behind}
        forgotten = self._forget()
        tidied = await self._engine.tidy()
        return {"behind": {}, "copies": sorted(copied), "forgotten": forgotten, **tidied._asdict()}

    def _state(self, identifier: str) -> Any:
        return self._engine.state(partition_of(identifier, self._partitions))[0]


def _page(after: str) -> tuple[int, str]:
    """Which of the profiles, and where in it. Raises ValueError."""
    index, _, place = after.partition(".")
    return int(index or 0), place


async def _paced(found: Iterator[Any]) -> AsyncIterator[Any]:
    """The same, giving the loop back each time `SLICE_S` of work is done."""
    started = time.perf_counter()
    for n, each in enumerate(found, 1):
        yield each
        if n % LOOK_EVERY == 0 and time.perf_counter() - started >= SLICE_S:
            await asyncio.sleep(0)
            started = time.perf_counter()
