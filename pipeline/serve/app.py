"""serve's ASGI app: the API, the desk and the docs over one set of parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from pipeline import metrics, problems
from pipeline.serve import alerts, api, changes, desk, desk_forms, docs, framed, identity, map, observe, touchpoints
from pipeline.serve.alerting import AlertAway
from pipeline.serve.assets import MOUNT
from pipeline.serve.audit import Unaudited
from pipeline.serve.identify import IdentifyAway
from pipeline.serve.pages import Pages
from pipeline.serve.parts import Parts
from pipeline.serve.shell import Shell
from pipeline.serve.workers import Unavailable

DESCRIPTION = (
    "Every interaction with a brand on one timeline per person. Send `Authorization: Bearer <key>`; "
    "errors are `application/problem+json`; every lookup states its purpose and is audited."
)

#: What runs beside the app for as long as it lives: readers of Kafka, for instance.
Beside = Callable[[], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    """Nothing beside."""
    yield


def create_app(parts: Parts, beside: Beside = nothing) -> FastAPI:
    """The app. Its lifespan opens the workers' client, and runs what stands beside it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await parts.workers.open()
        await parts.identities.open()
        await parts.alerting.open()
        try:
            async with beside():
                yield
        finally:
            parts.streams.end()
            await parts.alerting.close()
            await parts.identities.close()
            await parts.workers.close()

    app = FastAPI(
        title="Throughline",
        version="1",
        description=DESCRIPTION,
        docs_url=None,  # ours has no script from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.parts = parts
    problems.install(app)
    pages = Pages(parts)
    app.include_router(api.router(parts))
    app.include_router(identity.router(parts))
    app.include_router(alerts.router(parts))
    app.include_router(changes.router(parts))
    app.include_router(api.operations(parts))
    sitting = desk.Desk(parts, pages)
    app.include_router(desk.router(sitting))
    app.include_router(desk_forms.router(sitting))
    app.include_router(framed.router(parts, pages))
    app.include_router(framed.tokens(parts))
    app.include_router(observe.router(parts, pages))
    app.include_router(map.router(parts, pages))
    app.include_router(touchpoints.router(parts, pages))
    app.mount(MOUNT, pages.assets, name="static")
    app.add_middleware(Shell, seen=_seen, framed_by=parts.framed_by)
    _operations(app, pages)

    _trouble(app)
    return app


def _trouble(app: FastAPI) -> None:
    """What passes: 503, and the same request works a moment later."""

    @app.exception_handler(Unavailable)
    async def worker_away(_: Request, error: Unavailable) -> Response:
        detail = "The worker that owns this profile did not answer in time; another takes over within seconds."
        return problems.answer(problems.unavailable("worker_away", detail))

    @app.exception_handler(IdentifyAway)
    async def identify_away(_: Request, error: IdentifyAway) -> Response:
        detail = "identify, which knows who is who, did not answer in time; it is started again within seconds."
        return problems.answer(problems.unavailable("identify_away", detail))

    @app.exception_handler(AlertAway)
    async def alert_away(_: Request, error: AlertAway) -> Response:
        detail = "alert, which keeps them, did not answer in time; it is started again within seconds."
        return problems.answer(problems.unavailable("alert_away", detail))

    @app.exception_handler(Unaudited)
    async def unaudited(_: Request, error: Unaudited) -> Response:
        detail = "Kafka takes no record of this at the moment, and what is not audited is not given."
        return problems.answer(problems.unavailable("audit_away", detail))


def merge_openapi(app: FastAPI, other: dict[str, Any]) -> None:
    """Let the app's OpenAPI document, and so /docs, describe another app's paths too."""

    def merged() -> dict[str, Any]:
        if app.openapi_schema is None:
            own = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            own["paths"] = {**other.get("paths", {}), **own.get("paths", {})}
            for kind, named in other.get("components", {}).items():  # shapes and security schemes
                known = own.setdefault("components", {}).setdefault(kind, {})
                own["components"][kind] = {**named, **known}
            app.openapi_schema = own
        return app.openapi_schema

    app.openapi = merged  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def _operations(app: FastAPI, pages: Pages) -> None:
    """Pages for whoever runs or integrates it."""

    @app.get("/", include_in_schema=False)
    async def home() -> Response:
        return RedirectResponse("/desk")

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> Response:
        document = app.openapi()
        intro = docs.inline(document["info"].get("description", ""))
        shown = pages.render("docs.html", document=document, intro=intro, operations=docs.operations(document))
        return HTMLResponse(shown)

    @app.get("/metrics", include_in_schema=False)
    async def exposition() -> Response:
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)


def _seen(route: str, seconds: float) -> None:
    metrics.QUERY_SECONDS.labels(route).observe(seconds)
