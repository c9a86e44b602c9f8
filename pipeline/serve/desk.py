"""The agent desk: search, ringing calls, the card. Pages for people on what the API gives to programs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from pipeline.problems import Problem
from pipeline.serve import access
from pipeline.serve.access import Principal
from pipeline.serve.api import Id, now_ms, stream, usable_id
from pipeline.serve.audit import Unaudited
from pipeline.serve.card import shown_id, words
from pipeline.serve.desk_stream import desk_events
from pipeline.serve.identify import IdentifyAway
from pipeline.serve.identity import explanation
from pipeline.serve.pages import Pages, card_path, mark, older_path, zone_of
from pipeline.serve.parts import Parts
from pipeline.serve.workers import Unavailable

SEARCH_CHARS_MAX = 256
OLDER_PAGE = 50
ZONE_COOKIE = "throughline_zone"
#: The session of the call from which a card was opened.
Call = Annotated[str, Query(max_length=256)]
AWAY = "The customer data cannot be reached at the moment."


@dataclass(frozen=True, slots=True)
class Reader:
    """Who sits at the desk, and in which time zone."""

    who: Principal
    zone: tzinfo


class Desk:
    """The pages, one method each."""

    def __init__(self, parts: Parts, pages: Pages) -> None:
        self._parts = parts
        self._pages = pages

    def reader(self, request: Request) -> Reader | None:
        """Who asks, if they are signed in."""
        who = self._parts.gate.principal(request)
        if who is None or not who.session or "read" not in who.scopes:
            return None
        return Reader(who, zone_of(request.cookies.get(ZONE_COOKIE, self._parts.zone)))

    async def page(self, reader: Reader, status: int = 200, **values: Any) -> Response:
        """The desk with something in its middle."""
        at = now_ms()
        ringing = self._parts.calls.ringing(at)
        if ringing:
            ids = [each.identifier for each in ringing]
            try:
                await self._audit("ringing", reader, [], ids, f"{len(ids)} calls")
            except Unaudited:
                ringing = []  # the page's stream shows them as soon as they can be audited
        calls = self._pages.calls(ringing, at, reader.zone)
        empty = {
            "asked": "",
            "call": "",
            "card": None,
            "shown": "",
            "lag_ms": 0,
            "notice": None,
            "query": "",
            "choices": (),
        }
        return _html(self._pages.render("desk.html", **{**empty, "calls": calls, **values}), status)

    def sign_in(self, token: str) -> Response:
        """Turn a one-time link into a session."""
        at = time.time()
        if not self._parts.links.use(token, at):
            return self.signed_out("used")
        answer = RedirectResponse("/desk", 303, {"Cache-Control": "no-store"})
        answer.set_cookie(
            access.COOKIE, self._parts.sessions.new(at), access.SESSION_S, httponly=True, samesite="strict"
        )
        return answer

    def signed_out(self, reason: str = "none") -> Response:
        """What somebody without a session sees."""
        return _html(self._pages.render("signed_out.html", reason=reason), 401)

    async def search(self, text: str, reader: Reader) -> Response:
        """Find by whatever was typed: go to the card, or say why not."""
        guesses = self._parts.guesses(text)
        if not guesses:
            notice = "That is no phone number, e-mail address or customer number. Is there a typing mistake?"
            return await self.page(reader, 422, notice=notice, query=text)
        try:
            found = (await self._parts.workers.resolve(guesses, self._parts.workers.deadline())).found
            known = [each for each in guesses if found[each].known or found[each].ambiguous]
            await self._audit("search", reader, guesses, [], f"{len(known)} known")
        except (Unavailable, Unaudited):
            return await self.page(reader, 503, notice=f"{AWAY} Try again.", query=text)
        if not known:
            return await self.page(reader, 404, notice="Nobody is known by this yet.", query=text)
        if len({each if found[each].ambiguous else found[each].person for each in known}) == 1:
            return RedirectResponse(card_path(known[0]), 303)
        # As a phone number it is one person, as a customer number another.
        choices = [(card_path(each), words(shown_id(each))) for each in known]
        notice = "This stands for more than one person. Which do you mean?"
        return await self.page(reader, notice=notice, query=text, choices=choices)

    async def customer(self, asked: str, call: str, reader: Reader) -> Response:
        """The card of whoever the id resolves to; opened from a call, of whoever is named in it."""
        at = now_ms()
        identifier = self._parts.calls.whose(call, asked)
        try:
            found = await self._parts.lookup.context([identifier], at)
            await self._audit("card", reader, [identifier], found.match.shown, found.match.kind)
        except (Unavailable, Unaudited):
            return await self.page(
                reader, 503, asked=asked, call=call, notice=f"{AWAY} This page shows it as soon as it can be."
            )
        card = self._pages.card(found.answer, identifier, at, reader.zone, identifier != asked)
        shown = {"card": card, "shown": mark(card), "lag_ms": found.answer["lag_ms"]}
        return await self.page(reader, asked=asked, call=call, **shown)

    async def older(self, identifier: str, before: str, reader: Reader) -> Response:
        """A further page of the timeline: for the card's button, and without scripts a page of its own."""
        deadline = self._parts.workers.deadline()
        person, _ = await self._parts.lookup.person(identifier, deadline)
        page = await self._parts.timelines.page(person, OLDER_PAGE, before, None, deadline)
        await self._audit("timeline", reader, [identifier], [person], f"{len(page['timeline'])} entries")
        days = self._pages.days(page["timeline"], now_ms(), reader.zone)
        following = older_path(identifier, page["next"]) if page["next"] else None
        return _html(self._pages.render("older.html", days=days, older=following, back=card_path(identifier)))

    async def identity(self, identifier: str, reader: Reader) -> Response:
        """Why identifiers belong together: for the card's section, and without scripts a page of its own."""
        at = now_ms()
        back = card_path(identifier)
        try:
            answer, shown = await explanation(self._parts, identifier)
            await self._audit("identity", reader, [identifier], shown, f"{len(answer['identifiers'])} identifiers")
        except (IdentifyAway, Unavailable, Unaudited):
            return _html(self._pages.render("identity.html", body=None, back=back), 503)
        body = self._pages.identity(answer, at, reader.zone)
        return _html(self._pages.render("identity.html", body=body, back=back))

    async def stream(self, identifier: str | None, call: str, shown: str, reader: Reader) -> Response:
        """The page's live stream: the card and the ringing calls, whenever they change."""
        self._parts.streams.admit()
        if identifier is not None:
            await self._audit("live", reader, [identifier], [], "opened")
        events = desk_events(self._parts, self._pages, reader.who, identifier, shown, reader.zone, call)
        return stream(self._parts.streams.run(events))

    async def _audit(
        self, action: str, reader: Reader, asked: Sequence[str], shown: Sequence[str], outcome: str
    ) -> None:
        await self._parts.audit.looked_up(action, reader.who, access.DESK_PURPOSE, asked, shown, outcome)


def router(parts: Parts, pages: Pages) -> APIRouter:
    """The routes under /desk."""
    routes = APIRouter(prefix="/desk", include_in_schema=False)
    desk = Desk(parts, pages)

    @routes.get("")
    async def home(request: Request) -> Response:
        reader = desk.reader(request)
        return await desk.page(reader) if reader else desk.signed_out()

    @routes.get("/sign-in")
    async def sign_in(token: Annotated[str, Query(max_length=200)] = "") -> Response:
        return desk.sign_in(token)

    @routes.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        parts.gate.require(request, "read")
        answer = RedirectResponse("/desk", 303)
        answer.delete_cookie(access.COOKIE, httponly=True, samesite="strict")
        return answer

    @routes.post("/search")
    async def search(request: Request) -> Response:
        reader = desk.reader(request)
        if reader is None:
            return desk.signed_out()
        parts.gate.require(request, "read")  # and from a page of ours
        async with request.form(max_files=0, max_fields=4) as form:
            text = str(form.get("q") or "").strip()[:SEARCH_CHARS_MAX]
        return await desk.search(text, reader) if text else RedirectResponse("/desk", 303)

    @routes.get("/customers/{id:path}")
    async def customer(request: Request, id: Id, call: Call = "") -> Response:
        reader = desk.reader(request)
        if reader is None:
            return desk.signed_out()
        try:
            identifier = usable_id(id, parts.keyring)
        except Problem as problem:
            return await desk.page(reader, 400, notice=problem.detail)
        return await desk.customer(identifier, call, reader)

    @routes.get("/older")
    async def older(
        request: Request,
        id: Annotated[str, Query(max_length=400)],
        before: Annotated[str, Query(max_length=1000)],
    ) -> Response:
        reader = desk.reader(request)
        return await desk.older(usable_id(id, parts.keyring), before, reader) if reader else desk.signed_out()

    @routes.get("/identity")
    async def identity(request: Request, id: Annotated[str, Query(max_length=400)]) -> Response:
        reader = desk.reader(request)
        return await desk.identity(usable_id(id, parts.keyring), reader) if reader else desk.signed_out()

    @routes.get("/stream")
    async def live(
        request: Request,
        id: Annotated[str | None, Query(max_length=400)] = None,
        call: Call = "",
        shown: Annotated[str, Query(max_length=32)] = "",
    ) -> Response:
        parts.gate.require(request, "read")
        reader = desk.reader(request)
        if reader is None:
            raise Problem(403, "no_session", "This stream is for the desk; programs use /v1/customers/{id}/live.")
        return await desk.stream(usable_id(id, parts.keyring) if id else None, call, shown, reader)

    return routes


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})
