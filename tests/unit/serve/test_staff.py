"""Who works here has a name at the desk, and a pseudonym wherever a program asks."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.interactions import made
from tests.serving import KEYRING, now_ms, until
from tests.unit.serve.conftest import Serving

AGENT, PSEUDONYM = "Alma Kowalski", KEYRING.pseudonym("staff", "Alma Kowalski")
CALL = {"type": "call_ended", "channel": "phone", "details": {"agent": AGENT, "queue": "returns", "extension": "21"}}


async def context(serving: Serving) -> httpx.Response:
    return await serving.context(("customer", "1"))


async def timeline(serving: Serving) -> httpx.Response:
    return await serving.get("/v1/customers/customer:1/timeline")


@pytest.mark.parametrize("ask", [context, timeline])
async def test_a_program_is_told_pseudonyms_and_the_desk_names(serving: Serving, ask: object) -> None:
    assert callable(ask)
    serving.world.say("customer:1", **CALL)
    answer = await ask(serving)
    assert AGENT not in answer.text
    (entry,) = answer.json()["timeline"]
    assert entry["details"]["agent"] == PSEUDONYM
    assert entry["details"]["queue"] == "returns"
    assert entry["details"]["extension"] == KEYRING.pseudonym("staff", "21")

    serving.sign_in()
    del serving.headers["Authorization"]
    assert (await ask(serving)).json()["timeline"][0]["details"]["agent"] == AGENT


async def test_a_key_counts_before_the_desks_cookie(serving: Serving) -> None:
    serving.world.say("customer:1", **CALL)
    serving.sign_in()
    assert AGENT not in (await context(serving)).text


async def test_what_comes_from_clickhouse_keeps_its_pseudonym(serving: Serving) -> None:
    serving.world.say("customer:1", event_id="new")
    serving.history.stored = [made("customer:1", "old", at=now_ms() - 10**9, details={"agent": PSEUDONYM})]
    for n in range(300):  # more than the view holds, so that what is older is asked for
        serving.world.say("customer:1", event_id=f"e{n}")
    page: str | None = None
    seen = []
    while True:
        said = (
            await serving.get("/v1/customers/customer:1/timeline", limit=200, **({"before": page} if page else {}))
        ).json()
        seen += [each.get("details", {}).get("agent") for each in said["timeline"]]
        if (page := said["next"]) is None:
            break
    assert seen[-1] == PSEUDONYM


async def test_a_live_stream_tells_pseudonyms(serving: Serving) -> None:
    serving.world.say("customer:1", event_id="before")
    told: list[bytes] = []

    async def read() -> None:
        # Through the app as a server would call it: this client waits for whole answers.
        async def receive() -> dict[str, object]:
            await asyncio.sleep(3600)
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            body = message.get("body", b"")
            assert isinstance(body, bytes)
            told.append(body)

        headers = [(name.lower().encode(), value.encode()) for name, value in serving.headers.items()]
        path = "/v1/customers/customer:1/live"
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
        more = {
            "headers": headers,
            "http_version": "1.1",
            "scheme": "http",
            "server": ("desk.test", 80),
            "root_path": "",
        }
        await serving.app({**scope, **more, "asgi": {"version": "3.0"}}, receive, send)  # type: ignore[arg-type]  # ours are narrower

    task = asyncio.create_task(read())
    await until(lambda: b"id: " in b"".join(told))
    serving.world.say("customer:1", **CALL)
    await until(lambda: PSEUDONYM.encode() in b"".join(told))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert AGENT.encode() not in b"".join(told)
