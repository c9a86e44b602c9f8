"""What an open desk page is sent: whole fragments, whenever they differ from what it shows.

Events: `card` and `calls` (HTML in JSON); `rings`, where a call rings at the desk's extension and its card is to be
opened; and `beat` at least every 10 s with how far behind the data is. Each event's id says what the page has by then
(`Resume`), so that one that comes back with `Last-Event-ID`, also to another serve process, is sent what it missed and
nothing twice: the card if it is another by now, a call that rang meanwhile if it is not over.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec

from pipeline.serve.api import now_ms
from pipeline.serve.audit import Unaudited
from pipeline.serve.calls import Call
from pipeline.serve.live import AWAY_PAUSE_S, POLL_S, RETRY_MS, Turn, Watch
from pipeline.serve.pages import About, Entries, Pages, call_path, mark
from pipeline.serve.parts import Parts
from pipeline.serve.seat import Seat
from pipeline.serve.workers import Unavailable

#: A card that changes all the time is sent at most this often, and so is the list of calls.
CARD_PAUSE_S = 0.1
CALLS_PAUSE_S = 0.1
#: Without a change, a card is made anew after so long: what is new in it grows old.
STALE_S = 30.0
_NOTHING: Mapping[str, Any] = {}
_RESUME = re.compile(r"([0-9a-f]{0,16})\.(\d{1,16})")


@dataclass(frozen=True, slots=True)
class Resume:
    """What a page has: the mark of its card ('': none), and when the newest call rang that was opened on it (ms)."""

    shown: str = ""
    opened: int = 0

    @classmethod
    def parse(cls, text: str) -> Resume:
        """From an event's id. What is none means a page that has nothing: it is sent all of it."""
        found = _RESUME.fullmatch(text)
        return cls(found[1], int(found[2])) if found else cls()

    @property
    def token(self) -> str:
        """As an event's id."""
        return f"{self.shown}.{self.opened}"


def desk_events(
    parts: Parts, pages: Pages, seat: Seat, asked: str | None, call: str = "", since: Resume | None = None
) -> AsyncGenerator[bytes]:
    """The stream of one page of whoever it is. `since`: what it has already.

    `call`: the session of the call that the card was opened from, or ''. Whoever is named in it is shown from then on.
    """
    page = Page(parts, pages, seat, call, since or Resume())
    return _merged(page.ready, [page.calls, page.beats if asked is None else partial(page.called, asked)])


def card_events(
    parts: Parts, pages: Pages, seat: Seat, asked: str, call: str, since: Resume, token: str
) -> AsyncGenerator[bytes]:
    """The same of a page that shows one card and nothing else, until its token is over."""
    page = Page(parts, pages, seat, call, since, token)
    return _merged(page.ready, [partial(page.called, asked), page.over])


async def _merged(
    ready: asyncio.Queue[bytes], work: Sequence[Callable[[], Coroutine[Any, Any, None]]]
) -> AsyncGenerator[bytes]:
    """What several feeds put into the queue, until one of them ends."""
    yield f"retry: {RETRY_MS}\n\n".encode()
    feeds = [asyncio.create_task(each()) for each in work]
    following: asyncio.Task[bytes] | None = None
    try:
        while True:
            following = asyncio.create_task(ready.get())
            done, _ = await asyncio.wait([following, *feeds], return_when=asyncio.FIRST_COMPLETED)
            if following not in done:
                break
            yield following.result()
        for feed in feeds:
            if feed.done():
                feed.result()
        while not ready.empty():
            yield ready.get_nowait()
    finally:
        tasks = [*feeds, *([following] if following else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Page:
    """One open page; its feeds run side by side and put what they have to say into `ready`."""

    def __init__(self, parts: Parts, pages: Pages, seat: Seat, call: str, since: Resume, token: str = "") -> None:
        """`token`: of a page in a frame, or ''."""
        # Few slots are enough: what waits there is always read anew when it is sent.
        self.ready: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)
        self._parts = parts
        self._pages = pages
        self._seat = seat
        self._call = call
        self._has = since
        self._token = token
        self._mine = seat.rings_at(parts.staff)
        self._entries: Entries = {}

    async def calls(self) -> None:
        """The ringing calls: at once, on every change, and when one has rung too long."""
        calls, last, told = self._parts.calls, None, set[str]()
        while True:
            seen = calls.changed.count
            at = now_ms()
            ringing = calls.ringing_at(self._mine, at)
            mine = calls.newest_at(self._mine, self._has.opened, at)
            if ringing != last or mine is not None:
                with contextlib.suppress(Unaudited):  # then they are shown when they can be audited
                    told = await self._tell(ringing, mine, told)
                    if mine is not None:
                        await self._open(mine)
                    if ringing != last:
                        last = ringing
                        html = self._pages.calls(ringing, at, self._seat.zone, self._mine)
                        await self._put("calls", html=html)
            await asyncio.sleep(CALLS_PAUSE_S if seen != calls.changed.count else 0)
            await calls.changed.passed(seen, POLL_S)

    async def _tell(self, ringing: list[Call], mine: Call | None, told: set[str]) -> set[str]:
        """Put on record whom the list shows; those who have been there before were told. Raises Unaudited."""
        ids = {each.identifier for each in (*ringing, *((mine,) if mine is not None else ()))}
        if new := sorted(ids - told):
            await self._audit("ringing", [], new, f"{len(new)} calls")
        return ids

    async def _open(self, call: Call) -> None:
        """Let the page open a call's card, once, unless it is what it shows."""
        if call.session_id == self._call:
            self._has = replace(self._has, opened=call.rang_at)
        else:
            path = call_path(call.identifier, call.session_id)
            await self._put("rings", {"opened": call.rang_at}, path=path, caller=call.caller, rang=call.rang_at)

    async def called(self, asked: str) -> None:
        """The card of whoever is asked for; of whoever is named in the call, as soon as somebody is."""
        calls = self._parts.calls
        if not self._call:
            await self._cards(asked, False)
        while True:
            seen = calls.changed.count
            identifier = calls.whose(self._call, asked)
            cards = asyncio.create_task(self._cards(identifier, identifier != asked))
            try:
                while not cards.done() and calls.whose(self._call, asked) == identifier:
                    news = asyncio.create_task(calls.changed.passed(seen, POLL_S))
                    await asyncio.wait((cards, news), return_when=asyncio.FIRST_COMPLETED)
                    news.cancel()
                    seen = calls.changed.count
                if cards.done():
                    cards.result()
            finally:
                cards.cancel()
                await asyncio.gather(cards, return_exceptions=True)
            self._has = replace(self._has, shown="")  # the page has somebody else's
            await asyncio.sleep(CALLS_PAUSE_S)

    async def _cards(self, identifier: str, named: bool) -> None:
        """The card: on every change of the person, and now and then, since what is new grows old."""
        watch, made = Watch(self._parts.workers), float("-inf")
        told: tuple[str, ...] | None = None
        about = About(identifier, self._call, False, named, self._token)
        watch.follow(identifier)
        while True:
            turn = await watch.turn()
            if turn is not Turn.AWAY:
                try:
                    at = now_ms()
                    found = await self._parts.lookup.context([identifier], at)
                    if found.match.shown != told:
                        people = found.match.shown
                        await self._audit("live", [identifier], people, found.match.kind)
                        told = people
                except (Unavailable, Unaudited):
                    turn = Turn.AWAY
                else:
                    watch.follow(found.match.person or identifier)
                    if turn is Turn.CHANGED or time.monotonic() - made >= STALE_S:
                        made = time.monotonic()
                        verified = self._seat.has_verified(self._call, found.match.person, at / 1000)
                        await self._show(found.answer, replace(about, verified=verified), at)
                    await self._put("beat", lag_ms=found.answer["lag_ms"], away=False)
            if turn is Turn.AWAY:
                watch.again()
                await self._put("beat", lag_ms=0, away=True)
                await asyncio.sleep(AWAY_PAUSE_S[-1])
            else:
                await asyncio.sleep(CARD_PAUSE_S)

    async def _show(self, answer: dict[str, Any], about: About, at: int) -> None:
        fragment = self._pages.card(answer, about, at, self._seat.zone, self._entries)
        shown = mark(fragment)
        if shown != self._has.shown:
            await self._put("card", {"shown": shown}, html=fragment, match=answer["match"])

    async def beats(self) -> None:
        """Signs of life for a page without a card."""
        while True:
            await self._put("beat", lag_ms=0, away=not self._parts.ready)
            await asyncio.sleep(POLL_S)

    async def over(self) -> None:
        """Ends with the ticket, and says so."""
        await asyncio.sleep(max(0.0, self._seat.ticket.expires - time.time()))
        await self._put("over")

    async def _put(self, name: str, has: Mapping[str, Any] = _NOTHING, **data: Any) -> None:
        """Let the page be told; `has`: what of Resume is another by that, once it is on its way."""
        await self.ready.put(event(name, replace(self._has, **has).token, **data))
        self._has = replace(self._has, **has)  # what another feed has changed meanwhile stays

    async def _audit(self, action: str, asked: list[str], shown: Any, outcome: str) -> None:
        await self._parts.audit.looked_up(action, self._seat.who, self._seat.purpose, asked, shown, outcome)


def event(name: str, resume: str, **data: Any) -> bytes:
    """One server-sent event."""
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), resume.encode(), msgspec.json.encode(data))
