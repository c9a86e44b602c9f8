"""The agent desk: search, ringing calls, the card. Pages for people on what the API gives to programs.

A card opens unverified: anybody can forge a caller's number. What the agent says and notes is in `desk_forms`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from pipeline.problems import Problem
from pipeline.serve import access
from pipeline.serve.access import Ticket
from pipeline.serve.api import Id, now_ms, stream, usable_id
from pipeline.serve.audit import Unaudited
from pipeline.serve.card import shown_id, words
from pipeline.serve.desk_stream import Resume, desk_events
from pipeline.serve.identify import IdentifyAway
from pipeline.serve.identity import explanation
from pipeline.serve.lookup import Found
from pipeline.serve.noting import TEXT_CHARS_MAX, Note
from pipeline.serve.pages import About, Pages, call_path, card_path, mark, zone_of
from pipeline.serve.parts import Parts
from pipeline.serve.seat import Seat, without_by_hand
from pipeline.serve.workers import Unavailable

SEARCH_CHARS_MAX = 256
OLDER_PAGE = 50
ZONE_COOKIE = "throughline_zone"
#: The session of the call from which a card was opened.
Call = Annotated[str, Query(max_length=256)]
Asked = Annotated[str, Query(max_length=400)]
AWAY = "The customer data cannot be reached at the moment."
UNVERIFIED = "Verify the caller first: until then this is not shown."


class Desk:
    """The pages, one method each."""

    def __init__(self, parts: Parts, pages: Pages) -> None:
        self.parts = parts
        self._pages = pages

    def seat(self, request: Request) -> Seat | None:
        """Who asks, if they are signed in."""
        who = self.parts.gate.principal(request)
        ticket = self.parts.sessions.ticket(request.cookies.get(access.COOKIE, ""), time.time())
        if who is None or ticket is None or not who.session or "read" not in who.scopes:
            return None
        zone = zone_of(request.cookies.get(ZONE_COOKIE, self.parts.zone))
        return Seat(who, zone, ticket, access.DESK_PURPOSE)

    async def page(self, seat: Seat, status: int = 200, **values: Any) -> Response:
        """The desk with something in its middle."""
        at = now_ms()
        mine = seat.rings_at(self.parts.staff)
        ringing = self.parts.calls.ringing_at(mine, at)
        if ringing:
            ids = [each.identifier for each in ringing]
            try:
                await self.audit("ringing", seat, [], ids, f"{len(ids)} calls")
            except Unaudited:
                ringing = []  # the page's stream shows them as soon as they can be audited
        call = self.parts.calls.call(values.get("call", ""))
        fixed = {
            "calls": self._pages.calls(ringing, at, seat.zone, mine),
            "extension": seat.extension,
            "rang": call.rang_at if call is not None else 0,
            "choices_of": self.parts.noting.choices,
            "text_max": TEXT_CHARS_MAX,
        }
        empty = {
            "asked": "",
            "call": "",
            "card": None,
            "shown": "",
            "lag_ms": 0,
            "notice": None,
            "query": "",
            "choices": (),
            "note": None,
            "noted": False,
        }
        return _html(self._pages.render("desk.html", **{**empty, **fixed, **values}), status)

    def sign_in(self, token: str) -> Response:
        """Turn a one-time link into a session."""
        at = time.time()
        if not self.parts.links.use(token, at):
            return self.signed_out("used")
        answer = RedirectResponse("/desk", 303, {"Cache-Control": "no-store"})
        _set_cookie(answer, self.parts.sessions.new(at), access.SESSION_S)
        return answer

    def signed_out(self, reason: str = "none") -> Response:
        """What somebody without a session sees."""
        return _html(self._pages.render("signed_out.html", reason=reason), 401)

    def going_on(self, path: str, ticket: Ticket) -> Response:
        """To a page, with a session that remembers something else from now on."""
        answer = RedirectResponse(path, 303, {"Cache-Control": "no-store"})
        _set_cookie(answer, self.parts.sessions.sign(ticket), max(0, ticket.expires - int(time.time())))
        return answer

    async def search(self, text: str, seat: Seat) -> Response:
        """Find by whatever was typed: go to the card, or say why not."""
        guesses = self.parts.guesses(text)
        if not guesses:
            notice = "That is no phone number, e-mail address or customer number. Is there a typing mistake?"
            return await self.page(seat, 422, notice=notice, query=text)
        try:
            found = (await self.parts.workers.resolve(guesses, self.parts.workers.deadline())).found
            known = [each for each in guesses if found[each].known or found[each].ambiguous]
            await self.audit("search", seat, guesses, [], f"{len(known)} known")
        except (Unavailable, Unaudited):
            return await self.page(seat, 503, notice=f"{AWAY} Try again.", query=text)
        if not known:
            return await self.page(seat, 404, notice="Nobody is known by this yet.", query=text)
        if len({each if found[each].ambiguous else found[each].person for each in known}) == 1:
            # Somebody else may be on the phone by now: whoever is found is not verified.
            return self.going_on(card_path(known[0]), without_by_hand(seat.ticket))
        # As a phone number it is one person, as a customer number another.
        choices = [(card_path(each), words(shown_id(each))) for each in known]
        notice = "This stands for more than one person. Which do you mean?"
        return await self.page(seat, notice=notice, query=text, choices=choices)

    async def customer(
        self,
        asked: str,
        call: str,
        seat: Seat,
        note: Note | None = None,
        notice: str | None = None,
        noted: bool = False,
        status: int = 200,
    ) -> Response:
        """The card of whoever the id resolves to; opened from a call, of whoever is named in it.

        `note` is what could not be taken, with `notice` why; `noted`: one was taken.
        """
        at = now_ms()
        identifier = self.parts.calls.whose(call, asked)
        try:
            found = await self.parts.lookup.context([identifier], at)
            await self.audit("card", seat, [identifier], found.match.shown, found.match.kind)
        except (Unavailable, Unaudited):
            away = f"{AWAY} This page shows it as soon as it can be."
            return await self.page(seat, 503, asked=asked, call=call, notice=away)
        verified = seat.has_verified(call, found.match.person, at / 1000)
        card = self._pages.card(found.answer, About(identifier, call, verified, identifier != asked), at, seat.zone)
        shown = {"card": card, "shown": mark(card), "lag_ms": found.answer["lag_ms"], "noted": noted}
        if may_note(found, verified):
            shown["note"] = note or Note(secrets.token_hex(16))
        return await self.page(seat, status, asked=asked, call=call, notice=notice, **shown)

    async def verified(self, identifier: str, call: str, seat: Seat) -> str | None:
        """The person that an id resolves to, where the agent has verified them in that call; else None."""
        identifier = self.parts.calls.whose(call, identifier)
        person, _ = await self.parts.lookup.person(identifier, self.parts.workers.deadline())
        return person if seat.has_verified(call, person, time.time()) else None

    async def older(self, identifier: str, call: str, before: str, seat: Seat) -> Response:
        """A further page of the timeline: for the card's button, and without scripts a page of its own."""
        deadline = self.parts.workers.deadline()
        person = await self.verified(identifier, call, seat)
        if person is None:
            return await self.page(seat, 403, asked=identifier, call=call, notice=UNVERIFIED)
        page = await self.parts.timelines.page(person, OLDER_PAGE, before, None, deadline)
        await self.audit("timeline", seat, [identifier], [person], f"{len(page['timeline'])} entries")
        days = self._pages.days(page["timeline"], now_ms(), seat.zone)
        following = About(identifier, call).older_path(page["next"]) if page["next"] else None
        back = call_path(identifier, call)
        return _html(self._pages.render("older.html", days=days, older=following, back=back))

    async def identity(self, identifier: str, call: str, seat: Seat) -> Response:
        """Why identifiers belong together: for the card's section, and without scripts a page of its own."""
        at = now_ms()
        back = call_path(identifier, call)
        try:
            if await self.verified(identifier, call, seat) is None:
                return await self.page(seat, 403, asked=identifier, call=call, notice=UNVERIFIED)
            answer, shown = await explanation(self.parts, self.parts.calls.whose(call, identifier))
            await self.audit("identity", seat, [identifier], shown, f"{len(answer['identifiers'])} identifiers")
        except (IdentifyAway, Unavailable, Unaudited):
            return _html(self._pages.render("identity.html", body=None, back=back), 503)
        body = self._pages.identity(answer, at, seat.zone)
        return _html(self._pages.render("identity.html", body=body, back=back))

    async def stream(self, identifier: str | None, call: str, since: Resume, seat: Seat) -> Response:
        """The page's live stream: the card and the ringing calls, whenever they change."""
        self.parts.streams.admit()
        if identifier is not None:
            await self.audit("live", seat, [identifier], [], "opened")
        events = desk_events(self.parts, self._pages, seat, identifier, call, since)
        return stream(self.parts.streams.run(events))

    async def audit(self, action: str, seat: Seat, asked: Sequence[str], shown: Sequence[str], outcome: str) -> None:
        """Put on record what the agent looked at. Raises Unaudited."""
        await self.parts.audit.looked_up(action, seat.who, seat.purpose, asked, shown, outcome)


def may_note(found: Found, verified: bool) -> bool:
    """Whether a note can be filed: on somebody verified, or under an identifier of which nothing else is known."""
    return verified or found.match.kind == "none"


def router(desk: Desk) -> APIRouter:
    """The routes under /desk that show something."""
    parts = desk.parts
    routes = APIRouter(prefix="/desk", include_in_schema=False)

    @routes.get("")
    async def home(request: Request) -> Response:
        seat = desk.seat(request)
        return await desk.page(seat) if seat else desk.signed_out()

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
        seat = desk.seat(request)
        if seat is None:
            return desk.signed_out()
        parts.gate.require(request, "read")  # and from a page of ours
        async with request.form(max_files=0, max_fields=4) as form:
            text = str(form.get("q") or "").strip()[:SEARCH_CHARS_MAX]
        return await desk.search(text, seat) if text else RedirectResponse("/desk", 303)

    @routes.get("/customers/{id:path}")
    async def customer(request: Request, id: Id, call: Call = "", noted: bool = False) -> Response:
        seat = desk.seat(request)
        if seat is None:
            return desk.signed_out()
        try:
            identifier = usable_id(id, parts.keyring)
        except Problem as problem:
            return await desk.page(seat, 400, notice=problem.detail)
        return await desk.customer(identifier, call, seat, noted=noted)

    @routes.get("/older")
    async def older(
        request: Request, id: Asked, before: Annotated[str, Query(max_length=1000)], call: Call = ""
    ) -> Response:
        seat = desk.seat(request)
        return await desk.older(usable_id(id, parts.keyring), call, before, seat) if seat else desk.signed_out()

    @routes.get("/identity")
    async def identity(request: Request, id: Asked, call: Call = "") -> Response:
        seat = desk.seat(request)
        return await desk.identity(usable_id(id, parts.keyring), call, seat) if seat else desk.signed_out()

    @routes.get("/stream")
    async def live(
        request: Request,
        id: Annotated[str | None, Query(max_length=400)] = None,
        call: Call = "",
        last: Annotated[str, Query(max_length=64)] = "",
    ) -> Response:
        parts.gate.require(request, "read")
        seat = desk.seat(request)
        if seat is None:
            raise Problem(403, "no_session", "This stream is for the desk; programs use /v1/customers/{id}/live.")
        since = Resume.parse(request.headers.get("last-event-id") or last)
        return await desk.stream(usable_id(id, parts.keyring) if id else None, call, since, seat)

    return routes


def _set_cookie(answer: Response, value: str, seconds: int) -> None:
    answer.set_cookie(access.COOKIE, value, seconds, httponly=True, samesite="strict")


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})
