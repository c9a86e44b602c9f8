"""Alerts for serve: asking the process that keeps them, and giving it what people do about them.

What somebody does is recorded in the topic `alerts.actions` before it counts, so it has its effect once, whatever
becomes of the request or of that process.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.domain.alerts import Action
from pipeline.serve.single import Away, Single
from pipeline.serve.writing import Writer
from pipeline.topics import ALERT_ACTIONS

EFFECT_S_MAX = 5.0  # that a request waits for an action's effect
UNKNOWN = "unknown"  # the state of an action that alert has not decided


class AlertAway(Away):
    """alert did not answer in time."""


class Alerting(Single):
    """The client."""

    name = "alert"
    away = AlertAway

    @property
    def url(self) -> str | None:
        """See Single."""
        return self.routes.alert

    async def alerts(
        self, limit: int, before: str, states: list[str], kinds: list[str], touchpoint: str
    ) -> dict[str, Any]:
        """`{"alerts", "next", "as_of", "lag_ms"}`, newest first; no states or kinds: all. Raises AlertAway."""
        question = {"limit": limit, "before": before, "states": states, "kinds": kinds, "touchpoint": touchpoint}
        return await self.ask("/internal/alerts", question)

    async def alert(self, alert_id: str, what: str = "") -> dict[str, Any]:
        """`{"alert", "refused", …}`: one alert or None, and why an action about it cannot be. Raises AlertAway."""
        return await self.ask("/internal/alert", {"alert_id": alert_id, "what": what})

    async def act(self, writer: Writer, action: Action, wait_s: float = EFFECT_S_MAX) -> dict[str, Any]:
        """Record an action, and what became of it: `state` is done, refused or unknown.

        Raises writing.Unwritten: then it may be recorded all the same.
        """
        await writer.write(ALERT_ACTIONS.name, action.alert_id.encode(), msgspec.json.encode(action), partition=0)
        try:
            return await self.ask("/internal/action", {"action_id": action.action_id, "wait_s": wait_s}, wait_s)
        except AlertAway:
            return {"state": UNKNOWN, "alert": None}
