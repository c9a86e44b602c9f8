"""What serve asks this process: which alerts there are, one of them, and what became of an action."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from typing import Any

import msgspec

from pipeline.alert.keeping import Keeper
from pipeline.domain.alert_shown import cursor, place, position, shown
from pipeline.domain.alerts import Refused, check
from pipeline.domain.view import time_text
from pipeline.internal import Answering

LIMIT_MAX = 200
WAIT_S_MAX = 10.0

Json = dict[str, Any]


class Listing(msgspec.Struct, forbid_unknown_fields=True):
    limit: int = 50
    before: str = ""  # `next` of the page before
    states: list[str] = []  # none: all
    kinds: list[str] = []
    touchpoint: str = ""


class One(msgspec.Struct, forbid_unknown_fields=True):
    alert_id: str
    what: str = ""  # an action: whether it can be done, too


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    action_id: str
    wait_s: float = 0.0


class Answers:
    """The answers, from what is committed."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._began = time.time_ns() // 1_000_000

    def service(self, token: str, host: str, port: int) -> Answering:
        """The server that gives them."""
        questions: Json = {
            "/internal/alerts": (Listing, self.alerts),
            "/internal/alert": (One, self.alert),
            "/internal/action": (Asked, self.action),
        }
        return Answering(questions, token, host, port)

    async def alerts(self, asked: Listing) -> Json:
        """A page, newest first."""
        before = position(asked.before) if asked.before else None
        limit = min(max(asked.limit, 1), LIMIT_MAX)
        matching = (
            each
            for each in self._keeper.alerts.values()
            if (not asked.states or each.stage in asked.states)
            and (not asked.kinds or each.kind in asked.kinds)
            and asked.touchpoint in ("", each.touchpoint)
            and (before is None or place(each) < before)
        )
        page = heapq.nlargest(limit + 1, matching, key=place)
        more = cursor(place(page[limit - 1])) if len(page) > limit else None
        return {"alerts": [shown(each) for each in page[:limit]], "next": more, **self._fresh()}

    async def alert(self, asked: One) -> Json:
        """One, and whether an action can be done about it: `refused` says why not."""
        alert = self._keeper.alerts.get(asked.alert_id)
        refused = None
        if asked.what:
            try:
                check(alert, asked.what)
            except Refused as error:
                refused = {"reason": error.reason, "detail": error.detail}
        return {"alert": shown(alert) if alert else None, "refused": refused, **self._fresh()}

    async def action(self, asked: Asked) -> Json:
        """What became of an action; waits for it. `state`: done, refused, or unknown."""
        keeper = self._keeper
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(asked.wait_s, WAIT_S_MAX)), keeper.news:
                await keeper.news.wait_for(lambda: keeper.outcome(asked.action_id) is not None)
        outcome = keeper.outcome(asked.action_id)
        if outcome is None:
            return {"state": "unknown", "alert": None}
        alert = shown(outcome.alert) if outcome.alert else None
        if outcome.reason:
            return {"state": "refused", "alert": alert, "reason": outcome.reason, "detail": outcome.detail}
        return {"state": "done", "alert": alert}

    def _fresh(self) -> Json:
        """How far behind: since ClickHouse was last looked at, or (never so far) since the start."""
        as_of = self._keeper.as_of
        told = None if as_of is None else time_text(as_of)
        return {"as_of": told, "lag_ms": max(0, time.time_ns() // 1_000_000 - (as_of or self._began))}
