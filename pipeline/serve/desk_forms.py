"""What agents say at the desk: where their phone rings, that the caller is verified, what the call was about.

Plain forms, answered with the way back to the card, so that they work without scripts; each only from a page of ours.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from msgspec import structs

from pipeline.domain.reasons import Rejected
from pipeline.problems import RETRY_AFTER_S, Problem, bad_request
from pipeline.serve.api import now_ms, usable_id
from pipeline.serve.audit import Unaudited
from pipeline.serve.desk import AWAY, Desk, may_note
from pipeline.serve.noting import Incomplete, Note, Place
from pipeline.serve.pages import call_path
from pipeline.serve.seat import EXTENSION_CHARS_MAX, Seat, usable_extension, with_verified
from pipeline.serve.workers import Unavailable
from pipeline.serve.writing import Unwritten

FIELDS_MAX = 10
FIELD_CHARS_MAX = 8_192  # more than any of them may have: too much is said to be too much, and not cut
_FORM_ID = re.compile(r"[0-9a-f]{32}")
CALL_CHARS_MAX = 256


@dataclass(frozen=True, slots=True)
class Shown:
    """Whose card the form was on."""

    asked: str  # '': none
    call: str

    @property
    def path(self) -> str:
        """The way back."""
        return call_path(self.asked, self.call) if self.asked else "/desk"


class Forms:
    """The forms, one method each."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._parts = desk.parts

    async def extension(self, said: str, shown: Shown, seat: Seat) -> Response:
        """Remember where the agent's phone rings."""
        extension = usable_extension(said)
        if extension is None:
            notice = f"An extension has up to {EXTENSION_CHARS_MAX} letters and digits, such as 214."
            return await self._desk.page(seat, 422, notice=notice)
        return self._desk.going_on(shown.path, structs.replace(seat.ticket, extension=extension))

    async def verify(self, shown: Shown, seat: Seat) -> Response:
        """Remember that the caller is who they seem to be."""
        identifier = self._parts.calls.whose(shown.call, shown.asked)
        try:
            found = await self._parts.lookup.context([identifier], now_ms())
            person = found.match.person
            if person is None:
                return RedirectResponse(shown.path, 303)  # it shows what is known instead
            await self._desk.audit("verify", seat, [identifier], [person], "verified")
        except (Unavailable, Unaudited):
            return await self._desk.page(seat, 503, asked=shown.asked, call=shown.call, notice=f"{AWAY} Try again.")
        return self._desk.going_on(shown.path, with_verified(seat.ticket, shown.call, person, time.time()))

    async def note(self, note: Note, shown: Shown, seat: Seat) -> Response:
        """Take a note, or show it again and say why not."""
        identifier = self._parts.calls.whose(shown.call, shown.asked)
        try:
            found = await self._parts.lookup.context([identifier], now_ms())
        except Unavailable:
            return await self._again(note, shown, seat, 503, f"{AWAY} Send the note again.")
        if not may_note(found, seat.has_verified(shown.call, found.match.person, time.time())):
            notice = "Verify the caller first: the note would be on somebody who may not have called."
            return await self._again(note, shown, seat, 403, notice)
        try:
            await self._parts.noting.take(
                note, self._place(found.match.person or identifier, shown.call, seat), now_ms()
            )
        except Incomplete as problem:
            return await self._again(note, shown, seat, 422, str(problem))
        except Rejected as why:
            return await self._again(note, shown, seat, 422, f"This cannot be taken: {why.detail}.")
        except Unwritten:
            answer = await self._again(note, shown, seat, 503, "This could not be kept just now. Send it again.")
            answer.headers["Retry-After"] = str(RETRY_AFTER_S)
            return answer
        mark = "&" if shown.call else "?"
        return RedirectResponse(f"{shown.path}{mark}noted=1", 303)

    def _place(self, identifier: str, session: str, seat: Seat) -> Place:
        """Whom and which call a note is on. Outside the desk, those who work here are pseudonyms."""
        call, staff = self._parts.calls.call(session), self._parts.staff
        return Place(
            identifier,
            session,
            call.touchpoint if call is not None else "",
            call.queue if call is not None else "",
            staff.name(seat.extension or seat.ticket.id),
            staff.name(seat.extension) if seat.extension else "",
        )

    async def _again(self, note: Note, shown: Shown, seat: Seat, status: int, notice: str) -> Response:
        return await self._desk.customer(shown.asked, shown.call, seat, note, notice, status=status)


def router(desk: Desk) -> APIRouter:
    """The routes under /desk that take something."""
    routes = APIRouter(prefix="/desk", include_in_schema=False)
    forms, parts = Forms(desk), desk.parts

    @routes.post("/extension")
    async def extension(request: Request) -> Response:
        seat = desk.seat(request)
        if seat is None:
            return desk.signed_out()
        parts.gate.require(request, "read")  # and from a page of ours
        said = await _fields(request, ("extension", "id", "call"))
        return await forms.extension(said["extension"], _shown(said, desk, False), seat)

    @routes.post("/verify")
    async def verify(request: Request) -> Response:
        seat = desk.seat(request)
        if seat is None:
            return desk.signed_out()
        parts.gate.require(request, "read")
        return await forms.verify(_shown(await _fields(request, ("id", "call")), desk), seat)

    @routes.post("/note")
    async def note(request: Request) -> Response:
        seat = desk.seat(request)
        if seat is None:
            return desk.signed_out()
        parts.gate.require(request, "read")
        said = await _fields(request, ("id", "call", "form", "kind", "issue", "outcome", "text"))
        given = said["form"]
        form = given if _FORM_ID.fullmatch(given) else secrets.token_hex(16)
        note = Note(form, said["kind"] or "note", said["issue"], said["outcome"], said["text"])
        return await forms.note(note, _shown(said, desk), seat)

    return routes


async def _fields(request: Request, names: Iterable[str]) -> dict[str, str]:
    """The fields of a form, '' where one is missing. Raises Problem 400 where one is far too long."""
    async with request.form(max_files=0, max_fields=FIELDS_MAX) as form:
        said = {name: str(form.get(name) or "").strip() for name in names}
    for name, text in said.items():
        if len(text) > FIELD_CHARS_MAX:
            raise bad_request("oversize", f"{name} may have at most {FIELD_CHARS_MAX} characters.", field=name)
    return said


def _shown(said: dict[str, str], desk: Desk, needed: bool = True) -> Shown:
    """Whose card it was. Raises Problem 400 where the form names nobody."""
    if not needed and not said["id"]:
        return Shown("", "")
    if len(said["call"]) > CALL_CHARS_MAX or len(said["id"]) > 400:
        raise Problem(400, "oversize", "The form names a call or a customer that cannot be: open the card again.")
    return Shown(usable_id(said["id"], desk.parts.keyring), said["call"])
