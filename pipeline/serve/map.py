"""The journey map: a blueprint with live figures, a touchpoint more closely, and both to take away.

The page never waits for what is counted: it shows what is kept, says as of when, and says that more comes. Where
ClickHouse does not answer, the blueprint of the catalogue is shown without figures, and says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from pipeline.domain import blueprint, periods
from pipeline.domain.blueprint import CHANNELS, EVERYBODY, HIDDEN, KNOWN, SCORE, Blueprint, Segment, Sums
from pipeline.domain.periods import HOURLY, PERIODS, Window
from pipeline.serve import closely, said
from pipeline.serve.api import now_ms
from pipeline.serve.choice import (
    Choice,
    NoChoice,
    chosen,
    key_of,
    map_path,
    mermaid_path,
    svg_path,
    touchpoint_path,
)
from pipeline.serve.counting import Answer
from pipeline.serve.drawing import ROW_NAMES, drawing
from pipeline.serve.figures import Counted
from pipeline.serve.mermaid import mermaid
from pipeline.serve.pages import Pages, zone_of
from pipeline.serve.parts import SEGMENTS, Parts
from pipeline.serve.reports import ReportsAway

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
PATHS = {
    "map_path": map_path,
    "svg_path": svg_path,
    "mermaid_path": mermaid_path,
    "touchpoint_path": touchpoint_path,
}

Name = Annotated[str, Path(max_length=64)]


@dataclass(frozen=True, slots=True)
class Shown:
    """A blueprint, and what has to be said about its figures."""

    blueprint: Blueprint
    state: str
    coming: bool


class Map:
    """The pages, one method each."""

    def __init__(self, parts: Parts, pages: Pages) -> None:
        self._parts = parts
        self._pages = pages
        self._zone = zone_of(parts.zone)

    def may(self, request: Request) -> bool:
        """Whether who asks is signed in."""
        who = self._parts.gate.principal(request)
        return who is not None and who.session and "read" in who.scopes

    def signed_out(self) -> Response:
        """What somebody without a session sees."""
        return _html(self._pages.render("signed_out.html", reason="none"), 401)

    def choose(self, request: Request) -> Choice:
        """What is asked for. Raises NoChoice."""
        return chosen(request, self._parts.journeys, self._parts.segment_kinds)

    async def page(self, choice: Choice | None, notice: str = "", status: int = 200) -> Response:
        """The map; of the first journey where nothing usable was asked for."""
        if not self._parts.journeys:
            notice = "The catalogue has no journeys yet: write one in journeys.yaml, and start again."
            return _html(self._pages.render("map_none.html", notice=notice), 404)
        choice = choice or Choice(next(iter(self._parts.journeys)))
        shown = await self.shown(choice)
        offered = self._parts.counting.get(SEGMENTS).kept
        page = self._pages.render(
            "map.html",
            journey=shown.blueprint.journey,
            journeys=list(self._parts.journeys.values()),
            segments=_offered(offered.value.segments if offered else (), choice.segment),
            periods=said.PERIODS,
            choice=choice,
            before=said.BEFORE[choice.period],
            state=shown.state,
            coming=shown.coming,
            notice=notice,
            svg=Markup(self.svg(shown, choice, links=True)),  # noqa: S704  # rendered with everything escaped
            blueprint=shown.blueprint,
            row_names=ROW_NAMES,
            hidden_layers=HIDDEN,
            said=said,
            **PATHS,
        )
        return _html(page, status)

    def svg(self, shown: Shown, choice: Choice, links: bool) -> str:
        """The drawing; to take away without links, and with its own background and title."""
        name = f"Journey map: {shown.blueprint.journey.name}"
        about = f"{_about(choice)}. {shown.state}"
        it = drawing(shown.blueprint)
        text = self._pages.render("map_svg.html", it=it, name=name, about=about, links=links, choice=choice, **PATHS)
        return text if links else f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'

    async def taken(self, choice: Choice, kind: str) -> Response:
        """The map as a file: svg or mmd."""
        shown = await self.shown(choice)
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="map-{choice.journey}.{kind}"',
        }
        if kind == "svg":
            return Response(self.svg(shown, choice, links=False), 200, headers, "image/svg+xml")
        text = mermaid(shown.blueprint, f"{_about(choice)}. {shown.state}")
        return Response(text, 200, headers, "text/plain; charset=utf-8")

    async def touchpoint(self, name: str, choice: Choice, fragment: bool, words: bool) -> Response:
        """One touchpoint more closely: a page, or what the map shows beside itself."""
        known = self._parts.catalogued.get(name)
        if known is None:
            return await self.page(choice, "The catalogue has no such touchpoint. Choose one of the map's.", 404)
        at = now_ms()
        window = periods.window(choice.period, at, self._zone)
        sums, _, _ = await self._sums(window, choice)
        reading = blueprint.reading(known, (each for each in sums or () if each.touchpoint == name), ())
        it = await closely.closely(self._parts, known, reading, window, self._zone, words)
        it |= {
            "period": said.PERIODS[choice.period],
            "people": said.segment(choice.segment).lower()
            if known.layer not in blueprint.HIDDEN
            else "all observations",
            "before": said.BEFORE[choice.period],
        }
        counted = self._parts.counting.get((choice.period, choice.segment)).kept
        if sums is None:
            it["figure"] = "These figures cannot be shown at the moment."
        elif choice.segment != EVERYBODY and counted is None and known.layer not in blueprint.HIDDEN:
            it["figure"] = "Figures of these people are being counted: look again in a moment."
        template = "map_touchpoint.html" if fragment else "map_touchpoint_page.html"
        return _html(self._pages.render(template, it=it, choice=choice, **PATHS))

    async def shown(self, choice: Choice) -> Shown:
        """The blueprint of a choice, with whatever figures there are now."""
        at = now_ms()
        window = periods.window(choice.period, at, self._zone)
        counted = self._parts.counting.get((choice.period, choice.segment))
        (sums, age_s, newer), alerts = await asyncio.gather(self._sums(window, choice), self._alerts())
        ways = counted.kept.value if counted.kept is not None else None
        figures = blueprint.Figures(
            sums=sums or (),
            ways=None if ways is None else ways.ways,
            before=None if ways is None else ways.before,
            alerts=alerts,
            buckets=_buckets(window, choice.period, self._zone),
        )
        made = blueprint.blueprint(self._parts.journeys[choice.journey], self._parts.catalogued, figures)
        as_of = None if sums is None else at - round(age_s * 1000)
        return Shown(made, self._state(choice, at, as_of, counted), newer or counted.coming)

    async def _sums(self, window: Window, choice: Choice) -> tuple[list[Sums] | None, float, bool]:
        """What happened (None: it cannot be known now), its age in s, and whether something newer comes."""
        measures = {
            each.id: measure
            for each in self._parts.catalogued.values()
            if (measure := blueprint.measured(each)) not in ("", SCORE)
        }
        figures = self._parts.figures
        of: Sequence[Sums]
        try:
            behind = await figures.observed(window, choice.period, measures)
            if choice.segment != EVERYBODY:
                answer = self._parts.counting.get((choice.period, choice.segment))
                of, age_s, newer = answer.kept.value.sums if answer.kept else (), 0.0, False
            else:
                lately = self._parts.lately.get(choice.period)
                of = lately.kept.value if lately.kept else await figures.everybody(window, choice.period)
                age_s = self._parts.clock() - lately.kept.began_at if lately.kept else 0.0
                newer = lately.kept is not None and lately.coming
        except ReportsAway:
            return None, 0.0, False
        return [*(each for each in of if each.touchpoint not in measures), *behind], age_s, newer

    async def _alerts(self) -> dict[str, int]:
        try:
            return await self._parts.figures.alerts()
        except ReportsAway:
            return {}

    def _state(self, choice: Choice, at: int, as_of: int | None, answer: Answer[Counted]) -> str:
        """Since when what is shown holds, in words."""
        everybody, kept = choice.segment == EVERYBODY, answer.kept
        parts = []
        if as_of is None:
            parts.append("ClickHouse, which has the figures, does not answer at the moment.")
        elif everybody:
            parts.append(f"Touchpoints as of {self._clock(as_of, seconds=True)}.")
        what = "Shares and times" if everybody else f"Figures of {said.segment(choice.segment).lower()}"
        if kept is not None:
            age_ms = round((self._parts.clock() - kept.began_at) * 1000)
            parts.append(f"{what} as of {self._clock(at - age_ms)}{', newer ones come.' if answer.coming else '.'}")
        elif answer.busy:
            parts.append(f"{what} cannot be counted now, because much else is: try again in a minute.")
        elif answer.failed and not answer.coming:
            parts.append(f"{what} could not be counted just now.")
        else:
            parts.append(f"{what} are being counted.")
        return " ".join(parts)

    def _clock(self, at_ms: int, seconds: bool = False) -> str:
        return datetime.fromtimestamp(at_ms / 1000, self._zone).strftime("%H:%M:%S" if seconds else "%H:%M")


def router(parts: Parts, pages: Pages) -> APIRouter:
    """The routes under /map."""
    routes = APIRouter(include_in_schema=False)
    maps = Map(parts, pages)

    async def page(request: Request) -> Response:
        try:
            return await maps.page(maps.choose(request))
        except NoChoice as problem:
            return await maps.page(None, str(problem), 404)

    @routes.get("/map")
    async def drawn(request: Request) -> Response:
        return await page(request) if maps.may(request) else maps.signed_out()

    async def taken(request: Request, kind: str) -> Response:
        if not maps.may(request):
            return maps.signed_out()
        try:
            return await maps.taken(maps.choose(request), kind)
        except NoChoice as problem:
            return await maps.page(None, str(problem), 404)

    @routes.get("/map.svg")
    async def as_svg(request: Request) -> Response:
        return await taken(request, "svg")

    @routes.get("/map.mmd")
    async def as_mermaid(request: Request) -> Response:
        return await taken(request, "mmd")

    @routes.get("/map/touchpoints/{name}")
    async def touchpoint(
        request: Request, name: Name, fragment: Annotated[bool, Query()] = False, words: Annotated[bool, Query()] = True
    ) -> Response:
        if not maps.may(request):
            return maps.signed_out()
        try:
            return await maps.touchpoint(name, maps.choose(request), fragment, words)
        except NoChoice as problem:
            return await maps.page(None, str(problem), 404)

    return routes


def _about(choice: Choice) -> str:
    return f"{said.segment(choice.segment)}, {said.PERIODS[choice.period].lower()}"


def _offered(found: Sequence[Segment], now: Segment) -> list[dict[str, str]]:
    """The segments to choose from: those that are always there, those found, and the one that is shown."""
    every = dict.fromkeys([EVERYBODY, *KNOWN, *CHANNELS, *found, now])
    return [{"key": key_of(each), "name": said.segment(each)} for each in every]


def _buckets(window: Window, period: str, zone: Any) -> list[int]:
    """The starts of a trend's buckets: hours of today, else days."""
    if period == HOURLY:
        return list(range(window.since, window.until, HOUR_MS))
    first = datetime.fromtimestamp(window.since / 1000, zone).date()
    return [periods.midnight(first, zone, n) for n in range(PERIODS[period])]


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})
