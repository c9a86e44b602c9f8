"""The dashboards as a bundle that Superset imports: YAML files in one folder, in a zip.

The ids are made of the names, so that an import over an earlier one changes what is there and doubles nothing. The
bundle has no password: whoever imports it gives one (the import asks for it). It says where ClickHouse is, and nothing
else about a place.
"""

from __future__ import annotations

import io
import re
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.local.bi import filters
from pipeline.local.bi.charts import BAD, CASES, FIGURE, INTERVAL, Chart, Column, Dashboard, Dataset
from pipeline.local.bi.dashboards import DASHBOARDS
from pipeline.local.bi.datasets import DATASETS
from pipeline.settings import REPO

DATABASE = "Throughline"
DATABASE_FILE = "databases/throughline.yaml"
QUERIES = REPO / "deploy" / "superset" / "datasets"
_NAMES = uuid.UUID("5c1f1b0e-8f0f-4f0e-9c35-0b6f1d1d7a11")
_WIDTH, _TEXT_HEIGHT = 12, 12
_TYPES = {"text": "String", "number": "Float64", "flag": "UInt8", "day": "Date", "time": "DateTime"}
_ZIPPED_AT = (2026, 1, 1, 0, 0, 0)  # the same bundle is the same bytes
_ADDRESS = re.compile(r"[a-z]+(\+[a-z]+)?://[^\s:@/]+@[^\s:@/]+(:\d{1,5})?/\w+(\?[\w=&.,-]*)?")
#: A Superset filter's operator → its id in the browser.
_OPERATORS = {"==": "EQUALS", ">": "GREATER_THAN"}


class BadAddress(ValueError):
    """An address of ClickHouse that cannot be used; says what is expected."""


def query(dataset: Dataset) -> str:
    """The SQL of a dataset, with its comment."""
    return (QUERIES / f"{dataset.name}.sql").read_text()


def files(address: str, kind: str = "Dashboard") -> dict[str, str]:
    """Path → text. `address`: clickhousedb://user@host:port/database, as SQLAlchemy reads it, without a password.

    `kind`: Dashboard for Superset's own import of dashboards, which leaves a database that it knows as it is; assets
    for the import that overwrites everything. Raises BadAddress.
    """
    found: dict[str, Any] = {
        "metadata.yaml": {"version": "1.0.0", "type": kind, "timestamp": "2026-01-01T00:00:00+00:00"},
        DATABASE_FILE: _database(address),
    }
    for dataset in DATASETS:
        found[f"datasets/throughline/{dataset.name}.yaml"] = _dataset(dataset)
    for dashboard in DASHBOARDS:
        found[f"dashboards/{dashboard.slug}.yaml"] = _dashboard(dashboard)
        for place, chart in enumerate(dashboard.charts, 1):
            found[f"charts/{dashboard.slug}_{place:02}.yaml"] = _chart(dashboard, chart)
    return {path: yaml.safe_dump(content, sort_keys=False, allow_unicode=True) for path, content in found.items()}


def write(path: Path, address: str) -> None:
    """Put the bundle there. Raises BadAddress, OSError."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in files(address).items():
            bundle.writestr(zipfile.ZipInfo(f"throughline/{name}", _ZIPPED_AT), text, zipfile.ZIP_DEFLATED)
    path.write_bytes(packed.getvalue())


def name_of(*parts: str) -> str:
    """The id of a thing."""
    return str(uuid.uuid5(_NAMES, "/".join(parts)))


def _database(address: str) -> dict[str, Any]:
    if not _ADDRESS.fullmatch(address):
        raise BadAddress(
            "an address is clickhousedb://user@host:port/database, with ?secure=true for TLS, and has no "
            "password: whoever "
            "imports the bundle gives it then"
        )
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": address.replace("@", ":XXXXXXXXXX@"),
        "cache_timeout": None,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_csv_upload": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": name_of("database"),
        "version": "1.0.0",
    }


def _dataset(dataset: Dataset) -> dict[str, Any]:
    text = query(dataset)
    about = " ".join(line.removeprefix("-- ") for line in text.splitlines() if line.startswith("-- "))
    return {
        "table_name": dataset.name,
        "main_dttm_col": dataset.time or None,
        "description": about,
        "default_endpoint": None,
        "offset": 0,
        "cache_timeout": None,
        "catalog": None,
        "schema": None,
        "sql": "\n".join(line for line in text.splitlines() if not line.startswith("-- ")) + "\n",
        "params": None,
        "template_params": None,
        "filter_select_enabled": True,
        "fetch_values_predicate": None,
        "extra": None,
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "uuid": name_of("dataset", dataset.name),
        "metrics": [
            {
                "metric_name": metric.name,
                "verbose_name": metric.label,
                "metric_type": None,
                "expression": metric.expression,
                "description": None,
                "d3format": metric.format or None,
                "currency": None,
                "extra": None,
                "warning_text": None,
            }
            for metric in dataset.metrics
        ],
        "columns": [_column(column) for column in dataset.columns],
        "version": "1.0.0",
        "database_uuid": name_of("database"),
    }


def _column(column: Column) -> dict[str, Any]:
    return {
        "column_name": column.name,
        "verbose_name": column.label,
        "is_dttm": column.kind in ("day", "time"),
        "is_active": True,
        "type": _TYPES[column.kind],
        "advanced_data_type": None,
        "groupby": True,
        "filterable": True,
        "expression": None,
        "description": None,
        "python_date_format": None,
        "extra": None,
    }


def _chart(dashboard: Dashboard, chart: Chart) -> dict[str, Any]:
    conditions = [
        {
            "clause": "WHERE",
            "expressionType": "SIMPLE",
            "subject": column,
            "operator": operator,
            "operatorId": _OPERATORS[operator],
            "comparator": value,
            "filterOptionName": f"filter_{place}",
        }
        for place, (column, operator, value) in enumerate(chart.filters)
    ] + filters.of_time(dashboard, chart)
    return {
        "slice_name": chart.title,
        "description": chart.about,
        "certified_by": None,
        "certification_details": None,
        "viz_type": chart.kind,
        "params": {
            **chart.params,
            "viz_type": chart.kind,
            "adhoc_filters": conditions,
            **({"adhoc_filters_b": conditions} if chart.kind == "mixed_timeseries" else {}),
            "extra_form_data": {},
        },
        "query_context": None,
        "cache_timeout": None,
        "uuid": chart_id(dashboard, chart),
        "version": "1.0.0",
        "dataset_uuid": name_of("dataset", chart.dataset.name),
    }


def chart_id(dashboard: Dashboard, chart: Chart) -> str:
    """The id of a chart: its title is unique on its dashboard."""
    return name_of("chart", dashboard.slug, chart.title)


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "dashboard_title": dashboard.title,
        "description": dashboard.about,
        "css": "",
        "slug": dashboard.slug,
        "certified_by": None,
        "certification_details": None,
        "published": True,
        "uuid": name_of("dashboard", dashboard.slug),
        "position": _position(dashboard),
        "metadata": {
            "color_scheme": "supersetColors",
            "refresh_frequency": 0,
            "cross_filters_enabled": False,
            "native_filter_configuration": filters.configuration(dashboard, name_of, _numbers(dashboard)),
            "filter_bar_orientation": "HORIZONTAL",
            "timed_refresh_immune_slices": [],
            "expanded_slices": {},
            "label_colors": _colours(dashboard),
            "shared_label_colors": [],
            "default_filters": "{}",
            "chart_configuration": {},
        },
        "version": "1.0.0",
    }


def _colours(dashboard: Dashboard) -> dict[str, str]:
    """Figures have the same colour in every chart: by the name of the metric and by its label."""
    found: dict[str, str] = {}
    for chart in dashboard.charts:
        for metric in chart.dataset.metrics:
            if metric.name in chart.metrics:
                found[metric.name] = found[metric.label] = _colour(metric.name)
    return found


def _colour(metric: str) -> str:
    if metric.endswith(("_low", "_high")):
        return INTERVAL
    if metric in ("pieces", "all_offered", "waits_known", "last_persons"):
        return CASES
    return BAD if metric in ("all_abandoned", "dropped_persons", "people_at_risk") else FIGURE


def _numbers(dashboard: Dashboard) -> dict[str, int]:
    """A chart's title → its number in this bundle, where each has its own; an import puts Superset's there."""
    first = DASHBOARDS.index(dashboard) * 1000
    return {chart.title: first + place for place, chart in enumerate(dashboard.charts, 1)}


def _position(dashboard: Dashboard) -> dict[str, Any]:
    """Superset's tree of rows and charts."""
    numbers = _numbers(dashboard)
    parents = ["ROOT_ID", "GRID_ID"]
    grid: list[str] = ["ROW-about"]
    tree: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": grid, "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": dashboard.title}},
        "ROW-about": _row("ROW-about", ["MARKDOWN-about"], parents),
        "MARKDOWN-about": {
            "type": "MARKDOWN",
            "id": "MARKDOWN-about",
            "children": [],
            "parents": [*parents, "ROW-about"],
            "meta": {"code": dashboard.about, "width": _WIDTH, "height": _TEXT_HEIGHT},
        },
    }
    for row_number, row in enumerate(dashboard.rows, 1):
        row_id = f"ROW-{row_number}"
        grid.append(row_id)
        places = [f"CHART-{row_number}-{place}" for place, _ in enumerate(row, 1)]
        tree[row_id] = _row(row_id, places, parents)
        for chart_key, chart in zip(places, row, strict=True):
            meta: Mapping[str, Any] = {
                "chartId": numbers[chart.title],
                "uuid": chart_id(dashboard, chart),
                "sliceName": chart.title,
                "width": chart.width,
                "height": chart.height,
            }
            tree[chart_key] = {
                "type": "CHART",
                "id": chart_key,
                "children": [],
                "parents": [*parents, row_id],
                "meta": dict(meta),
            }
    return tree


def _row(row_id: str, children: list[str], parents: list[str]) -> dict[str, Any]:
    return {
        "type": "ROW",
        "id": row_id,
        "children": children,
        "parents": parents,
        "meta": {"background": "BACKGROUND_TRANSPARENT"},
    }
