"""What a dashboard is made of: datasets with columns and metrics, and the kinds of charts that are used.

Pure. A chart knows which columns and metrics it asks for, so that tests can ask the same without Superset.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

NUMBER, SCORE, SHARE, DECIMAL, DURATION = ",.0f", ".0f", ".0%", ",.1f", "DURATION"  # the last is of milliseconds
RED, YELLOW, GREEN, GREY = "#C23B22", "#B58900", "#3C8D40", "#8A8A8A"
#: Of figures, wherever they are drawn: the figure is dark, its interval pale, what it rests on paler still.
FIGURE, INTERVAL, CASES, BAD = "#1D5A8A", "#8FB3CF", "#DDE3E8", "#C9614C"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a dataset's query. `kind`: text, number, flag, day or time."""

    name: str
    label: str
    kind: str = "text"
    format: str = ""  # of numbers, in d3's notation


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure over any rows of a dataset."""

    name: str
    label: str
    expression: str
    format: str = NUMBER


@dataclass(frozen=True, slots=True)
class Dataset:
    """A query, in deploy/superset/datasets/<name>.sql. `time`: the day or week that a period is of."""

    name: str
    columns: Sequence[Column]
    metrics: Sequence[Metric] = ()
    time: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. `columns` and `metrics` are the names of what it asks its dataset for."""

    title: str
    dataset: Dataset
    kind: str  # of Superset
    params: Mapping[str, Any]
    columns: Sequence[str] = ()
    metrics: Sequence[str] = ()
    about: str = ""
    width: int = 4  # of 12
    height: int = 50  # of 8 pixels
    filters: Sequence[tuple[str, str, Any]] = ()  # column, operator, value
    order: Sequence[tuple[str, bool]] = ()  # column or metric, ascending
    limit: int = 1000
    present: bool = False  # it shows what stands now, whatever period is looked at


@dataclass(frozen=True, slots=True)
class Filter:
    """What people choose at the top of a dashboard: values of a column, or the period.

    `values`: the dataset that the choices are read from. Without a column it is the period, asked of each dataset's
    `time`. `begins`: what is chosen before anybody chooses: a period as Superset writes it; empty: everything.
    """

    title: str
    column: str = ""
    values: Dataset | None = None
    begins: str = ""

    def narrows(self, chart: Chart) -> bool:
        """Whether it has a say in what a chart shows."""
        if not self.column:
            return bool(chart.dataset.time) and not chart.present
        return any(column.name == self.column for column in chart.dataset.columns)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Rows of charts under a title. `about` tells at its top how to read it (Markdown)."""

    slug: str
    title: str
    about: str
    rows: Sequence[Sequence[Chart]] = field(default_factory=tuple)
    filters: Sequence[Filter] = ()

    @property
    def charts(self) -> list[Chart]:
        """All of them, from the top left on."""
        return [chart for row in self.rows for chart in row]

    @property
    def period(self) -> Filter | None:
        """Its filter of the period."""
        return next((each for each in self.filters if not each.column), None)


def period(days: int) -> Filter:
    """The period; at first so many days with today, which Superset's own "Last 28 days" is without."""
    return Filter("Period", begins=f"{days - 1} days ago : tomorrow")  # until tomorrow begins


def choice(values: Dataset, column: str, title: str = "") -> Filter:
    """Values of a column, as its label or `title` calls them; nothing chosen is everything."""
    label = next(each.label for each in values.columns if each.name == column)
    return Filter(title or label, column, values)


def present(chart: Chart) -> Chart:
    """The chart, left alone by the period: it shows what stands now."""
    return replace(chart, present=True)


def number(title: str, dataset: Dataset, metric: str, about: str, *, where: Filters = (), width: int = 3) -> Chart:
    """One big figure, with words below it."""
    found = _metric(dataset, metric)
    params = {
        "metric": metric,
        "subtitle": about,
        "y_axis_format": found.format,
        "header_font_size": 0.4,
        "subtitle_font_size": 0.15,
        "time_format": "smart_date",
    }
    return Chart(title, dataset, "big_number_total", params, (), (metric,), about, width, 22, where)


def rows(
    title: str,
    dataset: Dataset,
    columns: Sequence[str],
    about: str,
    *,
    order: Sequence[tuple[str, bool]] = (),
    where: Filters = (),
    colours: Sequence[tuple[str, str, Any, str]] = (),
    width: int = 12,
    height: int = 50,
    limit: int = 200,
) -> Chart:
    """A table of rows as they are. `colours`: column, operator, value, colour."""
    params = {
        "query_mode": "raw",
        "all_columns": list(columns),
        "order_by_cols": [json.dumps([column, ascending]) for column, ascending in order],
        **_table(dataset, columns, colours, limit),
    }
    return Chart(title, dataset, "table", params, columns, (), about, width, height, where, order, limit)


def groups(
    title: str,
    dataset: Dataset,
    by: Sequence[str],
    metrics: Sequence[str],
    about: str,
    *,
    order: tuple[str, bool],
    where: Filters = (),
    colours: Sequence[tuple[str, str, Any, str]] = (),
    width: int = 12,
    height: int = 50,
    limit: int = 200,
) -> Chart:
    """A table of figures per group, ordered by one of its metrics."""
    params = {
        "query_mode": "aggregate",
        "groupby": list(by),
        "metrics": list(metrics),
        "timeseries_limit_metric": order[0],
        "order_desc": not order[1],
        **_table(dataset, metrics, colours, limit),
    }
    return Chart(title, dataset, "table", params, by, metrics, about, width, height, where, (order,), limit)


def bars(
    title: str,
    dataset: Dataset,
    x: str,
    metrics: Sequence[str],
    about: str,
    *,
    by: Sequence[str] = (),
    stack: bool = False,
    horizontal: bool = False,
    sort: tuple[str, bool] | None = None,
    where: Filters = (),
    width: int = 6,
    height: int = 50,
    y_title: str = "",
    limit: int = 1000,
) -> Chart:
    """Bars over time, or one for each value of a column; `sort`: by which metric (or the column itself), ascending."""
    params = {
        **_series(dataset, x, metrics, by, y_title),
        "seriesType": "bar",
        "orientation": "horizontal" if horizontal else "vertical",
        "stack": "Stack" if stack else None,
        "show_value": not by and not stack,
    }
    if sort and by:  # bars of several series have a setting of their own
        params |= {"x_axis_sort_series": "sum", "x_axis_sort_series_ascending": sort[1]}
    elif sort:
        params |= {"x_axis_sort": sort[0], "x_axis_sort_asc": sort[1]}
    columns = (x, *by)
    return Chart(
        title, dataset, "echarts_timeseries_bar", params, columns, metrics, about, width, height, where, limit=limit
    )


def lines(
    title: str,
    dataset: Dataset,
    x: str,
    metrics: Sequence[str],
    about: str,
    *,
    by: Sequence[str] = (),
    where: Filters = (),
    logarithmic: bool = False,
    width: int = 6,
    height: int = 50,
    y_title: str = "",
) -> Chart:
    """Lines over time."""
    params = {
        **_series(dataset, x, metrics, by, y_title),
        "seriesType": "line",
        "markerEnabled": True,
        "markerSize": 4,
        "logAxis": logarithmic,
    }
    columns = (x, *by)
    return Chart(title, dataset, "echarts_timeseries_line", params, columns, metrics, about, width, height, where)


def lines_over_bars(
    title: str,
    dataset: Dataset,
    x: str,
    above: Sequence[str],
    below: Sequence[str],
    about: str,
    *,
    where: Filters = (),
    bounds: tuple[float | None, float | None] = (None, None),
    y_title: str = "",
    width: int = 4,
    height: int = 50,
) -> Chart:
    """Figures as lines (left axis) with what they rest on as bars (right axis)."""
    params = {
        "x_axis": x,
        "time_grain_sqla": None,
        "metrics": list(above),
        "groupby": [],
        "metrics_b": list(below),
        "groupby_b": [],
        "seriesType": "line",
        "seriesTypeB": "bar",
        "opacityB": 0.25,
        "markerEnabled": True,
        "markerSize": 4,
        "yAxisIndex": 0,
        "yAxisIndexB": 1,
        "y_axis_format": _metric(dataset, above[0]).format,
        "y_axis_format_secondary": NUMBER,
        "y_axis_bounds": list(bounds),
        "y_axis_bounds_secondary": [0, None],
        "truncateYAxis": True,
        "yAxisTitle": y_title,
        "yAxisTitleMargin": 40,
        "row_limit": 1000,
        "row_limit_b": 1000,
        "truncate_metric": True,
        "truncate_metric_b": True,
        **_LOOKS,
    }
    metrics = (*above, *below)
    return Chart(title, dataset, "mixed_timeseries", params, (x,), metrics, about, width, height, where)


Filters = Sequence[tuple[str, str, Any]]
_LOOKS = {
    "rich_tooltip": True,
    "tooltipTimeFormat": "%a %d %b %Y",
    "x_axis_time_format": "%d %b",
    "show_legend": True,
    "legendType": "plain",
    "legendOrientation": "bottom",
    "color_scheme": "supersetColors",
    "xAxisLabelInterval": "auto",
}


def _series(dataset: Dataset, x: str, metrics: Sequence[str], by: Sequence[str], y_title: str) -> dict[str, Any]:
    return {
        "x_axis": x,
        "time_grain_sqla": None,
        "metrics": list(metrics),
        "groupby": list(by),
        "row_limit": 1000,
        "truncate_metric": True,
        "y_axis_format": _metric(dataset, metrics[0]).format,
        "y_axis_title": y_title,
        "y_axis_title_margin": 50 if y_title else 0,
        "y_axis_title_position": "Left",
        "only_total": True,
        **_LOOKS,
    }


def _table(
    dataset: Dataset, shown: Sequence[str], colours: Sequence[tuple[str, str, Any, str]], limit: int
) -> dict[str, Any]:
    looks: dict[str, dict[str, str]] = {
        column.name: {"d3TimeFormat": "%a %d %b %Y"} if column.kind == "day" else {"d3NumberFormat": column.format}
        for column in dataset.columns
        if column.format or column.kind == "day"
    }
    looks |= {metric.name: {"d3NumberFormat": metric.format} for metric in dataset.metrics if metric.format}
    return {
        "row_limit": limit,
        "server_page_length": 10,
        "page_length": 0,
        "include_search": False,
        "table_timestamp_format": "%Y-%m-%d %H:%M",
        "allow_render_html": False,
        "show_cell_bars": False,
        "color_pn": False,
        "column_config": {name: looks[name] for name in shown if name in looks},
        "conditional_formatting": [
            {"column": column, "operator": operator, "targetValue": value, "colorScheme": colour}
            for column, operator, value, colour in colours
        ],
    }


def _metric(dataset: Dataset, name: str) -> Metric:
    return next(metric for metric in dataset.metrics if metric.name == name)
