"""Rendering: the templates, with everything escaped that is not markup of ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.domain import view
from pipeline.domain.staff import Staff
from pipeline.serve.assets import Assets
from pipeline.serve.calls import Call
from pipeline.serve.card import Names, card, days, entry, glance, shown_id, words
from pipeline.serve.parts import Parts
from pipeline.serve.why import why
from pipeline.templating import environment

HERE = Path(__file__).parent
#: Of the timeline on the card, about what a screen holds; what is older comes when somebody gets there. Each costs the
#: browser layout and paint before anything is seen, and the server with every change.
ENTRIES = 12
FRAMED_ENTRIES = 25  # a card in a frame has no further pages
#: What an entry's markup depends on, beside the day and the reader's zone.
_MADE_OF = ("identifier", "source", "event_id", "occurred_at", "channel", "type", "touchpoint", "summary")
Entries = dict[tuple[object, ...], str]
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{1,48}")


class Pages:
    """Turns answers into HTML. `zone` is the reader's time zone, as their browser said it."""

    def __init__(self, parts: Parts) -> None:
        self._touchpoints = parts.touchpoints
        self.assets = Assets(HERE / "static")
        self._templates = environment(HERE / "templates")
        self._templates.globals.update(
            asset_path=self.assets.path,
            card_path=card_path,
            call_path=call_path,
            now_minutes=parts.now_minutes,
        )

    def render(self, template: str, **values: Any) -> str:
        """A template with values. A value that a template names and nobody gave is an error."""
        return self._templates.get_template(template).render(**values)

    def card(
        self, answer: Mapping[str, Any], about: About, at_ms: int, zone: tzinfo, kept: Entries | None = None
    ) -> str:
        """The card as a fragment, equal for equal answers: ages are left to the page.

        `kept`: the entries of its timeline as they were made for the fragment before; those of this one are there then.
        Of a caller who is not verified it holds the name, how sure that is, and why they probably call: no more.
        """
        names = self._names(zone, at_ms)
        if answer["match"] == "one" and not about.verified:
            seen = glance(answer, about.identifier, names, at_ms, about.call)
            return self.render("card_unverified.html", card=seen, about=about)
        shown = answer["timeline"][: FRAMED_ENTRIES if about.token else ENTRIES]
        older = about.older_path(view.cursor(view.entry_position(shown[-1]))) if shown else None
        shown_days = self._days(shown, names, {} if kept is None else kept)
        made = card(answer, about.identifier, names, at_ms, about.call, shown_days)
        return self.render("card.html", card=made, older=older, about=about)

    def calls(self, calls: list[Call], at_ms: int, zone: tzinfo, mine: Collection[str] = ()) -> str:
        """The list of ringing calls as a fragment. `mine`: what the desk's own extension may be called."""
        names = self._names(zone, at_ms)
        shown = [
            {
                "id": each.identifier,
                "session": each.session_id,
                "caller": each.caller or words(shown_id(each.identifier)),
                "where": each.queue or names.touchpoint(each.touchpoint),
                # From the topic timelines, and so mostly a pseudonym: that tells nobody whose telephone it is.
                "mine": each.extension in mine,
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
        return self._days(entries, self._names(zone, at_ms), {})

    def _days(self, entries: Sequence[dict[str, Any]], names: Names, kept: Entries) -> list[dict[str, Any]]:
        """Most of a card is its timeline, of which a change adds one: the others are not made again."""
        before = dict(kept)
        kept.clear()

        def made(said: dict[str, Any]) -> str:
            key = (names.today, *(str(said[name]) for name in _MADE_OF))
            if key not in kept:
                kept[key] = before.get(key) or self.render("entry.html", each=entry(said, names))
            return kept[key]

        return days(entries, names, made)

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
    """Where the card of whoever calls in a session ('': in none) is."""
    return f"{card_path(identifier)}?{urlencode({'call': session})}" if session else card_path(identifier)


def framed_path(token: str) -> str:
    """Where a card in a frame is."""
    return f"/desk/card?{urlencode({'token': token})}"


@dataclass(frozen=True, slots=True)
class About:
    """Whom a card is about, and on which page it is: links of the card go on from there.

    `token` is that of a page in a frame ('': the desk), which has no further pages; `named`: by the call.
    """

    identifier: str
    call: str = ""
    verified: bool = False
    named: bool = False
    token: str = ""

    @property
    def asked(self) -> dict[str, str]:
        """The query that leads to more of the same person."""
        return {"id": self.identifier, **({"call": self.call} if self.call else {})}

    def path(self, identifier: str) -> str:
        """Where the card of somebody is, in the same call."""
        return call_path(identifier, self.call)

    @property
    def why_path(self) -> str:
        """Where it is explained who it is."""
        return f"/desk/identity?{urlencode(self.asked)}"

    def older_path(self, cursor: str) -> str:
        """Where the timeline goes on."""
        return f"/desk/older?{urlencode({**self.asked, 'before': cursor})}"
