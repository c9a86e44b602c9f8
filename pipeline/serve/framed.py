"""The card alone, for a frame in another tool's page: opened by a short-lived token that the tool's back-end asks for.

    POST /v1/desk/token  with an API key, and the customer's key in the body  →  a path with a token
    GET  /desk/card?token=…  in a frame of a page whose origin the settings name

Browsers send no cookie into such a frame, so the token stands for one; it goes with every request of the page, and to
no other site, since pages of ours send no referrer. The card begins unverified, as at the desk.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.domain import view
from pipeline.problems import Problem
from pipeline.serve import access, shapes
from pipeline.serve.api import PROBLEMS, encoded, now_ms, stream
from pipeline.serve.audit import Unaudited
from pipeline.serve.desk_stream import Resume, card_events
from pipeline.serve.pages import About, Pages, framed_path, mark, zone_of
from pipeline.serve.parts import Parts
from pipeline.serve.passes import TOKEN_CHARS_MAX, TOKEN_MINUTES, Pass
from pipeline.serve.seat import Seat
from pipeline.serve.workers import Unavailable

Token = Annotated[str, Query(max_length=TOKEN_CHARS_MAX)]
Zone = Annotated[str, Query(max_length=64)]
OVER = "This card is closed: open it again from your tool. A card stays open for some minutes."


class TokenRequest(BaseModel):
    """Whose card: of whoever a key points at, or of whoever calls in a call that rings or is under way."""

    model_config = ConfigDict(extra="forbid")

    key: shapes.Key | None = None
    call: str = Field("", max_length=256, description="The `session_id` of the call.")
    purpose: str = Field(
        description="Why somebody looks, in a few words; every lookup by the token is audited with it."
    )

    @model_validator(mode="after")
    def _names_somebody(self) -> TokenRequest:
        if self.key is None and not self.call:
            raise ValueError("name a key, or the session_id of a call")
        return self


class TokenAnswer(BaseModel):
    """The token, and the path that opens the card."""

    token: str
    path: str
    expires_at: shapes.Time
    minutes: int


def tokens(parts: Parts) -> APIRouter:
    """The route under /v1."""
    routes = APIRouter(prefix="/v1", responses=PROBLEMS, tags=["desk"])

    @routes.post(
        "/desk/token",
        response_model=TokenAnswer,
        response_description="The token; it opens one card, and nothing else.",
        summary="Show the desk's card in a frame of another tool",
    )
    async def token(request: Request, asked: TokenRequest) -> Response:
        """A path for a frame, such as `<iframe src="https://…/desk/card?token=…">`, that shows one card for 10 minutes.

        Ask from your back-end: the key that this needs stays there, and the customer's phone or e-mail stands in this
        body and nowhere else. `THROUGHLINE_FRAME_ANCESTORS` names the origins whose pages may show it. The card begins
        with who it seems to be; the rest is shown once somebody has verified the caller on it.
        """
        who = parts.gate.require(request, "read")
        purpose = access.usable_purpose(asked.purpose)
        call = parts.calls.call(asked.call)
        if asked.key is not None:
            identifier = parts.identify(asked.key.namespace, asked.key.value, "key")
        elif call is not None:
            identifier = call.rang_under
        else:
            raise Problem(404, "no_such_call", "No call of that session rings or is under way: name a key as well.")
        at = time.time()
        given = parts.passes.new(identifier, asked.call, who.name, purpose, at)
        await parts.audit.looked_up("card_token", who, purpose, [identifier], [], f"{TOKEN_MINUTES} minutes")
        signed = parts.passes.sign(given)
        expires_at = view.time_text(given.expires * 1000)
        return encoded(
            {"token": signed, "path": framed_path(signed), "expires_at": expires_at, "minutes": TOKEN_MINUTES}, 201
        )

    return routes


class Framed:
    """The pages, one method each."""

    def __init__(self, parts: Parts, pages: Pages) -> None:
        self._parts = parts
        self._pages = pages

    def given(self, token: str) -> Pass | None:
        """What a token says, if it counts."""
        return self._parts.passes.read(token, time.time())

    def over(self) -> Response:
        """What a token that does not count opens."""
        return _html(self._pages.render("framed.html", notice=OVER, **_NOTHING), 401)

    def seat(self, given: Pass, zone: str = "") -> Seat:
        """Whoever looks at the card, as if they sat at a desk."""
        return Seat(given.who, zone_of(zone or self._parts.zone), given.ticket, given.purpose)

    async def card(self, token: str, given: Pass, zone: str) -> Response:
        """The card."""
        at, seat = now_ms(), self.seat(given, zone)
        identifier = self._parts.calls.whose(given.call, given.identifier)
        try:
            found = await self._parts.lookup.context([identifier], at)
            shown = found.match.shown
            await self._parts.audit.looked_up("card", seat.who, seat.purpose, [identifier], shown, found.match.kind)
        except (Unavailable, Unaudited):
            notice = "The customer data cannot be reached at the moment. This shows it as soon as it can be."
            return _html(self._pages.render("framed.html", notice=notice, **{**_NOTHING, "token": token}), 503)
        verified = seat.has_verified(given.call, found.match.person, at / 1000)
        about = About(identifier, given.call, verified, identifier != given.identifier, token)
        card = self._pages.card(found.answer, about, at, seat.zone)
        values = {"token": token, "card": card, "shown": mark(card), "lag_ms": found.answer["lag_ms"]}
        return _html(self._pages.render("framed.html", notice=None, **values))

    async def verify(self, given: Pass) -> Response:
        """Remember that the caller is who they seem to be: in another token, for as long as this one."""
        seat = self.seat(given)
        identifier = self._parts.calls.whose(given.call, given.identifier)
        found = await self._parts.lookup.context([identifier], now_ms())
        person = found.match.person
        if person is not None:
            await self._parts.audit.looked_up("verify", seat.who, seat.purpose, [identifier], [person], "verified")
            given = given.having_verified(person, time.time())
        return RedirectResponse(framed_path(self._parts.passes.sign(given)), 303, {"Cache-Control": "no-store"})

    def stream(self, token: str, given: Pass, since: Resume, zone: str) -> Response:
        """The page's live stream, until the token is over."""
        self._parts.streams.admit()
        seat = self.seat(given, zone)
        events = card_events(self._parts, self._pages, seat, given.identifier, given.call, since, token)
        return stream(self._parts.streams.run(events))


_NOTHING: dict[str, Any] = {"token": "", "card": None, "shown": "", "lag_ms": 0}


def router(parts: Parts, pages: Pages) -> APIRouter:
    """The routes under /desk/card."""
    routes = APIRouter(prefix="/desk/card", include_in_schema=False)
    framed = Framed(parts, pages)

    @routes.get("")
    async def card(token: Token = "", zone: Zone = "") -> Response:
        given = framed.given(token)
        return await framed.card(token, given, zone) if given else framed.over()

    @routes.post("/verify")
    async def verify(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=2) as form:
            given = framed.given(str(form.get("token") or ""))
        return await framed.verify(given) if given else framed.over()

    @routes.get("/stream")
    async def live(
        request: Request, token: Token = "", last: Annotated[str, Query(max_length=64)] = "", zone: Zone = ""
    ) -> Response:
        given = framed.given(token)
        if given is None:
            raise Problem(401, "token_over", OVER)
        since = Resume.parse(request.headers.get("last-event-id") or last)
        return framed.stream(token, given, since, zone)

    return routes


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})
