from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pipeline.domain import view
from pipeline.problems import Problem
from pipeline.serve import live
from pipeline.serve.live import WINDOW, BadEventId, Shown, Streams
from tests.interactions import NOON
from tests.serving import free_port
from tests.unit.serve.conftest import Serving


def entry(n: int) -> dict[str, Any]:
    """An entry; a larger n is newer."""
    at = view.time_text(NOON + n * 1000)
    return {"identifier": "customer:1", "source": "shop", "event_id": f"e{n}", "occurred_at": at}


def newest(*numbers: int) -> list[dict[str, Any]]:
    """A window of entries, newest first."""
    return [entry(n) for n in sorted(numbers, reverse=True)]


def taken(shown: Shown, *numbers: int) -> list[str]:
    """What is new of a window."""
    return [each["event_id"] for _, each in shown.take(newest(*numbers))]


def test_only_what_is_new_oldest_first() -> None:
    shown = Shown.of(newest(1, 2))
    assert taken(shown, 1, 2) == []
    assert taken(shown, 1, 2, 4, 3) == ["e3", "e4"]
    assert taken(shown, 1, 2, 3, 4) == []


def test_a_late_one_is_new_too() -> None:
    shown = Shown.of(newest(5, 9))
    assert taken(shown, 1, 5, 7, 9) == ["e1", "e7"]


def test_what_slides_into_a_full_window_from_below_is_not_new() -> None:
    shown = Shown.of(newest(*range(10, 10 + WINDOW)))
    without_the_newest = range(9, 9 + WINDOW)
    assert taken(shown, *without_the_newest) == []


def test_every_event_id_resumes_exactly_there() -> None:
    shown = Shown.of(newest(1))
    tokens = [token for token, _ in shown.take(newest(1, 2, 3, 4))]
    assert taken(Shown.parse(tokens[0]), 1, 2, 3, 4, 5) == ["e3", "e4", "e5"]
    assert taken(Shown.parse(tokens[2]), 1, 2, 3, 4, 5) == ["e5"]


def test_an_event_id_stays_short() -> None:
    shown = Shown.of([])
    for n in range(300):
        tokens = shown.take(newest(*range(max(0, n - WINDOW + 1), n + 1)))
        assert len(tokens) == 1
        assert len(tokens[0][0]) < 300
    assert taken(Shown.parse(shown.token), *range(252, 302)) == ["e300", "e301"]


@pytest.mark.parametrize("token", ["", "?", "AAAA", "A" * 401, "A" * 400, "äöü"])
def test_event_ids_of_others(token: str) -> None:
    with pytest.raises(BadEventId):
        Shown.parse(token)


async def told(person: str) -> None:
    """Nobody audits here."""


@asynccontextmanager
async def reading(serving: Serving, identifier: str, token: str | None = None) -> AsyncIterator[asyncio.Queue[Any]]:
    """The events of a stream as they come: (id, entry); comments as None."""
    heard: asyncio.Queue[Any] = asyncio.Queue()
    shown = Shown.parse(token) if token else None

    async def read() -> None:
        async for chunk in serving.parts.streams.run(live.events(serving.parts.lookup, identifier, shown, told, dict)):
            fields = dict(line.split(": ", 1) for line in chunk.decode().splitlines() if line and line[0] != ":")
            if chunk == live.BEAT:
                heard.put_nowait(None)
            elif fields.keys() != {"retry"}:
                heard.put_nowait((fields["id"], json.loads(fields["data"]) if "data" in fields else None))

    task = asyncio.create_task(read())
    yield heard
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def next_of(heard: asyncio.Queue[Any], beats: bool = False) -> Any:
    """The next event."""
    async with asyncio.timeout(5):
        while (event := await heard.get()) is None and not beats:
            pass
        return event


async def test_a_stream_begins_with_a_place_to_resume_and_tells_what_is_new(serving: Serving) -> None:
    serving.world.say("customer:1", event_id="old")
    async with reading(serving, "customer:1") as heard:
        _, nothing = await next_of(heard)
        assert nothing is None
        serving.world.say("customer:1", event_id="new", type="searched", properties={"query": "shoes"})
        token, said = await next_of(heard)
        assert said["event_id"] == "new"
        assert said["summary"] == "Searched for “shoes”"
    serving.world.say("customer:1", event_id="missed")
    async with reading(serving, "customer:1", token) as heard:
        assert (await next_of(heard))[1]["event_id"] == "missed"


async def test_an_alias_follows_its_person_also_one_that_it_gets_later(serving: Serving) -> None:
    serving.world.say("anonymous:a", event_id="before")
    async with reading(serving, "anonymous:a") as heard:
        await next_of(heard)
        serving.world.say("customer:1", event_id="login", links=("anonymous:a",))
        assert (await next_of(heard))[1]["event_id"] == "login"
        serving.world.say("customer:1", event_id="after")
        assert (await next_of(heard))[1]["event_id"] == "after"


async def test_it_survives_the_worker(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    serving.world.say("customer:1")
    async with reading(serving, "customer:1") as heard:
        await next_of(heard)
        await serving.worker.stop()
        assert await next_of(heard, beats=True) is None  # quiet, not broken
        serving.world.say("customer:1", event_id="meanwhile")
        await serving.worker.move()
        serving.worker.publish(serving.parts.routes)
        assert (await next_of(heard))[1]["event_id"] == "meanwhile"


async def test_hearts_beat_while_nothing_happens(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    assert live.POLL_S <= 15
    monkeypatch.setattr(live.Watch.turn, "__defaults__", (0.05,))
    async with reading(serving, "customer:1") as heard:
        await next_of(heard)
        assert await next_of(heard, beats=True) is None


async def test_streams_are_bounded_and_end_with_the_process() -> None:
    streams = Streams(2)
    ended = []

    async def forever() -> AsyncGenerator[bytes]:
        try:
            yield b"1"
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    async def read() -> list[bytes]:
        return [chunk async for chunk in streams.run(forever())]

    readers = [asyncio.create_task(read()) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(Problem) as refused:
        streams.admit()
    assert refused.value.status == 503
    readers[0].cancel()
    await asyncio.gather(readers[0], return_exceptions=True)
    streams.admit()
    streams.end()
    assert await readers[1] == [b"1"]
    assert ended == [1, 1]
    with pytest.raises(Problem):
        streams.admit()


async def test_a_stream_that_breaks_says_so() -> None:
    async def broken() -> AsyncGenerator[bytes]:
        yield b"1"
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        _ = [chunk async for chunk in Streams(1).run(broken())]


async def test_over_http(serving: Serving) -> None:
    import httpx
    import uvicorn

    from pipeline.serve.main import Server

    port = free_port()
    server = Server(uvicorn.Config(serving.app, port=port, log_level="warning", lifespan="off"), serving.parts.streams)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{port}/v1/customers/customer:1/live"
    async with httpx.AsyncClient(headers=serving.headers) as client:
        bad = await client.get(url, headers={"Last-Event-ID": "of another"})
        assert (bad.status_code, bad.json()["reason"]) == (400, "bad_event_id")
        async with client.stream("GET", url) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            lines = answer.aiter_lines()
            async with asyncio.timeout(5):
                while not (await anext(lines)).startswith("id: "):
                    pass
                serving.world.say("customer:1", event_id="new")
                while not (line := await anext(lines)).startswith("data: "):
                    pass
                assert json.loads(line.removeprefix("data: "))["event_id"] == "new"
                server.should_exit = True  # ends the stream, and so the process
                async for _ in lines:
                    pass
    async with asyncio.timeout(5):
        await running
