"""Which definition of the scores is live, and which were before: the topic `definitions`, a record for each switch.

The first is recorded by `prepare`, later ones by `throughline rescore`, and nothing is live because a file is there.
It is small, and read whole. Views show scores by what the table of that name says, which is a copy.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from clickhouse_connect.driver.client import Client

from pipeline import kafka
from pipeline.domain.messages import Judging
from pipeline.settings import Settings
from pipeline.topics import DEFINITIONS


class MissingDefinition(RuntimeError):
    """A definition that is live is not in the catalogue; says which, and what to do."""

    def __init__(self, version: int, known: Iterable[int]) -> None:
        name = "scores.yaml" if version == 1 else f"scores-{version}.yaml"
        there = ", ".join(map(str, sorted(known)))
        super().__init__(
            f"Scores are judged by version {version}, which is not in the catalogue (it has {there}). Put {name} back "
            "where it was; to judge by another version, switch with `throughline rescore` while both are there."
        )


class Recorded(msgspec.Struct, frozen=True):
    """A record of the topic: from `since` (ms) on these definitions judge. The highest number counts."""

    number: int
    live: int
    beside: int  # 0: none
    since: int
    replayed: bool = False  # whether a replay is through: what was stored before is judged by them, too

    @property
    def judging(self) -> Judging:
        """As stitch is told."""
        return Judging(self.number, self.live, self.beside)


def judging(recorded: Iterable[Recorded]) -> Judging | None:
    """What holds after these records, of rising number; None where there are none."""
    now: Judging | None = None
    for each in recorded:
        now = each.judging if now is None else each.judging.after(now)
    return now


_decode = msgspec.json.Decoder(Recorded).decode


async def read(settings: Settings) -> list[Recorded]:
    """All that were recorded, by rising number. Raises aiokafka's errors."""
    records = await kafka.read_whole(settings, DEFINITIONS)
    found = {each.number: each for each in (_decode(record.value) for record in records if record.value is not None)}
    return [found[number] for number in sorted(found)]


async def record(settings: Settings, recorded: Recorded) -> None:
    """Add one; returns when the broker has it. Raises aiokafka's errors."""
    producer = kafka.producer(settings)
    await producer.start()
    try:
        await producer.send_and_wait(DEFINITIONS.name, msgspec.json.encode(recorded), key=str(recorded.number).encode())
    finally:
        await producer.stop()


def load(client: Client, recorded: Iterable[Recorded]) -> None:
    """Put records into the table; views heed the one with the highest number. Raises the driver's Error."""
    rows = [[each.number, each.live, each.beside, each.since, each.since] for each in recorded]
    client.insert("definitions", rows, list(_COLUMNS), settings={"async_insert": 0})


_COLUMNS = ("number", "live", "beside", "since", "version")
