"""Why somebody probably calls: one sentence from what is known of them. Pure, and a function of the context alone.

In the order in which a call centre would guess: what they did a moment ago and did not get done; a delivery that
failed or is late; an open complaint; a contact that settled nothing; something begun and left; what they looked at.
Where nothing of that is there, there is no sentence: nothing is made up.

Times stay apart from the words, so that the reader's own clock says how long ago it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.domain.view import time_ms, time_text

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
MOMENT_MS = 30 * MINUTE_MS  # so long ago is a moment ago
LATELY_MS = 7 * DAY_MS
LEFT_MS = MINUTE_MS  # so long after the last step of a visit they have left
SAID_CHARS_MAX = 80  # of what somebody wrote

WHERE = {
    "web": "on the web",
    "mobile": "in the app",
    "phone": "on the phone",
    "in_store": "in the store",
    "chat": "in the chat",
    "message": "by message",
    "partner": "with a partner",
}
#: Channels on which people help themselves.
ALONE = frozenset({"web", "mobile"})
#: What a contact settled, where it settled nothing.
UNSETTLED = {"unresolved": "not resolved", "abandoned": "hung up while waiting", "voicemail": "reached the voicemail"}
SETTLED = "resolved"
#: Types that end a contact, as what people say they did.
CONTACTS = {"call_ended": "Called", "call_noted": "Called", "chat_ended": "Chatted", "visit_ended": "Came in"}
#: Types after which an order is no longer waited for.
ARRIVED = frozenset({"delivered", "delivery_failed", "order_cancelled", "order_returned"})

Json = Mapping[str, Any]
Called = Callable[[str], str]


class Likely(NamedTuple):
    """The sentence: `before` the time, the time (ms) or None, and what comes `after` it, with its own comma."""

    before: str
    at: int | None
    after: str = ""


def likely(context: Json, now_ms: int, called: Called, call: str = "") -> Likely | None:
    """The sentence for a context answer at that time; None where there is no evidence.

    `called` gives a touchpoint's name; `call` is the session that is under way, which is no reason for itself.
    """
    said = [each for each in context["timeline"] if not call or each["session_id"] != call]
    now = context["now"]
    for guess in (
        _searched(said, now_ms, called),
        _given_up(said, now_ms, MOMENT_MS),
        _begun(now["open_goals"], now_ms, MOMENT_MS),
        _delivery(said, now_ms),
        _complained(now["open_complaints"]),
        _contact(said, now_ms),
        _given_up(said, now_ms, LATELY_MS),
        _begun(now["open_goals"], now_ms, LATELY_MS),
        _looked(said, now_ms, called),
    ):
        if guess is not None:
            return guess
    return None


def _searched(said: Sequence[Json], now_ms: int, called: Called) -> Likely | None:
    """The newest search of the last minutes, and what became of it."""
    for n, each in enumerate(said):
        if not _within(each, now_ms, MOMENT_MS):
            return None
        query = each.get("properties", {}).get("query", "") if each["type"] == "searched" else ""
        if query:
            found = " (no results)" if each.get("measures", {}).get("results") == 0 else ""
            steps = list(_after([one for one in said[:n] if one["channel"] in ALONE], each, now_ms, called))
            where = _where(each)
            return Likely(f"Searched {_quoted(query)}{found}{where}", _at(each), "".join(f", {one}" for one in steps))
    return None


def _after(later: Sequence[Json], first: Json, now_ms: int, called: Called) -> Iterator[str]:
    """What they did after a step, in their order: what they saw last, and how it ended."""
    seen = next((each for each in later if each["type"] in ("page_viewed", "product_viewed")), None)
    if seen is not None and (view := _viewed(seen, called)):
        yield view
    end = next((each for each in later if each["type"] in _ENDS), None)
    if end is not None:
        goal = _quoted(end["goal"]) if end.get("goal") else "it"
        yield _ENDS[end["type"]].format(goal=goal)
    elif now_ms - _at(later[0] if later else first) >= LEFT_MS:
        yield "left"


_ENDS = {"goal_abandoned": "gave {goal} up", "goal_completed": "got {goal} done", "order_placed": "ordered"}


def _viewed(entry: Json, called: Called) -> str:
    properties = entry.get("properties", {})
    if product := properties.get("product_name") or properties.get("product"):
        return f"looked at {_quoted(product)}"
    name = called(entry["touchpoint"])
    if name.lower().endswith("page"):  # as it is called says more than its address
        return f"opened the {_small(name)}"
    page = properties.get("page")
    return f"opened the page {_quoted(page)}" if page else f"opened {_quoted(name)}"


def _given_up(said: Sequence[Json], now_ms: int, within_ms: int) -> Likely | None:
    """The newest goal that they gave up, and did not reach since."""
    reached: set[str] = set()
    for each in said:
        if not _within(each, now_ms, within_ms):
            return None
        goal = each.get("goal", "")
        if each["type"] == "goal_completed":
            reached.add(goal)
        elif each["type"] == "goal_abandoned" and goal not in reached:
            what = _quoted(goal.replace("_", " ")) if goal else "what they had begun"
            return Likely(f"Gave up {what}{_where(each)}", _at(each))
    return None


def _begun(goals: Iterable[Json], now_ms: int, within_ms: int) -> Likely | None:
    """The goal that was opened last and is open."""
    newest = max((each for each in goals if _within(each, now_ms, within_ms)), key=_at, default=None)
    if newest is None:
        return None
    if newest["goal"] == "cart":
        return Likely(f"{newest['summary']}{_where(newest)}", _at(newest), ", has not ordered")
    return Likely(f"Began {_quoted(newest['goal'].replace('_', ' '))}{_where(newest)}", _at(newest), ", not done yet")


def _delivery(said: Sequence[Json], now_ms: int) -> Likely | None:
    """A delivery that failed, or is late."""
    settled: set[str] = set()
    for each in said:
        if not _within(each, now_ms, LATELY_MS):
            return None
        order = _order(each)
        if order in settled:
            continue
        name = f"order {_cut(order)}" if order else "an order"
        if each["type"] == "delivery_failed":
            return Likely(f"The delivery of {name} failed", _at(each))
        if each["type"] in ARRIVED:
            settled.add(order)
        elif each["type"] == "delivery_promised":
            until = each.get("details", {}).get("promised_until")
            if isinstance(until, int) and not isinstance(until, bool) and until < now_ms:
                return Likely(f"{name[0].upper()}{name[1:]} was due", until, " and has not come")
            settled.add(order)
    return None


def _order(entry: Json) -> str:
    return str(entry.get("properties", {}).get("order_id") or entry.get("details", {}).get("order") or "")


def _complained(complaints: Iterable[Json]) -> Likely | None:
    """The newest open complaint."""
    newest = max(complaints, key=_at, default=None)
    if newest is None:
        return None
    about = f" about {_quoted(newest['issue'])}" if newest["issue"] else ""
    return Likely(f"Complained{about}", _at(newest), f", {newest['stage']}, not closed")


def _contact(said: Sequence[Json], now_ms: int) -> Likely | None:
    """The newest contact, where it did not settle what it was about."""
    for each in said:
        if not _within(each, now_ms, LATELY_MS):
            return None
        words = CONTACTS.get(each["type"])
        if words is None:
            continue
        outcome = str(each.get("details", {}).get("outcome") or "")
        if outcome == SETTLED:
            return None
        about = f" about {_quoted(each['issue'])}" if each.get("issue") else ""
        if outcome in UNSETTLED:
            return Likely(f"{words}{about}", _at(each), f", {UNSETTLED[outcome]}")
        if about:
            return Likely(f"{words}{about}", _at(each))
    return None


def _looked(said: Sequence[Json], now_ms: int, called: Called) -> Likely | None:
    """What they looked at in the last minutes."""
    for each in said:
        if not _within(each, now_ms, MOMENT_MS):
            return None
        if each["type"] in ("page_viewed", "product_viewed") and (view := _viewed(each, called)):
            left = ", left" if now_ms - _at(each) >= LEFT_MS and each["channel"] in ALONE else ""
            return Likely(f"{view[0].upper()}{view[1:]}{_where(each)}", _at(each), left)
    return None


def _at(entry: Json) -> int:
    return time_ms(entry["occurred_at"])


def _within(entry: Json, now_ms: int, within_ms: int) -> bool:
    """Compared as texts, which sort as the times do: many entries are looked at, and few are of interest."""
    return bool(entry["occurred_at"] >= _text(now_ms - within_ms))


_text = lru_cache(maxsize=16)(time_text)


def _where(entry: Json) -> str:
    words = WHERE.get(entry["channel"], "")
    return f" {words}" if words else ""


def _cut(text: str) -> str:
    return text if len(text) <= SAID_CHARS_MAX else text[: SAID_CHARS_MAX - 1] + "…"


def _quoted(text: str) -> str:
    return f"“{_cut(text)}”"


def _small(name: str) -> str:
    """A name in the middle of a sentence; what is spelled in capitals stays."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]
