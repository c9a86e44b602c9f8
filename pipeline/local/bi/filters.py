"""A dashboard's filters as Superset keeps them: its "native filters", and what charts need for a period to reach them.

A filter of a column acts in Superset on every chart that it is not kept away from, and a chart whose dataset lacks the
column then says so with a warning; so each filter is kept away from those. A period acts on a chart only through a
condition of the chart's own that its dataset's time is in a range (TEMPORAL_RANGE), and takes the place of that range.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.local.bi.charts import Chart, Dashboard, Filter

ALWAYS = "No filter"


def configuration(dashboard: Dashboard, name_of: Callable[..., str], numbers: dict[str, int]) -> list[dict[str, Any]]:
    """For the metadata of a dashboard. `name_of` makes ids of names; `numbers`: a chart's title → its number there."""
    return [
        {
            "id": f"NATIVE_FILTER-{name_of('filter', dashboard.slug, each.title)}",
            "type": "NATIVE_FILTER",
            "name": each.title,
            "description": "",
            "filterType": "filter_select" if each.column else "filter_time",
            "targets": [_target(each, name_of)],
            "defaultDataMask": _chosen(each),
            "controlValues": dict(_CONTROLS) if each.column else {"enableEmptyFilter": False},
            "cascadeParentIds": [],
            "scope": {
                "rootPath": ["ROOT_ID"],
                "excluded": [numbers[chart.title] for chart in dashboard.charts if not each.narrows(chart)],
            },
        }
        for each in dashboard.filters
    ]


def of_time(dashboard: Dashboard, chart: Chart) -> list[dict[str, Any]]:
    """The condition by which the period reaches a chart: none, or one."""
    period = dashboard.period
    if period is None or not period.narrows(chart):
        return []
    return [
        {
            "clause": "WHERE",
            "expressionType": "SIMPLE",
            "subject": chart.dataset.time,
            "operator": "TEMPORAL_RANGE",
            "operatorId": "TEMPORAL_RANGE",
            "comparator": period.begins or ALWAYS,
            "filterOptionName": "filter_period",
        }
    ]


_CONTROLS = {
    "enableEmptyFilter": False,
    "defaultToFirstItem": False,
    "multiSelect": True,
    "searchAllOptions": False,
    "inverseSelection": False,
}


def _target(each: Filter, name_of: Callable[..., str]) -> dict[str, Any]:
    if each.values is None:
        return {}  # a period is of each chart's own time
    return {"datasetUuid": name_of("dataset", each.values.name), "column": {"name": each.column}}


def _chosen(each: Filter) -> dict[str, Any]:
    if not each.begins:
        return {"extraFormData": {}, "filterState": {"value": None}}
    return {"extraFormData": {"time_range": each.begins}, "filterState": {"value": each.begins}}
