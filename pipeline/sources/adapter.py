"""What an import adapter is: a pure generator from the lines of a file to events or outcomes, one of each row.

The same file gives the same in every run, under the same ids, so importing it again stores nothing
twice. A row that cannot be read becomes a `Refused` in its place, and those around it still count; a file that is
something else altogether raises `NotThisFile` before its first event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

Event = dict[str, Any]  # an event with exactly the field names of the Avro schemas, times in ms


class Line(NamedTuple):
    """A line of the file, numbered from 1, without its ending."""

    number: int
    text: str


class Imported(NamedTuple):
    """A row that became an event."""

    line: int
    channel: str
    event: Event


class ImportedOutcome(NamedTuple):
    """A row that became an outcome."""

    line: int
    given: Event  # the fields of its schema


class Refused(NamedTuple):
    """A row that did not, and why: for people, without the row's own text, which may be personal."""

    line: int
    why: str


class NotThisFile(Exception):
    """The file is not of the kind that it was given as; the text names the line."""


class BadRow(ValueError):
    """A row cannot be read; the text says what about it."""


Row = Imported | ImportedOutcome | Refused
Adapter = Callable[[Iterable[Line]], Iterator[Row]]
Reader = Callable[[str], tuple[str, Event]]  # a row's text → (channel, event); raises BadRow


def event(
    *,
    event_id: str,
    source: str,
    kind: str,
    touchpoint: str,
    occurred_at: int,
    identifiers: dict[str, str],
    session_id: str = "",
    issue: str = "",
    measures: dict[str, float] | None = None,
    properties: dict[str, str] | None = None,
    details: dict[str, Any] | None = None,
) -> Event:
    """An event with every field of the schemas. `sent_at` and `received_at` stay empty: a file is no transmission
    whose clock could correct its times."""
    return {
        "event_id": event_id,
        "source": source,
        "type": kind,
        "touchpoint": touchpoint,
        "occurred_at": occurred_at,
        "sent_at": None,
        "received_at": None,
        "identifiers": identifiers,
        "session_id": session_id,
        "goal": "",
        "issue": issue,
        "about": "",
        "items": [],
        "answer": None,
        "measures": measures or {},
        "properties": properties or {},
        "consent": {},
        "public": False,
        "details": details,
    }


def headed(lines: Iterable[Line], heading: str, name: str) -> Iterator[Line]:
    """The lines after the heading. Raises NotThisFile where the first line is not `heading`."""
    rest = iter(lines)
    first = next(rest, Line(1, ""))
    if first.text.removeprefix("\ufeff") != heading:
        raise NotThisFile(f"line {first.number}: this is no file of {name}: its heading must be {heading!r}")
    return rest


def rows(lines: Iterable[Line], read: Reader) -> Iterator[Row]:
    """Each line through `read`; empty lines are passed over."""
    for number, text in lines:
        if not text.strip():
            continue
        try:
            channel, made = read(text)
        except BadRow as problem:
            yield Refused(number, str(problem))
        else:
            yield Imported(number, channel, made)


def columns(text: str, separator: str | None, count: int) -> list[str]:
    """The row's columns, without blanks around them. Raises BadRow where there are not `count`."""
    found = [each.strip() for each in text.split(separator)]
    if len(found) != count:
        raise BadRow(f"{len(found)} columns instead of {count}")
    return found


def whole(name: str, text: str) -> int:
    """A number from 0 up. Raises BadRow."""
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise BadRow(f"{name} is not a whole number")
    return int(text)
