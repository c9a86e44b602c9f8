"""The truth where people give orders: `tests.oracle`, and beside it all that was ordered and erased, step by step.

Written from DESIGN.md section 4 and the words of the API alone. What is erased depends on what was known then, so this
half of the oracle has a history: tell it what arrived, what was ordered, and when everything had come to rest.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import msgspec

from pipeline.domain.interaction import NAMESPACES, Interaction
from pipeline.domain.orders import Erase, Free, Join, Order, Part, Unblock, Withdraw
from tests.oracle import NOBODY, InForce, Key, Limits, Said, Truth, WhoIsWho, logins, told, whose
from tests.oracle_rows import counted

#: Why an order is refused → what its reason has to say.
REFUSALS = {
    "weaker": "of a weaker kind",
    "itself": "is itself already",
    "joined": "is joined into .*: withdraw order",
    "ring": "directly or by way of others: withdraw order",
    "was parted": "was parted from .*: withdraw order",
    "was joined": "was joined into .*: withdraw order",
    "not stronger": "not of a stronger kind",
    "ambiguous": "is ambiguous",
    "somebody else": "name that person|erase that person",
    "parted": "parts .* from .* already",
    "freed": "has freed .* already, and",
    "not alone": "does not stand alone",
    "forgotten": "had evidence forgotten",
    "unknown": "There is no order",
    "no taking back": "that cannot be taken back",
    "does not hold": "does not hold",
    "not blocked": "not blocked",
    "blocked": "is blocked",
    "erased": "somebody's whose data was erased",
}


def rank(name: str) -> int:
    """Of its namespace; 0 is the strongest."""
    return NAMESPACES.index(name.split(":")[0])


@dataclass
class Story:
    """All that has happened so far, and who is who by it."""

    limits: Limits = field(default_factory=Limits)
    joins: dict[str, str] = field(default_factory=dict)
    parts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    freed: set[str] = field(default_factory=set)
    said: set[Said] = field(default_factory=set)
    stored: dict[Key, Interaction] = field(default_factory=dict)
    heard: list[Interaction] = field(default_factory=list)  # but for what came from before an erasure, or was blocked
    sunk: Counter[tuple[int, str, str]] = field(default_factory=Counter)  # erased, and counted in its cell
    unsure: Counter[tuple[int, str, str]] = field(
        default_factory=Counter
    )  # erased, and counted or not, by the order it came in
    blocked: set[str] = field(default_factory=set)
    before: dict[str, int] = field(default_factory=dict)  # identifier → what is older than that (ms) is erased
    unheard: set[str] = field(default_factory=set)  # who stood alone at any time
    muffled: set[str] = field(default_factory=set)  # who was not heard through public keys at any time
    forgotten: set[str] = field(default_factory=set)  # of whom something was forgotten at any time
    since: dict[tuple[str, bool], int] = field(default_factory=dict)  # (identifier, public) → older (ms) is forgotten
    past: set[str] = field(default_factory=set)  # whose owners were forgotten
    unsaid: set[tuple[str, str]] = field(default_factory=set)  # (identifier, person) that were parted at any time
    _holding: dict[str, Order] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _given: dict[str, Order] = field(default_factory=dict)
    _stuck: set[tuple[str, bool]] = field(default_factory=set)
    _renewals: set[str] = field(default_factory=set)  # orders that had something forgotten
    _rested: set[Key] = field(default_factory=set)

    # What happens.

    def hear(self, copies: Iterable[Interaction]) -> None:
        """Copies of events arrive, all at rest before."""
        everyone = self.who_is_who()
        for x in copies:
            owner = whose(x, everyone.who(x.identifier).is_)
            if not self._accepts(x.identifier, x) or _is_gone(x, owner):
                continue
            self.heard.append(msgspec.structs.replace(x, links=self._witness(x)))
            key = (x.identifier, *x.event)
            former = self.stored.get(key, x)
            self.stored[key] = min((former, x), key=lambda copy: copy.precedence)
        self._note_stuck()

    def obey(self, order: Order) -> str:
        """An order arrives; why it is refused, or ''."""
        self._given[order.order_id] = order
        why = _VERDICTS[type(order)](self, order)
        if not why:
            self._holding[order.order_id] = order
            self._note_stuck()  # what public keys said of who was erased is a nameless owner's, and trusted
        return why

    def take(self, order: Order) -> None:
        """This order holds, whatever is to be said against it."""
        if isinstance(order, Join):
            self.joins[order.from_id] = order.into_id
        elif isinstance(order, Part):
            self.parts[order.identifier].add(order.person)
        elif isinstance(order, Free):
            self.freed.add(order.identifier)

    def settle(self, restless: Collection[str], there: Collection[Key]) -> None:
        """Everything has come to rest: what is a nameless owner's goes.

        On the way there, a shared identifier among the `restless` (whose assignments changed) may have given its
        nameless owner more than it does in the end, by the order in which evidence came. Of that, what is `there` is.
        """
        everyone = self.who_is_who()
        for key, x in list(self.stored.items()):
            owner = whose(x, everyone.who(x.identifier).is_)
            if _is_gone(x, owner) or (
                x.identifier in restless and key not in there and x.since < self._shared_until(x.identifier)
            ):
                del self.stored[key]
                (self.sunk if key in self._rested else self.unsure).update(counted([x]))
        self._rested = set(self.stored)
        self.unsaid |= {(name, person) for name in self.parts for person in everyone.barred(name)}
        self.unheard |= {name for name in self.names if everyone.who(name).alone}
        self.muffled |= {name for name in self.names if everyone.who(name).muted}

    # What is true.

    def who_is_who(self) -> WhoIsWho:
        """Who everybody is now."""
        return WhoIsWho(self.said, InForce(self.joins, self.parts, self.freed, self._stuck, self.past), self.limits)

    def truth(self, names: Iterable[str], size: int, age_ms: int) -> Truth:
        """Persons and timelines, and the assignments of these identifiers where there is one."""
        everyone = self.who_is_who()
        assignments = {name: found for name in names if (found := everyone.who(name).is_) != NOBODY}
        return told(assignments, self.stored.values(), size, age_ms, self._accepts)

    def _accepts(self, name: str, x: Interaction) -> bool:
        """Whether an interaction may be stored under that identifier, or shown to that person."""
        return name not in self.blocked and x.since >= self.before.get(name, 0)

    @property
    def names(self) -> set[str]:
        """All that evidence or a join names."""
        return {name for each in self.said for name in (each.strong, each.weak)} | set(self.joins)

    def _shared_until(self, name: str) -> int:
        """When the last of its owners who were erased was erased; 0 where there is none."""
        erased = {each.strong for each in self.said if each.weak == name and each.strong.startswith("erased:")}
        return max((int(each[7:].split(".")[0]) for each in erased), default=0)

    # Evidence.

    def _witness(self, x: Interaction) -> tuple[str, ...]:
        """What a copy shows: its links, but for those about somebody who was erased after it, or is blocked."""
        since = min(x.since, x.linked_at)
        links = tuple(
            weak
            for weak in x.links
            if not {x.identifier, weak} & self.blocked
            and all(since >= self.before.get(name, 0) for name in (x.identifier, weak))
        )
        self.said |= {
            Said(x.linked_at, x.identifier, weak, x.session_id, x.public)
            for weak in links
            if all(x.linked_at >= self.since.get((name, x.public), 0) for name in (x.identifier, weak))
        }
        return links

    def _note_stuck(self) -> None:
        for name, public in {(each.weak, each.public) for each in self.said}:
            above = [each for each in self.said if (each.weak, each.public) == (name, public)]
            if logins(above) > self.limits.freed_sessions:
                self._stuck.add((name, public))

    # Orders. Each returns why it is refused, or ''.

    def _join(self, order: Join) -> str:
        start, into = order.from_id, order.into_id
        person = self.who_is_who().person
        chain = [into]
        while chain[-1] in self.joins:
            chain.append(self.joins[chain[-1]])
        if rank(into) > rank(start):
            return "weaker"
        if start == into:
            return "itself"
        if start in self.joins:
            return "joined"
        if start in chain:
            return "ring"
        if into in self.blocked:
            return "blocked"
        if (person(into) or "").startswith("erased:"):
            return "erased"
        coming = {start}
        while more := {name for name, to in self.joins.items() if to in coming} - coming:
            coming |= more
        where = {*chain, person(into)} - {None}
        if any(where & {parted, person(parted)} for name in coming for parted in self.parts.get(name, ())):
            return "was parted"
        self.joins[start] = into
        return ""

    def _part(self, order: Part) -> str:
        name, owner = order.identifier, order.person
        person = self.who_is_who().person
        if rank(owner) >= rank(name):
            return "not stronger"
        if person(owner) is None:
            return "ambiguous"
        if person(owner) != owner:
            return "somebody else"
        if owner in self.parts[name]:
            return "parted"
        at = name
        while at in self.joins:
            at = self.joins[at]
            if owner in (at, person(at)):
                return "was joined"
        self.parts[name].add(owner)
        return ""

    def _free(self, order: Free) -> str:
        name = order.identifier
        who = self.who_is_who().who(name)
        if not (who.alone or who.muted):
            return "freed" if name in self.freed else "not alone"
        public = not who.alone
        if name in self.freed or self._beyond(name, public):
            self._forget(name, order.at, (True,) if public else (False, True))
            self._renewals.add(order.order_id)
        self.freed.add(name)
        return ""

    def _beyond(self, name: str, public: bool) -> bool:
        """Whether more was said than the widest caps allow."""
        limits = self.limits
        said = [each for each in self.said if each.public == public]
        above = [each for each in said if each.weak == name]
        return (
            len({each.strong for each in above}) > limits.freed_links
            or len({each.weak for each in said if each.strong == name}) > limits.freed_reach
            or (name, public) in self._stuck
        )

    def _forget(self, name: str, at: int, kinds: Collection[bool]) -> None:
        """What was said of it so far is forgotten, and whatever comes of before."""
        found = self.who_is_who().who(name).is_
        above = any(each.weak == name for each in self.said)
        if name not in self.joins and not (found.owners or found.ambiguous) and above:
            self.past.add(name)
        self.forgotten.add(name)
        self.said = {each for each in self.said if each.public not in kinds or name not in (each.strong, each.weak)}
        for public in kinds:
            self.since[name, public] = at
            self._stuck.discard((name, public))

    def _withdraw(self, order: Withdraw) -> str:
        given = self._given.get(order.withdrawn)
        if given is None or given is order:
            return "unknown"
        if not isinstance(given, Join | Part | Free):
            return "no taking back"
        if order.withdrawn not in self._holding:
            return "does not hold"
        if order.withdrawn in self._renewals:
            return "forgotten"
        self._end(order.withdrawn)
        return ""

    def _end(self, order_id: str) -> None:
        ended = self._holding.pop(order_id)
        if isinstance(ended, Join):
            del self.joins[ended.from_id]
        elif isinstance(ended, Part):
            self.parts[ended.identifier].discard(ended.person)
        elif isinstance(ended, Free):
            self.freed.discard(ended.identifier)

    def _unblock(self, order: Unblock) -> str:
        if order.identifier not in self.blocked:
            return "not blocked"
        self.blocked.discard(order.identifier)
        self.before[order.identifier] = max(order.at, self.before[order.identifier])
        return ""

    def _erase(self, order: Erase) -> str:
        everyone = self.who_is_who()
        who = order.person
        if everyone.person(who) is None:
            return "ambiguous"
        if everyone.person(who) != who:
            return "somebody else"
        whole = {who} | {name for name in self.names if everyone.who(name).is_.owners == (who,)}
        mine = {each for each in self.said if {each.strong, each.weak} & whole}
        shared = {
            each
            for each in mine
            if each.weak not in whole and everyone.counts(each) and not (each.public and everyone.who(each.weak).muted)
        }
        for order_id, given in list(self._holding.items()):
            about = {getattr(given, name, "") for name in ("from_id", "into_id", "identifier", "person")}
            if isinstance(given, Join | Part | Free) and about & whole:
                self._end(order_id)
        self.unsaid |= {(each.weak, each.strong) for each in mine if each.weak in whole}
        left = f"erased:{order.at}.{order.order_id}"
        self.said = (self.said - mine) | {Said(each.at, left, each.weak, each.session) for each in shared}
        for name in whole:
            self.before[name] = max(order.at, self.before.get(name, 0))
            (self.blocked.add if order.block else self.blocked.discard)(name)
            self._stuck -= {(name, False), (name, True)}
            self.past.discard(name)
            self.since.pop((name, False), None)
            self.since.pop((name, True), None)
        for key, x in list(self.stored.items()):
            if x.identifier in whole:
                if order.block or x.since < self.before[x.identifier]:
                    self.sunk.update(counted([x]))
                    del self.stored[key]
                else:
                    self._witness(x)  # what remains is from afterwards, and shows anew what it shows
        return ""


def _is_gone(x: Interaction, owner: str) -> bool:
    """Whether it is a nameless owner's, from before the erasure."""
    return owner.startswith("erased:") and x.since < int(owner[7:].split(".")[0])


_VERDICTS: dict[type, Callable[..., str]] = {
    Join: Story._join,
    Part: Story._part,
    Free: Story._free,
    Withdraw: Story._withdraw,
    Unblock: Story._unblock,
    Erase: Story._erase,
}
