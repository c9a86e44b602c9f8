"""The dashboards without Superset: every query runs as the user for reports, and every chart asks for what there is."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from clickhouse_connect.driver.client import Client

from pipeline.clickhouse import connect
from pipeline.local.bi import bundle, datasets_analyses
from pipeline.local.bi.charts import Chart, Dashboard, Dataset, Filter
from pipeline.local.bi.dashboards import DASHBOARDS
from pipeline.local.bi.datasets import DATASETS
from pipeline.settings import REPO
from tests import reported
from tests.conftest import Stack

ADDRESS = "clickhousedb://bi@clickhouse.example:8443/throughline?secure=true"
FILTERS = [(dashboard, each) for dashboard in DASHBOARDS for each in dashboard.filters]
CHARTS = [(dashboard, chart) for dashboard in DASHBOARDS for chart in dashboard.charts]
EXAMPLES = (REPO / "deploy" / "clickhouse" / "examples.sql").read_text()
#: Figure → what has to stand beside it.
BESIDE = {
    "score": {"pieces", "score_low", "score_high"},
    "service_level": {"service_level_low", "service_level_high", "all_offered"},
    "abandonment": {"abandonment_low", "abandonment_high", "all_offered"},
    "answer_speed": {"waits_known"},
    "handle_time": {"handles_known"},
    "risk_share": {"risk_share_low", "risk_share_high", "people"},
    "close_median_h": {"closed_n"},
    "close_90_h": {"closed_n"},
    "median_delay": {"arrived"},
    "importance": {"importance_low", "importance_high"},
    "explained": {"explained_low", "explained_high", "people_asked"},
    "people_lost": {"people_there"},
}
BESIDE_COLUMNS = {
    "expectations": {"met": {"met_low", "met_high", "n"}},
    "dots": {"value": {"low", "high", "n"}},
    "surveys": {each: {f"{each}_low", f"{each}_high", f"{each}_n"} for each in ("nps", "csat", "ces")},
    "consistency": {"mean": {"n", "low_95", "high_95"}},
    "steps": {
        "went_on_share": {"went_on_low", "went_on_high", "persons"},
        "score": {"score_low", "score_high", "experiences"},
    },
    "ways": {"went_on_share": {"went_on_low", "went_on_high", "persons"}},
    "alerts": {"value": {"low", "high", "n"}},
    "drivers": {each: {f"{each}_low", f"{each}_high", "n"} for each in ("share", "performance", "coefficient")},
    "segments": {each: {f"{each}_low", f"{each}_high", "n"} for each in ("mean", "difference")},
    "link_effects": {each: {f"{each}_low", f"{each}_high", "n"} for each in ("effect", "spearman")},
    "change_effects": {
        "effect": {"effect_low", "effect_high", "others"},
        **{each: {f"{each}_low", f"{each}_high", f"{each}_n"} for each in ("before", "after")},
    },
    "paths": {"share": {"share_low", "share_high", "n", "of_n"}},
    "customers": {
        **{each: {f"{each}_n"} for each in ("overall", "effectiveness", "ease", "emotion")},
        "worst_value": {"worst_n"},
    },
}


@pytest.fixture(scope="module")
def analysed(stack: Stack) -> None:
    with connect(stack.settings, stack.keys, "throughline") as client:
        reported.keep_everything(client)


@pytest.fixture(scope="module")
def reader(stack: Stack, analysed: None) -> Iterator[Client]:
    with stack.reader() as made:
        yield made


def named(pair: object) -> str:
    return getattr(pair, "title", None) or getattr(pair, "slug", None) or getattr(pair, "name", "")


@pytest.mark.parametrize("dataset", DATASETS, ids=named)
def test_a_datasets_query_gives_what_it_says(reader: Client, dataset: Dataset) -> None:
    reader.query(bundle.query(dataset))
    described = reader.query(f"DESCRIBE ({bundle.query(dataset)}\n)").result_rows
    found = {name: re.sub(r"^(LowCardinality|Nullable)\(|\)$", "", kind) for name, kind, *_ in described}
    assert set(found) == {column.name for column in dataset.columns}
    starts = {"day": "Date", "time": "DateTime", "number": ("UInt", "Int", "Float", "Nullable(Float")}
    for column in dataset.columns:
        assert found[column.name].startswith(starts.get(column.kind, ("String", "Enum", "Nullable(String"))), column


@pytest.mark.parametrize(("dashboard", "chart"), CHARTS, ids=named)
def test_a_chart_asks_for_what_there_is(reader: Client, dashboard: Dashboard, chart: Chart) -> None:
    """Of analyses there is a result of each kind, so there are rows."""
    figures = {metric.name: metric.expression for metric in chart.dataset.metrics}
    asked = [*chart.columns, *(f"{figures[name]} AS {name}" for name in chart.metrics)]
    known = {column.name for column in chart.dataset.columns}
    assert set(chart.columns) <= known
    assert {column for column, _, _ in chart.filters} <= known
    conditions = [f"{column} {operator} {value!r}" for column, operator, value in chart.filters]
    if dashboard.period and dashboard.period.narrows(chart):
        conditions.append(f"{chart.dataset.time} >= today() - 27")
    sql = f"SELECT {', '.join(asked)} FROM ({bundle.query(chart.dataset)}\n) AS q"
    sql += f" WHERE {' AND '.join(conditions)}" if conditions else ""
    if chart.metrics and chart.columns:
        sql += f" GROUP BY {', '.join(chart.columns)}"
    if chart.order:
        sql += " ORDER BY " + ", ".join(f"{name} {'ASC' if up else 'DESC'}" for name, up in chart.order)
    found = reader.query(f"{sql} LIMIT {chart.limit}").result_rows
    assert found or chart.dataset not in datasets_analyses.DATASETS


@pytest.mark.parametrize(("dashboard", "chart"), CHARTS, ids=named)
def test_no_score_stands_alone(dashboard: Dashboard, chart: Chart) -> None:
    for metric in chart.metrics:
        assert BESIDE.get(metric, set()) <= set(chart.metrics), metric
    if not chart.metrics:
        for column in chart.columns:
            assert BESIDE_COLUMNS.get(chart.dataset.name, {}).get(column, set()) <= set(chart.columns), column


FILES = {path: yaml.safe_load(text) for path, text in bundle.files(ADDRESS).items()}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=named)
def test_a_dashboard_says_nothing_twice(dashboard: Dashboard) -> None:
    """Charts of one title would be one chart, and Superset refuses one label for two columns."""
    assert Counter(chart.title for chart in dashboard.charts).most_common(1)[0][1] == 1
    for chart in dashboard.charts:
        labels = {each.name: each.label for each in chart.dataset.columns}
        labels |= {each.name: each.label for each in chart.dataset.metrics}
        shown = Counter(labels[name] for name in (*chart.columns, *chart.metrics))
        assert shown.most_common(1)[0][1] == 1, chart.title


class TestFilters:
    """Of the bundle: what Superset is told, against what the datasets have."""

    def told(self, dashboard: Dashboard, each: Filter) -> dict[str, Any]:
        """What the bundle says of a filter."""
        metadata = FILES[f"dashboards/{dashboard.slug}.yaml"]["metadata"]
        (found,) = (told for told in metadata["native_filter_configuration"] if told["name"] == each.title)
        return dict(found)

    def kept_away(self, dashboard: Dashboard, told: dict[str, Any]) -> set[str]:
        """The titles of the charts that a filter leaves alone."""
        position = FILES[f"dashboards/{dashboard.slug}.yaml"]["position"]
        nodes = [node for node in position.values() if isinstance(node, dict) and node["type"] == "CHART"]
        titles = {node["meta"]["chartId"]: node["meta"]["sliceName"] for node in nodes}
        return {titles[number] for number in told["scope"]["excluded"]}

    def test_every_dashboard_of_what_goes_on_has_some(self) -> None:
        found_once = {"throughline-drivers"}  # what an analysis found is of the days that it was asked of
        assert {dashboard.slug for dashboard in DASHBOARDS if not dashboard.filters} <= found_once

    @pytest.mark.parametrize(("dashboard", "each"), FILTERS, ids=named)
    def test_it_offers_what_a_dataset_has(self, dashboard: Dashboard, each: Filter) -> None:
        told = self.told(dashboard, each)
        datasets = {content["uuid"]: content for path, content in FILES.items() if path.startswith("datasets/")}
        (target,) = told["targets"]
        if each.column:
            assert told["filterType"] == "filter_select"
            columns = [column["column_name"] for column in datasets[target["datasetUuid"]]["columns"]]
            assert target["column"]["name"] in columns
        else:
            assert told["filterType"] == "filter_time"
            assert target == {}

    @pytest.mark.parametrize(("dashboard", "each"), FILTERS, ids=named)
    def test_it_is_kept_away_from_charts_without_the_column(self, dashboard: Dashboard, each: Filter) -> None:
        away = self.kept_away(dashboard, self.told(dashboard, each))
        without = {
            chart.title
            for chart in dashboard.charts
            if each.column and each.column not in {column.name for column in chart.dataset.columns}
        }
        if not each.column:
            without = {chart.title for chart in dashboard.charts if not chart.dataset.time or chart.present}
        assert away == without
        assert len(away) < len(dashboard.charts)  # it does something

    @pytest.mark.parametrize("dashboard", DASHBOARDS, ids=named)
    def test_no_filter_is_there_twice(self, dashboard: Dashboard) -> None:
        for names in ([each.title for each in dashboard.filters], [each.column for each in dashboard.filters]):
            assert len(set(names)) == len(names)

    def test_a_period_reaches_the_charts_by_their_time(self) -> None:
        """Superset puts the period in the place of such a condition of the chart, and does nothing without one."""
        reached = {
            (content["uuid"], condition["subject"], condition["comparator"])
            for path, content in FILES.items()
            if path.startswith("charts/")
            for name in ("adhoc_filters", "adhoc_filters_b")
            for condition in content["params"].get(name, [])
            if condition["operator"] == "TEMPORAL_RANGE"
        }
        assert reached == {
            (bundle.chart_id(dashboard, chart), chart.dataset.time, dashboard.period.begins)
            for dashboard, chart in CHARTS
            if dashboard.period and dashboard.period.narrows(chart)
        }
        assert not any(
            "time_range" in content["params"] for path, content in FILES.items() if path.startswith("charts/")
        )

    def test_what_a_period_is_of_are_days(self) -> None:
        """Superset compares with the times of its own server; a day of the business is one there as well."""
        for dataset in DATASETS:
            kinds = {column.name: column.kind for column in dataset.columns}
            assert not dataset.time or kinds[dataset.time] == "day", dataset.name


class TestTheBundle:
    def of(self, folder: str) -> list[dict[str, Any]]:
        return [content for path, content in FILES.items() if path.startswith(f"{folder}/")]

    def test_every_id_is_there_once(self) -> None:
        kinds = ("databases", "datasets", "charts", "dashboards")
        ids = Counter(content["uuid"] for kind in kinds for content in self.of(kind))
        assert set(ids.values()) == {1}
        assert {each["database_uuid"] for each in self.of("datasets")} == {self.of("databases")[0]["uuid"]}
        used = {each["dataset_uuid"] for each in self.of("charts")}
        used |= {bundle.name_of("dataset", each.values.name) for _, each in FILTERS if each.values}
        assert used == {each["uuid"] for each in self.of("datasets")}

    def test_every_chart_is_on_one_dashboard_and_fits(self) -> None:
        placed: list[str] = []
        numbers: list[int] = []
        for dashboard in self.of("dashboards"):
            tree = {key: node for key, node in dashboard["position"].items() if isinstance(node, dict)}
            for key, node in tree.items():
                assert node["id"] == key
                assert all(child in tree for child in node.get("children", []))
                if node["type"] == "ROW":
                    assert sum(tree[child]["meta"]["width"] for child in node["children"]) == 12
                if node["type"] == "CHART":
                    placed.append(node["meta"]["uuid"])
                    numbers.append(node["meta"]["chartId"])
        assert sorted(placed) == sorted(each["uuid"] for each in self.of("charts"))
        assert len(set(numbers)) == len(numbers)

    def test_the_dashboards_are_those_of_the_issue(self) -> None:
        assert [dashboard.title for dashboard in DASHBOARDS] == [
            *("Experience overview", "Touchpoints", "Drivers", "Queues", "Journeys"),
            *("Complaints and alerts", "Customers at risk", "Data quality"),
        ]

    def test_it_says_where_clickhouse_is_and_no_password(self) -> None:
        (database,) = self.of("databases")
        assert database["sqlalchemy_uri"] == ADDRESS.replace("@", ":XXXXXXXXXX@")
        assert not any(database[name] for name in ("allow_dml", "allow_ctas", "allow_csv_upload"))

    def test_it_is_a_zip_and_the_same_every_time(self, tmp_path: Path) -> None:
        for name in ("a.zip", "b.zip"):
            bundle.write(tmp_path / name, ADDRESS)
        assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
        with zipfile.ZipFile(tmp_path / "a.zip") as packed:
            assert {name.removeprefix("throughline/") for name in packed.namelist()} == set(FILES)
            assert yaml.safe_load(packed.read("throughline/metadata.yaml"))["type"] == "Dashboard"

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "clickhouse.example:8443",
            "clickhousedb://clickhouse.example/throughline",
            "clickhousedb://bi:secret@clickhouse.example/throughline",
            "clickhousedb://bi@clickhouse.example",
            "clickhousedb://bi@a b/throughline",
        ],
    )
    def test_an_address_that_cannot_be_used_is_refused(self, address: str) -> None:
        with pytest.raises(bundle.BadAddress, match="no password"):
            bundle.files(address)


def statements() -> list[str]:
    return [each.strip() for each in EXAMPLES.split(";\n") if "SELECT" in each]


def test_there_are_examples_in_plain_sql() -> None:
    assert len(statements()) >= 12
    assert all(each.startswith("--") for each in statements())


@pytest.mark.parametrize("sql", statements())
def test_an_example_runs_as_the_user_for_reports(reader: Client, sql: str) -> None:
    reader.query(sql)
