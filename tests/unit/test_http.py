"""collect and serve behind one port: who gets which path, and that both live and end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from pipeline.http import Http
from pipeline.serve.app import create_app
from tests.serving import parts


def collector(said: list[str]) -> FastAPI:
    """An app in collect's place."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        said.append("begins")
        yield
        said.append("ends")

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/interactions")
    async def interactions() -> str:
        """Takes `events`."""
        return "collect"

    return app


async def lived(app: Http, steps: list[str]) -> list[str]:
    """The lifespan messages that an app answers with."""
    waiting = iter(steps)
    answers: list[str] = []

    async def receive() -> dict[str, str]:
        return {"type": next(waiting)}

    async def send(message: dict[str, str]) -> None:
        answers.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    return answers


async def test_both_answer_on_their_paths(tmp_path: Path) -> None:
    app = Http(collector([]), create_app(parts(tmp_path)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.post("/v1/interactions")).json() == "collect"
        assert (await client.get("/v1/health")).json() == {"status": "starting"}
        assert (await client.get("/v1/interactionsx")).json()["reason"] == "not_found"
        document = (await client.get("/openapi.json")).json()
        assert {"/v1/interactions", "/v1/context"} <= document["paths"].keys()
        page = (await client.get("/docs")).text
        assert "Takes <code>events</code>." in page


async def test_both_begin_and_end(tmp_path: Path) -> None:
    said: list[str] = []
    app = Http(collector(said), create_app(parts(tmp_path)))
    steps = ["lifespan.startup", "lifespan.shutdown"]
    assert await lived(app, steps) == [f"{step}.complete" for step in steps]
    assert said == ["begins", "ends"]


async def test_one_that_cannot_begin_ends_the_other(tmp_path: Path) -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        raise OSError("no broker")
        yield

    said: list[str] = []
    app = Http(collector(said), create_app(parts(tmp_path), broken))
    with pytest.raises(OSError, match="no broker"):
        await lived(app, ["lifespan.startup"])
    assert said == ["begins", "ends"]
