"""What a view keeps: bounded shelves, each with the newest interaction of every key, for the newest keys.

An interaction leaves a profile only when no shelf holds it. Whatever order interactions come in, the shelves end the
same: what was once pushed out of one, newer keys would push out again. All that a view shows is read from them.

None is older than `Rules.age_ms` before the newest, but for what people said of their consent, which does not age, and
the evidence of scores, which ages by itself: else what is in a row would depend on when it was written.

Of a person who is known by name, what came with a public key is in the timeline, and opens and closes goals and the
cart: that is what people do in a browser. It is no order and no word on one, no complaint, no trait and no preference,
since anybody may have sent it (`consent.vouched`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from pipeline.domain import complaints
from pipeline.domain.consent import ANALYSIS, PURPOSES, SERVICE, SPEAKING, is_named, refuses
from pipeline.domain.interaction import Interaction
from pipeline.domain.rules import Rules
from pipeline.domain.scores import Piece, piece

#: What an event type says of an order.
ORDER_CHANGES = {
    "order_cancelled": "cancelled",
    "order_returned": "returned",
    "delivery_promised": "on its way",
    "delivered": "delivered",
    "delivery_failed": "delivery failed",
}
Key = TypeVar("Key", bound=Hashable)
CART = "cart"  # one for a person, whatever the channel: an order closes it


@dataclass(slots=True)
class Shelves:
    """The newest of everything. Dicts go from the newest key to the oldest."""

    person: str = ""  # whose they are
    view: list[Interaction] = field(default_factory=list)  # newest first
    pieces: list[Piece] = field(default_factory=list)  # oldest first
    orders: dict[str, Interaction] = field(default_factory=dict)  # order → its order_placed
    order_changes: dict[str, Interaction] = field(default_factory=dict)  # order → the last word on it
    complaints: dict[str, Interaction] = field(default_factory=dict)  # complaint → the last word that decides on it
    stages: dict[tuple[str, str], Interaction] = field(default_factory=dict)  # (type, complaint) → the last such word
    goals: dict[str, Interaction] = field(default_factory=dict)  # goal → the last word on it
    traits: dict[str, Interaction] = field(default_factory=dict)  # name → profile_updated
    preferences: dict[str, Interaction] = field(default_factory=dict)  # option → preference_set
    consent: dict[str, Interaction] = field(default_factory=dict)  # purpose → the last word of the person on it
    browsers: dict[tuple[str, str], Interaction] = field(
        default_factory=dict
    )  # (purpose, browser or device) → the last word on it that came from there with a public key
    refused: set[tuple[str, str, str]] = field(default_factory=set)  # events that are not for service

    def events(self) -> set[tuple[str, str, str]]:
        """(identifier, source, event_id) of every interaction on any shelf."""
        result = {event(x) for x in self.view}
        result.update(p.event for p in self.pieces)
        for shelf in (self.orders, self.order_changes, self.complaints, self.goals, self.traits, self.preferences):
            result.update(event(x) for x in shelf.values())
        result.update(event(x) for x in self.stages.values())
        result.update(event(x) for x in (*self.consent.values(), *self.browsers.values()))
        return result

    def allowed(self) -> dict[str, bool]:
        """Purpose → the person's last word, for those on which there was one."""
        words = self.consent
        if not is_named(self.person):
            words = dict(words)
            for (purpose, _), word in self.browsers.items():
                if self._is_newer(word, words.get(purpose), purpose):
                    words[purpose] = word
        return {purpose: words[purpose].consent[purpose] for purpose in PURPOSES if purpose in words}

    def silent(self, purpose: str) -> set[str]:
        """The browsers and devices of a person with a name whose own word is no: what is filed there is not used."""
        if not is_named(self.person):
            return set()  # their word is the person's
        return {
            identifier
            for (about, identifier), word in self.browsers.items()
            if about == purpose and refuses(word, purpose) and self._is_newer(word, self.consent.get(purpose), purpose)
        }

    def _is_newer(self, word: Interaction, other: Interaction | None, purpose: str) -> bool:
        """Whether a browser's word is heard after another one; a no of the person it never outlasts."""
        if other is None:
            return True
        return (other.public or not refuses(other, purpose)) and position(word) > position(other)

    def for_service(self) -> Shelves:
        """The shelves without what must not be shown to those who serve the person.

        It is taken from shelves that were filled with all of it: a goal that was reached in an interaction that is
        not shown is not an open one.
        """
        silent = self.silent(SERVICE)
        if not self.refused and not silent:
            return self

        def is_shown(named: tuple[str, str, str]) -> bool:
            return named not in self.refused and named[0] not in silent

        def shown(shelf: dict[Key, Interaction]) -> dict[Key, Interaction]:
            return {key: x for key, x in shelf.items() if is_shown(event(x))}

        return Shelves(
            person=self.person,
            view=[x for x in self.view if is_shown(event(x))],
            pieces=[p for p in self.pieces if is_shown(p.event)],
            orders=shown(self.orders),
            order_changes=shown(self.order_changes),
            complaints=shown(self.complaints),
            stages=shown(self.stages),
            goals=shown(self.goals),
            traits=shown(self.traits),
            preferences=shown(self.preferences),
            consent=self.consent,
            browsers=self.browsers,
        )


def event(interaction: Interaction) -> tuple[str, str, str]:
    """What names a stored interaction among those of all profiles."""
    return interaction.identifier, interaction.source, interaction.event_id


def position(interaction: Interaction) -> tuple[int, str, str, str]:
    """Where it stands in a person's timeline: event time, ties by source, event id and identifier."""
    return interaction.occurred_at, interaction.source, interaction.event_id, interaction.identifier


def arrange(interactions: Iterable[Interaction], rules: Rules, person: str) -> Shelves:
    """The shelves of a person's interactions (each of them once), in whatever order they are given."""
    shelves = Shelves(person)
    newest_first = sorted(interactions, key=position, reverse=True)
    oldest = newest_first[0].occurred_at - rules.age_ms if newest_first else 0
    for x in newest_first:
        if x.consent:
            _consent(shelves, x)
    silent, named = shelves.silent(ANALYSIS), is_named(person)
    for x in newest_first:
        if len(shelves.pieces) < rules.evidence and x.identifier not in silent:
            said = rules.scoring.experience(x)
            if said is not None and (new := piece(x, said)) is not None:
                shelves.pieces.append(new)
        if x.occurred_at < oldest:
            continue
        if len(shelves.view) < rules.view_size:
            shelves.view.append(x)
        place = (_PUBLIC_PLACES if named and x.public else _PLACES).get(x.type)
        if place is not None:
            place(shelves, x, rules)
    shelves.pieces.reverse()
    return shelves


def silent(interactions: Iterable[Interaction], person: str, purpose: str) -> set[str]:
    """Of a person's interactions, those browsers and devices whose own word on a purpose is no (`Shelves.silent`)."""
    shelves = Shelves(person)
    for x in sorted((x for x in interactions if x.consent), key=position, reverse=True):
        _consent(shelves, x)
    return shelves.silent(purpose)


def is_open(interaction: Interaction) -> bool:
    """Whether the last word on a complaint or goal leaves it open."""
    if interaction.type == "cart_updated":
        measures = interaction.measures
        return bool(interaction.items) or measures.get("items", 0.0) > 0 or measures.get("amount", 0.0) > 0
    return interaction.type in _OPENING


def order_id(interaction: Interaction) -> str:
    """Which order it speaks of; '' where it does not say."""
    return interaction.properties.get("order_id") or str(interaction.details.get("order", ""))


def stage(shelves: Shelves, complaint: str) -> str:
    """The furthest stage that an open complaint has reached since it was closed last."""
    closed = shelves.stages.get((complaints.CLOSED, complaint))
    for kind in reversed(complaints.BETWEEN):
        word = shelves.stages.get((kind, complaint))
        if word is not None and (closed is None or position(word) > position(closed)):
            return complaints.STAGES[kind]
    return complaints.STAGES[complaints.OPENED]


_TOLD_APART = (*complaints.BETWEEN, complaints.CLOSED)  # of these the last word of each type
_OPENING = frozenset({"goal_started", complaints.OPENED, complaints.UPDATED})


def _put(shelf: dict[Key, Interaction], key: Key, x: Interaction, size: int) -> None:
    """Interactions come newest first: the first of a key stays."""
    if len(shelf) < size:
        shelf.setdefault(key, x)


def _consent(shelves: Shelves, x: Interaction) -> None:
    """What an interaction says of consent: of its own, and perhaps of the person's."""
    if refuses(x, SERVICE):
        shelves.refused.add(event(x))
    if x.type in SPEAKING:
        for purpose in PURPOSES:
            if purpose not in x.consent:
                continue
            if not x.public:
                shelves.consent.setdefault(purpose, x)
            elif not is_named(x.identifier):
                shelves.browsers.setdefault((purpose, x.identifier), x)


def _order(shelves: Shelves, x: Interaction, rules: Rules) -> None:
    _put(shelves.orders, order_id(x) or x.event_id, x, rules.orders)
    _checkout(shelves, x, rules)


def _checkout(shelves: Shelves, x: Interaction, rules: Rules) -> None:
    _put(shelves.goals, CART, x, 2 * rules.goals)
    _goal(shelves, x, rules)


def _order_change(shelves: Shelves, x: Interaction, rules: Rules) -> None:
    if key := order_id(x):
        _put(shelves.order_changes, key, x, rules.order_changes)


def _cart(shelves: Shelves, x: Interaction, rules: Rules) -> None:
    _put(shelves.goals, CART, x, 2 * rules.goals)


def _goal(shelves: Shelves, x: Interaction, rules: Rules) -> None:
    if x.goal:
        _put(shelves.goals, f"goal:{x.goal}", x, 2 * rules.goals)


def _complaint(shelves: Shelves, x: Interaction, rules: Rules) -> None:
    key = complaints.key(x)
    if x.type in complaints.DECIDING:
        _put(shelves.complaints, key, x, 2 * rules.complaints)
    if x.type in _TOLD_APART:
        _put(shelves.stages, (x.type, key), x, 2 * rules.complaints * len(_TOLD_APART))


def _traits(shelves: Shelves, x: Interaction, rules: Rules) -> None:
    for trait in sorted(x.properties):
        _put(shelves.traits, trait, x, rules.traits)


def _preferences(shelves: Shelves, x: Interaction, rules: Rules) -> None:
    for option in sorted(x.properties):
        _put(shelves.preferences, option, x, rules.preferences)


_PLACES: dict[str, Callable[[Shelves, Interaction, Rules], None]] = {
    "order_placed": _order,
    **dict.fromkeys(ORDER_CHANGES, _order_change),
    "cart_updated": _cart,
    "goal_started": _goal,
    "goal_completed": _goal,
    "goal_abandoned": _goal,
    **dict.fromkeys((*complaints.DECIDING, *complaints.BETWEEN), _complaint),
    "profile_updated": _traits,
    "preference_set": _preferences,
}
#: The same of what anybody may have sent.
_PUBLIC_PLACES: dict[str, Callable[[Shelves, Interaction, Rules], None]] = {
    "order_placed": _checkout,
    "cart_updated": _cart,
    "goal_started": _goal,
    "goal_completed": _goal,
    "goal_abandoned": _goal,
}
