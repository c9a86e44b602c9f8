"""`make test-bi`: the dashboards in a real Superset, over a stack of its own with the demo shop's data.

Every chart is asked of Superset's chart API: it returns rows, and no error. Then every dashboard is looked at in a
browser: its filters are there, as many charts as there are draw, none says that something is wrong, and what is chosen
in a filter reaches the charts that it is meant for, and no other.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx
import pytest
from aiokafka import AIOKafkaProducer
from playwright.sync_api import Browser, Page, Response, sync_playwright

from pipeline.local.bi.charts import Chart, Dashboard
from pipeline.local.bi.dashboards import DASHBOARDS, OVERVIEW
from pipeline.local.bi.datasets import DATASETS
from tests import reported
from tests.system.product import Product, eventually, free_port, running

SET_UP_S_MAX = 400.0
SHOP_S_MAX = 240.0
DRAWN_S_MAX = 150.0
CHARTS = [(dashboard, chart) for dashboard in DASHBOARDS for chart in dashboard.charts]
pytestmark = pytest.mark.timeout(600)


def named(pair: object) -> str:
    return getattr(pair, "title", None) or getattr(pair, "slug", "")


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A stack with what the shop has played, and three records that nobody can use."""
    with running(tmp_path_factory.mktemp("bi"), "--shop") as product:
        asyncio.run(unusable(product))
        eventually(lambda: full(product), SHOP_S_MAX)
        analysed(product)
        yield product


def analysed(product: Product) -> None:
    """A result of each kind of analysis: what the shop plays in minutes is too little for one."""
    known = product.keys["clickhouse"]
    with clickhouse_connect.get_client(
        host="127.0.0.1",
        port=product.clickhouse_port,
        username=known["user"],
        password=known["password"],
        database="throughline",
        autogenerate_session_id=False,
    ) as client:
        reported.keep_everything(client)


async def unusable(product: Product) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{product.kafka_port}")
    await producer.start()
    try:
        for number in range(3):
            await producer.send_and_wait("interactions.web", b"this is no Avro", key=f"customer:bi-{number}".encode())
    finally:
        await producer.stop()


def full(product: Product) -> bool:
    """Whether everything that a dashboard shows is there."""
    wanted = {
        "interactions": 2_000,
        "rejections": 3,
        "touchpoint_dots": 5,
        "queue_intervals": 10,
        "journey_edges": 5,
        "complaint_times WHERE closed_at IS NULL": 1,
        "complaint_times WHERE closed_at IS NOT NULL": 1,
        "customer_current": 50,
        "alerts_open": 1,
    }
    found = {name: int(product.sql(f"SELECT count() AS n FROM {name}")[0]["n"]) for name in wanted}
    return all(found[name] >= least for name, least in wanted.items())


@dataclass
class Superset:
    """A running Superset, signed in by its API."""

    url: str
    password: str
    api: httpx.Client
    printed: str

    def charts(self, dashboard: Dashboard) -> dict[str, Any]:
        """Title → what the API says of a chart."""
        answer = self.api.get(f"/api/v1/dashboard/{dashboard.slug}/charts")
        answer.raise_for_status()
        return {each["slice_name"]: each for each in answer.json()["result"]}

    def ask(self, dashboard: Dashboard, chart: Chart, **chosen: object) -> dict[str, Any]:
        """What the chart API answers for one query of a chart; `chosen`: `period`, or a column's values."""
        form = self.charts(dashboard)[chart.title]["form_data"]
        period = chosen.pop("period", dashboard.period.begins if dashboard.period else "")
        conditions = [{"col": column, "op": operator, "val": value} for column, operator, value in chart.filters]
        conditions += [{"col": column, "op": "IN", "val": values} for column, values in chosen.items()]
        if dashboard.period and dashboard.period.narrows(chart):
            conditions.append({"col": chart.dataset.time, "op": "TEMPORAL_RANGE", "val": period})
        query = {
            "columns": list(chart.columns),
            "metrics": list(chart.metrics) or None,
            "filters": conditions,
            "orderby": [[name, ascending] for name, ascending in chart.order],
            "row_limit": chart.limit,
        }
        source, _, kind = form["datasource"].partition("__")
        answer = self.api.post(
            "/api/v1/chart/data",
            json={
                "datasource": {"id": int(source), "type": kind},
                "queries": [query],
                "form_data": form,
                "result_format": "json",
                "result_type": "full",
                "force": True,
            },
        )
        assert answer.status_code == 200, answer.text
        [result] = answer.json()["result"]
        return dict(result)


@pytest.fixture(scope="session")
def superset(product: Product) -> Iterator[Superset]:
    """Run by the command that `make bi` runs; Ctrl-C ends it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "bi"],
        env={**product.environment, "THROUGHLINE_BI_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    late = threading.Timer(SET_UP_S_MAX, process.kill)
    late.start()
    printed = ""
    assert process.stdout is not None
    try:
        for line in process.stdout:
            printed += line
            if "Ctrl-C" in line:
                break
        late.cancel()
        assert "The dashboards are ready" in printed, printed
        secrets = json.loads((product.home / "superset" / "secrets.json").read_text())
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=180) as api:
            signing = {"username": "admin", "password": secrets["admin"], "provider": "db"}
            token = api.post("/api/v1/security/login", json=signing).raise_for_status().json()["access_token"]
            api.headers["Authorization"] = f"Bearer {token}"
            api.headers["X-CSRFToken"] = api.get("/api/v1/security/csrf_token/").raise_for_status().json()["result"]
            yield Superset(url, secrets["admin"], api, printed)
    finally:
        late.cancel()
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert process.returncode == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_it_says_where_the_dashboards_are(superset: Superset, product: Product) -> None:
    assert f"{superset.url}/dashboard/list/" in superset.printed
    assert f"admin, password {superset.password}" in superset.printed
    for name in ("superset", "superset/secrets.json"):
        assert (product.home / name).stat().st_mode & 0o077 == 0


def test_only_who_signs_in_sees_anything(superset: Superset) -> None:
    assert httpx.post(f"{superset.url}/api/v1/chart/data", json={}).status_code in (400, 401, 403)
    assert httpx.get(f"{superset.url}/api/v1/dashboard/").json().get("count", 0) == 0


@pytest.mark.parametrize(("dashboard", "chart"), CHARTS, ids=named)
def test_a_chart_returns_rows_and_no_error(superset: Superset, dashboard: Dashboard, chart: Chart) -> None:
    result = superset.ask(dashboard, chart)
    assert not result.get("error")
    assert result["rowcount"] > 0
    assert result["colnames"]


def filters(superset: Superset, dashboard: Dashboard) -> dict[str, dict[str, Any]]:
    """Title → what Superset has of each filter of a dashboard."""
    answer = superset.api.get(f"/api/v1/dashboard/{dashboard.slug}").raise_for_status().json()["result"]
    metadata = json.loads(answer["json_metadata"])
    return {each["name"]: each for each in metadata["native_filter_configuration"]}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=named)
def test_a_filter_is_kept_away_from_the_charts_that_it_has_no_say_in(superset: Superset, dashboard: Dashboard) -> None:
    """The import has put Superset's own numbers of charts and datasets in the place of the bundle's."""
    known = filters(superset, dashboard)
    assert list(known) == [each.title for each in dashboard.filters]
    numbers = {chart["form_data"]["slice_id"]: title for title, chart in superset.charts(dashboard).items()}
    for each in dashboard.filters:
        away = {numbers[number] for number in known[each.title]["scope"]["excluded"]}
        assert away == {chart.title for chart in dashboard.charts if not each.narrows(chart)}
        if each.values:
            (target,) = known[each.title]["targets"]
            dataset = superset.api.get(f"/api/v1/dataset/{target['datasetId']}").raise_for_status().json()["result"]
            assert dataset["table_name"] == each.values.name


def test_a_channel_narrows_what_a_chart_returns(superset: Superset) -> None:
    chart = next(chart for chart in OVERVIEW.charts if chart.title == "Scores by channel")
    everything = {row["channel"] for row in superset.ask(OVERVIEW, chart)["data"]}
    assert {"phone", "web"} < everything
    assert {row["channel"] for row in superset.ask(OVERVIEW, chart, channel=["phone"])["data"]} == {"phone"}


def test_a_period_narrows_what_a_chart_returns(superset: Superset, product: Product) -> None:
    chart = next(chart for chart in OVERVIEW.charts if chart.title == "Interactions")
    newest = product.sql("SELECT toString(max(day)) AS day, sum(interactions) AS n FROM touchpoint_daily")[0]["day"]
    days = f"{newest} : DATEADD(DATETIME('{newest}'), 1, day)"
    [before] = superset.ask(OVERVIEW, chart, period=f" : {newest}")["data"]
    [lately] = superset.ask(OVERVIEW, chart, period=days)["data"]
    [all_of_it] = superset.ask(OVERVIEW, chart, period="No filter")["data"]
    counts = [int(each["all_interactions"] or 0) for each in (before, lately, all_of_it)]
    assert counts[1] > 0
    assert counts[0] < counts[2]


def test_superset_asks_as_the_user_who_only_reads(superset: Superset) -> None:
    database = superset.api.get("/api/v1/database/").json()["result"][0]
    sql = {"database_id": database["id"], "client_id": "hostile", "runAsync": False}
    for text in ("SELECT * FROM interactions", "SELECT file('/etc/passwd')", "DROP VIEW touchpoint_daily"):
        answer = superset.api.post("/api/v1/sqllab/execute/", json={**sql, "sql": text})
        assert answer.status_code >= 400, answer.text
    fine = {**sql, "client_id": "fine", "sql": "SELECT * FROM touchpoints"}
    answer = superset.api.post("/api/v1/sqllab/execute/", json=fine)
    assert answer.status_code == 200, answer.text


def test_another_import_doubles_nothing(superset: Superset, product: Product, tmp_path: Path) -> None:
    """The bundle as it is taken to production, imported over what is there as Superset's own page does it."""
    path = tmp_path / "throughline.zip"
    address = f"clickhousedb://bi@127.0.0.1:{product.clickhouse_port}/throughline"
    done = product.command("bundle", address, str(path))
    assert done.returncode == 0, done.stderr
    passwords = json.dumps({"databases/throughline.yaml": product.keys["bi"]["password"]})
    answer = superset.api.post(
        "/api/v1/dashboard/import/",
        files={"formData": ("throughline.zip", path.read_bytes(), "application/zip")},
        data={"passwords": passwords, "overwrite": "true"},
    )
    assert answer.status_code == 200, answer.text
    assert superset.api.get("/api/v1/dashboard/").json()["count"] == len(DASHBOARDS)
    assert superset.api.get("/api/v1/chart/").json()["count"] == len(CHARTS)
    assert superset.api.get("/api/v1/dataset/").json()["count"] == len(DATASETS)
    assert superset.api.get("/api/v1/database/").json()["count"] == 1
    for dashboard in DASHBOARDS:
        assert list(filters(superset, dashboard)) == [each.title for each in dashboard.filters]


@pytest.fixture(scope="session")
def browser(superset: Superset) -> Iterator[Browser]:  # after it: it leaves an event loop running
    options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        yield made
        made.close()


@pytest.fixture(scope="session")
def page(browser: Browser, superset: Superset) -> Page:
    made = browser.new_page(viewport={"width": 1280, "height": 3200})  # charts below the window are not drawn
    made.goto(f"{superset.url}/login/")
    made.wait_for_selector("#username")
    made.fill("#username", "admin")
    made.fill("#password", superset.password)
    made.click("button[type=submit]")
    made.wait_for_url(re.compile("welcome"), timeout=60_000)
    return made


@contextmanager
def asked(page: Page, superset: Superset, dashboard: Dashboard) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Title of a chart → what it was answered while the page was used."""
    titles = {chart["form_data"]["slice_id"]: title for title, chart in superset.charts(dashboard).items()}
    found: dict[str, list[dict[str, Any]]] = {}

    def collect(response: Response) -> None:
        if "/api/v1/chart/data" not in response.url:
            return
        number = (response.request.post_data_json or {}).get("form_data", {}).get("slice_id")
        if number in titles:  # the others are the choices of a filter
            body = response.json()
            results = body.get("result") or [{"error": body}]
            found.setdefault(titles[number], []).extend({**each, "status": response.status} for each in results)

    page.on("response", collect)
    try:
        yield found
    finally:
        page.remove_listener("response", collect)


def wait_until(page: Page, done: Callable[[], bool], found: object) -> None:
    deadline = time.monotonic() + DRAWN_S_MAX
    while not done():
        assert time.monotonic() < deadline, found
        page.wait_for_timeout(200)


def draw(page: Page, superset: Superset, dashboard: Dashboard) -> dict[str, list[dict[str, Any]]]:
    """Open it, and wait until it stands there."""
    titles = {chart.title for chart in dashboard.charts}
    with asked(page, superset, dashboard) as found:
        page.goto(f"{superset.url}/superset/dashboard/{dashboard.slug}/")
        wait_until(page, lambda: set(found) == titles, found)
    unfinished = page.get_by_text(re.compile("^(Waiting on|Loading filter values)"))
    wait_until(page, lambda: unfinished.count() == 0, "it goes on loading")
    page.wait_for_timeout(1_000)  # drawing is animated
    return found


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=named)
def test_a_dashboard_draws(page: Page, superset: Superset, dashboard: Dashboard) -> None:
    found = draw(page, superset, dashboard)
    answers = [(title, each) for title, results in found.items() for each in results]
    bad = [
        (title, each) for title, each in answers if each["status"] != 200 or each.get("error") or not each["rowcount"]
    ]
    assert bad == []
    holders = page.locator(".dashboard-component-chart-holder")
    assert holders.count() == len(dashboard.charts) + 1  # and the words
    wrong = page.locator("[role=alert], .ant-alert, .missing-chart-container").all_inner_texts()
    assert [text for text in wrong if text.strip()] == []
    assert page.get_by_text("No results were returned").count() == 0
    picture = Path("build") / "dashboards" / f"{dashboard.slug}.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    ends = [box["y"] + box["height"] for box in (holder.bounding_box() for holder in holders.all()) if box]
    page.screenshot(path=str(picture), clip={"x": 0, "y": 0, "width": 1280, "height": max(ends) + 16})
    open_all_filters(page)
    shown = page.locator("[data-test=filter-control-name]").all_inner_texts()
    assert sorted(shown) == sorted(each.title for each in dashboard.filters)


def open_all_filters(page: Page) -> None:
    """What does not fit beside the others is behind a button."""
    more = page.locator("[data-test=dropdown-container-btn]")
    if more.count():
        more.click()
        page.wait_for_timeout(500)  # it opens with an animation


def test_what_is_chosen_on_the_page_reaches_the_charts_it_is_for(page: Page, superset: Superset) -> None:
    period, channel = (each for each in OVERVIEW.filters if each.title in ("Period", "Channel"))
    first = draw(page, superset, OVERVIEW)
    for chart in OVERVIEW.charts:
        queries = [each["query"] for each in first[chart.title]]
        assert all(("toDate('" in query) == period.narrows(chart) for query in queries), (chart.title, queries)
    select = page.locator(f".ant-select[data-test='{filters(superset, OVERVIEW)[channel.title]['id']}']")
    if not select.is_visible():
        open_all_filters(page)
    narrowed = {chart.title for chart in OVERVIEW.charts if channel.narrows(chart)}
    with asked(page, superset, OVERVIEW) as found:
        select.click()
        select.locator("input").fill("phone")
        page.locator(".ant-select-item-option", has_text="phone").first.click()
        page.keyboard.press("Escape")
        page.locator("[data-test=filter-bar__apply-button]").click()
        wait_until(page, lambda: set(found) >= narrowed, found)
    assert set(found) == narrowed
    for title, results in found.items():
        assert all("`channel` IN ('phone')" in each["query"] for each in results), (title, results)
    [before], [after] = (answers["Interactions"] for answers in (first, found))
    assert 0 < int(after["data"][0]["all_interactions"]) < int(before["data"][0]["all_interactions"])
