"""The card: a context answer arranged for an agent's eye. Pure; the templates only lay it out.

Of a caller who is not verified only `glance` may be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from pipeline.domain import view
from pipeline.domain.likely import LATELY_MS, Likely, likely
from pipeline.domain.scores import SEVERE_AT
from pipeline.serve.explained import keyed

#: As the desk calls the namespaces of identifiers.
NAMESPACES = {
    "customer": "customer number",
    "loyalty": "loyalty card",
    "email": "e-mail",
    "phone": "phone number",
    "anonymous": "browser",
    "device": "device",
}
CHANNELS = {
    "web": "web",
    "mobile": "app",
    "phone": "phone",
    "in_store": "store",
    "chat": "chat",
    "message": "message",
    "partner": "partner",
}
SCORES = (
    ("effectiveness", "Effectiveness", "did they reach their goal"),
    ("ease", "Ease", "how little effort it took"),
    ("emotion", "Emotion", "how it felt"),
)
NAME_TRAITS = ("name", "first_name", "last_name")
LANGUAGE = "language"  # the trait that says in which one to talk
TRENDS = {"rising": "Getting better", "falling": "Getting worse", "steady": "Steady"}
TEXT_MAX = 200
LINES = 5  # of an order


@dataclass(frozen=True, slots=True)
class Names:
    """How things are called where the reader is: touchpoints from the catalogue, times in their zone."""

    touchpoints: Mapping[str, str]
    zone: tzinfo
    today: date

    def touchpoint(self, name: str) -> str:
        """A touchpoint's label; its name in words where the catalogue has none."""
        return self.touchpoints.get(name) or words(name)

    def day(self, text: str) -> date:
        """The day that a time of the API falls on here."""
        return datetime.fromisoformat(text).astimezone(self.zone).date()

    def time(self, text: str) -> dict[str, Any]:
        """A time of the API for the page."""
        return self.moment(view.time_ms(text))

    def moment(self, ms: int) -> dict[str, Any]:
        """A time for the page: exact for programs, as short as it is clear for people."""
        at = datetime.fromtimestamp(ms / 1000, self.zone)
        clock = f"{at:%H:%M}"
        short = clock if at.date() == self.today else f"{at.day} {at:%b}"
        if at.year != self.today.year:
            short += f" {at.year}"
        full = f"{day(at.date())}, {clock}"
        return {"ms": ms, "iso": at.isoformat(timespec="seconds"), "clock": clock, "short": short, "full": full}


def words(name: str) -> str:
    """`order_placed` → `Order placed`."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def day(of: date) -> str:
    """A day as people write it, always with its year: no guessing which one is meant."""
    return f"{of:%A}, {of.day} {of:%B %Y}"


def shown_id(identifier: str) -> str:
    """An opaque id as the desk shows it: never the keyed form, which says nothing to anyone."""
    namespace, _, value = identifier.partition(":")
    name = NAMESPACES.get(namespace, namespace)
    return name if keyed(identifier) else f"{name} {value}"


def name_of(traits: Mapping[str, Any]) -> str:
    """The person's name, '' where it is not known."""
    whole = str(traits.get("name") or "").strip()
    parts = [str(traits.get(each) or "").strip() for each in NAME_TRAITS[1:]]
    return (whole or " ".join(each for each in parts if each))[:TEXT_MAX]


def card(
    answer: Mapping[str, Any], identifier: str, names: Names, at_ms: int, call: str, days_shown: list[dict[str, Any]]
) -> dict[str, Any]:
    """What the card's template needs of a context answer that was asked for by `identifier`, in a call or in none ('').

    `days_shown`: of its timeline, as `days` gives them.
    """
    now = answer["now"]
    timeline = answer["timeline"]
    channels = {each["channel"] for each in timeline}
    return {
        "match": answer["match"],
        "asked": identifier,
        "asked_by": NAMESPACES.get(identifier.partition(":")[0], "identifier"),
        "who": _who(answer["profile"], identifier, names) if answer["profile"] else None,
        "likely": _likely(likely(answer, at_ms, names.touchpoint, call), names),
        "candidates": [candidate(each, names) for each in answer["candidates"]],
        "question": question(answer["candidates"]),
        "searches": [_looked(each, names) for each in now["searches"]],
        "viewed": [_looked(each, names) for each in now["viewed"]],
        "goals": [_open(each, _goal(each), names) for each in now["open_goals"]],
        "complaints": [
            _open(each, each["issue"] or each["summary"], names) | {"stage": each["stage"]}
            for each in now["open_complaints"]
        ],
        "failed": _failed(timeline, at_ms, names),
        "risk": _risk(answer["scores"]["at_risk"], names),
        "order": _order(now["last_order"], names),
        "preferences": [(words(str(key)), str(value)) for key, value in sorted(now["preferences"].items())],
        "scores": [_score(answer["scores"][key], label, asks) for key, label, asks in SCORES],
        "trend": _trend(answer["scores"]["trend"]),
        "worst": _worst(answer["scores"]["worst_touchpoint"], names),
        "days": days_shown,
        "channels": [(key, words(label)) for key, label in CHANNELS.items() if key in channels],
        "empty": not timeline,
    }


def glance(answer: Mapping[str, Any], identifier: str, names: Names, at_ms: int, call: str = "") -> dict[str, Any]:
    """What may be shown of somebody who is not verified: who it seems to be, by what, and why they probably call."""
    profile = answer["profile"]
    name = name_of(profile["traits"])
    return {
        "name": name,
        "title": name or words(shown_id(profile["id"])),
        "initials": view.initials({key: str(value) for key, value in profile["traits"].items()}),
        "asked_by": NAMESPACES.get(identifier.partition(":")[0], "identifier"),
        "likely": _likely(likely(answer, at_ms, names.touchpoint, call), names),
    }


def question(candidates: Sequence[Mapping[str, Any]]) -> str:
    """What to ask somebody who may be one of these, so that the answer decides; '' for none."""
    if not candidates:
        return ""
    initials = [each["initials"] for each in candidates]
    if all(initials) and len(set(initials)) == len(initials):
        return "Who am I talking to, please?"
    if all(each["id"].startswith("customer:") for each in candidates):
        return "What is your customer number, please?"
    return "What is your name, and your customer number, please?"


def _likely(said: Likely | None, names: Names) -> dict[str, Any] | None:
    """The sentence with its time as the page has it: `on` a day or `at` a time, until the page says how long ago."""
    if said is None:
        return None
    at = names.moment(said.at) if said.at is not None else None
    when = "" if at is None else f"at {at['short']}" if at["short"] == at["clock"] else f"on {at['short']}"
    return {"before": said.before, "at": at, "when": when, "after": said.after}


def _failed(timeline: Sequence[Mapping[str, Any]], at_ms: int, names: Names) -> dict[str, Any] | None:
    """The newest goal of the last days that was given up, and not reached since."""
    reached = set()
    since = view.time_text(at_ms - LATELY_MS)
    for each in timeline:
        if each["occurred_at"] < since:
            break
        goal = each.get("goal", "")
        if each["type"] == "goal_completed":
            reached.add(goal)
        elif each["type"] == "goal_abandoned" and goal not in reached:
            return _open(each, each["summary"], names)
    return None


def _risk(said: str | None, names: Names) -> str:
    """Why they may leave, with a touchpoint's name in the place of its id."""
    if not said or not said.startswith(SEVERE_AT):
        return words(said or "")
    return f"{words(SEVERE_AT)} {names.touchpoint(said.removeprefix(SEVERE_AT))}"


def _trend(said: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if said is None:
        return None
    low, high = max(0, round(said["low"])), min(100, round(said["high"]))
    return {
        "label": TRENDS[said["direction"]],
        "direction": said["direction"],
        "value": round(said["value"]),
        "low": low,
        "high": high,
        "n": said["n"],
    }


def _worst(said: Mapping[str, Any] | None, names: Names) -> dict[str, Any] | None:
    return None if said is None else {"name": names.touchpoint(said["touchpoint"]), "value": round(said["value"])}


def days(
    entries: Sequence[dict[str, Any]], names: Names, made: Callable[[dict[str, Any]], Any]
) -> list[dict[str, Any]]:
    """The timeline's entries under their days, in the order given, each as `made` gives it."""
    groups: list[dict[str, Any]] = []
    for each in entries:
        at = names.day(each["occurred_at"])
        if not groups or groups[-1]["date"] != at.isoformat():
            near = {names.today: "Today", names.today - timedelta(days=1): "Yesterday"}.get(at)
            groups.append({"date": at.isoformat(), "label": near or day(at), "entries": []})
        groups[-1]["entries"].append(made(each))
    return groups


def _who(profile: Mapping[str, Any], identifier: str, names: Names) -> dict[str, Any]:
    traits = profile["traits"]
    name = name_of(traits)
    known = [
        {"label": words(NAMESPACES.get(each["namespace"], each["namespace"])), "value": each["value"]}
        for each in profile["identifiers"]
    ]
    shown = {key: str(value)[:TEXT_MAX] for key, value in sorted(traits.items()) if value not in ("", None)}
    rest = {key: value for key, value in shown.items() if key not in (*NAME_TRAITS, LANGUAGE)}
    return {
        "id": profile["id"],
        "name": name,
        "title": name or words(shown_id(profile["id"])),
        "initials": view.initials({key: str(value) for key, value in traits.items()}),
        "by_alias": identifier != profile["id"],
        "identifiers": known,
        "language": shown.get(LANGUAGE, ""),
        "traits": [(words(str(key)), value) for key, value in rest.items()],
    }


def candidate(said: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Somebody to ask about."""
    seen = said["last_seen"]
    return {
        "id": said["id"],
        "label": words(shown_id(said["id"])),
        "initials": said["initials"],
        "last_seen": names.time(seen) if seen is not None else None,
    }


def _looked(said: Mapping[str, Any], names: Names) -> dict[str, Any]:
    return {
        "text": said["text"],
        "channel": said["channel"],
        "touchpoint": names.touchpoint(said["touchpoint"]),
        "at": names.time(said["occurred_at"]),
    }


def _goal(said: Mapping[str, Any]) -> str:
    return said["summary"] if said["goal"] == "cart" else words(said["goal"])


def _open(said: Mapping[str, Any], text: str, names: Names) -> dict[str, Any]:
    return {
        "text": text,
        "channel": said["channel"],
        "touchpoint": names.touchpoint(said["touchpoint"]),
        "at": names.time(said["occurred_at"]),
    }


def _order(said: Mapping[str, Any] | None, names: Names) -> dict[str, Any] | None:
    if said is None:
        return None
    amount, items = said["amount"], said["items"]
    return {
        "id": said["order_id"],
        "amount": f"{amount:,.2f} {said['currency']}".strip() if amount is not None else "",
        "status": words(said["status"]),
        "channel": said["channel"],
        "items": [_line(each) for each in items[:LINES]],
        "more": max(0, len(items) - LINES),
        "at": names.time(said["occurred_at"]),
    }


def _line(item: Mapping[str, Any]) -> str:
    quantity, name = item["quantity"], (item["name"] or item["product"])[:TEXT_MAX]
    return name if quantity == 1 else f"{quantity:g} × {name}"


def _score(said: Mapping[str, Any], label: str, asks: str) -> dict[str, Any]:
    value = said["value"] if said["n"] else None
    return {
        "label": label,
        "asks": asks,
        "value": None if value is None else round(value),
        "n": said["n"],
        "kind": said["kind"] or "",
    }


def entry(said: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """One interaction of the timeline."""
    return {
        "key": f"{said['identifier']}|{said['source']}|{said['event_id']}",
        "summary": said["summary"] or words(said["type"]),
        "type": words(said["type"]),
        "channel": said["channel"],
        "channel_label": words(CHANNELS.get(said["channel"], said["channel"])),
        "touchpoint": names.touchpoint(said["touchpoint"]),
        "at": names.time(said["occurred_at"]),
    }
