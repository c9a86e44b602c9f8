"""Alerts over HTTP: listed, acknowledged, resolved, or refused with the reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import msgspec
import pytest

from pipeline.alert.answers import Answers
from pipeline.alert.keeping import Outcome
from pipeline.domain import alerts
from pipeline.domain.alerts import Action, Alert, Refused
from pipeline.internal import Answering
from pipeline.serve import alerting
from pipeline.serve import shapes_alerts as shapes
from pipeline.topics import ALERT_ACTIONS
from tests.serving import INGEST, TOKEN, free_port, now_ms
from tests.unit.serve.conftest import Serving
from tests.unit.serve.test_api import problem

NOON = 1_764_158_400_000


def made(number: int, **changes: Any) -> Alert:
    given: dict[str, Any] = {"kind": "severe", "touchpoint": "doorstep", "owner": "lead", "deputy": "head"}
    who = {
        "identifier": f"customer:{number}",
        "person": f"customer:{number}",
        "cause": "doorstep/d",
        "change": "opened",
    }
    return Alert(alert_id=f"severe-{number}", opened_at=NOON + number, **given | who | changes)


@dataclass
class Keeping:
    """Stands for the process that keeps alerts: its answers are the real ones."""

    alerts: dict[str, Alert] = field(default_factory=dict)
    as_of: int | None = NOON
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    deaf: bool = False  # actions wait
    actions: list[Action] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def outcome(self, action_id: str) -> Outcome | None:
        return self.outcomes.get(action_id)

    async def hear(self, action: Action) -> None:
        self.actions.append(action)
        if self.deaf:
            return
        alert = self.alerts.get(action.alert_id)
        try:
            after = alerts.act(alert, action, now_ms()) or alert
        except Refused as refused:
            self.outcomes[action.action_id] = Outcome(alert, refused.reason, refused.detail)
        else:
            assert after is not None
            self.alerts[action.alert_id] = after
            self.outcomes[action.action_id] = Outcome(after)
        async with self.news:
            self.news.notify_all()


@dataclass
class Alerted:
    """serve, and what keeps alerts behind it."""

    serving: Serving
    keeping: Keeping
    service: Answering

    def put(self, *found: Alert) -> None:
        self.keeping.alerts |= {each.alert_id: each for each in found}

    async def page(self, **query: Any) -> dict[str, Any]:
        answer = await self.serving.get("/v1/alerts", **query)
        assert answer.status_code == 200, answer.text
        shapes.AlertsAnswer.model_validate(answer.json())
        said: dict[str, Any] = answer.json()
        return said

    async def ids(self, **query: Any) -> list[str]:
        return [each["alert_id"] for each in (await self.page(**query))["alerts"]]

    async def act(self, alert_id: str, what: str = "acknowledge", **body: Any) -> Any:
        return await self.serving.client.post(f"/v1/alerts/{alert_id}/{what}", json=body, headers=self.serving.headers)


@pytest.fixture
async def alerted(serving: Serving) -> AsyncIterator[Alerted]:
    keeping, port = Keeping(), free_port()
    keeper: Any = keeping
    service = Answers(keeper).service(TOKEN, "127.0.0.1", port)
    await service.on_start()
    route = {"partition": -2, "url": f"http://127.0.0.1:{port}", "worker": "alert", "generation": 1}
    serving.parts.routes.see(msgspec.json.encode(route))
    other = serving.ledger.write

    async def write(topic: str, key: bytes, value: bytes, partition: int | None = None) -> None:
        if topic != ALERT_ACTIONS.name:
            await other(topic, key, value, partition)
            return
        action = msgspec.json.decode(value, type=Action)
        assert (key.decode(), partition) == (action.alert_id, 0)
        await keeping.hear(action)

    serving.ledger.write = write  # type: ignore[method-assign]
    yield Alerted(serving, keeping, service)
    await service.on_stop()


async def test_a_page_is_newest_first_and_goes_on(alerted: Alerted) -> None:
    alerted.put(*(made(n) for n in range(5)))
    first = await alerted.page(limit=2)
    assert [each["alert_id"] for each in first["alerts"]] == ["severe-4", "severe-3"]
    assert (first["as_of"], first["lag_ms"] > 0) == ("2025-11-26T12:00:00.000Z", True)
    second = await alerted.page(limit=2, before=first["next"])
    assert [each["alert_id"] for each in second["alerts"]] == ["severe-2", "severe-1"]
    last = await alerted.page(limit=2, before=second["next"])
    assert ([each["alert_id"] for each in last["alerts"]], last["next"]) == (["severe-0"], None)
    entry = alerted.serving.ledger.audit[0]
    assert (entry["action"], entry["purpose"], entry["outcome"]) == ("alerts", "test", "2 alerts")
    assert entry["shown"] == alerted.serving.sealed("customer:4", "customer:3")


async def test_it_can_be_asked_by_state_kind_and_touchpoint(alerted: Alerted) -> None:
    alone = Alert(alert_id="stands_alone|device:1", kind="stands_alone", subject="device:1", opened_at=NOON, state="")
    alerted.put(
        made(1),
        made(2, state="acknowledged"),
        made(3, state="resolved", closed_at=NOON + 9),
        made(4, kind="threshold", person="", identifier="", touchpoint="checkout", value=41.0, low=35.0, n=40),
        alone,
    )
    assert await alerted.ids(state=["open", "acknowledged"]) == ["severe-4", "severe-2", "severe-1", alone.alert_id]
    assert await alerted.ids(state="resolved") == ["severe-3"]
    assert await alerted.ids(kind=["threshold", "stands_alone"]) == ["severe-4", alone.alert_id]
    (red,) = (await alerted.page(touchpoint="checkout"))["alerts"]
    assert (red["person"], red["figures"]) == (None, {"value": 41.0, "low": 35.0, "high": None, "n": 40})


async def test_who_acknowledges_and_resolves_it_is_on_record(alerted: Alerted) -> None:
    alerted.put(made(1))
    answer = await alerted.act("severe-1", note=" called (415) 555-0142 back ")
    assert answer.status_code == 200
    shapes.ActionAnswer.model_validate(answer.json())
    assert answer.json()["effect"] == "complete"
    alert = answer.json()["alert"]
    assert (alert["state"], alert["acknowledged_by"], alert["note"]) == (
        "acknowledged",
        "key:read",
        "called [phone] back",
    )
    answer = await alerted.act("severe-1", "resolve", note="a voucher")
    assert (answer.json()["alert"]["state"], answer.json()["alert"]["resolution"]) == ("resolved", "a voucher")
    found = [(each["action"], each["outcome"], each["reason"]) for each in alerted.serving.ledger.audit]
    assert found == [
        ("alert_acknowledge", "given", "called [phone] back"),
        ("alert_acknowledge", "done", "called [phone] back"),
        ("alert_resolve", "given", "a voucher"),
        ("alert_resolve", "done", "a voucher"),
    ]
    assert alerted.serving.ledger.audit[0]["subjects"] == alerted.serving.sealed("customer:1")
    assert "555" not in str(alerted.keeping.actions)


async def test_one_alert_can_be_asked_for(alerted: Alerted) -> None:
    alerted.put(made(1))
    answer = await alerted.serving.get("/v1/alerts/severe-1")
    shapes.AlertAnswer.model_validate(answer.json())
    assert answer.json()["alert"]["alert_id"] == "severe-1"
    problem(await alerted.serving.get("/v1/alerts/none"), 404, "unknown_alert")


async def test_what_cannot_be_is_refused_and_not_recorded(alerted: Alerted) -> None:
    alerted.put(
        made(1, state="resolved", closed_at=NOON + 9, resolution="its dot is green"),
        Alert(alert_id="stands_alone|device:1/x", kind="stands_alone", subject="device:1/x", opened_at=NOON),
    )
    problem(await alerted.act("none"), 404, "unknown_alert")
    said = problem(await alerted.act("severe-1"), 409, "already_resolved")
    assert "its dot is green" in said["detail"]
    assert said["alert"]["alert_id"] == "severe-1"
    said = problem(await alerted.act("stands_alone%7Cdevice:1%2Fx", "resolve"), 409, "stands_alone")
    assert "/v1/identity/free" in said["detail"]
    assert (alerted.keeping.actions, alerted.serving.ledger.audit) == ([], [])


async def test_who_comes_second_is_told_so(alerted: Alerted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both were let through; only one of them took effect."""
    alerted.put(made(1))
    hear = alerted.keeping.hear

    async def slowly(action: Action) -> None:
        await asyncio.sleep(0.05)
        await hear(action)

    monkeypatch.setattr(alerted.keeping, "hear", slowly)
    answers = await asyncio.gather(alerted.act("severe-1", "resolve"), alerted.act("severe-1", "resolve"))
    assert sorted(each.status_code for each in answers) == [200, 409]
    problem(next(each for each in answers if each.status_code == 409), 409, "already_resolved")


async def test_what_has_no_effect_in_time_is_recorded_and_said_so(
    alerted: Alerted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerting.Alerting.act, "__defaults__", (0.1,))
    alerted.put(made(1))
    alerted.keeping.deaf = True
    answer = await alerted.act("severe-1")
    assert answer.status_code == 202
    shapes.ActionAnswer.model_validate(answer.json())
    assert (answer.json()["effect"], answer.json()["alert"]) == ("outstanding", None)
    (action,) = alerted.keeping.actions
    assert action.action_id == answer.json()["action_id"]


async def test_while_nobody_keeps_alerts_it_says_so(alerted: Alerted) -> None:
    client = alerted.serving.parts.alerting
    client.patience = replace(client.patience, deadline_s=0.1)
    await alerted.service.on_stop()
    problem(await alerted.serving.get("/v1/alerts"), 503, "alert_away")
    problem(await alerted.act("severe-1"), 503, "alert_away")
    await alerted.service.on_start()


async def test_what_kafka_takes_no_record_of_is_not_done(alerted: Alerted) -> None:
    alerted.put(made(1))
    alerted.serving.ledger.away = True
    problem(await alerted.act("severe-1"), 503, "audit_away")
    problem(await alerted.serving.get("/v1/alerts"), 503, "audit_away")
    assert alerted.keeping.actions == []


async def test_it_needs_a_key_a_purpose_and_something_usable(alerted: Alerted) -> None:
    client, key = alerted.serving.client, {"Authorization": alerted.serving.headers["Authorization"]}
    problem(await client.get("/v1/alerts"), 401, "no_key")
    problem(await client.get("/v1/alerts", headers=key), 400, "missing_purpose")
    ingest = {"Authorization": f"Bearer {INGEST}"}
    problem(await client.get("/v1/alerts", headers=ingest), 403, "missing_scope")
    problem(await client.post("/v1/alerts/x/resolve", json={}, headers=ingest), 403, "missing_scope")
    for query in ({"before": "no"}, {"limit": 0}, {"limit": 201}, {"state": "shut"}, {"kind": "x"}):
        answer = await alerted.serving.get("/v1/alerts", **query)
        assert (answer.status_code, query) == (400, query)
    assert (await alerted.act("severe-1", note="x" * 1_001)).status_code == 400
    assert (await alerted.act("severe-1", other=1)).status_code == 400


async def test_before_the_first_look_there_is_no_time_of_it(alerted: Alerted) -> None:
    alerted.keeping.as_of = None
    assert (await alerted.page())["as_of"] is None


async def test_metrics_of_the_process_are_at_its_port(alerted: Alerted) -> None:
    async with httpx.AsyncClient() as client:
        url = alerted.serving.parts.routes.alert
        answer = await client.get(f"{url}/metrics")
        assert "throughline_alerts_standing" in answer.text
        assert (await client.post(f"{url}/internal/alerts", json={})).status_code == 401
