"""The API of /v1: context, timeline, live stream, ringing calls, health."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from pipeline.domain import view
from pipeline.domain.identifiers import PERSONAL, Keyring, parse_id
from pipeline.domain.reasons import Rejected
from pipeline.problems import bad_request
from pipeline.serve import access, shapes
from pipeline.serve.calls import Call
from pipeline.serve.live import BadEventId, Shown, events
from pipeline.serve.parts import Parts

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": shapes.ProblemAnswer, "description": "The request cannot be used; `detail` says what to change."},
    401: {"model": shapes.ProblemAnswer, "description": "No key, or none that is known."},
    403: {"model": shapes.ProblemAnswer, "description": "The key lacks the scope that this needs."},
    503: {"model": shapes.ProblemAnswer, "description": "Nobody could answer in time: try again after `Retry-After`."},
}
PURPOSE_DOC = {
    "parameters": [
        {
            "name": access.PURPOSE_HEADER,
            "in": "header",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": access.PURPOSE_CHARS_MAX},
            "description": "Why you look, in a few words; every lookup is audited with it.",
        }
    ]
}
Id = Annotated[
    str,
    Path(
        max_length=400,
        description="An identifier: `customer:4711`, `anonymous:…`, or the keyed form of a phone or e-mail.",
        examples=["customer:4711"],
    ),
]


def now_ms() -> int:
    """The clock."""
    return time.time_ns() // 1_000_000


def usable_id(text: str, keyring: Keyring) -> str:
    """The identifier that stands in a path, under the current key. Raises Problem 400."""
    try:
        identifier = parse_id(text)
        namespace, _, value = identifier.partition(":")
        if namespace in PERSONAL or keyring.generation(identifier):
            return keyring.current_of(identifier)  # links outlive the key they were made with
        return keyring.resolve(namespace, value, "").identifier
    except Rejected as error:
        raise bad_request(
            str(error.reason), f"{error.detail}. An id looks like 'customer:4711'; phone and e-mail only keyed."
        ) from error


def encoded(answer: dict[str, Any], status: int = 200) -> Response:
    """The answer as JSON that nobody keeps."""
    return Response(msgspec.json.encode(answer), status, {"Cache-Control": "no-store"}, "application/json")


def shown_call(call: Call, extension: str, at_ms: int) -> dict[str, Any]:
    """A ringing call as the API gives it; `extension`: what may be seen of where it rings."""
    return {
        "session_id": call.session_id,
        "id": call.identifier,
        "caller": call.caller,
        "touchpoint": call.touchpoint,
        "queue": call.queue,
        "extension": extension,
        "rang_at": view.time_text(call.rang_at),
        "age_s": max(0, at_ms - call.rang_at) // 1000,
    }


def router(parts: Parts) -> APIRouter:
    """The routes under /v1."""
    routes = APIRouter(prefix="/v1", responses=PROBLEMS, tags=["context"])

    @routes.post(
        "/context",
        response_model=shapes.ContextAnswer,
        response_description="Who it is, or who it may be.",
        summary="Who is it, and what is going on?",
    )
    async def context(request: Request, asked: shapes.ContextRequest) -> Response:
        """The caller's, visitor's or customer's context, by anything that points at them.

        Keys that lead to different persons, or to one that several persons share, are `ambiguous`: ask about the
        candidates. Identifiers stand in the body and never in a path. Staff are named by pseudonyms, the same as in
        ClickHouse.
        """
        who = parts.gate.require(request, "read")
        purpose = access.usable_purpose(asked.purpose)
        ids = [parts.identify(key.namespace, key.value, f"keys.{at}") for at, key in enumerate(asked.keys)]
        found = await parts.lookup.context(ids, now_ms())
        await parts.audit.looked_up("context", who, purpose, ids, found.match.shown, found.match.kind)
        return encoded({**found.answer, "timeline": parts.entries(who, found.answer["timeline"])})

    @routes.get(
        "/customers/{id:path}/timeline",
        response_model=shapes.TimelineAnswer,
        response_description="A page of the timeline, newest first; empty where nothing is known.",
        summary="All interactions, newest first",
        openapi_extra=PURPOSE_DOC,
    )
    async def timeline(
        request: Request,
        id: Id,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
        before: Annotated[str | None, Query(max_length=1000, description="`next` of the page before.")] = None,
        channel: Annotated[shapes.Channel | None, Query(description="Only this channel.")] = None,
    ) -> Response:
        """A page of the timeline of the person that the id resolves to."""
        who = parts.gate.require(request, "read")
        purpose = access.purpose(request, who)
        identifier = usable_id(id, parts.keyring)
        deadline = parts.workers.deadline()
        person, _ = await parts.lookup.person(identifier, deadline)
        page = await parts.timelines.page(person, limit, before, channel, deadline)
        await parts.audit.looked_up(
            "timeline", who, purpose, [identifier], [person], f"{len(page['timeline'])} entries"
        )
        return encoded({**page, "timeline": parts.entries(who, page["timeline"])})

    @routes.get(
        "/customers/{id:path}/live",
        response_class=StreamingResponse,
        summary="New interactions as they come",
        openapi_extra=PURPOSE_DOC,
        responses={200: {"content": {"text/event-stream": {}}, "description": "One event per new timeline entry."}},
    )
    async def live(request: Request, id: Id) -> Response:
        """Server-sent events: `data` is a timeline entry. Comments are heart-beats, at least every 15 s.

        Send the last event's id as `Last-Event-ID` to get what you missed (browsers do so by themselves).
        """
        who = parts.gate.require(request, "read")
        purpose = access.purpose(request, who)
        identifier = usable_id(id, parts.keyring)
        shown = None
        if token := request.headers.get("last-event-id"):
            try:
                shown = Shown.parse(token)
            except BadEventId as error:
                raise bad_request("bad_event_id", "Last-Event-ID must be an id that this stream sent.") from error
        parts.streams.admit()
        await parts.audit.looked_up("live", who, purpose, [identifier], [], "opened")

        async def told(person: str) -> None:
            await parts.audit.looked_up("live", who, purpose, [identifier], [person], "shown")

        def seen(entry: dict[str, Any]) -> dict[str, Any]:
            return parts.entries(who, (entry,))[0]

        return stream(parts.streams.run(events(parts.lookup, identifier, shown, told, seen)))

    @routes.get(
        "/calls/ringing",
        response_model=shapes.RingingAnswer,
        response_description="What rings now.",
        summary="Calls that ring",
        openapi_extra=PURPOSE_DOC,
        tags=["calls"],
    )
    async def ringing(request: Request) -> Response:
        """Calls of the last minutes that nobody has answered yet, newest first; identifiers masked or opaque."""
        who = parts.gate.require(request, "read")
        purpose = access.purpose(request, who)
        at = now_ms()
        calls = parts.calls.ringing(at)
        await parts.audit.looked_up(
            "ringing", who, purpose, [], [each.identifier for each in calls], f"{len(calls)} calls"
        )
        return encoded({"calls": [shown_call(each, parts.extension(who, each), at) for each in calls]})

    return routes


def operations(parts: Parts) -> APIRouter:
    """The routes under /v1 for whoever runs it. No key: they say nothing about anyone."""
    routes = APIRouter(prefix="/v1", tags=["operations"])

    @routes.get("/health", summary="Ready to answer?", response_description="Ready.")
    async def health() -> Response:
        """200 when every partition's owner is known, 503 until then."""
        if parts.ready:
            return encoded({"status": "ok"})
        return Response(
            msgspec.json.encode({"status": "starting"}), 503, {"Retry-After": "1"}, media_type="application/json"
        )

    return routes


def stream(body: Any) -> StreamingResponse:
    """Server-sent events that no proxy holds back."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)
