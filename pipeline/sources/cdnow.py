"""Purchases at a music shop: customer, number in the sample, day, pieces and dollars between blanks; no heading.

- A purchase has a day and no time: it stands at noon UTC, so that it keeps its day in most of the world's time zones.
- Nothing names a purchase, and some repeat others word for word. The id therefore counts how often its content has
  stood in the file so far: the same file gives the same ids, and repeats stay apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import chain

from pipeline.sources.adapter import BadRow, Event, Line, NotThisFile, Row, columns, event, rows, whole

NAME = "CDNOW purchases"
SOURCE = "cdnow"
_ROW = re.compile(r"\s*\d+\s+\d+\s+\d{8}\s+\d+\s+\d+\.\d\d\s*", re.ASCII)
_DOLLARS = re.compile(r"\d{1,9}\.\d\d", re.ASCII)


def read(lines: Iterable[Line]) -> Iterator[Row]:
    """The file's purchases. Raises NotThisFile."""
    rest = iter(lines)
    first = next(rest, Line(1, ""))
    if not _ROW.fullmatch(first.text.removeprefix("\ufeff")):
        raise NotThisFile(
            f"line {first.number}: this is no file of {NAME}: a row must be like '00004 0001 19970101  2   29.33'"
        )
    start = Line(first.number, first.text.removeprefix("\ufeff"))
    return rows(chain([start], rest), partial(_purchase, Counter()))


def _purchase(seen: Counter[str], text: str) -> tuple[str, Event]:
    found = columns(text, None, 5)
    customer, sample, day, pieces, dollars = found
    if not _DOLLARS.fullmatch(dollars):
        raise BadRow("the amount is not like 29.33")
    for name, value in (("the customer", customer), ("the number in the sample", sample)):
        whole(name, value)
    content = "-".join(found)
    purchase = event(
        event_id=f"{content}-{seen[content] + 1}",
        source=SOURCE,
        kind="order_placed",
        touchpoint="cd_shop",
        occurred_at=_noon_ms(day),
        identifiers={"customer": customer},
        measures={"amount": float(dollars), "items": float(whole("the number of pieces", pieces))},
        properties={"order_id": f"{content}-{seen[content] + 1}", "currency": "USD", "sample_id": sample},
    )
    seen[content] += 1
    return "in_store", purchase


@lru_cache(maxsize=4096)
def _noon_ms(day: str) -> int:
    """Noon UTC of yyyymmdd, in milliseconds."""
    try:
        return int(datetime.strptime(f"{day} 12", "%Y%m%d %H").replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError as problem:
        raise BadRow("the day is not yyyymmdd") from problem
