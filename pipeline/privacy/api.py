"""The API of privacy: everything about a person, forgetting it, and the proof. Scope `admin`, all of it audited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response, StreamingResponse

from pipeline.domain.orders import Erase, Unblock
from pipeline.privacy import shapes
from pipeline.privacy.asking import Workers
from pipeline.privacy.erasures import Erasures
from pipeline.privacy.export import Export, Sources
from pipeline.privacy.person import find
from pipeline.problems import Problem, unavailable
from pipeline.serve.api import PROBLEMS, encoded, now_ms, usable_id
from pipeline.serve.audit import Unaudited
from pipeline.serve.identity import IdempotencyKey
from pipeline.serve.orders import UNKNOWN, order_id
from pipeline.serve.parts import Parts
from pipeline.serve.shapes_identity import Named
from pipeline.serve.workers import Deadline, Unavailable
from pipeline.serve.writing import Unwritten

EXPORTS_MAX = 4  # at a time
DECIDED_S = 1.0  # how long an erasure's request waits for identify's word
UNBLOCKED_S = 5.0
AUDITED = 200  # identifiers of one person in one audit record

RequestId = Annotated[str, Path(max_length=128, pattern=r"^[\w.-]+$", description="As the request's answer gave it.")]


def router(parts: Parts, sources: Sources, erasures: Erasures, profiles: Workers) -> APIRouter:
    """The routes under /v1/privacy."""
    routes = APIRouter(prefix="/v1/privacy", responses=PROBLEMS, tags=["privacy"])
    _exporting(routes, parts, sources)
    _erasing(routes, parts, erasures)
    _unblocking(routes, parts, profiles)
    return routes


def _exporting(routes: APIRouter, parts: Parts, sources: Sources) -> None:
    places = asyncio.Semaphore(EXPORTS_MAX)

    @routes.post(
        "/export",
        summary="Everything that is kept about a person",
        response_class=StreamingResponse,
        responses={200: {"content": {"application/x-ndjson": {}}, "description": "JSON Lines, a summary last."}},
    )
    async def export(request: Request, asked: shapes.ExportRequest) -> Response:
        """Each line is `{"kind", "where", "value"}`: a header first, then each item with where it is kept, across all
        of the person's identifiers, and a `summary` last. Where that is missing, the stream was cut: ask again.

        Of what several people share, only this person's part is told.
        """
        who = parts.gate.require(request, "admin")
        identifier, reason = _named(parts, asked.id), parts.masked(asked.reason)
        if places.locked():
            raise unavailable("too_many_exports", f"{EXPORTS_MAX} exports are under way; try again when one is done.")
        person = await find(sources.identify, identifier)
        whole = person.whole[:AUDITED]
        await parts.audit.looked_up("export", who, reason, [identifier], whole, f"{len(person.whole)} identifiers")
        lines = Export(sources, person).lines()

        async def stream() -> AsyncIterator[bytes]:
            async with places, aclosing(lines):
                async for piece in lines:
                    yield piece

        return StreamingResponse(stream(), media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})


def _erasing(routes: APIRouter, parts: Parts, erasures: Erasures) -> None:
    @routes.post(
        "/erase",
        status_code=202,
        response_model=shapes.EraseAnswer,
        response_description="It is recorded, and under way.",
        summary="Forget a person",
        responses={409: {"model": shapes.Refusal, "description": "Refused; `detail` says why, and what to do."}},
    )
    async def erase(request: Request, asked: shapes.EraseRequest, key: IdempotencyKey = None) -> Response:
        """Everything about the person that occurred or arrived before now is taken away, wherever it is kept.

        It does not come back, whatever is late, repeated, replayed or rebuilt. What happens afterwards starts afresh;
        with `block` it is not kept either. Whoever shares a device or a phone with them inherits nothing.
        `status_url` says how far it is, and has the proof in the end.
        """
        who = parts.gate.require(request, "admin")
        identifier, reason = _named(parts, asked.id), parts.masked(asked.reason)
        person = (await parts.identities.identity(identifier))["person"] or identifier
        told = Erase(order_id(who.name, key), person, asked.block, reason, who.name, now_ms())
        audited = ("erase", who, [person, identifier], reason, told.order_id)
        known = await parts.identities.order(told.order_id) if key is not None else {"state": UNKNOWN}
        if known["state"] == UNKNOWN:
            await parts.audit.ordered(*audited, "given")
            known = await _given(parts, told)
        if known["state"] == "refused":
            with suppress(Unaudited):  # that it was given is on record
                await parts.audit.ordered(*audited, "refused")
            raise Problem(409, "refused", known["reason"], request=told.order_id)
        if known["state"] in (UNKNOWN, "accepted"):
            erasures.start(told.order_id)
        answer = {"request": told.order_id, "status_url": f"/v1/privacy/erase/{told.order_id}"}
        return encoded(answer, 202)

    @routes.get(
        "/erase/{request_id}",
        response_model=shapes.ErasureAnswer,
        response_description="Its steps; and the proof, when it is finished.",
        summary="How far an erasure is, and its proof",
    )
    async def erasure(request: Request, request_id: RequestId) -> Response:
        """Where was looked and how, what was found, what remains (nothing), and what ages out until when."""
        parts.gate.require(request, "admin")
        shown = await erasures.shown(request_id)
        if shown is None:
            raise Problem(404, "unknown_request", "There is no such request to erase.")
        return encoded(shown)


def _unblocking(routes: APIRouter, parts: Parts, profiles: Workers) -> None:
    @routes.post(
        "/unblock",
        response_model=shapes.UnblockAnswer,
        response_description="What comes from now on is kept.",
        summary="Keep again what comes about somebody",
        responses={
            202: {"model": shapes.UnblockAnswer, "description": "It is recorded, and takes effect within moments."},
            409: {"model": shapes.Refusal, "description": "Refused: it is not blocked."},
        },
    )
    async def unblock(request: Request, asked: shapes.UnblockRequest, key: IdempotencyKey = None) -> Response:
        """An identifier that was blocked when it was erased is like any other again. Nothing from before returns."""
        who = parts.gate.require(request, "admin")
        identifier, reason = _named(parts, asked.id), parts.masked(asked.reason)
        told = Unblock(order_id(who.name, key), identifier, reason, who.name, now_ms())
        await parts.audit.ordered("unblock", who, [identifier], reason, told.order_id, "given")
        ordered = await _given(parts, told)
        if ordered["state"] == "refused":
            raise Problem(409, "refused", ordered["reason"], request=told.order_id)
        effect = "outstanding"
        if ordered["state"] != UNKNOWN:
            with suppress(Unavailable):
                await profiles.erased([identifier], int(ordered["number"]), UNBLOCKED_S)
                effect = "complete"
        answer: dict[str, Any] = {"order_id": told.order_id, "state": ordered["state"], "effect": effect}
        return encoded(answer, 200 if effect == "complete" else 202)


def _named(parts: Parts, said: Named) -> str:
    """The identifier that somebody named. Raises Problem 400."""
    return usable_id(said, parts.keyring) if isinstance(said, str) else parts.identify(said.namespace, said.value, "id")


async def _given(parts: Parts, order: Erase | Unblock) -> dict[str, Any]:
    """Give an order; what identify said of it so far. Raises Problem 503 where it may not be recorded."""
    try:
        return await parts.orders.give(order, Deadline(DECIDED_S))
    except Unwritten as error:
        detail = f"The request may or may not be recorded ({error}): send it again with an Idempotency-Key."
        raise Problem(503, "order_unconfirmed", detail, {"Retry-After": "1"}, request=order.order_id) from error
