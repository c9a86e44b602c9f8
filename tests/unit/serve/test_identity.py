"""Who is who over HTTP: explained, joined, parted, freed, taken back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.domain.messages import Evidence
from pipeline.domain.orders import Erase
from pipeline.serve import identify
from pipeline.serve import shapes_identity as shapes
from pipeline.serve.orders import Patience
from tests.serving import INGEST, READ, keyed, now_ms, until
from tests.unit.serve.conftest import Serving
from tests.unit.serve.test_api import problem

PHONE, MASKS = keyed("phone", "+14155550142")
JOIN = {"from": "customer:1", "into": "customer:2", "reason": "she called: both are hers"}


def couple(serving: Serving) -> None:
    """Two persons who share a phone, and a browser that is one's."""
    for number, name in (("1", "Grace Hopper"), ("2", "Karl Hopper")):
        who = f"customer:{number}"
        serving.world.say(who, type="profile_updated", properties={"name": name}, ago_s=3000)
        serving.world.say(who, links=(PHONE,), masks=MASKS, session_id=f"s{number}", ago_s=1000 - int(number))
    serving.world.say("customer:1", links=("anonymous:a1",), event_id="login", session_id="v1")


def rows(said: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The explained identifiers by their ids."""
    return {each["id"]: each for each in said["identifiers"]}


async def identity(serving: Serving, identifier: str) -> dict[str, Any]:
    """GET identity, as a program reads it."""
    answer = await serving.get(f"/v1/customers/{identifier}/identity")
    assert answer.status_code == 200, answer.text
    shapes.IdentityAnswer.model_validate(answer.json())
    said: dict[str, Any] = answer.json()
    return said


async def test_it_says_who_since_when_on_which_evidence_and_why(serving: Serving) -> None:
    couple(serving)
    said = await identity(serving, "anonymous:a1")
    assert said["person"] == "customer:1"
    assert said["unresolved"] == [PHONE]
    assert said["lag_ms"] >= 0
    browser, phone = rows(said)["anonymous:a1"], rows(said)[PHONE]
    assert (browser["state"], browser["person"], browser["rule"]) == ("resolved", "customer:1", "one_owner")
    (evidence,) = browser["evidence"]
    assert (evidence["from"], evidence["source"], evidence["event_id"]) == ("customer:1", "shop", "login")
    assert (evidence["session_id"], evidence["counts"], evidence["why_not"]) == ("v1", True, "")
    assert browser["since"] == evidence["since"]

    assert (phone["state"], phone["person"], phone["value"]) == ("ambiguous", None, "+1 ••• ••42")
    candidates = [(each["id"], each["initials"]) for each in phone["candidates"]]
    assert candidates == [("customer:1", "GH"), ("customer:2", "KH")]
    assert all(each["last_seen"] for each in phone["candidates"])
    assert {each["session_id"]: each["person"] for each in phone["sessions"]} == {
        "s1": "customer:1",
        "s2": "customer:2",
    }
    assert "shared by customer:1 and customer:2" in phone["words"]
    assert {each["from"] for each in phone["evidence"]} == {"customer:1", "customer:2"}


async def test_an_ambiguous_id_is_nobodys(serving: Serving) -> None:
    couple(serving)
    said = await identity(serving, PHONE)
    assert said["person"] is None
    assert PHONE in said["unresolved"]


async def test_nothing_is_known_of_a_stranger(serving: Serving) -> None:
    said = await identity(serving, "customer:nobody")
    assert said["person"] == "customer:nobody"
    assert [(each["state"], each["since"], each["evidence"]) for each in said["identifiers"]] == [("person", None, [])]


async def test_sentences_name_no_keyed_forms(serving: Serving) -> None:
    couple(serving)
    serving.world.say(PHONE, links=("device:d1",), masks=MASKS)
    await serving.post("/v1/identity/join", {"from": "device:d1", "into": PHONE, "reason": "the phone itself"})
    said = await identity(serving, PHONE)
    for row in said["identifiers"]:
        assert PHONE.partition(":")[2] not in row["words"]


async def test_who_was_erased_is_somebody_and_has_no_name(serving: Serving) -> None:
    couple(serving)
    serving.world.decide(Erase("o1", "customer:1", False, "she asked", "key:admin", now_ms() + 1))
    answer = await serving.get("/v1/customers/customer:2/identity")
    phone = rows(answer.json())[PHONE]
    assert phone["state"] == "ambiguous"
    assert [each["id"] for each in phone["candidates"]] == ["customer:2"]
    assert {each["from"] for each in phone["evidence"]} == {"erased", "customer:2"}
    assert "somebody whose data was erased" in phone["words"]
    context = await serving.context(("phone", "+14155550142"))
    assert [each["id"] for each in context.json()["candidates"]] == ["customer:2"]
    for text in (answer.text, context.text):
        assert "erased:" not in text
        assert "customer:1" not in text
    shapes.IdentityAnswer.model_validate(answer.json())


async def test_a_join_is_answered_when_it_has_taken_effect(serving: Serving) -> None:
    couple(serving)
    answer = await serving.post("/v1/identity/join", JOIN)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    shapes.OrderDone.model_validate(said)
    assert (said["state"], said["effect"]) == ("accepted", "complete")
    assert set(said["changed"]) == {"customer:1", "anonymous:a1", PHONE}
    found = (await serving.context(("phone", "+14155550142"))).json()
    assert found["profile"]["id"] == "customer:2"
    explained = rows(await identity(serving, "customer:1"))["customer:1"]
    assert (explained["rule"], explained["orders"]) == ("joined", [said["order_id"]])

    back = await serving.post("/v1/identity/withdraw", {"order_id": said["order_id"], "reason": "a mistake"})
    assert back.json()["effect"] == "complete"
    assert (await serving.context(("phone", "+14155550142"))).json()["match"] == "ambiguous"


async def test_a_part_outlasts_later_evidence(serving: Serving) -> None:
    couple(serving)
    body = {
        "identifier": {"namespace": "phone", "value": "(415) 555-0142"},
        "person": {"namespace": "customer", "value": "1"},
        "reason": "it is not hers",
    }
    assert (await serving.post("/v1/identity/part", body)).json()["effect"] == "complete"
    assert (await serving.context(("phone", "+14155550142"))).json()["profile"]["id"] == "customer:2"
    serving.world.say("customer:1", links=(PHONE,), masks=MASKS, session_id="s3")
    assert (await serving.context(("phone", "+14155550142"))).json()["profile"]["id"] == "customer:2"


async def test_what_contradicts_is_refused_with_the_reason(serving: Serving) -> None:
    couple(serving)
    first = (await serving.post("/v1/identity/join", JOIN)).json()["order_id"]
    ring = await serving.post("/v1/identity/join", {**JOIN, "from": "customer:2", "into": "customer:1"})
    said = problem(ring, 409, "refused")
    assert first in said["detail"]
    kept = (await serving.post("/v1/identity/withdraw", {"order_id": "none", "reason": "a mistake"})).json()
    assert kept["reason"] == "refused"
    assert [each["outcome"] for each in serving.ledger.audit if each["order_id"] == said["order_id"]] == [
        "given",
        "refused",
    ]


async def test_what_is_not_known_everywhere_yet_is_outstanding(serving: Serving) -> None:
    couple(serving)
    serving.parts.orders.patience = Patience(effect_s=0.2, pause_s=0.02)
    serving.world.slow = True
    answer = await serving.post("/v1/identity/join", JOIN, **{"Idempotency-Key": "a"})
    assert answer.status_code == 202
    said = answer.json()
    shapes.OrderDone.model_validate(said)
    assert (said["state"], said["effect"]) == ("accepted", "outstanding")
    assert {"profile": "customer:2", "identifier": "customer:1"} in said["outstanding"]
    serving.world.slow = False
    serving.world.deliver()
    again = await serving.post("/v1/identity/join", JOIN, **{"Idempotency-Key": "a"})
    assert (again.status_code, again.json()["order_id"]) == (200, said["order_id"])
    assert again.json()["effect"] == "complete"


async def test_effects_are_waited_for(serving: Serving) -> None:
    couple(serving)
    serving.world.slow = True
    ordered = asyncio.create_task(serving.post("/v1/identity/join", JOIN))
    await until(lambda: serving.ledger.audit[-1:] and serving.ledger.audit[-1]["outcome"] == "accepted")
    assert not ordered.done()
    serving.world.slow = False
    serving.world.deliver()
    assert (await ordered).json()["effect"] == "complete"


async def test_an_order_that_is_recorded_and_not_decided_is_accepted_for_later(serving: Serving) -> None:
    couple(serving)
    serving.parts.orders.patience = Patience(effect_s=0.1)
    serving.world.deaf = True
    answer = await serving.post("/v1/identity/join", JOIN)
    assert (answer.status_code, answer.json()["state"]) == (202, "unknown")
    serving.headers["Authorization"] = "Bearer admin_key"
    path = f"/v1/identity/orders/{answer.json()['order_id']}"
    problem(await serving.get(path), 404, "unknown_order")
    serving.world.deaf = False
    serving.world.decide()
    assert (await serving.get(path)).json()["state"] == "accepted"


async def test_the_same_key_gives_the_same_order_once(serving: Serving) -> None:
    couple(serving)
    key = {"Idempotency-Key": "k1"}
    first = await serving.post("/v1/identity/join", JOIN, **key)
    again = await serving.post("/v1/identity/join", JOIN, **key)
    assert first.json() == again.json()
    assert len(serving.ledger.said) == 1
    other = await serving.post("/v1/identity/join", {**JOIN, "into": "customer:3"}, **key)
    problem(other, 422, "idempotency_key_reused")
    different = await serving.post(
        "/v1/identity/part", {"identifier": PHONE, "person": "customer:1", "reason": "not hers"}
    )
    assert different.json()["order_id"] != first.json()["order_id"]


async def test_orders_are_on_record_before_they_are_given(serving: Serving) -> None:
    couple(serving)
    order = (await serving.post("/v1/identity/join", JOIN)).json()["order_id"]
    given, accepted = serving.ledger.audit
    assert (given["action"], given["order_id"], given["outcome"]) == ("join", order, "given")
    assert (given["actor"], given["reason"]) == ("key:admin", JOIN["reason"])
    assert given["subjects"] == serving.sealed("customer:1", "customer:2")
    assert (accepted["outcome"], accepted["audit_id"]) == ("accepted", given["audit_id"])

    serving.ledger.away = True
    problem(await serving.post("/v1/identity/join", {**JOIN, "from": "customer:9"}), 503, "audit_away")
    assert len(serving.ledger.said) == 1


async def test_orders_page_by_page(serving: Serving) -> None:
    couple(serving)
    serving.headers["Authorization"] = "Bearer admin_key"
    ids = [
        (await serving.post("/v1/identity/join", {**JOIN, "from": f"customer:{n}"})).json()["order_id"]
        for n in (11, 12, 13)
    ]
    first = (await serving.get("/v1/identity/orders", limit=2)).json()
    shapes.OrdersAnswer.model_validate(first)
    assert [each["order_id"] for each in first["orders"]] == ids[:0:-1]
    second = (await serving.get("/v1/identity/orders", limit=2, before=first["next"])).json()
    assert [each["order_id"] for each in second["orders"]] == ids[:1]
    assert second["next"] is None
    one = (await serving.get(f"/v1/identity/orders/{ids[0]}")).json()
    shapes.OrderAnswer.model_validate(one)
    assert (one["kind"], one["from"], one["into"]) == ("join", "customer:11", "customer:2")
    assert (one["by"], one["reason"], one["why"]) == ("key:admin", JOIN["reason"], "")


async def test_who_stands_alone_is_listed_and_can_be_freed(serving: Serving) -> None:
    kiosk = "customer:kiosk"
    said = (Evidence(kiosk, f"anonymous:{n:04}", n, "", "shop", f"e{n}") for n in range(1, 1_002))
    serving.world.decide(*said)
    serving.headers["Authorization"] = "Bearer admin_key"
    listed = (await serving.get("/v1/identity/alone")).json()
    shapes.AloneAnswer.model_validate(listed)
    (found,) = listed["alone"]
    assert (found["identifier"], found["why"], found["freed"]) == (kiosk, "reach", False)
    explained = rows(await identity(serving, "anonymous:0001"))
    assert (explained["anonymous:0001"]["person"], explained[kiosk]["state"]) == ("anonymous:0001", "alone")
    freed = await serving.post("/v1/identity/free", {"identifier": kiosk, "reason": "one busy customer"})
    assert freed.json()["state"] == "accepted"
    assert (await serving.get("/v1/identity/alone")).json() == {"alone": [], "next": None}
    serving.world.say("anonymous:0001")
    assert (await serving.context(("anonymous", "0001"))).json()["profile"]["id"] == kiosk


@pytest.mark.parametrize("path", ["join", "part", "free", "withdraw"])
async def test_only_admins_order(serving: Serving, path: str) -> None:
    body: dict[str, Any] = {
        "join": JOIN,
        "part": {"identifier": PHONE, "person": "customer:1", "reason": "not hers"},
        "free": {"identifier": PHONE, "reason": "a shop's"},
        "withdraw": {"order_id": "o1", "reason": "a mistake"},
    }[path]
    for key in (READ, INGEST):
        headers = {"Authorization": f"Bearer {key}"}
        problem(await serving.client.post(f"/v1/identity/{path}", json=body, headers=headers), 403, "missing_scope")
    serving.sign_in()
    problem(await serving.client.post(f"/v1/identity/{path}", json=body), 403, "missing_scope")
    assert serving.ledger.said == []


async def test_only_admins_read_orders_and_they_say_why(serving: Serving) -> None:
    for path in ("/v1/identity/orders", "/v1/identity/orders/o1", "/v1/identity/alone"):
        problem(await serving.get(path), 403, "missing_scope")
    serving.headers["Authorization"] = "Bearer admin_key"
    del serving.headers["Throughline-Purpose"]
    for path in (
        "/v1/identity/orders",
        "/v1/identity/orders/o1",
        "/v1/identity/alone",
        "/v1/customers/customer:1/identity",
    ):
        problem(await serving.get(path), 400, "missing_purpose")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"reason": "no"}, "invalid_request"),
        ({"reason": "  a  "}, "invalid_request"),
        ({"reason": "x" * 501}, "invalid_request"),
        ({"reason": None}, "invalid_request"),
        ({"more": 1}, "invalid_request"),
        ({"from": "phone:+14155550142"}, "bad_identifier"),
        ({"from": "erased:1.o1"}, "unknown_namespace"),
        ({"from": "customer:null"}, "placeholder_identifier"),
        ({"into": {"namespace": "phone", "value": "12"}}, "bad_identifier"),
        ({"into": {"namespace": "planet", "value": "4"}}, "invalid_request"),
        ({"into": 4}, "invalid_request"),
    ],
)
async def test_orders_that_cannot_be_used(serving: Serving, change: dict[str, Any], reason: str) -> None:
    said = problem(await serving.post("/v1/identity/join", {**JOIN, **change}), 400, reason)
    assert "4155550142" not in said["detail"]
    assert serving.ledger.said == []


async def test_without_identify_it_says_so(serving: Serving) -> None:
    couple(serving)
    await serving.deciding.stop()
    serving.parts.identities.patience = identify.Patience(deadline_s=0.2)
    answer = await serving.get("/v1/customers/customer:1/identity")
    problem(answer, 503, "identify_away")
    assert answer.headers["retry-after"] == "1"
    serving.parts.orders.patience = Patience(effect_s=0.1)
    assert (await serving.post("/v1/identity/join", JOIN)).json()["state"] == "unknown"
    assert (await serving.context(("customer", "1"))).json()["match"] == "one"
