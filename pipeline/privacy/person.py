"""Whom an export is about: the person behind an identifier, and all that is theirs or may be partly, however much.

What identify knows is asked for in pages (`identify.everything`). In memory are the names of the identifiers alone;
who has more than IDENTIFIERS_MAX of them, is told of so many.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.serve.identify import Identify

IDENTIFIERS_MAX = 100_000  # some 10 MB
ASKED_MAX = 100  # at once
WAIT_S = 10.0  # beyond what a lookup waits for: a stream that has begun is of no use where it ends early

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """Whom an export is about."""

    asked: str
    person: str
    whole: tuple[str, ...]  # identifiers that are theirs alone, the person first
    shared: tuple[str, ...]  # those that others have a part in, or that were parted from them
    truncated: bool
    as_of: str | None
    lag_ms: int


async def find(identify: Identify, asked: str) -> Person:
    """The person that an identifier resolves to; where it is ambiguous, what is under that identifier alone.

    Raises IdentifyAway, WorkerFault.
    """
    first = await identify.ask("/internal/rows", {"ids": [asked]}, WAIT_S)
    person = first["rows"][0]["person"] or asked
    whole, shared = {person: None}, dict[str, None]()
    waiting, truncated = [person], False
    while waiting and not truncated:
        above, waiting = waiting[:ASKED_MAX], waiting[ASKED_MAX:]
        after = ""
        while True:
            question = {"person": person, "above": above, "after": after}
            page = await identify.ask("/internal/below", question, WAIT_S)
            new = [each for each in page["whole"] if each not in whole]
            whole.update(dict.fromkeys(new))
            shared.update(dict.fromkeys(page["shared"]))
            waiting += new
            after, truncated = page["next"], len(whole) + len(shared) > IDENTIFIERS_MAX
            if not after or truncated:
                break
    return Person(asked, person, tuple(whole), tuple(shared), truncated, first["as_of"], first["lag_ms"])


async def rows(identify: Identify, ids: Sequence[str]) -> AsyncIterator[Json]:
    """Pages of what identify knows of these: `{"rows", "orders"}`. Raises the same."""
    start = 0
    while start < len(ids):
        page = await identify.ask("/internal/rows", {"ids": list(ids[start : start + ASKED_MAX])}, WAIT_S)
        yield page
        start += len(page["rows"])


async def evidence(identify: Identify, row: Json) -> AsyncIterator[list[Json]]:
    """What evidence there is of an identifier beyond what its row has, page by page. Raises the same."""
    after = row["evidence_next"]
    while after:
        page = await identify.ask("/internal/evidence", {"id": row["id"], "after": after}, WAIT_S)
        if page["evidence"]:
            yield page["evidence"]
        after = page["next"]
