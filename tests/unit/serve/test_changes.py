"""What was changed, over HTTP: recorded masked under a pseudonym, on record, or refused with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.changes import Change
from tests.serving import ADMIN, INGEST, KEYRING, READ, now_ms
from tests.unit.serve.conftest import Serving
from tests.unit.serve.test_api import problem


def said(**changes: Any) -> dict[str, Any]:
    """A change as somebody sends it; a change to ... leaves the field out."""
    given = {"change_id": "c-1", "touchpoint": "call_queue", "on": "2025-11-24", "what": "Two more agents."}
    return {name: value for name, value in (given | changes).items() if value is not ...}


async def test_it_is_recorded_masked_and_under_a_pseudonym(serving: Serving) -> None:
    answer = await serving.post("/v1/changes", said(what="Call (415) 555-0163 first, jo@example.com says.\n"))
    assert answer.status_code == 200
    ((key, record),) = serving.ledger.changed
    kept = {name: record[name] for name in Change.__struct_fields__}
    by = KEYRING.pseudonym("staff", "key:admin")
    assert (key, kept["changed_on"], kept["recorded_by"]) == (b"c-1", 20_416, by)
    assert kept["what"] == "Call [phone] first, [e-mail] says."
    assert 0 <= now_ms() - kept["recorded_at"] < 60_000
    assert answer.json() == {
        **{name: kept[name] for name in ("change_id", "touchpoint", "what", "recorded_by")},
        "on": "2025-11-24",
        "recorded_at": answer.json()["recorded_at"],
    }
    assert answer.json()["recorded_at"].endswith("Z")
    (audited,) = serving.ledger.audit
    told = {name: audited[name] for name in ("actor", "action", "order_id", "outcome", "reason", "subjects")}
    assert told == {
        "actor": "key:admin",
        "action": "change",
        "order_id": "c-1",
        "outcome": "recorded",
        "subjects": [],
        "reason": kept["what"],
    }


async def test_recorded_again_it_has_the_same_key(serving: Serving) -> None:
    for day in ("2025-11-24", "2031-01-01"):
        assert (await serving.post("/v1/changes", said(on=day))).status_code == 200
    assert [key for key, _ in serving.ledger.changed] == [b"c-1", b"c-1"]


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        *(({name: ...}, "invalid_request", name) for name in said()),
        *(({name: ""}, "invalid_request", name) for name in said()),
        ({"touchpoint": "call_queu"}, "unknown_touchpoint", "is it call_queue?"),
        ({"touchpoint": "xyz"}, "unknown_touchpoint", "touchpoints.yaml has those that there are"),
        *(({"on": day}, "invalid_request", "on: ") for day in ("2025-02-30", "24.11.2025", "2025-11-24T00:00:00Z", 5)),
        ({"on": "1989-12-31"}, "absurd_time", "on: before 1990"),
        ({"on": "0000-00-00"}, "invalid_request", "on: there is no such day"),
        ({"what": "x" * 1_001}, "invalid_request", "what"),
        ({"what": "  "}, "missing_field", "what"),
        ({"change_id": "customer:4711"}, "bad_value", "change_id: stands for a customer"),
        ({"colour": "red"}, "invalid_request", "colour"),
    ],
)
async def test_what_cannot_be_used_is_refused(
    serving: Serving, changes: dict[str, Any], reason: str, detail: str
) -> None:
    answer = await serving.post("/v1/changes", said(**changes))
    assert problem(answer, 400, reason)
    assert detail in answer.json()["detail"]
    assert not serving.ledger.changed
    assert not serving.ledger.audit


@pytest.mark.parametrize(("key", "status"), [("", 401), ("wrong", 401), (READ, 403), (INGEST, 403), (ADMIN, 200)])
async def test_only_the_admin_key_may(serving: Serving, key: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = await serving.client.post("/v1/changes", json=said(), headers=headers)
    assert answer.status_code == status
    assert len(serving.ledger.changed) == (status == 200)


async def test_what_kafka_has_not_is_not_answered(serving: Serving) -> None:
    serving.ledger.away = True
    answer = await serving.post("/v1/changes", said())
    assert problem(answer, 503, "change_unconfirmed")
    assert int(answer.headers["retry-after"]) > 0
    assert "send it again" in answer.json()["detail"]


async def test_the_reference_shows_how_to_send(serving: Serving) -> None:
    document = (await serving.client.get("/openapi.json")).json()
    assert {"200", "400", "401", "403", "503"} <= document["paths"]["/v1/changes"]["post"]["responses"].keys()
    (example,) = document["components"]["schemas"]["ChangeRequest"]["examples"]
    assert (await serving.post("/v1/changes", example)).status_code == 200
    assert "Two more agents" not in (await serving.client.get("/docs")).text
