"""From output records to the columns of ClickHouse's tables. Pure.

Every row carries `version`, the layout epoch and the offset of its record, so that the same record read again makes
the same row, and a newer record of the same thing replaces it. A record that does not say what its topic promises is
a bug upstream: `Inconsistent`, and the process ends. Of a topic whose records may be anybody's each is judged first.

2026-11-24: of a compacted topic only the newest record of a key counts, as for everybody who reads it; one without a
value (a tombstone) takes away the older rows of its key. It is not only skipped, because the sink reads again what it
has read: a row that an erasure has deleted would be put in again, and stay.

2026-11-24: what is filed under a keyed identifier (phone, e-mail) moves to another partition when the key changes, and
offsets there may be lower. So each generation of the key counts as another layout epoch for such records. Records from
before are renamed on the way in: read again, they make the rows that the migration has made of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from pipeline import topics
from pipeline.domain.changes import change
from pipeline.domain.identifiers import Keyring
from pipeline.domain.observations import observation
from pipeline.domain.outcomes import outcome
from pipeline.domain.recalled import Recalled
from pipeline.domain.scoring import DIMENSIONS, MARKS

Record = Mapping[str, Any]  # of an output schema, as wire.Codec decodes it
Column = list[Any]  # one value a row, as clickhouse-connect takes it: dates as days, times as milliseconds


@dataclass(frozen=True, slots=True)
class Grounds:
    """What records of others are judged by."""

    region: str = ""  # for phone numbers without a country prefix
    keyring: Keyring = field(default_factory=lambda: Keyring({"none": bytes(32)}, "none"))
    erased: Recalled = field(default_factory=Recalled)  # of tables that ask for it: who was erased until now


class Dropped(Exception):
    """A record is as it should be, and is not kept: it is of somebody who was erased. Its text: erased, or blocked."""


#: Of a topic that others may write: a record, its time (ms) and the grounds → what is kept. Raises Rejected, Dropped.
Judge = Callable[[Record, int, Grounds], Record]

DAY_MS = 86_400_000
DAY_MIN = 7_305  # 1990-01-01, days since 1970
DAY_MAX = 49_673  # 2106-01-01; the table is partitioned by year, so this bounds what wild clocks can touch
OFFSET_BITS = 48
EPOCH_MAX = 0xFFFF


class Inconsistent(ValueError):
    """A record contradicts itself or its key; says which, without its content."""


class Stored(NamedTuple):
    """One output record with the version that its rows get."""

    version: int
    record: Record


@dataclass(frozen=True, slots=True)
class Tombstones:
    """How the key of a record without a value names the rows that go."""

    key: str  # SQL: the record's key, from a row
    column: str  # the first column of the table's sort key …
    value: Callable[[str], str]  # … and its value, from the record's key
    who: Callable[[str], str]  # the identifier of `Table.who` in the record's key; '' where it has none


@dataclass(frozen=True, slots=True)
class Block:
    """What a batch does to its table."""

    columns: list[Column]
    gone: Mapping[str, int]  # key of a tombstone → its version: the older rows of that key go
    refused: list[Column] | None = None  # of the table `rejected`: records that cannot be used

    def __bool__(self) -> bool:
        """Whether it does anything."""
        return bool(self.columns[0]) or bool(self.gone) or self.refused is not None


@dataclass(frozen=True, slots=True)
class Table:
    """How one topic becomes one table. `rows` makes the rows of a record (mappings that `columns` read)."""

    name: str
    topic: str
    schema: str
    columns: Mapping[str, Callable[[Sequence[Record]], Column]]
    rows: Callable[[Record], Iterable[Record]] | None = None  # None: a record is a row
    who: str = ""  # the field with the identifier that records are partitioned by, if that is what they are
    seals: tuple[str, ...] = ()  # fields that are lists of seals in hexadecimal digits
    tombstones: Tombstones | None = None  # None: its topic is not compacted, and has none
    judge: Judge | None = None  # None: the topic is ours alone, and what cannot be read is a bug
    asks_erased: bool = False  # whether `judge` has to know who was erased

    @property
    def column_names(self) -> tuple[str, ...]:
        """In the order of `columns_of`."""
        return (*self.columns, "version")

    def columns_of(self, stored: Sequence[Stored]) -> list[Column]:
        """The columns of a batch, equally long. Raises Inconsistent."""
        if self.rows is None:
            records = [each.record for each in stored]
            versions = [each.version for each in stored]
        else:
            records, versions = [], []
            for each in stored:
                made = list(self.rows(each.record))
                records += made
                versions += [each.version] * len(made)
        return [*(read(records) for read in self.columns.values()), versions]


def version(layout_epoch: int, offset: int) -> int:
    """`layout_epoch << 48 | offset`. Raises Inconsistent where either does not fit."""
    if not 0 <= layout_epoch <= EPOCH_MAX or not 0 <= offset < 1 << OFFSET_BITS:
        raise Inconsistent(f"no version can be made of layout epoch {layout_epoch} and offset {offset}")
    return layout_epoch << OFFSET_BITS | offset


def day_of(time_ms: int) -> int:
    """The day (UTC, days since 1970) of a time, kept within 1990 to 2105."""
    return min(max(time_ms // DAY_MS, DAY_MIN), DAY_MAX - 1)


def _field(name: str) -> Callable[[Sequence[Record]], Column]:
    return lambda records: [each[name] for each in records]


def _fields(*names: str) -> dict[str, Callable[[Sequence[Record]], Column]]:
    return {name: _field(name) for name in names}


def _within(record: str, name: str) -> Callable[[Sequence[Record]], Column]:
    """A field of a record that may be null."""
    return lambda records: [None if (inner := each[record]) is None else inner[name] for each in records]


def _days(records: Sequence[Record]) -> Column:
    return [day_of(each["occurred_at_sent"]) for each in records]


def _items(records: Sequence[Record]) -> Column:
    return [
        [(item["product"], item["quantity"], item["price"], item["name"]) for item in each["items"]] for each in records
    ]


def _questions(records: Sequence[Record]) -> Column:
    return ["" if (answer := each["answer"]) is None else answer["question"] for each in records]


def identity_rows(assignment: Record) -> list[Record]:
    """The main row of an identifier and one for each session that is settled apart.

    They say the same as `messages.Assignment.owner`. Raises Inconsistent where `person` is not what `owners` say.
    """
    identifier, owners = assignment["identifier"], assignment["owners"]
    person = owners[0] if len(owners) == 1 else identifier
    if assignment["person"] != person:
        raise Inconsistent("an identity names another person than its owners do")
    shared = len(owners) > 1
    until = assignment["until"] if shared else None
    main = {
        "identifier": identifier,
        "session_id": "",
        "person": person,
        "until": until,
        "earlier_person": "" if until is None else owners[0],
        "ambiguous": assignment["ambiguous"],
        "owners": owners,
        "candidates": assignment["candidates"],
        "assignment": assignment["version"],
    }
    if not shared:
        return [main]
    of_session = {**main, "until": None, "earlier_person": "", "owners": [], "candidates": []}
    return [
        main,
        *(
            {**of_session, "session_id": session_id, "person": settled or identifier}
            for session_id, settled in assignment["sessions"].items()
            if session_id
        ),
    ]


def _size(name: str) -> Callable[[Sequence[Record]], Column]:
    return lambda records: [None if (value := each[name]) is None else len(value) for each in records]


INTERACTIONS = Table(
    name="interactions",
    topic=topics.TIMELINES.name,
    schema=topics.TIMELINES.schema,
    who="identifier",
    columns={
        "occurred_day": _days,
        **_fields("identifier", "source", "event_id", "channel", "type", "touchpoint"),
        **_fields("occurred_at", "occurred_at_sent", "received_at", "session_id", "goal", "issue", "about"),
        **_fields("links", "masks"),
        "items": _items,
        "answer_question": _questions,
        **{f"answer_{name}": _within("answer", name) for name in ("value", "min", "max")},
        **_fields("measures", "properties", "details", "consent"),
        **{name: _within("evidence", name) for name in DIMENSIONS},
        **_fields("evidence_kind", "definition", "expected_gap", "contact", "resolved", "severe", "queue_outcome"),
        **_fields("public"),
    },
)
IDENTITIES = Table(
    name="identities",
    topic=topics.IDENTITIES.name,
    schema=topics.IDENTITIES.schema,
    who="identifier",
    columns=_fields(
        *("identifier", "session_id", "person", "until", "earlier_person", "ambiguous", "owners", "candidates"),
        "assignment",
    ),
    rows=identity_rows,
    tombstones=Tombstones("identifier", "identifier", value=str, who=str),
)
SCORE_KEY = Tombstones(
    "concat(person, '|', toString(toUInt16(day)), '|', toString(definition))",
    "person",
    value=lambda key: key.rsplit("|", 2)[0],
    who=lambda key: key.rsplit("|", 2)[0],
)
CUSTOMER_SCORES = Table(
    name="customer_scores",
    topic=topics.CUSTOMER_SCORES.name,
    schema=topics.CUSTOMER_SCORES.schema,
    who="person",
    columns=_fields(
        *("person", "day", "definition", *(d + end for d in DIMENSIONS for end in ("", "_n", "_kind"))),
        *("overall", "overall_n", "worst_touchpoint", "worst_value", "worst_n", "gap", "gap_n"),
        *("trend", "trend_value", "trend_low", "trend_high", "trend_n", "at_risk", "at_risk_reason", "repeat_contacts"),
    ),
    tombstones=SCORE_KEY,
)
TOUCHPOINT_SCORES = Table(
    name="touchpoint_scores",
    topic=topics.TOUCHPOINT_SCORES.name,
    schema=topics.TOUCHPOINT_SCORES.schema,
    columns=_fields(
        *("window_start", "touchpoint", "channel", "partition", "definition", "interactions"),
        *(f"{d}_{kind}_{f}" for d in DIMENSIONS for kind in ("asked", "observed") for f in ("n", "sum", "sum2")),
        *MARKS,
    ),
)
REJECTED = Table(
    name="rejected",
    topic=topics.REJECTED.name,
    schema=topics.REJECTED.schema,
    columns={
        **_fields("id", "topic", "partition", "offset"),
        "time": _field("timestamp"),
        **_fields("reason", "detail"),
        # Sizes only: the bytes may hold personal data in clear.
        "key_bytes": _size("key"),
        "value_bytes": _size("value"),
    },
    tombstones=Tombstones("id", "topic", value=lambda key: key.rsplit("/", 2)[0], who=lambda key: ""),
)
TALLIES = Table(
    name="tallies",
    topic=topics.TALLIES.name,
    schema=topics.TALLIES.schema,
    columns=_fields(
        *("channel", "partition", "partitions", "read_to", "gaps", "received", "rekeyed_in", "rekeyed_out"),
        *("stored", "duplicates", "rejected", "refused"),
    ),
    # Nobody takes a tally away; but of those that wait only the newest has to be read.
    tombstones=Tombstones(
        "concat(channel, '|', toString(partition))",
        "channel",
        value=lambda key: key.rpartition("|")[0],
        who=lambda key: "",
    ),
)
ALERTS = Table(
    name="alerts",
    topic=topics.ALERTS.name,
    schema=topics.ALERTS.schema,
    who="subject",
    columns=_fields(
        *(
            "alert_id",
            "kind",
            "subject",
            "reason",
            "opened_at",
            "closed_at",
            "state",
            "cause",
            "touchpoint",
            "identifier",
        ),
        *("person", "since", "owner", "deputy", "what_to_do", "value", "low", "high", "n", "acknowledged_at"),
        *("acknowledged_by", "escalated_at", "note", "resolved_by", "resolution", "ceased_at", "updated_at"),
    ),
    tombstones=Tombstones("alert_id", "alert_id", value=str, who=lambda key: key.partition("|")[2]),
)
OBSERVATIONS = Table(
    name="observations",
    topic=topics.OBSERVATIONS.name,
    schema=topics.OBSERVATIONS.schema,
    judge=lambda record, time, grounds: msgspec.structs.asdict(observation(record, time, grounds.region)),
    columns=_fields(
        *("source", "observation_id", "touchpoint", "observed_at", "kind", "measure", "value", "note", "received_at")
    ),
)


def _outcome(record: Record, time: int, grounds: Grounds) -> Record:
    found = outcome(record, time, grounds.keyring, grounds.region)
    if why := grounds.erased.refuses(found, grounds.keyring.seal):
        raise Dropped(why)
    return msgspec.structs.asdict(found)


OUTCOMES = Table(
    name="outcomes",
    topic=topics.OUTCOMES.name,
    schema=topics.OUTCOMES.schema,
    judge=_outcome,
    asks_erased=True,
    columns=_fields(
        *(
            "source",
            "outcome_id",
            "kind",
            "identifier",
            "session_id",
            "occurred_at",
            "received_at",
            "amount",
            "currency",
        )
    ),
)
CHANGES = Table(
    name="changes",
    topic=topics.CHANGES.name,
    schema=topics.CHANGES.schema,
    judge=lambda record, time, grounds: msgspec.structs.asdict(change(record, time, grounds.region)),
    columns=_fields("change_id", "touchpoint", "changed_on", "what", "recorded_at", "recorded_by"),
)
AUDIT = Table(
    name="audit",
    topic=topics.AUDIT.name,
    schema=topics.AUDIT.schema,
    seals=("subjects", "shown"),
    columns=_fields(
        *("audit_id", "at", "actor", "action", "purpose", "subjects", "shown", "outcome", "reason", "order_id")
    ),
)

TABLES = (
    *(INTERACTIONS, IDENTITIES, CUSTOMER_SCORES, TOUCHPOINT_SCORES, TALLIES, REJECTED, ALERTS),
    *(OBSERVATIONS, OUTCOMES, CHANGES, AUDIT),
)
