"""One journey of one person as events with their times: a pure function of its `Start`.

The same start gives the same events in every process, so that a shop that was stopped can go on where it was from the
starts alone, and an event sent twice is the same event.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pipeline.local.shop.script import Amount, Journey, Person, Script, Span, Step

Event = dict[str, Any]  # as POST /v1/interactions takes it
HALF_HOUR_MS = 1_800_000
BROWSERS = ("", "-b", "-c")  # each person has three, and mostly uses the first


class Start(NamedTuple):
    """Who begins which journey when. `number` is never used twice, also not by another run."""

    number: str
    person: int
    journey: str
    at_ms: int


class Due(NamedTuple):
    """An event and when it happens."""

    at_ms: int
    event: Event


@dataclass(slots=True)
class _Course:
    """What a journey has brought so far."""

    start: Start
    rng: random.Random
    words: dict[str, str]
    person: Person
    cart: list[dict[str, Any]]
    amount: float
    at_ms: int
    done: dict[str, tuple[int, str]] = field(default_factory=dict)  # label → when, event id
    drawn: dict[tuple[str, str, Span], int] = field(default_factory=dict)  # session, name and span → number


def plan(script: Script, person: Person, start: Start) -> list[Due]:
    """The journey's events in the order of time; none where the script no longer has that journey."""
    journey = script.journey(start.journey)
    return [] if journey is None else _events(script, journey, person, start)


def _events(script: Script, journey: Journey, person: Person, start: Start) -> list[Due]:
    course = _course(script, person, start)
    result = []
    for n, step in enumerate(journey.steps):
        happens = course.rng.random() < step.chance
        wait_s = course.rng.uniform(*step.after)
        if not happens or not {step.needs, step.about} - {""} <= course.done.keys():
            continue
        course.at_ms += int(wait_s * 1000)
        event_id = f"{start.number}-{n}"
        if step.label:
            course.done[step.label] = (course.at_ms, event_id)
        result.append(Due(course.at_ms, _event(script.sources[step.via], step, course, event_id)))
    return result


def _course(script: Script, person: Person, start: Start) -> _Course:
    rng = random.Random(start.number)  # noqa: S311  # a story, no secret
    products = rng.sample(script.products, rng.choice((1, 1, 1, 2)))
    preference = rng.choice(sorted(script.preferences))
    amount = round(sum(each.price for each in products), 2)
    words = {
        "product": products[0].id,
        "product_name": products[0].name,
        "query": rng.choice(products[0].queries),
        "order": f"O-{start.number}",
        "agent": rng.choice(script.agents),
        "courier": rng.choice(script.couriers),
        "store": rng.choice(script.stores),
        "preference": preference,
        "choice": rng.choice(script.preferences[preference]),
        "name": person.name,
        "language": person.language,
    }
    cart = [{"product": p.id, "quantity": 1.0, "price": p.price, "name": p.name} for p in products]
    browser = rng.choices(BROWSERS, (7, 2, 1))[0]
    person = replace(person, anonymous=f"{person.anonymous}{browser}")
    return _Course(start, rng, words, person, cart, amount, start.at_ms)


def _event(source: str, step: Step, course: _Course, event_id: str) -> Event:
    words = course.words
    event: Event = {
        "event_id": event_id,
        "source": source,
        "channel": step.via,
        "type": step.do,
        "touchpoint": step.at,
        "occurred_at": course.at_ms,
        "identifiers": course.person.identifiers(step.by),
        "session_id": f"{course.start.number}-{step.session}" if step.session else "",
        "goal": step.goal,
        "issue": step.issue,
        "about": course.done[step.about][1] if step.about else "",
        "items": course.cart if step.items else [],
        "measures": _numbers(step.measures, step, course),
        "properties": {name.format_map(words): text.format_map(words) for name, text in step.properties.items()},
    }
    if step.answer:
        question, least, most, value = step.answer.question, step.answer.min, step.answer.max, step.answer.value
        event["answer"] = {
            "question": question,
            "value": float(round(course.rng.uniform(*value))),
            "min": least,
            "max": most,
        }
    if step.details:
        event["details"] = _numbers(step.details, step, course)
    return event


def _numbers(amounts: dict[str, Amount], step: Step, course: _Course) -> dict[str, Any]:
    """What a step says, with its spans drawn; the same span of the same name is drawn once a session."""
    result: dict[str, Any] = {}
    for name, given in amounts.items():
        if isinstance(given, tuple):
            result[name] = _drawn((step.session, name, given), course)
        elif isinstance(given, str):
            result[name] = _worded(given, course)
        else:
            result[name] = given
    return {name: value for name, value in result.items() if value is not None}


def _drawn(key: tuple[str, str, Span], course: _Course) -> int:
    if key not in course.drawn:
        course.drawn[key] = round(course.rng.uniform(*key[2]))
    return course.drawn[key]


def _worded(text: str, course: _Course) -> str | float | None:
    """A text of the script as what it stands for; None where it speaks of a step that did not happen."""
    if text == "{amount}":
        return course.amount
    if text.startswith("+"):
        return (course.at_ms + int(text) * 1000) // HALF_HOUR_MS * HALF_HOUR_MS
    since, arrow, until = text.partition(">")
    if not arrow:
        return text.format_map(course.words)
    if since not in course.done or (until and until not in course.done):
        return None
    end_ms = course.done[until][0] if until else course.at_ms
    return (end_ms - course.done[since][0]) / 1000
