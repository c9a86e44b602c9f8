"""Alerts on the real stack: raised by what happens, taken and resolved by people, told to a webhook that fails first,
kept once by a process that is killed, gone when the person is erased."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.system.product import Answer, Product, eventually, free_port, running

pytestmark = pytest.mark.long

HOUR = 3_600_000
PURPOSE = {"Throughline-Purpose": "test"}


class Receiver:
    """What somebody who receives alerts runs: it refuses the first requests, and checks signatures."""

    def __init__(self) -> None:
        self.failing = 3
        self.secret = ""
        self.seen: list[dict[str, Any]] = []
        self.forged = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.failing > 0:
                    receiver.failing -= 1
                    self.send_response(503)
                    self.end_headers()
                    return
                receiver.take(dict(self.headers), body)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.port = free_port()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, headers: dict[str, str], body: bytes) -> None:
        """As README.md says."""
        parts = dict(part.split("=", 1) for part in headers["X-Throughline-Signature"].split(","))
        expected = hmac.new(self.secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, parts["v1"]) or abs(time.time() - int(parts["t"])) > 300:
            self.forged += 1
            return
        said = json.loads(body)
        assert said["delivery"] == headers["X-Throughline-Delivery"]
        self.seen.append(said)

    def told(self, alert_id: str) -> list[str]:
        """The events of an alert in the order they came, what came twice once."""
        found = {each["delivery"]: each["event"] for each in self.seen if each["alert"]["alert_id"] == alert_id}
        return list(found.values())

    def close(self) -> None:
        self._server.shutdown()


class Story:
    """What has happened so far, for tests that go on with it in their order."""

    def __init__(self, product: Product, receiver: Receiver) -> None:
        self.product = product
        self.receiver = receiver
        self.kept: dict[str, str] = {}
        self.now = int(time.time() * 1000)

    def tell(self, event_id: str, who: str, kind: str, hours_ago: float = 0, **fields: Any) -> dict[str, Any]:
        at = self.now - int(hours_ago * HOUR)
        event = {"event_id": event_id, "source": "shop", "type": kind, "touchpoint": "doorstep", "channel": "partner"}
        event |= {"occurred_at": at, "identifiers": {"customer": who}, **fields}

        def sent() -> Any:  # 503 is for a client to try again
            answer = self.product.ask("POST", "/v1/interactions", {"events": [event]}, key="ingest")
            assert answer.status in (202, 503), answer
            return answer.json if answer.status == 202 else None

        return dict(eventually(sent, 30))

    def alerts(self, person: str, kind: str = "") -> list[dict[str, Any]]:
        answer = self.product.ask("GET", "/v1/alerts?limit=200", key="read", headers=PURPOSE)
        assert answer.status == 200, answer
        assert answer.json["lag_ms"] >= 0
        return [each for each in answer.json["alerts"] if each["person"] == person and kind in ("", each["kind"])]

    def one(self, person: str, kind: str) -> dict[str, Any]:
        found = eventually(lambda: self.alerts(person, kind), 60)
        assert len(found) == 1, found
        return dict(found[0])

    def act(self, alert_id: str, what: str, note: str = "") -> Answer:
        return self.product.ask("POST", f"/v1/alerts/{alert_id}/{what}", {"note": note}, key="read")

    def kill(self) -> None:
        rows = json.loads((self.product.home / "run" / "processes.json").read_text())["processes"]
        (pid,) = [row["pid"] for row in rows if row["name"] == "alert"]
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    receiver = Receiver()
    settings = {"PARTITIONS": "4", "ALERTS_EVERY_S": "1", "WEBHOOK_URL": f"http://127.0.0.1:{receiver.port}/alerts"}
    with running(tmp_path_factory.mktemp("alerts"), **settings) as product:
        receiver.secret = product.keys["webhook"]
        yield Story(product, receiver)
    receiver.close()


def test_a_severe_experience_and_a_complaint_past_its_time_raise_alerts_that_the_webhook_is_told_of(
    story: Story,
) -> None:
    story.tell("failed", "anna", "delivery_failed")
    said = {"properties": {"complaint_id": "C-1"}, "issue": "delivery", "touchpoint": "call_queue"}
    story.tell("opened", "ben", "complaint_opened", 30, **said)
    severe, late = story.one("customer:anna", "severe"), story.one("customer:ben", "complaint_overdue")
    assert severe["state"] == late["state"] == "open"
    assert severe["touchpoint"] == "doorstep"
    assert severe["owner"]
    assert severe["deputy"]
    assert severe["what_to_do"]
    assert "should have been acknowledged within 24 hours" in late["reason"]
    story.kept = {"severe": severe["alert_id"], "late": late["alert_id"]}
    for alert in (severe, late):
        eventually(lambda alert=alert: story.receiver.told(alert["alert_id"]) == ["alert.opened"], 60)
    assert story.receiver.failing == 0
    assert story.receiver.forged == 0


def test_killed_in_between_it_goes_on_and_nothing_is_doubled(story: Story) -> None:
    story.kill()
    story.tell("failed-again", "anna", "delivery_failed")
    eventually(lambda: acknowledged(story), 60)
    story.kill()
    taken = eventually(
        lambda: [each for each in story.alerts("customer:anna", "severe") if each["state"] == "acknowledged"], 60
    )
    assert [each["alert_id"] for each in taken] == [story.kept["severe"]]
    assert (taken[0]["note"], taken[0]["acknowledged_by"]) == ("I call her", "key:read")
    eventually(lambda: story.receiver.told(story.kept["severe"]) == ["alert.opened", "alert.acknowledged"], 60)
    assert len(story.alerts("customer:anna", "severe")) == len(story.alerts("customer:ben", "complaint_overdue")) == 1
    query = (
        "SELECT kind, count() AS n FROM alerts FINAL WHERE person IN ('customer:anna', 'customer:ben') GROUP BY kind"
    )
    found = {row["kind"]: int(row["n"]) for row in story.product.sql(query)}
    assert found["severe"] == len({each["cause"] for each in severe_causes(story)})
    assert found["complaint_overdue"] == 1


def acknowledged(story: Story) -> bool:
    """Acknowledge it, unless nobody keeps alerts for the moment."""
    answer = story.act(story.kept["severe"], "acknowledge", "I call her")
    assert answer.status in (200, 202) or answer.json["reason"] == "alert_away", answer
    return answer.status != 503


def severe_causes(story: Story) -> list[dict[str, Any]]:
    query = "SELECT concat(identifier, cause) AS cause FROM alerts FINAL WHERE kind = 'severe' AND person != ''"
    return story.product.sql(query)


def test_a_cause_that_is_over_is_resolved_by_itself_and_a_person_resolves_the_other(story: Story) -> None:
    story.tell("taken", "ben", "complaint_acknowledged", properties={"complaint_id": "C-1"}, channel="phone")
    over = eventually(lambda: [a for a in story.alerts("customer:ben", "complaint_overdue") if a["resolved_at"]], 60)
    assert (over[0]["resolved_by"], over[0]["resolution"]) == ("", "the complaint has reached its next stage")
    assert story.act(story.kept["late"], "acknowledge").status == 409
    answer = eventually(lambda: story.act(story.kept["severe"], "resolve", "sent her a voucher"), 20)
    assert (answer.status, answer.json["alert"]["state"]) == (200, "resolved"), answer
    assert story.act(story.kept["severe"], "resolve").json["reason"] == "already_resolved"
    assert story.act("severe-0-none", "resolve").status == 404
    expected = ["alert.opened", "alert.acknowledged", "alert.resolved"]
    eventually(lambda: story.receiver.told(story.kept["severe"]) == expected, 60)
    open_now = "SELECT count() AS n FROM alerts_open WHERE kind = 'complaint_overdue'"
    eventually(lambda: int(story.product.sql(open_now)[0]["n"]) == 0)


def test_who_complained_is_asked_again_when_it_is_closed_with_its_cause(story: Story) -> None:
    closing = {"channel": "message", "touchpoint": "email"}
    told = story.tell("closed", "ben", "complaint_closed", properties={"complaint_id": "C-1"}, **closing)
    assert [each["reason"] for each in told["rejected"]] == ["unexplained_closing"]
    why = {"complaint_id": "C-1", "root_cause": "The label was torn.", "next_step": "Stronger labels."}
    assert story.tell("closed", "ben", "complaint_closed", properties=why, **closing)["rejected"] == []
    ask = story.one("customer:ben", "ask_again")
    times = story.product.sql("SELECT stage, overdue, root_cause FROM complaint_times WHERE person = 'customer:ben'")
    assert times == [{"stage": "closed", "overdue": "", "root_cause": "The label was torn."}]
    answer = {"question": "satisfaction", "value": 5, "min": 1, "max": 5}
    story.now = int(time.time() * 1000)
    story.tell("answered", "ben", "survey_answered", about="closed", answer=answer, **closing)
    done = eventually(lambda: [a for a in story.alerts("customer:ben", "ask_again") if a["resolved_at"]], 60)
    assert [(each["alert_id"], each["resolution"]) for each in done] == [(ask["alert_id"], "they have answered")]


def test_who_is_erased_has_no_alert_any_more(story: Story) -> None:
    body = {"id": {"namespace": "customer", "value": "ben"}, "reason": "asked"}
    answer = story.product.ask("POST", "/v1/privacy/erase", body, key="admin")
    assert answer.status == 202, answer

    def finished() -> Any:
        told = story.product.ask("GET", answer.json["status_url"], key="admin").json
        assert told["state"] == "finished", told["steps"]
        return told

    proof = eventually(finished, 120)["proof"]
    assert proof["remaining"] == []
    looked = {each["place"] for each in proof["places"]}
    assert looked >= {"Kafka topic alerts", "Kafka topic alerts.actions", "ClickHouse table alerts"}
    assert story.alerts("customer:ben") == []
    assert len(story.alerts("customer:anna", "severe")) == 1
    left = story.product.sql("SELECT count() AS n FROM alerts WHERE person = 'customer:ben'")
    assert int(left[0]["n"]) == 0


def test_status_shows_the_process_and_how_far_it_is(story: Story) -> None:
    done = story.product.command("status", "--json")
    status = json.loads(done.stdout)
    assert "alert" in {row["name"] for row in status["processes"] if row["alive"]}
    assert {"alert", "webhook"} <= set(status["lags"])
