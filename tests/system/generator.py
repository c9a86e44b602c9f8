"""A made-up population, seeded: what happens to it, and in which disorder the systems around it tell of it.

Families share tablets and phones, people log in on them, log out, and forget to; some never say who they are.
Events come late, out of order and more than once, through HTTP and straight through Kafka, some of them under the
wrong key; and between them comes what cannot be used.

Bounds, so that the batch oracle (which knows none) must agree exactly: a household has at most HOUSEHOLD_EVENTS
events, so no shared identifier stores more than a view holds; and at most HOUSEHOLD_EVIDENCE of them say how well
somebody was served. Only `hermits`, who share nothing, have longer timelines.

Times: all that happens lies within DAYS before `now_ms`. Copies through Kafka say when they were sent and received,
so what they correct is known beforehand; those through HTTP are received when they are, so they do not correct.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

DAYS = 12
DAY_MS = 86_400_000
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
HOUSEHOLD_EVENTS = 90
HOUSEHOLD_EVIDENCE = 40
HERMIT_EVENTS, HERMIT_EVERY = 420, 30
HTTP_SHARE = 0.25
REPEATED_SHARE, LATE_SHARE, WRONG_KEY_SHARE, UNUSABLE_SHARE = 0.07, 0.03, 0.05, 0.002

#: Types that may say how somebody was served.
SERVED = {"call_ended", "chat_ended", "visit_ended", "goal_completed", "goal_abandoned", "delivered", "delivery_failed"}
SERVED |= {"complaint_opened", "compliment_given", "searched", "survey_answered"}

Event = dict[str, Any]  # as the Avro schemas have it, all fields


@dataclass(frozen=True, slots=True)
class Delivery:
    """One copy of an event on its way in. Without an event, `value` is what stands in Kafka instead."""

    at_ms: int  # deliveries go in the order of these
    via: str  # http, kafka
    channel: str
    event: Event | None
    key: str | None = None  # in Kafka; None: none
    value: bytes | None = None
    reason: str = ""  # for which it must be rejected; '': accepted


@dataclass(slots=True)
class Person:
    """Somebody, and what points at them; '' where there is no such thing."""

    customer: str
    loyalty: str
    email: str
    phone: str
    devices: list[str]
    cookies: list[str]

    def known(self, *namespaces: str) -> dict[str, str]:
        """Those of the identifiers that the person has."""
        return {name: value for name in namespaces if (value := getattr(self, name))}


@dataclass(slots=True)
class Household:
    """People who share things, and all that happens to them."""

    rng: random.Random
    name: str
    people: list[Person]
    now_ms: int
    events_max: int = HOUSEHOLD_EVENTS
    evidence_left: int = HOUSEHOLD_EVIDENCE
    events: list[tuple[str, Event]] = field(default_factory=list)  # channel, event

    def live(self) -> list[tuple[str, Event]]:
        """Everything that happens, in no particular order."""
        wanted = self.rng.randint(self.events_max // 2, self.events_max - 10)
        sittings = (self._web, self._web, self._app, self._call, self._store, self._order, self._chat, self._mail)
        while len(self.events) < wanted:
            begin_ms = self.now_ms - HOUR_MS - self.rng.randrange(DAYS * DAY_MS - 2 * HOUR_MS)
            self.rng.choice(sittings)(self.rng.choice(self.people), begin_ms)
        del self.events[self.events_max :]
        return self.events

    def _session(self) -> str:
        return f"{self.name}-s{len(self.events)}" if self.rng.random() < 0.9 else ""

    def _steps(self, begin_ms: int, least: int, most: int) -> Iterator[int]:
        """Times of so many steps, some of them at the very same moment."""
        at_ms = begin_ms
        for _ in range(self.rng.randint(least, most)):
            yield at_ms
            at_ms += self.rng.choice((0, 1_000, 20_000, 20_000, 4 * MINUTE_MS))

    def _say(self, channel: str, kind: str, touchpoint: str, at_ms: int, who: dict[str, str], **more: Any) -> str:
        """One event; its id. Once the evidence is used up, only what says nothing of service happens."""
        if kind in SERVED and self.evidence_left == 0:
            kind, more = "noted", {"session_id": more.get("session_id", "")}
        self.evidence_left -= kind in SERVED
        event_id = f"{self.name}-{len(self.events)}"
        if who:
            base = {"event_id": event_id, "source": f"s-{channel}", "type": kind, "touchpoint": touchpoint}
            self.events.append((channel, envelope(base | {"occurred_at": at_ms, "identifiers": who} | more)))
        return event_id

    def _web(self, person: Person, at_ms: int) -> None:
        """Somebody looks around; at some moment they may log in, and then may be named or not."""
        session, cookie = self._session(), {"anonymous": self.rng.choice(person.cookies)}
        login = self.rng.randint(0, 12)
        for n, when in enumerate(self._steps(at_ms, 1, 7)):
            who = cookie | person.known("customer") if n >= login and self.rng.random() < 0.7 else cookie
            if n == login:
                who = cookie | person.known("customer", *(["email"] if self.rng.random() < 0.3 else []))
                self._say("web", "identified", "login", when, who, session_id=session)
            elif self.rng.random() < 0.3:
                query = {"query": f"words {self.rng.randrange(50)}"}
                found = {"results": float(self.rng.choice((0, 3, 20)))}
                self._say(
                    "web", "searched", "site_search", when, who, session_id=session, properties=query, measures=found
                )
            else:
                seen = {"product": f"p{self.rng.randrange(40)}", "name": "ein schöner Gegenstand ✓"}
                self._say("web", "product_viewed", "product_page", when, who, session_id=session, properties=seen)
        if self.rng.random() < 0.2:
            kind = self.rng.choice(("goal_started", "goal_completed", "goal_abandoned"))
            self._say("web", kind, "checkout", at_ms + 10 * MINUTE_MS, cookie, session_id=session, goal="buy")

    def _app(self, person: Person, at_ms: int) -> None:
        """A device of one's own or the family's; sometimes two people log in within one session."""
        session, device = self._session(), {"device": self.rng.choice(person.devices)}
        people = [person, self.rng.choice(self.people)] if self.rng.random() < 0.15 else [person]
        details = {"app": "shop", "app_version": "4.2", "screen": "home", "device": "tablet", "os": "any"}
        for when in self._steps(at_ms, 1, 6):
            who = device | (self.rng.choice(people).known("customer") if self.rng.random() < 0.5 else {})
            self._say("mobile", "page_viewed", "app_home", when, who, session_id=session, details=details)

    def _call(self, person: Person, at_ms: int) -> None:
        """A call that may end in a survey or a complaint; the agent may note who it was."""
        session, caller = self._session(), person.known("phone")
        wait_s, talk_s = self.rng.choice((0.0, 7.5, 33.0, 200.0)), float(self.rng.randint(20, 500))
        named = caller | person.known("customer") if self.rng.random() < 0.4 else caller
        known: Event = {"queue": "service", "direction": "inbound", "extension": None, "agent": "Alma"}
        waited = known | {"wait_s": wait_s, "handle_s": None, "transfers": None, "outcome": None}
        outcome, issue = (
            self.rng.choice(("handled", "resolved", "unresolved")),
            self.rng.choice(("", "delivery", "invoice")),
        )
        ended = known | {"wait_s": wait_s, "handle_s": talk_s, "transfers": self.rng.randrange(3), "outcome": outcome}
        answered_ms, ended_ms = at_ms + int(wait_s * 1000), at_ms + int((wait_s + talk_s) * 1000)
        self._say("phone", "call_ringing", "call_queue", at_ms, caller, session_id=session)
        self._say("phone", "call_answered", "call_queue", answered_ms, caller, session_id=session, details=waited)
        call = self._say(
            "phone", "call_ended", "call_queue", ended_ms, named, session_id=session, issue=issue, details=ended
        )
        if self.rng.random() < 0.3:
            self._survey("phone", "call_queue", ended_ms + MINUTE_MS, caller, session_id=session, about=call)
        if self.rng.random() < 0.1:
            self._say("phone", "complaint_opened", "call_queue", ended_ms, named, issue="waiting", about=call)

    def _store(self, person: Person, at_ms: int) -> None:
        who = person.known("loyalty", *(["customer"] if self.rng.random() < 0.3 else []))
        basket = [{"product": "p1", "quantity": 2.0, "price": 9.5, "name": "a thing"}]
        bought = {"order_id": f"{self.name}-o{len(self.events)}", "currency": "EUR"}
        session, amount = self._session(), {"amount": 19.0}
        self._say(
            "in_store", "order_placed", "store_counter", at_ms, who,
            session_id=session, items=basket, measures=amount, properties=bought,
        )  # fmt: skip
        self._say("in_store", "visit_ended", "store_counter", at_ms + MINUTE_MS, who, measures={"wait_s": 75.0})

    def _order(self, person: Person, at_ms: int) -> None:
        """An order of a customer, and the courier."""
        who, order = person.known("customer"), {"order_id": f"{self.name}-o{len(self.events)}"}
        promise: Event = {"partner": "courier", "order": order["order_id"], "outcome": None}
        promise |= {"promised_from": at_ms + HOUR_MS, "promised_until": at_ms + 3 * HOUR_MS}
        bought = order | {"currency": "EUR"}
        self._say("web", "order_placed", "checkout", at_ms, who, measures={"amount": 42.0}, properties=bought)
        self._say("partner", "delivery_promised", "parcel_tracking", at_ms + 1, who, details=promise, properties=order)
        came = self.rng.choice(("delivered", "delivery_failed", ""))
        if came and at_ms + HOUR_MS < self.now_ms:
            self._say("partner", came, "doorstep", at_ms + HOUR_MS // 2, who, properties=order)

    def _chat(self, person: Person, at_ms: int) -> None:
        """A chat with a customer, or with somebody who only leaves a number to call back."""
        named = person.known("customer" if self.rng.random() < 0.7 else "phone")
        who, session = {"anonymous": self.rng.choice(person.cookies)} | named, self._session()
        known = {
            "queue": "chat",
            "direction": "inbound",
            "handle_s": 60.0,
            "outcome": "handled",
            "agent": "Bo",
            "bot": True,
        }
        self._say("chat", "chat_started", "chat", at_ms, who, session_id=session)
        details = known | {"wait_s": 4.25, "transfers": self.rng.randrange(4)}
        chat = self._say("chat", "chat_ended", "chat", at_ms + MINUTE_MS, who, session_id=session, details=details)
        if self.rng.random() < 0.4:
            self._survey("chat", "chat", at_ms + 2 * MINUTE_MS, who, session_id=session, about=chat)

    def _mail(self, person: Person, at_ms: int) -> None:
        """An e-mail, or somebody fills in a form with all that points at them."""
        if self.rng.random() < 0.5:
            self._say("message", "message_received", "email", at_ms, person.known("email"), consent={"analysis": True})
            return
        names = [name for name in ("customer", "loyalty", "email", "phone") if self.rng.random() < 0.6]
        traits = {"name": f"Person {self.name}", "language": self.rng.choice(("de", "en"))}
        self._say("web", self.rng.choice(("profile_updated", "preference_set")), "account", at_ms, person.known(*names),
                  properties=traits)  # fmt: skip

    def _survey(self, channel: str, touchpoint: str, at_ms: int, who: dict[str, str], **more: Any) -> None:
        question, high = self.rng.choice((("effectiveness", 10.0), ("ease", 5.0), ("emotion", 7.0), ("colour", 3.0)))
        answer = {"question": question, "value": float(self.rng.randint(1, int(high))), "min": 1.0, "max": high}
        self._say(channel, "survey_answered", touchpoint, at_ms, who, answer=answer, **more)


def envelope(given: Event) -> Event:
    """The event with all fields of the schemas."""
    empty: Event = {
        "event_id": "", "source": "", "type": "", "touchpoint": "", "occurred_at": 0, "sent_at": None,
        "received_at": None, "identifiers": {}, "session_id": "", "goal": "", "issue": "", "about": "", "items": [],
        "answer": None, "measures": {}, "properties": {}, "consent": {}, "details": None,
    }  # fmt: skip
    return empty | given


def storm(n_events: int, seed: int, now_ms: int) -> list[Delivery]:
    """At least `n_events` different events, with their repeats and what cannot be used, in the order they are sent.

    The same arguments give the same list.
    """
    rng = random.Random(f"storm {seed}")
    told: list[tuple[str, Event]] = []
    for number in count():
        if len(told) >= n_events:
            break
        name, hermit = f"h{number:05d}", number % HERMIT_EVERY == HERMIT_EVERY - 1
        people = _people(rng, name, hermit)
        household = Household(rng, name, people, now_ms)
        if hermit:
            household.events_max, household.evidence_left = HERMIT_EVENTS, HOUSEHOLD_EVIDENCE
        told += household.live()
    deliveries = [copy for channel, event in told for copy in _copies(rng, channel, event, now_ms)]
    deliveries += [_unusable(rng, now_ms, n) for n in range(max(4, int(n_events * UNUSABLE_SHARE)))]
    return sorted(deliveries, key=lambda each: each.at_ms)


def _people(rng: random.Random, name: str, hermit: bool) -> list[Person]:
    size = 1 if hermit else rng.choice((1, 1, 2, 2, 2, 3, 4))
    tablet, computer, line = f"{name}-tablet", f"{name}-computer", f"+49 30 {rng.randrange(10**6, 10**7)}"
    shares_line, shares_tablet = rng.random() < 0.5, rng.random() < 0.7
    people = []
    for n in range(size):
        customer = f"{name}{n}" if hermit or rng.random() < 0.85 else ""
        own_line = f"+49 17{rng.randrange(10)} {rng.randrange(10**7, 10**8 - 1)}"
        people.append(
            Person(
                customer=customer,
                loyalty=f"L{name}{n}" if rng.random() < 0.5 else "",
                email=f"{name}.{n}@Example.com" if rng.random() < 0.7 else "",
                phone=line if shares_line else own_line,
                devices=[f"{name}-d{n}", *([tablet] if shares_tablet else [])],
                cookies=[*(f"{name}-c{n}{k}" for k in range(rng.randint(1, 2))), *([computer] if size > 1 else [])],
            )
        )
    return people


def _copies(rng: random.Random, channel: str, event: Event, now_ms: int) -> Iterator[Delivery]:
    """The event as it is told: usually once, sometimes late, sometimes again with other clocks."""
    for n in range(rng.choice((2, 2, 3)) if rng.random() < REPEATED_SHARE else 1):
        delay_ms = rng.choice((40, 900, 30_000)) + n * rng.choice((0, 5_000, 10 * MINUTE_MS))
        at_ms = event["occurred_at"] + delay_ms + (rng.randrange(DAYS * DAY_MS) if rng.random() < LATE_SHARE else 0)
        if rng.random() < HTTP_SHARE:
            yield Delivery(at_ms, "http", channel, event)
            continue
        received_at = min(event["occurred_at"] + delay_ms, now_ms - 1)
        skew_ms = rng.choice((0, 0, 0, 250, -400, 3_000)) + n
        told = event | {"received_at": received_at, "sent_at": received_at - skew_ms if rng.random() < 0.7 else None}
        yield Delivery(at_ms, "kafka", channel, told, _key(rng, event["identifiers"]))


def _key(rng: random.Random, identifiers: dict[str, str]) -> str | None:
    """As a backend would choose it: it does not know how phones and addresses are keyed, and it makes mistakes."""
    if rng.random() < WRONG_KEY_SHARE:
        return f"customer:{rng.randrange(100)}"
    names = [name for name in ("customer", "loyalty", "anonymous", "device") if name in identifiers]
    return f"{names[0]}:{identifiers[names[0]]}" if names else None


def _unusable(rng: random.Random, now_ms: int, n: int) -> Delivery:
    """Something that must be rejected, and must disturb nothing beside it."""
    at_ms = now_ms - rng.randrange(DAYS * DAY_MS)
    event = envelope(
        {"event_id": f"bad-{n}", "source": "s-bad", "type": "page_viewed", "touchpoint": "site_home",
         "occurred_at": at_ms, "identifiers": {"customer": f"bad-{n}"}}
    )  # fmt: skip
    good = Delivery(at_ms, rng.choice(("http", "kafka")), "web", event, "customer:bad")
    match n % 6:
        case 0:
            return replace(good, via="kafka", event=None, value=b"\xc3\x01 no such schema", reason="unknown_schema")
        case 1:
            return replace(good, via="kafka", event=None, value=None, reason="tombstone")
        case 2:
            return replace(good, via="kafka", event=None, value=b"plain text", reason="broken_avro")
        case 3:
            return replace(
                good, event=event | {"identifiers": {"customer": "undefined"}}, reason="placeholder_identifier"
            )
        case 4:
            return replace(good, event=event | {"type": "newsletter_opened"}, reason="not_an_interaction")
        case _:
            return replace(good, event=event | {"occurred_at": 12}, reason="absurd_time")
