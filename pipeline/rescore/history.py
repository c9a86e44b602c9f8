"""What ClickHouse has stored, as interactions again: as much of them as a definition reads.

Texts of `details` become numbers where the channel's schema says that they were some; the rest is as it was sent, or
as it was masked. Persons are as they are known at the time of reading.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline.domain.consent import SPEAKING
from pipeline.domain.interaction import CHANNELS, Answer, Interaction
from pipeline.domain.records import UNCOUNTED
from pipeline.rescore.replay import Stored
from pipeline.store.rows import CUSTOMER_SCORES

ROWS_MAX = 50_000  # read at once, on average: whole persons
ANSWER_S_MAX = 600

NUMBERS = frozenset({"int", "long", "float", "double"})
Numeric = Mapping[str, frozenset[str]]  # channel → those of its details that are numbers

COLUMNS = (
    *("person", "identifier", "source", "event_id", "channel", "type", "touchpoint"),
    *("toUnixTimestamp64Milli(occurred_at)", "toUnixTimestamp64Milli(received_at)"),
    *("session_id", "issue", "about", "answer_question", "answer_value", "answer_min", "answer_max"),
    *("measures", "details", "consent", "public", "definition"),
)
#: What counts, and what speaks of consent.
_READ = f"(definition != {UNCOUNTED} OR notEmpty(consent) AND type IN {tuple(sorted(SPEAKING))})"
_PART = "cityHash64(person) % {parts:UInt32} = {part:UInt32}"
_STORED = f"""SELECT {", ".join(COLUMNS)} FROM interactions_attributed
WHERE {_READ} AND {_PART} ORDER BY person, occurred_at, source, event_id, identifier"""  # noqa: S608
_RECORDS = tuple(CUSTOMER_SCORES.columns)
_KNOWN = f"""SELECT {", ".join(_RECORDS)} FROM customer_scores FINAL
WHERE definition = {{definition:UInt32}} AND {_PART}"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Part:
    """All that is stored of some persons."""

    stored: Iterator[Stored]
    known: dict[tuple[str, int], dict[str, Any]]  # person and day → their row by the definition that is asked for
    size: int  # interactions


def numeric(schemas: Path) -> Numeric:
    """Which details are numbers, from the channels' schemas."""
    found = {}
    for channel in CHANNELS:
        schema = json.loads((schemas / "avro" / f"interaction_{channel}.avsc").read_text())
        found[channel] = frozenset(_numeric(schema))
    return found


def _numeric(schema: Mapping[str, Any]) -> Iterator[str]:
    (details,) = (each["type"] for each in schema["fields"] if each["name"] == "details")
    (record,) = (each for each in details if isinstance(each, dict))
    for each in record["fields"]:
        kinds = each["type"] if isinstance(each["type"], list) else [each["type"]]
        if not NUMBERS.isdisjoint(kind for kind in kinds if isinstance(kind, str)):
            yield each["name"]


def interaction(row: Sequence[Any], numbers: Numeric) -> Interaction:
    """The interaction in a row of `COLUMNS`."""
    _, identifier, source, event_id, channel, kind, touchpoint, occurred_at, received_at, *rest = row
    session_id, issue, about, question, value, least, most, measures, details, consent, public, _ = rest
    known = numbers.get(channel, frozenset())
    return Interaction(
        *(identifier, source, event_id, channel, kind, touchpoint),
        *(occurred_at, occurred_at, received_at, 0),
        session_id=session_id,
        issue=issue,
        about=about,
        answer=None if value is None else Answer(question, value, least, most),
        measures=measures,
        details={name: _number(text) if name in known else text for name, text in details.items()},
        consent=consent,
        public=public,
    )


def _number(text: str) -> str | int | float:
    """A number as it was written; a text that is none stays one."""
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


class History:
    """The interactions of a database."""

    def __init__(self, client: Client, numbers: Numeric) -> None:
        self._client = client
        self._numbers = numbers

    def size(self) -> int:
        """Interactions that count, also in rows that newer ones have replaced. Raises the driver's Error."""
        sql = f"SELECT count() FROM interactions WHERE definition != {UNCOUNTED}"  # noqa: S608
        return int(self._client.query(sql).result_rows[0][0])

    def read(self, parts: int, part: int, definition: int) -> Part:
        """A part of the persons, with all that is theirs. Raises the driver's Error."""
        bound = {"parts": parts, "part": part, "definition": definition}
        limits = {"max_execution_time": ANSWER_S_MAX}
        known = self._client.query(_KNOWN, bound, settings=limits).result_rows
        found = self._client.query(_STORED, bound, settings=limits).result_rows
        stored = (Stored(row[0], interaction(row, self._numbers), row[-1]) for row in found)
        return Part(stored, {(row[0], _day(row[1])): _record(row) for row in known}, len(found))


def parts_of(size: int) -> int:
    """Into how many parts so many interactions are cut."""
    return max(1, -(-size // ROWS_MAX))


def _day(value: Any) -> int:
    return int((value.toordinal()) - _EPOCH)


_EPOCH = 719_163  # the ordinal of 1970-01-01


def _record(row: Sequence[Any]) -> dict[str, Any]:
    return {**dict(zip(_RECORDS, row, strict=True)), "day": _day(row[1])}
