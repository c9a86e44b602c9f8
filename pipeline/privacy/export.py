"""Everything that is kept about a person, as JSON Lines, each with where it is kept.

The first line is a header: whom it is about, and how fresh it is. The last is a summary with how much there was of
each place, and where copies are that nobody reads any more: where it is missing, the stream was cut. In between, a line
is `{"kind", "where", "value"}`. Of what several people share only the person's part is told, and of others nothing.

Bounded: a page of a profile, of ClickHouse rows or of dead letters is in memory at a time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pipeline import topics
from pipeline.domain.staff import Staff
from pipeline.domain.sweeping import Shared
from pipeline.domain.view import time_text
from pipeline.privacy.asking import Workers
from pipeline.privacy.letters import Letters
from pipeline.privacy.proof import FOR_EVER
from pipeline.privacy.remains import Unread
from pipeline.privacy.rows import TABLES, Rows
from pipeline.serve.identify import Identify
from pipeline.topics import Topic
from pipeline.wire import Codec, WireError

PAGE_S = 5.0  # one page of a profile
WAIT_S = 10.0  # for a worker that is being replaced
SESSIONS_MAX = 10_000  # of one identifier: more than identify keeps
IDENTIFIERS = "identify's state and changelog"
_encode = msgspec.json.Encoder().encode

Json = dict[str, Any]
Read = Callable[[Topic], AsyncIterator[Sequence[Any]]]  # reading.whole for these settings


@dataclass(frozen=True, slots=True)
class Sources:
    """Where everything is."""

    identify: Identify
    profiles: Workers
    rows: Rows
    read: Read
    learn: Callable[[Sequence[Any]], Awaitable[None]]  # schemas that a registry has, before records are decoded
    codec: Codec
    letters: Letters
    staff: Staff  # the person is told what was said to whom, and not who works here
    seal: Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Person:
    """Whom an export is about. Raises what identify's client raises, when it is asked for."""

    asked: str
    person: str
    whole: tuple[str, ...]  # identifiers that are theirs alone
    shared: tuple[Json, ...]  # identify's rows of those that others have a part in
    answer: Json


async def find(identify: Identify, asked: str) -> Person:
    """The person that an identifier resolves to; where it is ambiguous, what is under that identifier alone."""
    answer = await identify.ask("/internal/identity", {"id": asked, "sessions_max": SESSIONS_MAX})
    person = answer["person"] or asked
    whole = [row["id"] for row in answer["identifiers"] if row["person"] == person]
    shared = [row for row in answer["identifiers"] if row["person"] != person and row["id"] != person]
    return Person(asked, person, tuple(dict.fromkeys((person, *whole))), tuple(shared), answer)


class Export:
    """One export."""

    def __init__(self, sources: Sources, person: Person) -> None:
        self._sources = sources
        self._who = person
        self._parts = {row["id"]: self._part(row) for row in person.shared}
        self._counts: Counter[str] = Counter()

    async def lines(self) -> AsyncIterator[bytes]:
        """The whole of it, in pieces of whole lines."""
        who = self._who
        first = {"asked": who.asked, "person": who.person, "identifiers": list(who.whole)}
        shared = [row["id"] for row in who.shared]
        fresh = {"as_of": who.answer.get("as_of"), "lag_ms": who.answer.get("lag_ms")}
        yield _line("header", "", {**first, "shared": shared, **fresh, "truncated": who.answer["truncated"]})
        async for piece in self._body():
            yield piece
        ages_out = [
            {"where": f"Kafka topic {topic.name}", "kept": _kept(topic)}
            for topic in (*topics.CHANNEL_TOPICS, topics.TIMELINES, topics.REJECTED)
        ]
        told = {"complete": True, "items": self._counts.total(), "places": dict(sorted(self._counts.items()))}
        yield _line("summary", "", {**told, "copies": ages_out})

    async def _body(self) -> AsyncIterator[bytes]:
        who = self._who
        yield self._all(("identifier", IDENTIFIERS, self._row(row)) for row in who.answer["identifiers"])
        yield self._all(("order", IDENTIFIERS, order) for order in self._orders())
        for identifier in who.whole:
            async for piece in self._profile(identifier):
                yield piece
        for row in who.shared:
            async for piece in self._profile(row["id"], theirs=False):
                yield piece
        async for piece in self._tables():
            yield piece
        async for piece in self._dead_letters():
            yield piece

    # identify.

    def _row(self, row: Json) -> Json:
        """A row without what is about others."""
        mine = set(self._who.whole)
        return {
            **{name: row[name] for name in ("id", "ambiguous", "since", "rule", "until", "alone")},
            "theirs": row["id"] in mine,
            "sessions": sorted(session for session, owner in row["sessions"].items() if owner in mine),
            "evidence": [piece for piece in row["evidence"] if row["id"] in mine or piece["from"] in mine],
        }

    def _orders(self) -> list[Json]:
        mine = set(self._who.whole)
        return [
            {name: order[name] for name in ("order_id", "kind", "state", "reason", "said")}
            for order in self._who.answer["orders"]
            if mine.intersection(each for each in order["said"].values() if isinstance(each, str))
        ]

    def _part(self, row: Json) -> Shared:
        """What of a shared identifier is the person's."""
        mine, sessions = set(self._who.whole), row["sessions"]
        owned = [session for session, owner in sessions.items() if owner in mine]
        until = row["until"] if row["earlier"] in mine else None
        return Shared(row["id"], "", owned, list(sessions), until)

    # stitch.

    async def _profile(self, identifier: str, theirs: bool = True) -> AsyncIterator[bytes]:
        """A profile's records; of one that is not only theirs, the person's interactions alone."""
        number, after = self._sources.profiles.number_of(identifier), ""
        while True:
            question = {"id": identifier, "after": after}
            page = await self._sources.profiles.ask(number, "/internal/export", question, PAGE_S, WAIT_S)
            items = [each for each in page["items"] if self._is_theirs(each["value"].get("interaction"), theirs)]
            yield self._all((each["kind"], f"{each['where']}, profile {identifier}", each["value"]) for each in items)
            after = page["next"]
            if not after:
                return

    def _is_theirs(self, x: Any, otherwise: bool) -> bool:
        """Whether an interaction is the person's. They may hold a copy of what turned out to be somebody else's."""
        if not isinstance(x, dict):
            return otherwise
        part = self._parts.get(x["identifier"])
        if part is None:
            return x["identifier"] in self._who.whole
        return part.has(x["session_id"], x["occurred_at"])

    # ClickHouse.

    async def _tables(self) -> AsyncIterator[bytes]:
        who, rows = self._who, self._sources.rows
        for table in TABLES:
            where = f"ClickHouse table {table.name}"
            ids = [self._sources.seal(each).hex() for each in who.whole] if table.by_seal else list(who.whole)
            async for page in rows.of(table, ids):
                yield self._raw(table.kind, where, page)
        for part in self._parts.values():
            async for page in rows.part_of(part):
                yield self._raw("interaction", "ClickHouse table interactions", page)

    # Kafka.

    async def _dead_letters(self) -> AsyncIterator[bytes]:
        mine = frozenset(self._who.whole)
        where = f"Kafka topic {topics.REJECTED.name}"
        async for records in self._sources.read(topics.REJECTED):
            await self._sources.learn(records)
            found = [value for record in records if (value := self._dead_letter(record.value, mine)) is not None]
            yield self._all(("dead letter", where, value) for value in found)
            await asyncio.sleep(0)

    def _dead_letter(self, data: bytes | None, mine: frozenset[str]) -> Json | None:
        if data is None:
            return None
        try:
            _, rejected = self._sources.codec.decode(data)
            letter = self._sources.letters.read(rejected)
        except (WireError, Unread):
            return None
        if mine.isdisjoint(letter.identifiers):
            return None
        origin = {name: rejected[name] for name in ("id", "reason", "detail")}
        return {**origin, "at": time_text(rejected["timestamp"]), "event": letter.content}

    # Lines.

    def _all(self, items: Iterable[tuple[str, str, Any]]) -> bytes:
        lines = []
        for kind, where, value in items:
            self._counts[where.partition(", profile ")[0]] += 1
            lines.append(_line(kind, where, value))
        return b"".join(lines)

    def _raw(self, kind: str, where: str, values: Sequence[bytes]) -> bytes:
        """Values that are JSON already."""
        self._counts[where] += len(values)
        start = b'{"kind":%b,"where":%b,"value":' % (_encode(kind), _encode(where))
        return b"".join([b"%b%b}\n" % (start, value) for value in values])


def _line(kind: str, where: str, value: Any) -> bytes:
    return _encode({"kind": kind, "where": where, "value": value}) + b"\n"


def _kept(topic: Topic) -> str:
    days = topic.retention_ms // topics.DAY_MS
    return f"{days} days" if topic.retention_ms >= 0 else FOR_EVER
