"""A short form for staff: what they see of a touchpoint, most of all where no customer looks.

Two plain pages, so that it works without scripts and a team can keep the address of its own touchpoint: choose one,
and say how it is. What is sent carries the id that the form was given, so that sending it twice says it once.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from pipeline.domain.observations import FEELING, FEELING_MAX
from pipeline.domain.reasons import Rejected
from pipeline.problems import RETRY_AFTER_S
from pipeline.serve.api import now_ms
from pipeline.serve.asked import Asked, asked, groups
from pipeline.serve.pages import Pages
from pipeline.serve.parts import Parts
from pipeline.serve.writing import Unwritten

NOTE_CHARS_MAX = 1_000  # that the page lets somebody type
FIELDS_MAX = 8
_FORM_ID = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,2})?", re.ASCII)

Name = Annotated[str, Path(max_length=64)]


class Unclear(ValueError):
    """What was filled in cannot be taken; says what to do."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it came."""

    id: str  # the form's own, or a new one where that is none
    value: str = ""
    feeling: str = ""
    note: str = ""

    @classmethod
    def empty(cls) -> Filled:
        """A form that nobody has filled in."""
        return cls(secrets.token_hex(16))

    @classmethod
    async def of(cls, request: Request) -> Filled:
        """The form in a request."""
        async with request.form(max_files=0, max_fields=FIELDS_MAX) as form:
            said = {name: str(form.get(name) or "").strip() for name in ("id", "value", "feeling", "note")}
        given = said.pop("id")
        return cls(given if _FORM_ID.fullmatch(given) else cls.empty().id, **said)

    def said(self, about: Asked) -> list[dict[str, Any]]:
        """What it says: a number, a feeling, or both; the note goes with the first. Raises Unclear."""
        found = []
        if self.value and about.measure:
            if not _NUMBER.fullmatch(self.value):
                raise Unclear(f"{about.label} must be a number, such as 3 or 3.5.")
            found.append((about.measure, float(self.value)))
        if self.feeling:
            if not self.feeling.isdecimal() or len(self.feeling) > 2 or int(self.feeling) > FEELING_MAX:
                raise Unclear(f"Choose one of 0 to {FEELING_MAX} for how it goes.")
            found.append((FEELING, float(self.feeling)))
        if not found:
            raise Unclear("Fill in the number, or choose how it goes." if about.measure else "Choose how it goes.")
        return [
            {
                "observation_id": f"{self.id}-{measure}",
                "touchpoint": about.id,
                "measure": measure,
                "value": value,
                "note": "" if n else self.note,
            }
            for n, (measure, value) in enumerate(found)
        ]


class Observe:
    """The pages, one method each."""

    def __init__(self, parts: Parts, pages: Pages) -> None:
        self._parts = parts
        self._pages = pages

    def may(self, request: Request) -> bool:
        """Whether who asks is signed in."""
        who = self._parts.gate.principal(request)
        return who is not None and who.session and "read" in who.scopes

    def signed_out(self) -> Response:
        """What somebody without a session sees."""
        return _html(self._pages.render("signed_out.html", reason="none"), 401)

    def choose(self, taken: str = "", status: int = 200, notice: str = "") -> Response:
        """All touchpoints, and what was just said."""
        done = self._parts.catalogued.get(taken)
        shown = groups(self._parts.catalogued.values())
        page = self._pages.render("observe.html", groups=shown, done=done and asked(done), notice=notice)
        return _html(page, status)

    def unknown(self) -> Response:
        """There is no touchpoint of that name."""
        return self.choose(status=404, notice="The catalogue has no such touchpoint. Choose one of these.")

    def form(self, about: Asked, filled: Filled, status: int = 200, notice: str = "") -> Response:
        """What is asked about one touchpoint."""
        scale = range(FEELING_MAX + 1)
        page = self._pages.render(
            "observe_form.html", about=about, filled=filled, notice=notice, scale=scale, note_max=NOTE_CHARS_MAX
        )
        return _html(page, status)

    async def take(self, about: Asked, filled: Filled) -> Response:
        """Take what was said, or show it again and say why not."""
        try:
            await self._parts.observing.take(filled.said(about), now_ms())
        except Unclear as problem:
            return self.form(about, filled, 422, str(problem))
        except Rejected as why:
            return self.form(about, filled, 422, f"This cannot be taken: {why.detail}.")
        except Unwritten:
            answer = self.form(about, filled, 503, "This could not be kept just now. Nothing is lost: send it again.")
            answer.headers["Retry-After"] = str(RETRY_AFTER_S)
            return answer
        return RedirectResponse(f"/observe?taken={about.id}", 303)


def router(parts: Parts, pages: Pages) -> APIRouter:
    """The routes under /observe."""
    routes = APIRouter(prefix="/observe", include_in_schema=False)
    observe = Observe(parts, pages)

    @routes.get("")
    async def choose(request: Request, taken: Annotated[str, Query(max_length=64)] = "") -> Response:
        return observe.choose(taken) if observe.may(request) else observe.signed_out()

    @routes.get("/{name}")
    async def form(request: Request, name: Name) -> Response:
        if not observe.may(request):
            return observe.signed_out()
        known = parts.catalogued.get(name)
        return observe.form(asked(known), Filled.empty()) if known else observe.unknown()

    @routes.post("/{name}")
    async def take(request: Request, name: Name) -> Response:
        if not observe.may(request):
            return observe.signed_out()
        parts.gate.require(request, "read")  # and from a page of ours
        known = parts.catalogued.get(name)
        return await observe.take(asked(known), await Filled.of(request)) if known else observe.unknown()

    return routes


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})
