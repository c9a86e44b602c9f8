"""Alerts: what people should look at, from the causes that hold, what people did, and the time.

    open ──► acknowledged ──► resolved        escalated: open for longer than escalate_ms, so the deputy has it now
      └──────────────────────────▲

Guarantees, whatever comes in which order: one alert a cause. While its cause holds there is no second one, also not
where a person has resolved it; when the cause is over it is resolved by itself; a cause that comes back is a new alert.
An alert is all there is to know of it: whoever has the newest of each goes on where another ended.

Pure: time is an argument (ms), and nothing here says how a cause is found out (`pipeline/alert/looking.py`).

Decisions
- 2026-11-26 A threshold is crossed back where the interval is clear of red on the other side. In between (grey) an
  alert stays, and none is opened: else one that touches the threshold would be opened and resolved all day.
- 2026-11-26 A severe experience is an event, so its cause is over with time: after a week. It is one of an identifier
  at a touchpoint on a day, and a link that is found later only changes whose it is. Of one touchpoint and day 20 people
  have an alert of their own, and the others one together: then it is the touchpoint that has to be looked at.
- 2026-11-26 Figures are refreshed every 15 minutes, persons and owners at once: every record is a line in a log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec.structs import replace

from pipeline.domain.view import time_text

THRESHOLD, SEVERE, OVERDUE, CONTROL, ASK = KINDS = (
    *("threshold", "severe", "complaint_overdue", "control_limit", "ask_again"),
)
STANDS_ALONE = "stands_alone"  # told by identify, and changed by nobody else
OPEN, ACKNOWLEDGED, RESOLVED = STATES = ("open", "acknowledged", "resolved")
ACKNOWLEDGE, RESOLVE = ACTIONS = ("acknowledge", "resolve")

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_WHY_OVER = {
    THRESHOLD: "the touchpoint has no red dot any more",
    OVERDUE: "the complaint has reached its next stage",
    CONTROL: "the newest day is within its limits",
    ASK: "two weeks have passed without an answer, or it is open again",
}
_LATER = "it is some time ago, and nothing more has been heard of it"

Key = tuple[str, str, str]  # kind, identifier ('': about nobody), and what names the cause among those


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert, as its newest record has it (schema `alert`). Times in ms; None: it has not happened."""

    alert_id: str
    kind: str
    opened_at: int
    subject: str = ""  # of stands_alone: the identifier
    reason: str = ""
    closed_at: int | None = None
    state: str = OPEN
    change: str = ""  # what this record tells: opened, acknowledged, escalated, resolved, refreshed, ceased
    updated_at: int = 0
    cause: str = ""
    touchpoint: str = ""
    identifier: str = ""  # under which it is stored; '': it is about nobody
    person: str = ""  # whose that is
    since: int | None = None  # the first sign of what it is about
    owner: str = ""
    deputy: str = ""
    what_to_do: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    acknowledged_at: int | None = None
    acknowledged_by: str = ""
    escalated_at: int | None = None
    note: str = ""
    resolved_by: str = ""  # '': by itself
    resolution: str = ""  # why
    ceased_at: int | None = None  # when its cause was over; None: as far as is known it holds

    @property
    def key(self) -> Key:
        """What it is the alert of."""
        return self.kind, self.identifier, self.cause

    @property
    def standing(self) -> bool:
        """Whether somebody has to look at it."""
        return self.closed_at is None

    @property
    def stage(self) -> str:
        """Its state, also where its record has none."""
        return RESOLVED if self.closed_at is not None else self.state or OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why there should be an alert, as it was seen. Not `opens`: it keeps one that there is, and opens none."""

    kind: str
    cause: str
    reason: str
    touchpoint: str
    identifier: str = ""
    person: str = ""
    since: int | None = None
    owner: str = ""
    deputy: str = ""
    what_to_do: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    opens: bool = True

    @property
    def key(self) -> Key:
        """What names it."""
        return self.kind, self.identifier, self.cause


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen in one look."""

    causes: Sequence[Cause] = ()
    over: Mapping[Key, str] = field(default_factory=dict)  # those that are known to be over, and why
    unseen: frozenset[str] = frozenset()  # kinds of which not all was seen: what is missing there may hold


@dataclass(frozen=True, slots=True)
class Rules:
    """How alerts are kept. Times in ms."""

    escalate_ms: int = 24 * HOUR_MS
    holds_ms: int = 7 * DAY_MS  # a severe experience, from its first sign on
    severe_max: int = 20  # alerts of their own, of one touchpoint and day
    standing_max: int = 10_000  # beyond, none is opened
    refresh_ms: int = 15 * 60_000  # between two records that only tell other figures
    kept_ms: int = 90 * DAY_MS  # after it was resolved, and its cause is over


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person does about an alert."""

    action_id: str
    alert_id: str
    what: str  # one of ACTIONS
    by: str
    note: str = ""


class Refused(Exception):
    """An action that cannot be. `reason` is for programs, `detail` for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class Decided:
    """What became of a look."""

    changed: list[Alert] = field(default_factory=list)
    held_back: int = 0  # causes without an alert, because too many stand already


def act(alert: Alert | None, action: Action, now: int) -> Alert | None:
    """The alert after a person's action; None where that changes nothing. Raises Refused."""
    check(alert, action.what)
    if alert is None:  # check has refused it
        return None
    now = max(now, alert.updated_at, alert.opened_at)
    if action.what == RESOLVE:
        why = action.note or "somebody said so"
        return replace(
            alert,
            state=RESOLVED,
            change="resolved",
            updated_at=now,
            closed_at=now,
            resolved_by=action.by,
            resolution=why,
            note=action.note or alert.note,
        )
    if alert.state == ACKNOWLEDGED and (alert.acknowledged_by, alert.note) == (action.by, action.note or alert.note):
        return None
    return replace(
        alert,
        state=ACKNOWLEDGED,
        change="acknowledged",
        updated_at=now,
        acknowledged_at=now,
        acknowledged_by=action.by,
        note=action.note or alert.note,
    )


def check(alert: Alert | None, what: str) -> None:
    """Whether a person can do that about an alert now. Raises Refused."""
    if alert is None:
        raise Refused("unknown_alert", "There is no alert with this id; GET /v1/alerts lists them.")
    if what not in ACTIONS:
        raise Refused("unknown_action", f"An alert can be acknowledged or resolved, not {what!r}.")
    if alert.kind == STANDS_ALONE:
        raise Refused(
            "stands_alone",
            "This alert ends when the identifier no longer stands alone: POST /v1/identity/free gives it a wider cap.",
        )
    if not alert.standing:
        by = f"by {alert.resolved_by}" if alert.resolved_by else "by itself"
        at = time_text(alert.closed_at or alert.opened_at)
        raise Refused("already_resolved", f"It was resolved {by} at {at}: {alert.resolution}.")


def decide(look: Look, alerts: Mapping[str, Alert], now: int, rules: Rules) -> Decided:
    """What a look changes: alerts that are new, refreshed, resolved by themselves. `alerts`: all there are, by id."""
    holding = {each.key: each for each in alerts.values() if each.ceased_at is None and each.kind != STANDS_ALONE}
    decided = Decided()
    seen: set[Key] = set()
    room = rules.standing_max - sum(each.standing for each in holding.values())
    for cause in _gathered(look.causes, alerts.values(), holding, rules):
        if cause.key in seen:
            continue
        seen.add(cause.key)
        alert = holding.get(cause.key)
        if alert is not None:
            decided.changed += _refreshed(alert, cause, now, rules)
        elif cause.opens and room > 0:
            room -= 1
            decided.changed.append(_opened(cause, alerts, now))
        elif cause.opens:
            decided.held_back += 1
    for key, alert in holding.items():
        if key not in seen and (why := _over(alert, look, now, rules)):
            decided.changed.append(_ceased(alert, why, now))
    return decided


def escalated(alerts: Iterable[Alert], now: int, rules: Rules) -> list[Alert]:
    """Those that go to the deputy now."""
    return [
        replace(each, change="escalated", updated_at=now, escalated_at=now)
        for each in alerts
        if each.standing
        and each.state == OPEN
        and each.kind != STANDS_ALONE
        and each.escalated_at is None
        and each.deputy
        and now - each.opened_at >= rules.escalate_ms
    ]


def expired(alerts: Iterable[Alert], now: int, rules: Rules) -> list[str]:
    """The ids of those that are kept no longer."""
    return [
        each.alert_id
        for each in alerts
        if each.kind != STANDS_ALONE
        and each.closed_at is not None
        and each.ceased_at is not None
        and now - max(each.closed_at, each.ceased_at) > rules.kept_ms
    ]


def _gathered(
    causes: Iterable[Cause], alerts: Iterable[Alert], holding: Mapping[Key, Alert], rules: Rules
) -> Iterator[Cause]:
    """The causes, those together of which there would be too many of their own."""
    of_their_own = Counter(each.cause for each in alerts if each.kind == SEVERE and each.identifier)
    together: dict[str, list[Cause]] = defaultdict(list)
    for each in causes:
        if each.kind != SEVERE or not each.identifier or each.key in holding:
            yield each
        elif of_their_own[each.cause] < rules.severe_max:
            of_their_own[each.cause] += 1
            yield each
        else:
            together[each.cause].append(each)
    for cause, found in together.items():
        signs = [each.since for each in found if each.since is not None]
        values = [each.value for each in found if each.value is not None]
        yield Cause(
            kind=SEVERE,
            cause=cause,
            touchpoint=found[0].touchpoint,
            reason=f"{len(found)} more people had a severe experience here on the same day",
            since=min(signs, default=None),
            owner=found[0].owner,
            deputy=found[0].deputy,
            what_to_do="Look at the touchpoint first: so many on one day have one cause.",
            value=min(values, default=None),
            n=len(found),
            opens=any(each.opens for each in found),
        )


def _opened(cause: Cause, alerts: Mapping[str, Alert], now: int) -> Alert:
    opened_at = now
    while (alert_id := _id(cause.key, opened_at)) in alerts:
        opened_at += 1  # the clock went back, or it came back within a millisecond
    return Alert(
        alert_id=alert_id,
        kind=cause.kind,
        opened_at=opened_at,
        change="opened",
        updated_at=opened_at,
        cause=cause.cause,
        identifier=cause.identifier,
        since=cause.since,
        **_told(cause),
    )


def _id(key: Key, opened_at: int) -> str:
    """Names an alert, and nobody: it stands in addresses and logs."""
    text = "\0".join((*key, str(opened_at)))
    return f"{key[0]}-{opened_at}-{blake2b(text.encode(), digest_size=8).hexdigest()}"


def _told(cause: Cause) -> dict[str, Any]:
    """What of a cause may change while it holds."""
    names = ("reason", "touchpoint", "person", "owner", "deputy", "what_to_do", "value", "low", "high", "n")
    return {name: getattr(cause, name) for name in names}


def _refreshed(alert: Alert, cause: Cause, now: int, rules: Rules) -> list[Alert]:
    told: dict[str, Any]
    if not alert.standing:
        told = {"person": cause.person}
    elif not cause.opens:
        told = {"person": cause.person, "owner": cause.owner, "deputy": cause.deputy}
    else:
        told = _told(cause)
    if cause.since is not None and (alert.since is None or cause.since < alert.since):
        told["since"] = cause.since
    changed = {name for name, value in told.items() if getattr(alert, name) != value}
    at_once = changed & {"person", "touchpoint", "owner", "deputy", "since", "what_to_do"}
    if not changed or not (at_once or now - alert.updated_at >= rules.refresh_ms):
        return []
    return [replace(alert, change="refreshed", updated_at=max(now, alert.updated_at), **told)]


def _over(alert: Alert, look: Look, now: int, rules: Rules) -> str:
    """Why the cause of an alert that was not seen is over; '' where it may hold."""
    if why := look.over.get(alert.key, ""):
        return why
    if alert.kind == SEVERE:
        first = alert.opened_at if alert.since is None else alert.since
        return _LATER if now - first >= rules.holds_ms else ""
    return "" if alert.kind in look.unseen else _WHY_OVER.get(alert.kind, _LATER)


def _ceased(alert: Alert, why: str, now: int) -> Alert:
    now = max(now, alert.updated_at, alert.opened_at)
    if not alert.standing:  # a person has resolved it before
        return replace(alert, change="ceased", updated_at=now, ceased_at=now)
    return replace(
        alert, state=RESOLVED, change="resolved", updated_at=now, closed_at=now, ceased_at=now, resolution=why
    )
