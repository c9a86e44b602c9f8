"""What a worker answers to those who export and erase, over its real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp
import pytest

from pipeline.domain import records
from pipeline.domain.messages import Assigned, Assignment, Erased, Message, Misfiled, Scrub, Slice
from pipeline.domain.profile import advance
from pipeline.domain.records import Erasure
from pipeline.domain.rules import Rules
from pipeline.domain.state import DictState
from pipeline.engine import NotMine, Tidied
from pipeline.internal import TOKEN_HEADER
from pipeline.partition import partition_of
from pipeline.stitch import looking
from pipeline.stitch.queries import Queries
from pipeline.stitch.watch import Watch
from tests.interactions import HOUR, NOON, SCORING, made
from tests.serving import free_port

PARTITIONS = 4
A, B, ME = "customer:a", "customer:b", "device:me"
AT = NOON + HOUR
RULES = Rules(scoring=SCORING)
RECALLED = records.name("customer:recalled")


class Worker:
    """Queries over one state for all numbers; `owned` are those it would answer for."""

    def __init__(self) -> None:
        self.store = DictState()
        self.owned = set(range(PARTITIONS))
        self.answers = 1_000  # until the numbers are lost
        self.told: list[Scrub] = []
        self.copies: dict[int, int] = {}
        self.tidied = 0
        self.port = free_port()
        engine: Any = self
        self.queries = Queries(
            *(engine, Watch(), RULES, PARTITIONS, "token", "127.0.0.1", self.port),
            recalled={RECALLED: Erasure(AT, False, 4)},
            tell=self.tell,
            forget=self.forget,
        )

    def state(self, number: int) -> tuple[DictState, int]:
        self.answers -= 1
        if number not in self.owned or self.answers < 0:
            raise NotMine(number)
        return self.store, NOON

    def offset(self, number: int) -> int:
        self.state(number)
        return 40 + number

    def copied(self) -> dict[int, int]:
        return self.copies

    async def tidy(self) -> Tidied:
        self.tidied += 1
        return Tidied(1, 2, 0)

    def forget(self) -> int:
        return 7

    async def tell(self, messages: Iterable[Scrub]) -> None:
        self.told += messages

    def say(self, *messages: Message) -> None:
        advance(self.store, messages, RULES)

    async def ask(self, path: str, **question: Any) -> Any:
        """The answer, or the status where there is none."""
        async with (
            aiohttp.ClientSession(headers={TOKEN_HEADER: "token"}) as session,
            session.post(f"http://127.0.0.1:{self.port}/internal/{path}", json=question) as response,
        ):
            return await response.json() if response.status == 200 else response.status


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    made_ = Worker()
    await made_.queries.on_start()
    yield made_
    await made_.queries.on_stop()


async def told(worker: Worker, profile: str, sender: str, version: int) -> Any:
    answer = await worker.ask("told", pairs=[{"profile": profile, "sender": sender, "version": version}])
    return answer["reached"]


async def test_who_was_told_is_known_also_where_there_was_nothing_to_tell(worker: Worker) -> None:
    assert not await told(worker, ME, ME, 1)
    worker.say(
        Assigned(ME, Assignment(2, (A,))), Slice(A, ME, Assignment(2, (A,)), ()), Slice(B, ME, Assignment(2), ())
    )
    for profile in (ME, A, B):
        assert await told(worker, profile, ME, 2)
        assert not await told(worker, profile, ME, 3)
    worker.say(Assigned(ME, Assignment(3)), Slice(A, ME, Assignment(3), ()))
    assert await told(worker, ME, ME, 3)
    assert await told(worker, A, ME, 3)
    assert not await told(worker, B, ME, 3)


async def test_one_that_was_not_told_is_enough(worker: Worker) -> None:
    worker.say(Assigned(ME, Assignment(2, (A,))))
    pairs = [{"profile": ME, "sender": ME, "version": n} for n in (2, 3)]
    assert await worker.ask("told", pairs=pairs) == {"reached": False}


async def test_profiles_of_other_workers_are_not_answered_for(worker: Worker) -> None:
    worker.owned = set(range(PARTITIONS)) - {partition_of(A, PARTITIONS)}
    assert await worker.ask("told", pairs=[{"profile": A, "sender": ME, "version": 1}]) == 421
    assert await worker.ask("erased", ids=[A], order=1) == 421
    assert await worker.ask("export", ids=[A]) == 421
    assert await worker.ask("sweep", number=partition_of(A, PARTITIONS), ids=[A], before=AT) == 421


async def test_an_erasure_is_known_by_its_order(worker: Worker) -> None:
    assert await worker.ask("erased", ids=[A], order=3) == {"reached": False}
    worker.say(Erased(A, AT, False, 3))
    assert await worker.ask("erased", ids=[A], order=3) == {"reached": True}
    assert await worker.ask("erased", ids=[A, B], order=3) == {"reached": False}
    assert await worker.ask("erased", ids=["customer:recalled"], order=4) == {"reached": True}


async def test_an_export_comes_in_pages(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "ITEMS_MAX", 3)
    number = partition_of(A, PARTITIONS)
    other = next(each for n in range(99) if partition_of(each := f"device:{n}", PARTITIONS) == number)
    worker.say(*(Misfiled(made(A, f"e{n}")) for n in range(7)), *(Misfiled(made(other, f"o{n}")) for n in range(4)))
    found: list[Any] = []
    after = ""
    while True:
        answer = await worker.ask("export", ids=[A, other], after=after)
        assert len(answer["items"]) <= 3
        found += answer["items"]
        if not (after := answer["next"]):
            break
    events = [each["value"]["interaction"]["event_id"] for each in found if each["kind"] == "interaction"]
    assert sorted(events) == [*(f"e{n}" for n in range(7)), *(f"o{n}" for n in range(4))]
    for profile in (A, other):
        assert [each["profile"] for each in found].count(profile) == len(
            list(worker.store.scan(records.prefix(profile)))
        )
    assert all("partition number" in each["where"] for each in found)
    elsewhere = next(each for n in range(99) if partition_of(each := f"device:{n}", PARTITIONS) != number)
    for question in ({"ids": [A], "after": "0.not a cursor"}, {"ids": []}, {"ids": [A, elsewhere]}):
        assert await worker.ask("export", **question) == 400


async def test_a_sweep_counts_and_has_names_taken_out(worker: Worker) -> None:
    worker.say(Misfiled(made(A)), Misfiled(made(B, links=(ME,))))
    answer = await worker.ask("sweep", number=0, ids=[A, ME], before=AT, shared=[], version=3)
    assert answer["looked"] == len(worker.store.data)
    assert answer["found"] == {"interaction": 1, "name": 1, "mention": 2}
    assert worker.told == [Scrub(B, (A, ME), AT)]
    worker.say(Erased(A, AT, False, 1), *worker.told)
    worker.told.clear()
    answer = await worker.ask("sweep", number=0, ids=[A, ME], before=AT)
    assert (answer["found"], answer["offset"], worker.told) == ({}, 40, [])


async def test_a_worker_tidies_up_once_its_copies_have_followed(worker: Worker) -> None:
    worker.copies = {1: 50, 2: 60}
    assert await worker.ask("tidy", offsets={"0": 99, "1": 52, "2": 60}) == {"behind": {"1": 2}}
    assert worker.tidied == 0
    worker.copies[1] = 52
    answer = await worker.ask("tidy", offsets={"0": 99, "1": 52, "2": 60})
    assert answer == {"behind": {}, "copies": [1, 2], "forgotten": 7, "dropped": 1, "compacted": 2, "later": 0}


async def test_a_sweep_takes_what_identify_says_of_shared_identifiers(worker: Worker) -> None:
    worker.say(Misfiled(made(ME, session_id="s")))
    shared = {"identifier": ME, "placeholder": "erased:1.o", "owned": ["s"], "settled": ["s"], "until": None}
    answer = await worker.ask("sweep", number=0, ids=[A], before=AT, shared=[shared])
    assert answer["found"] == {"interaction": 1}


async def test_a_worker_that_lost_the_number_while_it_looked_proves_nothing(worker: Worker) -> None:
    worker.answers = 2  # its state, and how far that is
    assert await worker.ask("sweep", number=0, ids=[A], before=AT) == 421


async def test_questions_have_bounds(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "IDS_MAX", 1)
    monkeypatch.setattr(looking, "PAIRS_MAX", 0)
    assert await worker.ask("told", pairs=[{"profile": A, "sender": A, "version": 1}]) == 400
    assert await worker.ask("erased", ids=[A, B], order=1) == 400
    assert await worker.ask("sweep", number=0, ids=[A, B], before=AT) == 400
