"""Puts the catalogue into ClickHouse, so that views know thresholds, owners and names.

Each table is written in one block under one version; views look at the newest alone. So a query never sees half of a
catalogue, and what was taken out of the files is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline.domain.catalogue import Catalogue, Touchpoint
from pipeline.domain.scoring import DAY_MS, Scoring

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows by table."""

    tables: dict[str, list[Row]]


def rows(known: Catalogue, now_ms: int, live: int | None = None) -> Loaded:
    """What the tables must hold where that definition is live (None: the newest); `now_ms` is their version."""
    tables: dict[str, list[Row]] = {
        "catalogue_touchpoints": [_touchpoint(each) for each in known.touchpoints.values()],
        "catalogue_steps": _steps(known),
        "catalogue_settings": _settings(known, known.scoring if live is None else known.scorings[live]),
    }
    return Loaded({name: [{**row, "version": now_ms} for row in found] for name, found in tables.items()})


def load(client: Client, known: Catalogue, now_ms: int, live: int | None = None) -> None:
    """Write it. Raises the driver's Error."""
    for name, found in rows(known, now_ms, live).tables.items():
        if found:
            columns = list(found[0])
            client.insert(name, [[row[c] for c in columns] for row in found], columns, settings={"async_insert": 0})


def _touchpoint(each: Touchpoint) -> Row:
    expects, limits = each.expects, each.thresholds
    return {
        "touchpoint": each.id,
        "name": each.name,
        "channels": list(each.channels),
        "layer": each.layer,
        "visible": each.visible,
        "control": each.control,
        "partner": each.partner,
        "owner": each.owner,
        "deputy": each.deputy,
        "unit": each.unit,
        "promise": each.promise,
        "expects": "" if expects is None else expects.measure,
        "target": None if expects is None else expects.target,
        "lower_better": expects is None or expects.better == "lower",
        "measure": "" if limits is None else limits.measure,
        "green": None if limits is None else limits.green,
        "yellow": None if limits is None else limits.yellow,
        "hours": 0 if limits is None else limits.hours,
        "n_min": each.n_min,
        "when_red": each.when_red,
    }


def _steps(known: Catalogue) -> list[Row]:
    return [
        {
            "journey": journey.id,
            "journey_name": journey.name,
            "step": step.id,
            "step_name": step.name,
            "position": position,
            "touchpoints": list(step.touchpoints),
            "next": [to for start, to in journey.edges if start == step.id],
        }
        for journey in known.journeys.values()
        for position, step in enumerate(journey.steps, 1)
    ]


def _settings(known: Catalogue, scoring: Scoring) -> list[Row]:
    business = known.business
    times = business.complaints
    numbers = {
        "service_level_s": business.service_level_s,
        "escalate_h": business.escalate_h,
        "repeat_days": scoring.repeat_ms / DAY_MS,
        "severe_below": scoring.severe_below,
        "complaint_acknowledged_h": times.acknowledged_h,
        "complaint_assessed_h": times.assessed_h,
        "complaint_investigated_h": times.investigated_h,
        "complaint_responded_h": times.responded_h,
        "complaint_closed_h": times.closed_h,
    }
    found: list[Row] = [{"name": name, "value": value, "texts": []} for name, value in numbers.items()]
    return [*found, {"name": "segments", "value": 0.0, "texts": list(business.segments)}]
