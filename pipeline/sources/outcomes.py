"""Business results that come with no contact, as a bookkeeping's export: CSV with a heading, or JSON Lines.

- JSON Lines have the fields of `POST /v1/outcomes`, one outcome a line.
- CSV has them as columns, in any order, and a column for each kind of identifier (customer, email, …); an empty cell
  says nothing. Columns are parted by commas, and a row is a line: no cell goes over several.
- Times and amounts are as strict as over HTTP, and so is what is made of them (`domain.outcomes`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec

from pipeline.domain.interaction import NAMESPACES
from pipeline.domain.outcomes import Sent
from pipeline.domain.validate import Time
from pipeline.sources.adapter import BadRow, ImportedOutcome, Line, NotThisFile, Refused, Row

NAME = "outcomes"
_REQUIRED = ("outcome_id", "source", "kind", "occurred_at")
_OPTIONAL = ("amount", "currency")
_COLUMNS = frozenset((*_REQUIRED, *_OPTIONAL, *NAMESPACES))
_HEADING = "outcome_id,source,kind,occurred_at,amount,currency,customer"
_AMOUNT = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
_decode = msgspec.json.Decoder(Sent).decode


def read(lines: Iterable[Line]) -> Iterator[Row]:
    """The file's outcomes. Raises NotThisFile."""
    rest = iter(lines)
    first = next(rest, Line(1, ""))
    first = Line(first.number, first.text.removeprefix("\ufeff"))
    if first.text.lstrip().startswith("{"):
        return _rows(chain([first], rest), None)
    return _rows(rest, _heading(first))


def _heading(line: Line) -> tuple[str, ...]:
    """The columns. Raises NotThisFile."""
    names = tuple(each.strip().lower() for each in line.text.split(","))
    problem = ""
    if unknown := [each for each in names if each not in _COLUMNS]:
        problem = f"there is no column {unknown[0][:40]!r}"
    elif len(set(names)) < len(names):
        problem = "a column stands twice"
    elif missing := [each for each in _REQUIRED if each not in names]:
        problem = f"the column {missing[0]} is missing"
    elif not set(NAMESPACES) & set(names):
        problem = f"a column that says who it is is missing: {', '.join(NAMESPACES)}"
    if problem:
        raise NotThisFile(
            f"line {line.number}: this is no file of {NAME}: {problem}. It begins with a heading such as {_HEADING!r}, "
            "or has an outcome as JSON on each line"
        )
    return names


def _rows(lines: Iterable[Line], columns: tuple[str, ...] | None) -> Iterator[Row]:
    for number, text in lines:
        if not text.strip():
            continue
        try:
            sent = _from_json(text) if columns is None else _from_cells(text, columns)
        except BadRow as problem:
            yield Refused(number, str(problem))
        else:
            yield ImportedOutcome(number, sent.given(received_at=None))


def _from_json(text: str) -> Sent:
    try:
        return _decode(text)
    except msgspec.ValidationError as problem:
        said = str(problem)
        if "unknown field" in said:
            said = f"a field that there is not; there are {', '.join(Sent.__struct_fields__)}"
        raise BadRow(f"no outcome: {said}") from problem
    except msgspec.DecodeError as problem:
        raise BadRow("not JSON") from problem


def _from_cells(text: str, columns: tuple[str, ...]) -> Sent:
    try:
        (cells,) = csv.reader([text], strict=True)
    except (csv.Error, ValueError) as problem:
        raise BadRow("its quotes do not end on the line") from problem
    if len(cells) != len(columns):
        raise BadRow(f"{len(cells)} columns instead of {len(columns)}")
    said = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
    amount = said.get("amount", "")
    if amount and not _AMOUNT.fullmatch(amount):
        raise BadRow("amount must be a number, such as -20 or 49.90")
    return Sent(
        outcome_id=said["outcome_id"],
        source=said["source"],
        kind=said["kind"],
        identifiers={name: said[name] for name in NAMESPACES if said.get(name)},
        occurred_at=_time(said["occurred_at"]),
        amount=float(amount) if amount else None,
        currency=said.get("currency") or None,
    )


def _time(text: str) -> Time:
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        found: Time = msgspec.convert(text, Time)
    except msgspec.ValidationError as problem:
        raise BadRow("occurred_at must be a time in RFC 3339 with its offset, or whole ms since 1970") from problem
    return found
