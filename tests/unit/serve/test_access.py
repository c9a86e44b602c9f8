from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from pipeline.serve.access import COOKIE, LINK_S, SESSION_S, Links, Sessions, Ticket
from tests.serving import now_ms, sign_in_file
from tests.unit.serve.conftest import Serving

NOW = 1_700_000_000


def test_a_session_is_what_was_signed() -> None:
    sessions = Sessions("a key")
    cookie = sessions.new(NOW)
    who = sessions.read(cookie, NOW)
    assert who is not None
    assert who.session
    assert who.scopes == {"read"}
    assert who.name.startswith("desk:")
    assert sessions.read(cookie, NOW + SESSION_S - 1) is not None


def test_sessions_that_do_not_count() -> None:
    sessions = Sessions("a key")
    cookie = sessions.new(NOW)
    body, _, seal = cookie.partition(".")
    forged = Sessions("another key").sign(Ticket("x", NOW + 10, ("read", "admin")))
    for broken in ("", ".", body, f"{body}.", f"{body}.{seal[:-2]}", f".{seal}", f"{body}!.{seal}", forged, "ä.ö"):
        assert sessions.read(broken, NOW) is None
    assert sessions.read(cookie, NOW + SESSION_S) is None


def test_a_link_works_once(tmp_path: Path) -> None:
    links = Links(tmp_path / "run" / "sign-in")
    token = links.new()
    file = tmp_path / "run" / "sign-in" / sign_in_file(token)
    assert file.stat().st_mode & 0o777 == 0o600
    at = now_ms() / 1000
    assert links.use(token, at)
    assert not links.use(token, at)
    assert not file.exists()


def test_links_that_do_not_work(tmp_path: Path) -> None:
    links = Links(tmp_path)
    for token in ("", "short", "../../etc/passwd", "x" * 500, "ä" * 20, "unknown-but-well-formed"):
        assert not links.use(token, NOW)
    token = links.new()
    os.utime(tmp_path / sign_in_file(token), (NOW, NOW))
    assert not links.use(token, NOW + LINK_S)
    assert not links.use(token, NOW)


async def test_signing_in_and_out(serving: Serving, tmp_path: Path) -> None:
    assert (await serving.client.get("/desk")).status_code == 401
    token = serving.parts.links.new()
    answer = await serving.client.get("/desk/sign-in", params={"token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert f"max-age={SESSION_S}" in cookie
    assert (await serving.client.get("/desk")).status_code == 200
    again = await serving.client.get("/desk/sign-in", params={"token": token})
    assert again.status_code == 401
    assert "does not work any more" in again.text
    assert (await serving.client.post("/desk/sign-out")).status_code == 303
    assert (await serving.client.get("/desk")).status_code == 401


async def test_a_session_may_ask_the_api_and_needs_no_header_for_its_purpose(serving: Serving) -> None:
    serving.sign_in()
    path = "/v1/customers/customer:1/timeline"
    assert (await serving.client.get(path)).status_code == 200
    assert serving.log.lines[-1]["purpose"] == "agent desk"
    assert (await serving.client.get(path, params={"purpose": "supervision"})).status_code == 200
    assert serving.log.lines[-1]["purpose"] == "supervision"
    assert (await serving.client.get(path, params={"purpose": "x" * 65})).status_code == 400


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_session_does_not_answer_to_other_pages(serving: Serving, site: str) -> None:
    serving.sign_in()
    headers = {"Sec-Fetch-Site": site}
    body = {"keys": [{"namespace": "customer", "value": "1"}], "purpose": "x"}
    for answer in (
        await serving.client.post("/v1/context", json=body, headers=headers),
        await serving.client.get("/v1/customers/customer:1/timeline", headers=headers),
        await serving.client.post("/desk/search", data={"q": "4711"}, headers=headers),
        await serving.client.post("/desk/sign-out", headers=headers),
        await serving.client.get("/desk/stream", headers=headers),
    ):
        assert (answer.status_code, answer.json()["reason"]) == (403, "other_origin")
    assert (await serving.client.get("/desk", headers=headers)).status_code == 200  # following a link is fine


async def test_a_key_does_not_open_the_desk(serving: Serving) -> None:
    for path in ("/desk", "/desk/customers/customer:1"):
        assert (await serving.client.get(path, headers=serving.headers)).status_code == 401
    assert (await serving.client.get("/desk/stream", headers=serving.headers)).status_code == 403


async def test_a_ticket_without_the_scope_opens_nothing(serving: Serving) -> None:
    ticket = Ticket("x", now_ms() // 1000 + 60, ())
    serving.client.cookies.set(COOKIE, serving.parts.sessions.sign(ticket))
    assert (await serving.client.get("/desk")).status_code == 401
    assert (await serving.client.get("/v1/customers/customer:1/timeline")).status_code == 403


def test_tickets_grow_without_breaking() -> None:
    """A cookie of a newer version with more in it is still read by this one, as long as it is signed."""
    data = msgspec.json.encode({"id": "x", "expires": NOW + 1, "scopes": ["read"], "extension": "21"})
    assert msgspec.json.decode(data, type=Ticket).id == "x"
