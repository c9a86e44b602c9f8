"""Everything that is kept about a person, as JSON Lines, each with where it is kept.

The first line is a header: whom it is about, and how fresh it is. The last is a summary with how much there was of
each place, and where copies are that nobody reads any more: where it is missing, the stream was cut. In between, a line
is `{"kind", "where", "value"}`. Of what several people share only the person's part is told, of others nothing, and
whoever works here has a pseudonym.

Bounded: few pages of identifiers, of profiles, of ClickHouse rows and of dead letters are in memory at a time, beside
the names of the person's identifiers and their sessions on what they share. Where there are more of these than is
bearable, not all is told, and the summary says that it is not complete.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec

from pipeline import topics
from pipeline.domain.staff import Staff
from pipeline.domain.sweeping import Shared
from pipeline.domain.view import time_text
from pipeline.privacy import person as persons
from pipeline.privacy.ahead import one_after_the_other
from pipeline.privacy.asking import Workers
from pipeline.privacy.letters import Letters
from pipeline.privacy.person import Person
from pipeline.privacy.proof import FOR_EVER
from pipeline.privacy.remains import Unread
from pipeline.privacy.rows import PARTLY, TABLES, Rows
from pipeline.serve.identify import Identify
from pipeline.topics import Topic
from pipeline.wire import Codec, WireError

PAGE_S = 5.0  # one page of profiles
WAIT_S = 10.0  # for a worker that is being replaced
PROFILES_MAX = 200  # asked for at once
SESSIONS_MAX = 200_000  # of what is shared, in memory; some 30 MB
SLICE_S = 0.005  # of work on dead letters, before others get their turn
IDENTIFIERS = "identify's state and changelog"
ANOTHER = "another person"
NAMING = frozenset({"from", "into", "identifier", "person"})  # what of an order names identifiers
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
    staff: Staff
    seal: Callable[[str], bytes]


class Export:
    """One export."""

    def __init__(self, sources: Sources, person: Person) -> None:
        self._sources = sources
        self._who = person
        self._mine = frozenset(person.whole)
        self._parts: dict[str, Shared] = {}  # what of a shared identifier is the person's
        self._sessions = 0  # in these
        self._whole = not person.truncated
        self._counts: Counter[str] = Counter()

    async def lines(self) -> AsyncGenerator[bytes]:
        """The whole of it, in pieces of whole lines."""
        who = self._who
        first = {"asked": who.asked, "person": who.person, "identifiers": who.whole, "shared": who.shared}
        yield _line("header", "", {**first, "as_of": who.as_of, "lag_ms": who.lag_ms, "truncated": who.truncated})
        async for piece in self._identifiers():
            yield piece
        rest = one_after_the_other(self._profiles(), self._tables(), self._dead_letters())
        async with aclosing(rest):
            async for piece in rest:
                yield piece
        ages_out = [
            {"where": f"Kafka topic {topic.name}", "kept": _kept(topic)}
            for topic in (*topics.CHANNEL_TOPICS, topics.TIMELINES, topics.OUTCOMES, topics.REJECTED)
        ]
        told = {"complete": self._whole, "items": self._counts.total(), "places": dict(sorted(self._counts.items()))}
        yield _line("summary", "", {**told, "copies": ages_out})

    # identify.

    async def _identifiers(self) -> AsyncGenerator[bytes]:
        """Every identifier, and all evidence that it is the person's."""
        identify, told = self._sources.identify, set[str]()
        async for page in persons.rows(identify, (*self._who.whole, *self._who.shared)):
            yield self._all(("identifier", IDENTIFIERS, self._row(row)) for row in page["rows"])
            for row in page["rows"]:
                async for pieces in persons.evidence(identify, row):
                    more = {"id": row["id"], "evidence": self._evidence(row, pieces)}
                    yield self._all([("evidence of an identifier", IDENTIFIERS, more)])
                if row["id"] not in self._mine:
                    self._remember(row)
            orders = [each for each in page["orders"] if each["order_id"] not in told and self._is_about_them(each)]
            told.update(each["order_id"] for each in orders)
            yield self._all(("order", IDENTIFIERS, self._order(each)) for each in orders)

    def _row(self, row: Json) -> Json:
        """A row without what is about others."""
        return {
            **{name: row[name] for name in ("id", "ambiguous", "since", "rule", "until", "alone")},
            "theirs": row["id"] in self._mine,
            "sessions": sorted(session for session, owner in row["sessions"].items() if owner in self._mine),
            "evidence": self._evidence(row, row["evidence"]),
        }

    def _evidence(self, row: Json, pieces: Iterable[Json]) -> list[Json]:
        """Of a shared identifier the person's; of one that is theirs also what others said, who are not named."""
        theirs, mine = row["id"] in self._mine, self._mine
        named = ("since", "source", "event_id", "session_id", "counts")
        return [
            {"from": piece["from"] if piece["from"] in mine else ANOTHER, **{name: piece[name] for name in named}}
            for piece in pieces
            if theirs or piece["from"] in mine
        ]

    def _is_about_them(self, order: Json) -> bool:
        return not self._mine.isdisjoint(each for each in order["said"].values() if isinstance(each, str))

    def _order(self, order: Json) -> Json:
        said = {
            name: ANOTHER if name in NAMING and value not in self._mine else value
            for name, value in order["said"].items()
        }
        return {**{name: order[name] for name in ("order_id", "kind", "state", "reason")}, "said": said}

    def _remember(self, row: Json) -> None:
        """Keep what of a shared identifier is the person's."""
        sessions = row["sessions"]
        if self._sessions + len(sessions) > SESSIONS_MAX:
            self._whole = False
            return
        self._sessions += len(sessions)
        owned = [session for session, owner in sessions.items() if owner in self._mine]
        until = row["until"] if row["earlier"] in self._mine else None
        self._parts[row["id"]] = Shared(row["id"], "", owned, list(sessions), until)

    # stitch.

    async def _profiles(self) -> AsyncGenerator[bytes]:
        """Every profile's records; of one that is not only theirs, the person's interactions alone."""
        for ids, theirs in ((self._who.whole, True), (tuple(self._parts), False)):
            by_number: dict[int, list[str]] = defaultdict(list)
            for each in ids:
                by_number[self._sources.profiles.number_of(each)].append(each)
            for number, group in sorted(by_number.items()):
                for start in range(0, len(group), PROFILES_MAX):
                    async for piece in self._pages(number, group[start : start + PROFILES_MAX], theirs):
                        yield piece

    async def _pages(self, number: int, ids: Sequence[str], theirs: bool) -> AsyncGenerator[bytes]:
        after = ""
        while True:
            question = {"ids": list(ids), "after": after}
            page = await self._sources.profiles.ask(number, "/internal/export", question, PAGE_S, WAIT_S)
            items = [each for each in page["items"] if self._is_theirs(each["value"].get("interaction"), theirs)]
            yield self._all(
                (each["kind"], f"{each['where']}, profile {each['profile']}", self._seen(each["value"]))
                for each in items
            )
            after = page["next"]
            if not after:
                return

    def _is_theirs(self, x: Any, otherwise: bool) -> bool:
        """Whether an interaction is the person's. They may hold a copy of what turned out to be somebody else's."""
        if not isinstance(x, dict):
            return otherwise
        part = self._parts.get(x["identifier"])
        if part is None:
            return x["identifier"] in self._mine
        return part.has(x["session_id"], x["occurred_at"])

    def _seen(self, value: Json) -> Json:
        """A record without names of those who work here."""
        x = value.get("interaction")
        return {**value, "interaction": self._sources.staff.hidden(x)} if isinstance(x, dict) else value

    # ClickHouse.

    async def _tables(self) -> AsyncGenerator[bytes]:
        who, rows = self._who, self._sources.rows
        for table in TABLES:
            where = f"ClickHouse table {table.name}"
            ids = [self._sources.seal(each).hex() for each in who.whole] if table.by_seal else list(who.whole)
            async for page in rows.of(table, ids):
                yield self._raw(table.kind, where, page)
        for table in PARTLY:
            for part in self._parts.values():
                async for page in rows.part_of(table, part):
                    yield self._raw(table.kind, f"ClickHouse table {table.name}", page)

    # Kafka.

    async def _dead_letters(self) -> AsyncGenerator[bytes]:
        where = f"Kafka topic {topics.REJECTED.name}"
        async for records in self._sources.read(topics.REJECTED):
            await self._sources.learn(records)
            found, began = list[Json](), time.perf_counter()
            for record in records:
                if (value := self._dead_letter(record.value)) is not None:
                    found.append(value)
                if time.perf_counter() - began >= SLICE_S:
                    await asyncio.sleep(0)
                    began = time.perf_counter()
            yield self._all(("dead letter", where, value) for value in found)

    def _dead_letter(self, data: bytes | None) -> Json | None:
        if data is None:
            return None
        try:
            _, rejected = self._sources.codec.decode(data)
            letter = self._sources.letters.read(rejected)
        except (WireError, Unread):
            return None
        if self._mine.isdisjoint(letter.identifiers):
            return None
        origin = {name: rejected[name] for name in ("id", "reason", "detail")}
        content = self._sources.staff.hidden(letter.content) if letter.content is not None else None
        return {**origin, "at": time_text(rejected["timestamp"]), "event": content}

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
