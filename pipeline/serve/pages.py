"""Rendering: the templates, with everything escaped that is not markup of ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.domain import view
from pipeline.domain.staff import Staff
from pipeline.serve.calls import Call
from pipeline.serve.card import Names, card, days, shown_id, words
from pipeline.serve.parts import Parts
from pipeline.serve.why import why

HERE = Path(__file__).parent
#: Of the timeline on the card; what is older comes when asked for.
ENTRIES = 50
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{1,48}")


class Pages:
    """Turns answers into HTML. `zone` is the reader's time zone, as their browser said it."""

    def __init__(self, parts: Parts) -> None:
        self._touchpoints = parts.touchpoints
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals.update(
            card_path=card_path,
            call_path=call_path,
            older_path=older_path,
            why_path=why_path,
            now_minutes=parts.now_minutes,
        )

    def render(self, template: str, **values: Any) -> str:
        """A template with values. A value that a template names and nobody gave is an error."""
        return self._templates.get_template(template).render(**values)

    def card(self, answer: Mapping[str, Any], identifier: str, at_ms: int, zone: tzinfo, named: bool = False) -> str:
        """The card as a fragment, equal for equal answers: ages are left to the page. `named`: by a call."""
        timeline = answer["timeline"][:ENTRIES]
        older = older_path(identifier, view.cursor(view.entry_position(timeline[-1]))) if timeline else None
        shown = card({**answer, "timeline": timeline}, identifier, self._names(zone, at_ms))
        return self.render("card.html", card=shown, older=older, named=named)

    def calls(self, calls: list[Call], at_ms: int, zone: tzinfo) -> str:
        """The list of ringing calls as a fragment."""
        names = self._names(zone, at_ms)
        shown = [
            {
                "id": each.identifier,
                "session": each.session_id,
                "caller": each.caller or words(shown_id(each.identifier)),
                "where": each.queue or names.touchpoint(each.touchpoint),
                # From the topic timelines, and so mostly a pseudonym: that tells nobody whose telephone it is.
                "extension": "" if Staff.is_pseudonym(each.extension) else each.extension,
                "at": names.moment(each.rang_at),
            }
            for each in calls
        ]
        return self.render("calls.html", calls=shown)

    def identity(self, answer: Mapping[str, Any], at_ms: int, zone: tzinfo) -> str:
        """Why identifiers belong together, as a fragment."""
        return self.render("why.html", why=why(answer, self._names(zone, at_ms)))

    def days(self, entries: list[dict[str, Any]], at_ms: int, zone: tzinfo) -> list[dict[str, Any]]:
        """A page of the timeline under its days."""
        return days(entries, self._names(zone, at_ms))

    def _names(self, zone: tzinfo, at_ms: int) -> Names:
        return Names(self._touchpoints, zone, datetime.fromtimestamp(at_ms / 1000, zone).date())


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """The time zone of that name; UTC where there is none."""
    if not _ZONE.fullmatch(name):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def mark(fragment: str) -> str:
    """Names a fragment's content, so that a page is not sent what it shows already."""
    return hashlib.blake2b(fragment.encode(), digest_size=8).hexdigest()


def card_path(identifier: str) -> str:
    """Where an id's card is."""
    return f"/desk/customers/{quote(identifier, safe=':')}"


def call_path(identifier: str, session: str) -> str:
    """Where the card of whoever calls in a session is."""
    return f"{card_path(identifier)}?{urlencode({'call': session})}"


def why_path(identifier: str) -> str:
    """Where it is explained who an id is."""
    return f"/desk/identity?{urlencode({'id': identifier})}"


def older_path(identifier: str, cursor: str) -> str:
    """Where the timeline goes on."""
    return f"/desk/older?{urlencode({'id': identifier, 'before': cursor})}"
