"""`make test-bi`: the dashboards in a real Superset, over a stack of its own with the demo shop's data.

Every chart is asked of Superset's chart API: it returns rows, and no error. Then every dashboard is looked at in a
browser: as many charts as there are draw, and none says that something is wrong.
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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx
import pytest
from aiokafka import AIOKafkaProducer
from playwright.sync_api import Browser, Page, Response, sync_playwright

from pipeline.local.bi.charts import Chart, Dashboard
from pipeline.local.bi.dashboards import DASHBOARDS
from tests import reported
from tests.system.product import Product, eventually, free_port, running

SET_UP_S_MAX = 240.0
SHOP_S_MAX = 120.0
DRAWN_S_MAX = 60.0
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

    def ask(self, dashboard: Dashboard, chart: Chart) -> dict[str, Any]:
        """What the chart API answers for one query of a chart."""
        form = self.charts(dashboard)[chart.title]["form_data"]
        query = {
            "columns": list(chart.columns),
            "metrics": list(chart.metrics) or None,
            "filters": [{"col": column, "op": operator, "val": value} for column, operator, value in chart.filters],
            "orderby": [[name, ascending] for name, ascending in chart.order],
            "row_limit": chart.limit,
            "time_range": "No filter",
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
        with httpx.Client(base_url=url, timeout=90) as api:
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
    assert superset.api.get("/api/v1/database/").json()["count"] == 1


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
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


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=named)
def test_a_dashboard_draws(page: Page, superset: Superset, dashboard: Dashboard) -> None:
    answers: list[tuple[int, int, str]] = []

    def collect(response: Response) -> None:
        if "/api/v1/chart/data" in response.url:
            body = response.json()
            results = body.get("result") or [body]
            status = response.status
            answers.extend((status, each.get("rowcount") or 0, str(each.get("error") or "")) for each in results)

    page.on("response", collect)
    page.goto(f"{superset.url}/superset/dashboard/{dashboard.slug}/")
    wanted = len(dashboard.charts) + sum(chart.kind == "mixed_timeseries" for chart in dashboard.charts)
    deadline = time.monotonic() + DRAWN_S_MAX
    while len(answers) < wanted or page.locator(".loading, [aria-label=Loading]").count():
        assert time.monotonic() < deadline, (dashboard.slug, answers)
        page.wait_for_timeout(200)
    page.remove_listener("response", collect)
    assert [answer for answer in answers if answer[0] != 200 or answer[1] == 0 or answer[2]] == []
    page.wait_for_timeout(700)  # drawing is animated
    assert page.locator(".dashboard-component-chart-holder").count() == len(dashboard.charts) + 1  # and the words
    wrong = page.locator("[role=alert], .ant-alert, .missing-chart-container").all_inner_texts()
    assert [text for text in wrong if text.strip()] == []
    assert page.get_by_text("No results were returned").count() == 0
    picture = Path("build") / "dashboards" / f"{dashboard.slug}.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(picture))
