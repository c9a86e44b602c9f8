"""Governance: who owns which touchpoint, its promise and state, what is open there, and how long that takes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from pipeline.domain.governance import Alerts, Complaints, Order, Standing, State, owners, standings
from pipeline.serve import said
from pipeline.serve.asked import LAYERS
from pipeline.serve.pages import Pages
from pipeline.serve.parts import Parts
from pipeline.serve.reports import LOOK, ReportsAway, Row

LATELY_DAYS = 90
UNOWNED_MAX = 20
UNOWNED_DAYS = 14  # in which events named them
OWNER_CHARS_MAX = 1_000
TITLES = {
    Order.UNANSWERED: "Red, and nobody has acted",
    Order.TAKEN: "Red, and somebody is on it",
    Order.YELLOW: "Yellow",
    Order.GREY: "Nobody can say yet",
    Order.GREEN: "Green",
    Order.UNJUDGED: "Without thresholds",
}

_STATES = "SELECT touchpoint, dot, reason FROM touchpoint_dots"
# Alerts about somebody who refuses analysis are in alerts_open no more, so what is open is counted there.
_OPEN = """SELECT touchpoint, count() AS open, countIf(state = 'acknowledged') AS taken,
    dateDiff('second', min(opened_at), now64(3)) / 3600 AS oldest_h FROM alerts_open GROUP BY touchpoint"""
_TOOK = """SELECT touchpoint,
    countIf(kind = 'threshold' AND ceased_at IS NULL
        AND (acknowledged_at IS NOT NULL OR resolved_by != '')) > 0 AS acted,
    countIf(acknowledged_at IS NOT NULL) AS acknowledged, countIf(closed_at IS NOT NULL) AS resolved,
    quantileExactIf(0.5)(dateDiff('second', opened_at, ifNull(acknowledged_at, opened_at)) / 3600,
        acknowledged_at IS NOT NULL) AS acknowledged_h,
    quantileExactIf(0.5)(dateDiff('second', opened_at, ifNull(closed_at, opened_at)) / 3600,
        closed_at IS NOT NULL) AS resolved_h
    FROM alerts FINAL
    WHERE touchpoint != '' AND (closed_at IS NULL OR opened_at >= now64(3) - toIntervalDay({days:UInt16}))
    GROUP BY touchpoint"""
_COMPLAINTS = """SELECT touchpoint, countIf(closed_at IS NULL) AS open, countIf(overdue != '') AS overdue,
    countIf(closed_at IS NOT NULL) AS closed,
    quantileExactIf(0.5)(ifNull(closed_h, 0), closed_at IS NOT NULL) AS closed_h
    FROM complaint_times WHERE closed_at IS NULL OR received_at >= now64(3) - toIntervalDay({days:UInt16})
    GROUP BY touchpoint"""
_CHANGED = """SELECT touchpoint, toString(changed_on) AS day, what FROM changes_current
    WHERE changed_on <= today() ORDER BY changed_on DESC, recorded_at DESC, change_id LIMIT 1 BY touchpoint"""
_UNOWNED = """SELECT touchpoint, sum(interactions) AS n FROM touchpoint_sums
    WHERE hour >= now() - toIntervalDay({days:UInt16}) AND touchpoint NOT IN {known:Array(String)} AND touchpoint != ''
    GROUP BY touchpoint ORDER BY n DESC, touchpoint LIMIT {most:UInt16}"""


class Governance:
    """The page."""

    def __init__(self, parts: Parts, pages: Pages) -> None:
        self._parts = parts
        self._pages = pages

    def may(self, request: Request) -> bool:
        """Whether who asks is signed in."""
        who = self._parts.gate.principal(request)
        return who is not None and who.session and "read" in who.scopes

    def signed_out(self) -> Response:
        """What somebody without a session sees."""
        return _html(self._pages.render("signed_out.html", reason="none"), 401)

    async def page(self, owner: str = "") -> Response:
        """All touchpoints, or those of an owner."""
        known = self._parts.catalogued.values()
        names = owners(known)
        notice, status = "", 200
        if owner and owner not in names:
            notice, status, owner = "Nobody of that name owns a touchpoint. These are all of them.", 404, ""
        try:
            found, unowned, elsewhere, changed = await self._read()
        except ReportsAway:
            found, unowned, elsewhere, changed = standings(known, {}, {}, {}), [], 0, {}
            notice, status = "ClickHouse does not answer at the moment: this is the catalogue without figures.", 503
        shown = [each for each in found if owner in ("", each.touchpoint.owner)]
        groups = [
            {
                "title": title,
                "id": order.name.lower(),
                "rows": [_row(each, changed) for each in shown if each.order == order],
            }
            for order, title in TITLES.items()
        ]
        page = self._pages.render(
            "touchpoints.html",
            groups=[each for each in groups if each["rows"]],
            owners=names,
            owner=owner,
            unowned=unowned,
            elsewhere=elsewhere,
            days=LATELY_DAYS,
            notice=notice,
        )
        return _html(page, status)

    async def _read(self) -> tuple[list[Standing], list[Row], int, dict[str, str]]:
        """Standings, touchpoints that nobody owns, how many alerts are of no touchpoint, and touchpoint → what was
        changed there last. Raises ReportsAway."""
        reports, days = self._parts.reports, {"days": LATELY_DAYS}
        unowned = {"days": UNOWNED_DAYS, "known": list(self._parts.catalogued), "most": UNOWNED_MAX}
        states, opened, took, complaints, others, changes = await asyncio.gather(
            reports.rows(_STATES, None, LOOK),
            reports.rows(_OPEN, None, LOOK),
            reports.rows(_TOOK, days, LOOK),
            reports.rows(_COMPLAINTS, days, LOOK),
            reports.rows(_UNOWNED, unowned, LOOK),
            reports.rows(_CHANGED, None, LOOK),
        )
        alerts = {row["touchpoint"]: row for row in took}
        of = {row["touchpoint"]: row for row in opened}
        found = standings(
            self._parts.catalogued.values(),
            {row["touchpoint"]: State(row["dot"], row["reason"]) for row in states},
            {name: _alerts(of.get(name, {}), alerts.get(name, {})) for name in {*alerts, *of}},
            {row["touchpoint"]: _complaints(row) for row in complaints},
        )
        elsewhere = sum(int(row["open"]) for name, row in of.items() if name not in self._parts.catalogued)
        changed = {row["touchpoint"]: _change(row) for row in changes}
        return found, [{"name": row["touchpoint"], "n": f"{int(row['n']):,}"} for row in others], elsewhere, changed


def router(parts: Parts, pages: Pages) -> APIRouter:
    """The route /touchpoints."""
    routes = APIRouter(include_in_schema=False)
    governance = Governance(parts, pages)

    @routes.get("/touchpoints")
    async def page(request: Request, owner: Annotated[str, Query(max_length=OWNER_CHARS_MAX)] = "") -> Response:
        return await governance.page(owner) if governance.may(request) else governance.signed_out()

    return routes


def _alerts(opened: Row, took: Row) -> Alerts:
    acknowledged, resolved = int(took.get("acknowledged", 0)), int(took.get("resolved", 0))
    return Alerts(
        open=int(opened.get("open", 0)),
        taken=int(opened.get("taken", 0)),
        oldest_h=opened.get("oldest_h"),
        acted=bool(took.get("acted", False)),
        acknowledged=acknowledged,
        acknowledged_h=float(took["acknowledged_h"]) if acknowledged else None,
        resolved=resolved,
        resolved_h=float(took["resolved_h"]) if resolved else None,
    )


def _complaints(row: Row) -> Complaints:
    closed = int(row["closed"])
    return Complaints(int(row["open"]), int(row["overdue"]), closed, float(row["closed_h"]) if closed else None)


def _change(row: Row) -> str:
    day = date.fromisoformat(row["day"])
    return f"Changed on {day.day} {day:%B %Y}: {row['what']}"


def _row(standing: Standing, changed: Mapping[str, str]) -> dict[str, Any]:
    """A row of the page, in words; `changed`: touchpoint → what was changed there last."""
    known, alerts, complaints = standing.touchpoint, standing.alerts, standing.complaints
    return {
        "id": known.id,
        "name": known.name,
        "layer": LAYERS[known.layer],
        "theirs": said.theirs(known),
        "owner": known.owner,
        "deputy": known.deputy,
        "unit": known.unit,
        "promise": known.promise,
        "expectation": said.expectation(known),
        "dot": standing.state.dot if standing.state else "",
        "dot_words": said.DOTS[standing.state.dot if standing.state else ""],
        "reason": standing.state.reason if standing.state else "",
        "when_red": known.when_red if standing.order in (Order.UNANSWERED, Order.TAKEN) else "",
        "alerts": [each for each in _alerts_said(alerts) if each],
        "complaints": [each for each in _complaints_said(complaints) if each],
        "overdue": complaints.overdue,
        "changed": changed.get(known.id, ""),
    }


def _alerts_said(alerts: Alerts) -> list[str]:
    opened = f"{alerts.open:,} open, {alerts.taken:,} taken on" if alerts.open else ""
    oldest = f"the oldest for {_hours(alerts.oldest_h)}" if alerts.open else ""
    taken = f"taken on after {_hours(alerts.acknowledged_h)} (n {alerts.acknowledged:,})" if alerts.acknowledged else ""
    ended = f"over after {_hours(alerts.resolved_h)} (n {alerts.resolved:,})" if alerts.resolved else ""
    return [opened, oldest, taken, ended]


def _complaints_said(complaints: Complaints) -> list[str]:
    overdue = f", {complaints.overdue:,} overdue" if complaints.overdue else ""
    opened = f"{complaints.open:,} open{overdue}" if complaints.open else ""
    closed = f"closed after {_hours(complaints.closed_h)} (n {complaints.closed:,})" if complaints.closed else ""
    return [opened, closed]


def _hours(hours: float | None) -> str:
    return said.duration(None if hours is None else hours * 3600)


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})
