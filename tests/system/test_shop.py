"""The demo shop beside a running product: what it plays is accepted, stored, and on the agent's screen."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.system.product import Product, eventually

PLAYED = "SELECT count() AS n, uniqExact(channel) AS channels FROM interactions FINAL WHERE source IN ({sources})"
SOURCES = "'shop-web', 'shop-app', 'call-centre', 'till', 'chat-desk', 'mail-desk', 'courier'"


#: Of what no customer sees, where staff and systems of the shop look.
DOTS = """SELECT touchpoint, dot FROM touchpoint_dots
    WHERE layer IN ('backstage', 'support') AND touchpoint != 'product_content'"""
SEEN = """SELECT count() AS n FROM observations FINAL
    WHERE source IN ('shift-app', 'warehouse', 'monitoring', 'mood-board')"""
RESULTS = "SELECT count() AS n FROM business_results WHERE source IN ('dispatch', 'billing', 'bookkeeping')"


def play(product: Product, events: int) -> list[dict[str, Any]]:
    """Run the shop until ClickHouse holds so many of its events; what all runs so far have logged."""
    runs = len([line for line in logged(product) if line["event"] == "opened"])
    process = subprocess.Popen([sys.executable, "-m", "pipeline.cli", "run", "shop"], env=product.environment)
    try:
        eventually(lambda: len([line for line in logged(product) if line["event"] == "opened"]) > runs)
        eventually(lambda: played(product)["n"] >= events, 60)
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(20)
    assert status == 0
    return logged(product)


def logged(product: Product) -> list[dict[str, Any]]:
    path = product.home / "logs" / "shop.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def played(product: Product) -> dict[str, int]:
    [row] = product.sql(PLAYED.format(sources=SOURCES))
    return {name: int(value) for name, value in row.items()}


def test_the_shop_plays_and_goes_on_where_it_was(product: Product) -> None:
    log = play(product, 2_000)
    assert [line["first_time"] for line in log if line["event"] == "opened"] == [True]
    assert [line for line in log if line["event"] == "rejected"] == []
    closed = log[-1]
    assert closed["event"] == "closed"
    eventually(lambda: played(product) == {"n": closed["sent"], "channels": 7})
    assert (Path(product.home) / "shop.json").exists()

    eventually(lambda: int(product.sql(SEEN)[0]["n"]) >= 0.95 * closed["observed"] > 500)  # a few may be sent twice
    eventually(lambda: int(product.sql(RESULTS)[0]["n"]) >= 0.95 * closed["accounted"] > 50)
    assert {row["touchpoint"] for row in product.sql("SELECT touchpoint FROM changes_current")} == {
        "call_queue",
        "returns_desk",
    }
    known = {row["touchpoint"]: row["dot"] for row in product.sql(DOTS)}
    assert len(known) == 7
    assert {known["order_picking"], known["payment_service"], known["search_index"]} == {"green"}
    assert known["dispatch"] == "red"
    assert known["phone_system"] == "yellow"

    log = play(product, closed["sent"] + 3)
    assert [line["first_time"] for line in log if line["event"] == "opened"] == [True, False]
    # A few events may be sent again after a restart: they are the same ones.
    sent = closed["sent"] + log[-1]["sent"]
    eventually(lambda: sent - 5 <= played(product)["n"] <= sent)

    # Who calls is known, with what they searched for before: by the phone number alone, where nobody shares it.
    called = 0
    for number in range(12, 100):
        context = product.context("phone", f"+1 201 555 01{number:02d}")
        if context["match"] != "one":
            continue
        types = [entry["type"] for entry in context["timeline"]]
        if "call_ringing" in types:
            called += 1
            assert context["profile"]["id"].startswith("customer:")
            assert "searched" in types[types.index("call_ringing") :]
    assert called > 5
