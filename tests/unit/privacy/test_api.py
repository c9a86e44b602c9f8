"""The API of privacy over a world in memory: export, erase, proof, unblock."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.topics import REJECTED
from tests.serving import READ, keyed, now_ms, until
from tests.unit.privacy.conftest import CODEC, Privacy, admin
from tests.unit.privacy.test_letters import event, letter

ANNA, BEN, COOKIE, TABLET = "customer:anna", "customer:ben", "anonymous:c1", "device:tablet"
PHONE, MASK = keyed("phone", "+14155550123")


def lived(privacy: Privacy) -> None:
    """Anna has a cookie and a phone; she and Ben share a tablet, each in sessions of their own."""
    say = privacy.serving.world.say
    say(COOKIE, ago_s=900, properties={"query": "blue shoes"})
    say(ANNA, ago_s=800, links=(PHONE, COOKIE), masks=MASK, session_id="s1", type="complaint_opened")
    say(ANNA, ago_s=700, links=(TABLET,), session_id="s2")
    say(TABLET, ago_s=690, session_id="s2", event_id="hers")
    say(BEN, ago_s=600, links=(TABLET,), session_id="s3")
    say(TABLET, ago_s=590, session_id="s3", event_id="his")
    at = now_ms()
    privacy.rows.kept = {
        ("interactions", ANNA): [{"event_id": "old"}],
        ("interactions", TABLET): [
            {"event_id": "hers", "session_id": "s2", "occurred_at": at - 690_000},
            {"event_id": "his", "session_id": "s3", "occurred_at": at - 590_000},
        ],
        ("customer_scores", ANNA): [{"person": ANNA, "day": "2026-11-24"}],
        ("audit", privacy.serving.sealed(ANNA)[0]): [{"action": "context"}],
    }
    for value in (event(identifiers={"phone": "+14155550123"}), event(identifiers={"customer": "ben"}), b"\xc3"):
        privacy.dead.append(CODEC.encode(REJECTED.schema, letter(value)))


def places(lines: list[dict[str, Any]]) -> set[str]:
    return {line["where"].partition(",")[0] for line in lines if line["where"]}


@pytest.mark.parametrize("asked", [ANNA, COOKIE, {"namespace": "phone", "value": "+1 415 555 0123"}])
async def test_an_export_tells_everything_by_any_of_the_persons_identifiers(privacy: Privacy, asked: Any) -> None:
    lived(privacy)
    lines = await privacy.export(asked)
    assert lines[0]["kind"] == "header"
    assert lines[0]["value"]["person"] == ANNA
    assert set(lines[0]["value"]["identifiers"]) == {ANNA, COOKIE, PHONE}
    assert lines[0]["value"]["shared"] == [TABLET]
    assert places(lines) == {
        "identify's state and changelog",
        "stitch's state and changelog",
        "ClickHouse table interactions",
        "ClickHouse table customer_scores",
        "ClickHouse table audit",
        "Kafka topic interactions.rejected",
    }
    summary = lines[-1]
    assert summary["kind"] == "summary"
    assert summary["value"]["complete"]
    assert summary["value"]["items"] == len(lines) - 2
    assert {"where": "Kafka topic interactions.web", "kept": "30 days"} in summary["value"]["copies"]


async def test_of_what_is_shared_only_the_persons_part_is_told_and_nobody_else_is_named(privacy: Privacy) -> None:
    lived(privacy)
    lines = await privacy.export(ANNA)
    told = msgspec.json.encode(lines)
    assert b'"hers"' in told
    assert b'"his"' not in told
    assert b"ben" not in told


async def test_dead_letters_are_told_with_the_event_as_it_was_sent(privacy: Privacy) -> None:
    lived(privacy)
    dead = [line["value"] for line in await privacy.export(ANNA) if line["kind"] == "dead letter"]
    assert [each["event"]["identifiers"] for each in dead] == [{"phone": "+14155550123"}]
    assert dead[0]["reason"] == "bad_value"


async def test_an_export_is_audited_with_its_reason_before_it_begins(privacy: Privacy) -> None:
    lived(privacy)
    privacy.serving.ledger.away = True
    refused = await privacy.serving.post("/v1/privacy/export", {"id": ANNA, "reason": "she asked"})
    assert (refused.status_code, refused.json()["reason"]) == (503, "audit_away")
    privacy.serving.ledger.away = False
    await privacy.export(ANNA)
    told = privacy.serving.ledger.audit[-1]
    assert (told["action"], told["purpose"]) == ("export", "she asked")
    assert privacy.serving.sealed(ANNA)[0] in told["subjects"]


@pytest.mark.parametrize("path", ["export", "erase", "unblock"])
async def test_only_an_admin_may(privacy: Privacy, path: str) -> None:
    headers = {"Authorization": f"Bearer {READ}"}
    body = {"id": ANNA, "reason": "she asked"}
    answer = await privacy.serving.client.post(f"/v1/privacy/{path}", json=body, headers=headers)
    assert answer.status_code == 403
    answer = await privacy.serving.client.get("/v1/privacy/erase/0f", headers=headers)
    assert answer.status_code == 403


async def test_who_is_erased_by_an_alias_is_the_person_and_the_proof_is_kept(privacy: Privacy) -> None:
    lived(privacy)
    answer = await privacy.serving.post("/v1/privacy/erase", {"id": COOKIE, "reason": "she asked"})
    assert answer.status_code == 202, answer.text
    url = answer.json()["status_url"]

    async def shown() -> dict[str, Any]:
        told: dict[str, Any] = (await privacy.serving.client.get(url, headers=admin())).json()
        return told

    said = privacy.serving.ledger.said
    await until(lambda: len(said) == 2)
    assert said[0].person == ANNA  # type: ignore[union-attr]  # it is an Erase
    proof = (await shown())["proof"]
    assert (await shown())["state"] == "finished"
    assert proof["identifiers"] == {"erased": 3, "shared": 1}
    assert proof["remaining"] == []
    swept = [each for each in proof["places"] if each["place"].startswith("stitch's state, partition")]
    assert [each["remaining"] for each in swept] == [{}] * 4
    assert sum(each["looked"] for each in swept) > 0
    assert b"anna" not in msgspec.json.encode(proof)
    assert {"action": "erase", "outcome": "given"}.items() <= privacy.serving.ledger.audit[-1].items()


async def test_an_erasure_of_somebody_who_is_nobody_for_certain_is_refused_with_the_reason(privacy: Privacy) -> None:
    lived(privacy)
    answer = await privacy.serving.post("/v1/privacy/erase", {"id": TABLET, "reason": "she asked"})
    assert answer.status_code == 409
    assert "ambiguous" in answer.json()["detail"]
    shown = await privacy.serving.client.get(f"/v1/privacy/erase/{answer.json()['request']}", headers=admin())
    assert shown.json()["state"] == "refused"
    assert "ambiguous" in shown.json()["reason"]


async def test_a_request_that_nobody_made_is_not_found(privacy: Privacy) -> None:
    answer = await privacy.serving.client.get("/v1/privacy/erase/0f3a", headers=admin())
    assert (answer.status_code, answer.json()["reason"]) == (404, "unknown_request")


async def test_who_is_blocked_is_unblocked_once(privacy: Privacy) -> None:
    lived(privacy)
    await privacy.serving.post("/v1/privacy/erase", {"id": ANNA, "reason": "she asked", "block": True})
    unblock = {"id": ANNA, "reason": "she is back"}
    answer = await privacy.serving.post("/v1/privacy/unblock", unblock)
    assert (answer.status_code, answer.json()["effect"]) == (200, "complete")
    again = await privacy.serving.post("/v1/privacy/unblock", unblock)
    assert again.status_code == 409
    assert "not blocked" in again.json()["detail"]


async def test_a_call_that_rang_before_the_erasure_is_shown_to_nobody(privacy: Privacy) -> None:
    lived(privacy)
    calls = privacy.serving.parts.calls
    ringing = {"type": "call_ringing", "session_id": "c1", "event_id": "r1", "occurred_at": now_ms(), "masks": MASK}
    calls.see({**ringing, "identifier": PHONE}, now_ms())
    calls.see({**ringing, "identifier": BEN, "session_id": "c2"}, now_ms())
    await privacy.serving.post("/v1/privacy/erase", {"id": ANNA, "reason": "she asked"})
    await until(lambda: len(privacy.serving.ledger.said) == 2)
    assert [call.identifier for call in calls.ringing(now_ms())] == [BEN]
