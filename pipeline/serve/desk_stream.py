"""What an open desk page is sent: whole fragments, whenever they differ from what it shows.

Whole, so that nothing has to be resumed: a page that was away gets what counts now. Events: `card` and `calls`
(HTML in JSON), and `beat` at least every 10 s with how far behind the data is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import tzinfo
from typing import Any

import msgspec

from pipeline.serve.access import DESK_PURPOSE, Principal
from pipeline.serve.api import now_ms
from pipeline.serve.audit import Unaudited
from pipeline.serve.live import AWAY_PAUSE_S, POLL_S, RETRY_MS, Turn, Watch
from pipeline.serve.pages import Pages, mark
from pipeline.serve.parts import Parts
from pipeline.serve.workers import Unavailable

#: A card that changes all the time is sent at most this often.
CARD_PAUSE_S = 0.1


async def desk_events(
    parts: Parts, pages: Pages, who: Principal, identifier: str | None, shown: str, zone: tzinfo, call: str = ""
) -> AsyncGenerator[bytes]:
    """The stream of one page of whoever it is. `shown` is the mark of the card that it has already.

    `call`: the session of the call that the card was opened from, or ''. Whoever is named in it is shown from then on.
    """
    yield f"retry: {RETRY_MS}\n\n".encode()
    # One slot each is enough: what waits there is always read anew when it is sent.
    ready: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)
    feeds = [asyncio.create_task(_calls(parts, pages, who, zone, ready))]
    if identifier is not None:
        feeds.append(asyncio.create_task(_called(parts, pages, who, identifier, call, shown, zone, ready)))
    else:
        feeds.append(asyncio.create_task(_beats(parts, ready)))
    following: asyncio.Task[bytes] | None = None
    try:
        while True:
            following = asyncio.create_task(ready.get())
            done, _ = await asyncio.wait([following, *feeds], return_when=asyncio.FIRST_COMPLETED)
            if following not in done:
                break  # a feed ends only by an error
            yield following.result()
        for feed in feeds:
            if feed.done():
                feed.result()
    finally:
        tasks = [*feeds, *([following] if following else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _calls(parts: Parts, pages: Pages, who: Principal, zone: tzinfo, ready: asyncio.Queue[bytes]) -> None:
    """The ringing calls: at once, on every change, and when one has rung too long."""
    last = None
    told: set[str] = set()
    while True:
        seen = parts.calls.changed.count
        at = now_ms()
        calls = parts.calls.ringing(at)
        ids = {each.identifier for each in calls}
        fragment = pages.calls(calls, at, zone)
        if fragment != last:
            with contextlib.suppress(Unaudited):  # then they are shown when they can be audited
                if not ids <= told:
                    new = sorted(ids - told)
                    await parts.audit.looked_up("ringing", who, DESK_PURPOSE, [], new, f"{len(new)} calls")
                told, last = ids, fragment
                await ready.put(event("calls", html=fragment))
        await parts.calls.changed.passed(seen, POLL_S)


async def _called(
    parts: Parts,
    pages: Pages,
    who: Principal,
    asked: str,
    call: str,
    shown: str,
    zone: tzinfo,
    ready: asyncio.Queue[bytes],
) -> None:
    """The card of whoever is asked for; of whoever is named in the call, as soon as somebody is."""
    while True:
        seen = parts.calls.changed.count
        identifier = parts.calls.whose(call, asked)
        cards = asyncio.create_task(_cards(parts, pages, who, identifier, identifier != asked, shown, zone, ready))
        try:
            while not cards.done() and parts.calls.whose(call, asked) == identifier:
                news = asyncio.create_task(parts.calls.changed.passed(seen, POLL_S))
                await asyncio.wait((cards, news), return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                seen = parts.calls.changed.count
            if cards.done():
                cards.result()
        finally:
            cards.cancel()
            await asyncio.gather(cards, return_exceptions=True)
        shown = ""  # the page has somebody else's


async def _cards(
    parts: Parts,
    pages: Pages,
    who: Principal,
    identifier: str,
    named: bool,
    shown: str,
    zone: tzinfo,
    ready: asyncio.Queue[bytes],
) -> None:
    """The card: on every change of the person, and every 10 s, since what is new grows old."""
    watch = Watch(parts.workers)
    told: tuple[str, ...] | None = None
    watch.follow(identifier)
    while True:
        turn = await watch.turn()
        if turn is not Turn.AWAY:
            try:
                at = now_ms()
                found = await parts.lookup.context([identifier], at)
                if found.match.shown != told:
                    people = found.match.shown
                    await parts.audit.looked_up("live", who, DESK_PURPOSE, [identifier], people, found.match.kind)
                    told = people
            except (Unavailable, Unaudited):
                turn = Turn.AWAY
            else:
                watch.follow(found.match.person or identifier)
                fragment = pages.card(found.answer, identifier, at, zone, named)
                if mark(fragment) != shown:
                    shown = mark(fragment)
                    await ready.put(event("card", html=fragment, shown=shown, match=found.match.kind))
                await ready.put(event("beat", lag_ms=found.answer["lag_ms"], away=False))
        if turn is Turn.AWAY:
            watch.again()
            await ready.put(event("beat", lag_ms=0, away=True))
            await asyncio.sleep(AWAY_PAUSE_S[-1])
        else:
            await asyncio.sleep(CARD_PAUSE_S)


async def _beats(parts: Parts, ready: asyncio.Queue[bytes]) -> None:
    """Signs of life for a page without a card."""
    while True:
        await ready.put(event("beat", lag_ms=0, away=not parts.ready))
        await asyncio.sleep(POLL_S)


def event(name: str, **data: Any) -> bytes:
    """One server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
