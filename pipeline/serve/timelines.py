"""One page of a person's timeline: from the profile's view, then from ClickHouse where the view ends."""

from __future__ import annotations

from typing import Any

from pipeline.domain import view
from pipeline.domain.view import Position
from pipeline.problems import bad_request, unavailable
from pipeline.serve.history import History, HistoryAway
from pipeline.serve.lookup import Lookup
from pipeline.serve.workers import Deadline

NEWEST: Position = (9_223_372_036_854, "", "")  # the last millisecond that DateTime64(3) holds


class Timelines:
    """Pages of timelines. Raises Problem 400 for a cursor that is none, workers.Unavailable."""

    def __init__(self, lookup: Lookup, history: History) -> None:
        self._lookup = lookup
        self._history = history

    async def page(
        self, person: str, limit: int, before: str | None, channel: str | None, deadline: Deadline
    ) -> dict[str, Any]:
        """`{"timeline", "next", "as_of", "lag_ms"}`, newest first, at most `limit` entries."""
        start = NEWEST
        if before is not None:
            try:
                start = view.position(before)
            except ValueError as error:
                raise bad_request("bad_cursor", "'before' must be the 'next' of an earlier answer.") from error
        answer = await self._lookup.timeline(person, limit, before, channel, deadline)
        entries: list[dict[str, Any]] = answer["timeline"]
        following: str | None = answer["next"]
        if following is None and not answer["complete"]:
            entries, following = await self._further(person, entries, start, limit, channel)
        return {"timeline": entries, "next": following, "as_of": answer["as_of"], "lag_ms": answer["lag_ms"]}

    async def _further(
        self, person: str, entries: list[dict[str, Any]], start: Position, limit: int, channel: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """The page filled up from ClickHouse, and where the next one begins."""
        last = view.entry_position(entries[-1]) if entries else start
        missing = limit - len(entries)
        if missing > 0:
            try:
                older = await self._history.before(person, last, channel, missing)
            except HistoryAway as error:
                if not entries:
                    raise unavailable("history_away", "What is older stands in ClickHouse, which is away.") from error
                # A short page that says where to go on is a correct one.
                return entries, view.cursor(last)
            entries = entries + [view.entry(each) for each in older]
            if len(older) < missing:
                return entries, None
            last = older[-1].position
        return entries, view.cursor(last)
