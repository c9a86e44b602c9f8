from __future__ import annotations

from typing import Any

import pytest

from pipeline.serve import shapes
from tests.serving import ADMIN, INGEST, KEYRING, RULES, keyed, now_ms
from tests.unit.serve.conftest import Serving

PHONE, MASKS = keyed("phone", "+14155550142")


def searched(serving: Serving) -> None:
    """An anonymous search, a login, and the phone number that belongs to it."""
    serving.world.say("anonymous:a1", type="searched", touchpoint="site_search", properties={"query": "blue shoes"})
    serving.world.say("customer:1", type="profile_updated", properties={"name": "Ada Lovelace"})
    serving.world.say("customer:1", type="identified", links=(PHONE, "anonymous:a1"), masks=MASKS, session_id="s1")


def problem(answer: Any, status: int, reason: str) -> dict[str, Any]:
    """The problem that an answer is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = answer.json()
    assert said["status"] == status
    assert said["reason"] == reason
    assert said["title"]
    assert said["detail"]
    return said


async def test_the_search_of_an_anonymous_visitor_is_the_callers(serving: Serving) -> None:
    searched(serving)
    answer = await serving.context(("phone", "(415) 555-0142"))
    said = answer.json()
    shapes.ContextAnswer.model_validate(said)
    assert said["match"] == "one"
    assert said["profile"]["id"] == "customer:1"
    assert said["profile"]["traits"] == {"name": "Ada Lovelace"}
    assert {"namespace": "phone", "value": "+1 ••• ••42"}.items() <= said["profile"]["identifiers"][1].items()
    assert [each["text"] for each in said["now"]["searches"]] == ["blue shoes"]
    assert said["lag_ms"] >= 0
    assert "4155550142" not in answer.text.replace(" ", "")


async def test_nobody_is_known(serving: Serving) -> None:
    said = (await serving.context(("phone", "+14155550199"))).json()
    shapes.ContextAnswer.model_validate(said)
    assert said["match"] == "none"
    assert said["profile"] is None
    assert said["candidates"] == said["timeline"] == said["now"]["searches"] == []
    assert said["now"]["last_order"] is None
    assert said["scores"]["ease"] == {"value": None, "n": 0, "kind": ""}


async def test_a_shared_phone_is_ambiguous(serving: Serving) -> None:
    for number, name in (("1", "Grace Hopper"), ("2", "Karl Hopper")):
        serving.world.say(f"customer:{number}", type="profile_updated", properties={"name": name})
        serving.world.say(f"customer:{number}", links=(PHONE,), masks=MASKS, session_id=f"s{number}")
    said = (await serving.context(("phone", "+14155550142"))).json()
    shapes.ContextAnswer.model_validate(said)
    assert said["match"] == "ambiguous"
    assert said["profile"] is None
    assert said["timeline"] == []
    shown = [(each["id"], each["initials"]) for each in said["candidates"]]
    assert shown == [("customer:1", "GH"), ("customer:2", "KH")]
    assert all(each["last_seen"] for each in said["candidates"])

    one_of_them = (await serving.context(("phone", "+14155550142"), ("customer", "2"))).json()
    assert one_of_them["profile"]["id"] == "customer:2"


async def test_keys_of_different_persons_are_ambiguous(serving: Serving) -> None:
    searched(serving)
    serving.world.say("customer:2")
    said = (await serving.context(("customer", "2"), ("phone", "+14155550142"))).json()
    assert said["match"] == "ambiguous"
    assert {each["id"] for each in said["candidates"]} == {"customer:1", "customer:2"}


async def test_the_answer_is_as_old_as_its_oldest_part(serving: Serving) -> None:
    searched(serving)
    serving.worker.engine.lag_ms = 4000
    assert (await serving.context(("customer", "1"))).json()["lag_ms"] == pytest.approx(4000, abs=200)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'{"purpose":"x"}',
        b'{"keys":[],"purpose":"x"}',
        b'{"keys":[{"namespace":"planet","value":"4"}],"purpose":"x"}',
        b'{"keys":[{"namespace":"customer","value":4}],"purpose":"x"}',
        b'{"keys":[{"namespace":"customer","value":"4","more":1}],"purpose":"x"}',
        b'{"keys":[{"namespace":"customer","value":"4"}]}',
        b'{"keys":[{"namespace":"customer","value":"4"}],"purpose":""}',
        b'{"keys":[{"namespace":"customer","value":"4"}],"purpose":"%b"}' % (b"x" * 65),
        b'{"keys":[%b],"purpose":"x"}' % b",".join([b'{"namespace":"customer","value":"4"}'] * 11),
    ],
)
async def test_bodies_that_cannot_be_used(serving: Serving, body: bytes) -> None:
    headers = {**serving.headers, "Content-Type": "application/json"}
    problem(await serving.client.post("/v1/context", content=body, headers=headers), 400, "invalid_request")


@pytest.mark.parametrize(
    "label", ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"]
)
async def test_json_is_json_whatever_its_label_says(serving: Serving, label: str) -> None:
    body = b'{"keys": [{"namespace": "customer", "value": "4711"}], "purpose": "test"}'
    answer = await serving.client.post("/v1/context", content=body, headers={**serving.headers, "Content-Type": label})
    assert answer.status_code == 200


async def test_a_blank_purpose_is_none(serving: Serving) -> None:
    problem(await serving.context(("customer", "4"), purpose="   "), 400, "bad_purpose")
    problem(await serving.context(("customer", "4"), purpose="a\nb"), 400, "bad_purpose")


async def test_a_body_may_not_be_large(serving: Serving) -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b" " * 1000

    headers = {**serving.headers, "Content-Type": "application/json"}
    for body in (b" " * 100_000, endless()):
        answer = await serving.client.post("/v1/context", content=body, headers=headers)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("namespace", "value", "reason"),
    [("phone", "withheld", "placeholder_identifier"), ("phone", "12", "bad_identifier"), ("customer", "null", None)],
)
async def test_keys_that_stand_for_nobody(serving: Serving, namespace: str, value: str, reason: str | None) -> None:
    said = problem(
        await serving.context(("customer", "1"), (namespace, value)), 400, reason or "placeholder_identifier"
    )
    assert said["field"] == "keys.1"
    assert value not in said["detail"]


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearer", "Bearer wrong", "Bearer \xff"])
async def test_without_a_key_nobody_gets_anything(serving: Serving, header: str | None) -> None:
    headers = {"Throughline-Purpose": "test"} | ({} if header is None else {"Authorization": header.encode("latin-1")})
    for path in ("/v1/customers/customer:1/timeline", "/v1/customers/customer:1/live", "/v1/calls/ringing"):
        answer = await serving.client.get(path, headers=headers)
        problem(answer, 401, "no_key")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    body = {"keys": [{"namespace": "customer", "value": "1"}], "purpose": "x"}
    problem(await serving.client.post("/v1/context", json=body, headers=headers), 401, "no_key")


async def test_scopes(serving: Serving) -> None:
    serving.headers["Authorization"] = f"Bearer {INGEST}"
    problem(await serving.context(("customer", "1")), 403, "missing_scope")
    serving.headers["Authorization"] = f"bearer {ADMIN}"
    assert (await serving.context(("customer", "1"))).status_code == 200


@pytest.mark.parametrize("purpose", [None, "", " ", "x" * 65])
async def test_gets_state_their_purpose(serving: Serving, purpose: str | None) -> None:
    del serving.headers["Throughline-Purpose"]
    if purpose is not None:
        serving.headers["Throughline-Purpose"] = purpose
    for path in ("/v1/customers/customer:1/timeline", "/v1/customers/customer:1/live", "/v1/calls/ringing"):
        answer = await serving.get(path)
        said = problem(answer, 400, "missing_purpose" if purpose is None else "bad_purpose")
        assert "support call" in said["detail"]


async def test_a_purpose_may_have_any_letters(serving: Serving) -> None:
    headers: Any = {**serving.headers, "Throughline-Purpose": "Rückruf".encode()}
    assert (await serving.client.get("/v1/customers/customer:1/timeline", headers=headers)).status_code == 200
    assert serving.ledger.audit[-1]["purpose"] == "Rückruf"


@pytest.mark.parametrize(
    ("path", "query", "reason"),
    [
        ("phone:+14155550142", {}, "bad_identifier"),
        ("email:a@example.com", {}, "bad_identifier"),
        ("planet:4", {}, "unknown_namespace"),
        ("nothing", {}, "unknown_namespace"),
        ("customer:null", {}, "placeholder_identifier"),
        ("customer:", {}, "placeholder_identifier"),
        ("customer:%00", {}, "bad_identifier"),
        ("customer:" + "x" * 400, {}, "invalid_request"),
        ("customer:1", {"limit": 0}, "invalid_request"),
        ("customer:1", {"limit": 201}, "invalid_request"),
        ("customer:1", {"limit": "many"}, "invalid_request"),
        ("customer:1", {"channel": "fax"}, "invalid_request"),
        ("customer:1", {"before": "?"}, "bad_cursor"),
        ("customer:1", {"before": "W10"}, "bad_cursor"),
    ],
)
async def test_bad_ids_limits_and_cursors(serving: Serving, path: str, query: dict[str, Any], reason: str) -> None:
    problem(await serving.get(f"/v1/customers/{path}/timeline", **query), 400, reason)


async def test_a_timeline_page_by_page(serving: Serving) -> None:
    at = now_ms()
    for n in range(7):
        serving.world.say("customer:1", at=at - n * 1000, event_id=f"n{n}", channel="web" if n % 2 else "phone")
    seen: list[str] = []
    before: dict[str, Any] = {}
    for _ in range(4):
        page = (await serving.get("/v1/customers/customer:1/timeline", limit=3, **before)).json()
        shapes.TimelineAnswer.model_validate(page)
        seen += [each["event_id"] for each in page["timeline"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert seen == [f"n{n}" for n in range(7)]
    phone = (await serving.get("/v1/customers/customer:1/timeline", channel="phone")).json()["timeline"]
    assert [each["event_id"] for each in phone] == ["n0", "n2", "n4", "n6"]


async def test_an_alias_gives_its_person_and_a_stranger_nothing(serving: Serving) -> None:
    searched(serving)
    for alias in ("anonymous:a1", PHONE, "customer:1"):
        page = (await serving.get(f"/v1/customers/{alias}/timeline")).json()
        assert len(page["timeline"]) == 3
    stranger = await serving.get("/v1/customers/customer:a%2Fb/timeline")
    assert stranger.status_code == 200
    assert stranger.json()["timeline"] == []
    assert stranger.json()["next"] is None


async def test_ringing_calls(serving: Serving) -> None:
    at = now_ms()
    ring = {
        "type": "call_ringing",
        "event_id": "e",
        "identifier": PHONE,
        "masks": MASKS,
        "touchpoint": "call_queue",
        "details": {"queue": "returns", "extension": "21"},
    }
    serving.parts.calls.see({**ring, "session_id": "c1", "occurred_at": at - 5000}, at)
    said = (await serving.get("/v1/calls/ringing")).json()
    shapes.RingingAnswer.model_validate(said)
    (call,) = said["calls"]
    expected = {"session_id": "c1", "id": PHONE, "caller": "+1 ••• ••42", "queue": "returns"}
    assert expected.items() <= call.items()
    assert call["extension"] == KEYRING.pseudonym("staff", "21")
    assert call["age_s"] >= 5


async def test_health_waits_for_routes(serving: Serving) -> None:
    answer = await serving.client.get("/v1/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    serving.parts.routes.partitions += 1
    assert (await serving.client.get("/v1/health")).status_code == 503


async def test_a_worker_that_is_gone(serving: Serving) -> None:
    await serving.worker.stop()
    for answer in (
        await serving.context(("customer", "1")),
        await serving.get("/v1/customers/customer:1/timeline"),
    ):
        problem(answer, 503, "worker_away")
        assert answer.headers["retry-after"] == "1"


async def test_paths_and_methods_that_do_not_exist(serving: Serving) -> None:
    problem(await serving.get("/v1/nothing"), 404, "not_found")
    problem(await serving.get("/v1/context"), 405, "method_not_allowed")


async def test_docs_need_nothing_from_elsewhere(serving: Serving) -> None:
    page = await serving.client.get("/docs")
    assert page.status_code == 200
    assert "//cdn" not in page.text
    assert "<script" not in page.text
    for path in (await serving.client.get("/openapi.json")).json()["paths"]:
        assert path in page.text


async def test_what_comes_with_every_answer(serving: Serving) -> None:
    for path in ("/docs", "/desk", "/v1/health", "/static/desk.js", "/nothing"):
        headers = (await serving.client.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    answer = await serving.context(("customer", "1"))
    assert answer.headers["cache-control"] == "no-store"


async def test_metrics_name_routes_and_never_ids(serving: Serving) -> None:
    await serving.get("/v1/customers/customer:a-secret/timeline")
    text = (await serving.client.get("/metrics")).text
    assert "throughline_query_seconds" in text
    assert "a-secret" not in text


async def test_a_full_view_is_bounded(serving: Serving) -> None:
    for n in range(RULES.view_size + 30):
        serving.world.say("customer:1", event_id=f"x{n}")
    said = (await serving.context(("customer", "1"))).json()
    assert len(said["timeline"]) == RULES.view_size
