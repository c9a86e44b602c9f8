"""The card in another tool's frame: a token that opens one card for some minutes, and nothing else."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from pipeline.serve.desk_stream import Resume, card_events
from pipeline.serve.framed import Framed
from pipeline.serve.pages import Pages
from pipeline.serve.passes import TOKEN_MINUTES, Passes
from pipeline.serve.shell import Shell
from tests.serving import INGEST, keyed, now_ms
from tests.unit.serve.conftest import Serving
from tests.unit.serve.test_desk import heard
from tests.unit.serve.test_desk_calls import ada, ring

PHONE, MASKS = keyed("phone", "+14155550142")
ASKED = {"key": {"namespace": "phone", "value": "+1 415 555 0142"}, "purpose": "crm"}
NOW = 1_700_000_000


async def token(serving: Serving, **asked: Any) -> httpx.Response:
    """Ask for one, with the read key."""
    return await serving.client.post("/v1/desk/token", json=asked or ASKED, headers=serving.headers)


async def opened(serving: Serving, path: str) -> str:
    answer = await serving.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


async def test_a_token_opens_one_card_unverified_and_verified(serving: Serving) -> None:
    ada(serving)
    told = await token(serving)
    assert told.status_code == 201
    answer = told.json()
    assert answer["path"] == f"/desk/card?token={answer['token']}"
    assert answer["minutes"] == TOKEN_MINUTES
    assert "4155550142" not in told.text
    text = await opened(serving, answer["path"])
    assert "<h1>Ada Lovelace</h1>" in text
    assert "Broken zip" not in text
    assert "Ada" in await opened(serving, f"{answer['path']}&zone=Europe/Berlin")

    verified = await serving.client.post("/desk/card/verify", data={"token": answer["token"]})
    assert verified.status_code == 303
    text = await opened(serving, verified.headers["location"])
    assert "Broken zip" in text
    for elsewhere in ("/desk/customers", "/desk/older", "/desk/identity", "/desk/note"):
        assert elsewhere not in text
    assert "Broken zip" not in await opened(serving, answer["path"])  # the one before is as it was


async def test_every_look_is_audited_with_the_purpose_of_the_token(serving: Serving) -> None:
    ada(serving)
    answer = (await token(serving)).json()
    await opened(serving, answer["path"])
    await serving.client.post("/desk/card/verify", data={"token": answer["token"]})
    records = serving.ledger.audit
    assert [(each["action"], each["purpose"]) for each in records] == [
        ("card_token", "crm"),
        ("card", "crm"),
        ("verify", "crm"),
    ]
    assert records[0]["actor"] == "key:read"
    assert records[1]["actor"].startswith("card:read:")
    assert records[1]["shown"] == records[2]["shown"] == serving.sealed("customer:1")
    serving.ledger.away = True
    assert (await token(serving)).status_code == 503
    closed = await serving.client.get(answer["path"])
    assert closed.status_code == 503
    assert "Ada" not in closed.text


async def test_for_a_call_without_its_key(serving: Serving) -> None:
    ada(serving)
    assert (await token(serving, call="c1", purpose="crm")).status_code == 404
    ring(serving, "c1")
    text = await opened(serving, (await token(serving, call="c1", purpose="crm")).json()["path"])
    assert "<h1>Ada Lovelace</h1>" in text


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"purpose": "crm"}, 400),
        ({"key": ASKED["key"]}, 400),
        ({**ASKED, "more": 1}, 400),
        ({**ASKED, "purpose": " "}, 400),
        ({**ASKED, "key": {"namespace": "phone", "value": "null"}}, 400),
        ({**ASKED, "call": "c" * 257}, 400),
    ],
)
async def test_what_is_asked_for_wrongly(serving: Serving, asked: dict[str, Any], status: int) -> None:
    assert (await token(serving, **asked)).status_code == status


async def test_only_a_key_that_may_read_gets_one(serving: Serving) -> None:
    assert (await serving.client.post("/v1/desk/token", json=ASKED)).status_code == 401
    ingest = {"Authorization": f"Bearer {INGEST}"}
    assert (await serving.client.post("/v1/desk/token", json=ASKED, headers=ingest)).status_code == 403


def test_tokens_that_do_not_count() -> None:
    passes = Passes("a key")
    given = passes.new("customer:1", "c1", "key:read", "crm", NOW)
    signed = passes.sign(given)
    assert passes.read(signed, NOW) == given
    assert passes.read(signed, NOW + TOKEN_MINUTES * 60) is None
    forged = Passes("another key").sign(given)
    for broken in ("", ".", signed[:-2], f"x{signed}", forged, signed.partition(".")[0], "x" * 5_000, "ä.ö"):
        assert passes.read(broken, NOW) is None


async def test_a_token_is_no_session_and_a_session_no_token(serving: Serving) -> None:
    ada(serving)
    signed = (await token(serving)).json()["token"]
    serving.client.cookies.set("throughline_desk", signed, domain="desk.test")
    assert (await serving.client.get("/desk")).status_code == 401
    bearer = {"Authorization": f"Bearer {signed}"}
    assert (await serving.client.get("/v1/customers/customer:1/timeline", headers=bearer)).status_code == 401
    cookie = serving.parts.sessions.new(now_ms() / 1000)
    for path in ("/desk/card", "/desk/card/stream"):
        assert (await serving.client.get(path, params={"token": cookie})).status_code == 401
    assert (await serving.client.post("/desk/card/verify", data={"token": cookie})).status_code == 401
    assert "open it again from your tool" in (await serving.client.get("/desk/card")).text


async def test_its_stream_ends_with_the_token(serving: Serving) -> None:
    ada(serving)
    pages = Pages(serving.parts)
    given = serving.parts.passes.new(PHONE, "", "key:read", "crm", now_ms() / 1000 - TOKEN_MINUTES * 60 + 2)
    seat = Framed(serving.parts, pages).seat(given)
    stream = card_events(serving.parts, pages, seat, PHONE, "", Resume(), serving.parts.passes.sign(given))
    assert "Ada Lovelace" in (await heard(stream, "card"))["html"]
    assert await heard(stream, "over")
    assert [each async for each in stream] == []


async def headers_of(path: str, framed_by: str) -> str:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    shell = Shell(app, lambda route, seconds: None, framed_by)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(shell), base_url="http://desk.test") as client:
        return (await client.get(path)).headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "framed_by", "expected"),
    [
        ("/desk/card", "", "'none'"),
        ("/desk/card", "https://crm.example.com", "https://crm.example.com"),
        ("/desk", "https://crm.example.com", "'none'"),
        ("/desk/cards", "https://crm.example.com", "'none'"),
    ],
)
async def test_who_may_frame_what(path: str, framed_by: str, expected: str) -> None:
    assert (await headers_of(path, framed_by)).endswith(f"frame-ancestors {expected}")
