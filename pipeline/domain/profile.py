"""One profile, one message further: storing, assignments, slices, and what is taken away again.

``advance`` is the rule; `Work` applies it to all messages of one partition's batch, and writes what changed once.

Guarantees, for the bounds of `Rules`: the same set of messages, in any order and however often repeated, ends in the
same interactions, assignments, evidence, cells and score rows. Of two copies of an event the one with the smaller
precedence counts, also when the event has left the view long ago. What one message costs does not grow with what the
profile holds; looking for what can leave is paid for by the messages since the last look. An erasure looks at all that
the profile holds, once.

Deliberately not here: forgetting which events were seen (there is no expiry yet), and decoding or sending anything.

Decisions
- 2026-11-24 A word that gives a profile nothing is kept as its version under seals, without names, and what came by
  earlier words of that sender is let go at once: whoever gets it again is sent all of it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import structs

from pipeline.domain import records
from pipeline.domain.consent import ANALYSIS, SPEAKING, refuses
from pipeline.domain.erasing import Erasing
from pipeline.domain.hearing import Hearing
from pipeline.domain.interaction import Interaction
from pipeline.domain.leaving import let_go
from pipeline.domain.messages import (
    UNASSIGNED,
    Assigned,
    Assignment,
    Erased,
    Forget,
    Judged,
    Judging,
    Message,
    Misfiled,
    Rescored,
    Scrub,
    Slice,
    Unsaid,
    is_erased,
)
from pipeline.domain.opened import Opened, Profile
from pipeline.domain.recalled import NOTHING_RECALLED, Recalled, Seal
from pipeline.domain.records import UNCOUNTED, Besides, Held, Kept, Ledger, Lent, Seen, Sender, encode
from pipeline.domain.rescoring import Rescoring
from pipeline.domain.rollup import Rollup
from pipeline.domain.rules import Rules
from pipeline.domain.scoring import Scoring
from pipeline.domain.shelves import arrange
from pipeline.domain.slices import concerning, narrowed, persons, slices
from pipeline.domain.state import State
from pipeline.domain.step import Step
from pipeline.domain.tallies import Tallies
from pipeline.domain.telling import Telling
from pipeline.domain.witness import Witness

PAUSE = 64  # profiles closed between two yields


class Work:
    """The profiles of one partition number during one batch.

    `cache` outlives the batch where the caller keeps it; nobody else may change its state meanwhile. Give messages to
    `advance`, then exhaust `close()`; what is to be sent is in `step`, the changed cells in `rollup`, and what became
    of interactions in `tallies`.
    """

    def __init__(
        self,
        state: State,
        rules: Rules,
        cache: dict[str, object] | None = None,
        seal: Seal = records.name,
        recalled: Recalled = NOTHING_RECALLED,
    ) -> None:
        """`seal` gives what an erased identifier is known by (by default for tests: without a secret).

        `recalled`: erasures that the state may not know, since it was begun from nothing.
        """
        self.step = Step()
        self.rollup = Rollup(state)
        self.tallies = Tallies(state)
        self._state = state
        self._rules = rules
        self._opened = Opened(state, cache, seal, recalled)
        self._open = self._opened.open
        self._witness = Witness(state, rules.alias_sessions)
        self._erasing = Erasing(state, seal)
        self._hearing = Hearing(state, seal)
        self._rescoring = Rescoring(state, rules, self.rollup)
        self._telling = Telling(state, rules, self.step.scores, self.step.unscored)

    @property
    def scoring(self) -> Scoring:
        """The definition that is live."""
        return self._rules.scoring

    def knows(self, identifier: str) -> bool:
        """Whether this partition has that profile already (so it is the right one, without asking the hash)."""
        return self._opened.knows(identifier)

    def advance(self, message: Message) -> None:
        """Take the profile that the message is for one step further."""
        if isinstance(message, Misfiled):
            self.tallies.of(message.interaction.channel).rekeyed_in += 1
            self.store(message.interaction)
        elif isinstance(message, Slice):
            self._receive(message)
        elif isinstance(message, Assigned):
            self._assign(message)
        elif isinstance(message, Erased):
            self._erase(message)
        elif isinstance(message, Forget):
            self._forget(message)
        elif isinstance(message, Scrub):
            self._scrub(message)
        elif isinstance(message, Judged):
            self._judge(message)
        elif isinstance(message, Rescored):
            self._rescore(message)
        elif isinstance(message, Judging):
            raise TypeError("the definitions of a Work do not change: close it, and make another")
        else:
            self._unsay(message)

    def store(self, x: Interaction) -> None:
        """File an interaction under its own identifier."""
        profile = self._open(x.identifier)
        head = profile.head
        rules = self._rules
        owner = profile.owner(x.session_id, x.occurred_at)
        if profile.erasure is not None or owner != x.identifier or profile.shares:
            why = profile.refuses(x, owner, self._opened.seal)
            self.step.evidence += self._opened.nameless(profile, x, why)
            if why:
                if profile.shares and profile.erasure is None:  # it is of others too: what they told is not erased
                    self.step.evidence += self._witness.evidence(profile, x)
                self.step.dropped[why] += 1
                self.tallies.of(x.channel).refused += 1
                return
            if is_erased(owner):  # it came afterwards
                owner = x.identifier
        if x.links:
            self.step.evidence += self._witness.evidence(profile, x)
        name = records.event_name(x.source, x.event_id)
        key = profile.prefix + records.KEPT + name
        told: tuple[str, ...] = ()
        judged: tuple[int, ...] = ()
        former = self._former(profile, key, name) if head.kept or head.seen else None
        if former is None:
            self.tallies.of(x.channel).stored += 1
        elif former.precedence <= x.precedence:
            self.tallies.of(x.channel).duplicates += 1
            return
        else:
            self.tallies.better(x.channel, former.channel)
            self._take_back(profile, former, name)
            told = former.told
            judged = former.definition, *(version for version, _ in former.beside)
        if owner != x.identifier and owner not in told:
            told = (*told, owner)
        experience = rules.scoring.experience(x)
        definition = rules.scoring.version
        beside: Besides = ()
        if x.consent and refuses(x, ANALYSIS):
            definition = UNCOUNTED
        elif rules.beside is not None or judged:
            beside = self._rescoring.verdicts(x, judged)
        self._state.put(key, encode(Kept(x, definition, experience, told, beside)))
        head.kept += 1
        if definition != UNCOUNTED:
            self.rollup.count(x.occurred_at, x.touchpoint, x.channel, definition, experience, 1)
        self.step.entries.append((x, experience, definition))
        for person in told:  # its owner, and whoever has a worse copy
            self._lend(profile, person, x)
        if owner == x.identifier:
            self.step.changed.add(owner)
            self._heed(profile, x)
            if experience is not None:
                self._telling.learn(profile, x, experience)

    def close(self) -> Iterator[None]:
        """Write heads, ledgers, cells and tallies, each once, and make the score rows. Yields now and then."""
        for n, profile in enumerate(self._opened.dirty, 1):
            self._close(profile)
            if n % PAUSE == 0:
                yield
        self._opened.dirty.clear()
        self.rollup.write()
        self.tallies.write()
        self._opened.trim(self._rules.cached_profiles)

    # Own interactions.

    def _former(self, profile: Profile, key: bytes, name: bytes) -> Kept | Seen | None:
        """The copy of an event that counts so far."""
        data = self._state.get(key)
        if data is not None:
            return records.decode_kept(data)
        if not profile.head.seen:
            return None
        data = self._state.get(profile.prefix + records.SEEN + name)
        return records.decode_seen(data) if data is not None else None

    def _take_back(self, profile: Profile, former: Kept | Seen, name: bytes) -> None:
        """Undo what a copy did here, for a better one."""
        old = former.interaction if isinstance(former, Kept) else former
        if former.definition != UNCOUNTED:
            self.rollup.count(old.occurred_at, old.touchpoint, old.channel, former.definition, former.experience, -1)
            self._rescoring.count(old.occurred_at, old.touchpoint, old.channel, former.beside, -1)
        if isinstance(former, Kept):
            profile.head.kept -= 1
        else:
            self._state.put(profile.prefix + records.SEEN + name, None)
            profile.head.seen -= 1
        self.step.changed.add(profile.identifier)
        profile.stale = True

    # Whose they are.

    def _assign(self, message: Assigned) -> None:
        """A newer word of identify: tell everyone whom it or the one before names what is theirs now."""
        profile = self._open(message.to)
        old, new = self._hearing.own(profile), message.assignment
        if new.version <= old.version:
            return
        profile.assignment = new
        profile.stale = True
        says = bool(new.owners) or new.ambiguous
        profile.head.version = new.version if says else 0
        key = profile.prefix + records.ASSIGNMENT
        if says:
            self._state.put(key, encode(new))
        else:
            self._hearing.hush(profile, message.to, new.version, key)
        self.step.changed.add(profile.identifier)
        self.step.messages += self._erasing.share(profile, old, new)
        given: dict[str, list[Interaction]] = {p: [] for p in sorted((persons(old) | persons(new)) - {message.to})}
        if given and profile.head.kept:
            for key, value in list(self._state.scan(profile.prefix + records.KEPT)):
                kept = records.decode_kept(value)
                x = kept.interaction
                owner = new.owner(message.to, x.session_id, x.occurred_at)
                if owner in given:
                    given[owner].append(x)
                    if owner not in kept.told:
                        self._state.put(key, encode(structs.replace(kept, told=(*kept.told, owner))))
        for person, interactions in given.items():
            concerns = concerning(new, person)
            self.step.messages += slices(person, message.to, concerns, interactions, self._rules.slice_bytes)

    def _lend(self, profile: Profile, person: str, x: Interaction) -> None:
        """Send another person one interaction, of theirs or of which they have a copy."""
        assignment = profile.assignment or UNASSIGNED
        part = narrowed(assignment, x.session_id)
        whole = part is assignment
        if whole and person not in part.owners:
            part = concerning(part, person)
        self.step.messages.append(Slice(person, profile.identifier, part, (x,), whole))

    def _receive(self, message: Slice) -> None:
        """What another profile says is this one's."""
        profile = self._open(message.to)
        sender = profile.prefix + records.SENDER + records.name(message.sender)
        data = self._state.get(sender)
        known = (
            records.decode_sender(data).assignment if data is not None else self._hearing.quiet(profile, message.sender)
        )
        if message.whole and message.assignment.version > known.version:
            known = message.assignment
            blocked = profile.erasure is not None and profile.erasure.blocked
            profile.stale = profile.stale or profile.head.lent > 0
            if profile.identifier in persons(known) and not blocked:
                self._state.put(sender, encode(Sender(message.sender, known)))
            else:
                self._hearing.hush(profile, message.sender, known.version, sender)
                self._erasing.end(profile, message.sender, known.version)
            self.step.changed.add(profile.identifier)
        gives = profile.identifier in persons(known)
        for x in message.interactions:
            if profile.erasure is not None and (why := profile.erasure.refuses(x.since)):
                self.step.dropped[why] += 1
            elif gives or message.assignment.version > known.version:
                self._borrow(profile, message, known, x)

    def _borrow(self, profile: Profile, message: Slice, known: Assignment, x: Interaction) -> None:
        """Keep one interaction of another profile, or a better copy of it; `known` is its sender's newest word.

        What came by an older word is nothing new: with the newest came all that it gives.
        """
        key = profile.prefix + records.LENT + records.name(message.sender) + records.event_name(x.source, x.event_id)
        theirs = message.assignment.owner(message.sender, x.session_id, x.occurred_at) == profile.identifier
        version = message.assignment.version
        lent = Lent(x, version if theirs else 0, version)
        data = self._state.get(key)
        if data is None:
            if version < known.version:
                return
            profile.head.lent += 1
        else:
            former = records.decode_lent(data)
            worse = former.interaction.precedence <= x.precedence
            if worse and lent.version <= max(former.version, known.version) and version <= former.newest:
                return
            newest = max(former.newest, version)
            if worse:
                lent = Lent(former.interaction, max(lent.version, former.version), newest)
            else:
                lent = Lent(x, lent.version, newest)
            profile.stale = True
        self._state.put(key, encode(lent))
        if lent.belongs_to(profile.identifier, known):
            self.step.changed.add(profile.identifier)
            self._heed(profile, x)
            if (experience := self._rules.scoring.experience(x)) is not None:
                self._telling.learn(profile, x, experience)

    # What is taken away.

    def _erase(self, message: Erased) -> None:
        """What was before a time is not the profile's any more, nor anybody's."""
        profile = self._open(message.to)
        forget = self._erasing.erase(profile, message, self._opened.seal(message.to))
        if forget is None:
            return
        self.step.messages += forget
        for x in self._erasing.remaining(profile):
            self.step.evidence += self._witness.evidence(profile, x)
        self.step.changed.add(profile.identifier)

    def _forget(self, message: Forget) -> None:
        """Another profile takes back what it sent."""
        if self.knows(message.to) and self._erasing.forget(self._open(message.to), message):
            self.step.changed.add(message.to)

    def _scrub(self, message: Scrub) -> None:
        """What was erased is not to be named here either."""
        if self.knows(message.to) and self._erasing.scrub(self._open(message.to), message):
            self.step.changed.add(message.to)

    def _unsay(self, message: Unsaid) -> None:
        """What was told of a weaker identifier is to be told again: what is here at once."""
        if not self.knows(message.to):
            return
        profile = self._open(message.to)
        if message.weak:
            self._witness.forget(profile, message.weak)
        else:
            self._witness.forget_all(profile, message.order)
        for x in self._erasing.remaining(profile):
            if message.weak in (*x.links, "") and x.since >= message.before:
                self.step.evidence += self._witness.evidence(profile, x)

    def _judge(self, message: Judged) -> None:
        """A replay's verdicts."""
        if self.knows(message.to):
            self.step.again += self._rescoring.judge(self._open(message.to), message)

    def _rescore(self, message: Rescored) -> None:
        """A replay's rows."""
        if self.knows(message.to):
            self._telling.rescore(self._open(message.to), message)

    def _heed(self, profile: Profile, x: Interaction) -> None:
        """A word on analysis may take evidence away, or give it back."""
        if x.consent and x.type in SPEAKING and ANALYSIS in x.consent:
            profile.stale = True

    def _close(self, profile: Profile) -> None:
        """Write what of a profile has changed, and let go what no shelf holds."""
        head, rules = profile.head, self._rules
        full = head.kept + head.lent > max(head.limit, rules.view_size * 5 // 4 + rules.spare)
        ledger: Ledger | None = None
        if profile.stale or profile.turned or full:
            # What is let go may come again (an assignment sends it anew), so it must leave the ledger as well.
            held = Held(self._state, profile.identifier)
            shelves = arrange(held.shown, rules.held, profile.identifier)
            ledger = self._telling.remake(profile, held, shelves)
            if full:
                let_go(self._state, profile, held, shelves, rules)
        elif profile.since is not None:
            ledger = self._telling.go_on(profile, profile.since)
        if profile.erasure is not None and self._erasing.is_blank(profile):
            self._erasing.wipe(profile)
            self._opened.drop(profile)
        else:
            if ledger is not None:
                self._state.put(profile.prefix + records.LEDGER, encode(ledger))
            self._state.put(profile.prefix + records.HEAD, encode(head))
        profile.dirty = profile.stale = profile.turned = profile.wiped = False
        profile.since = profile.ledger = None  # the ledger is read again: it is large beside the rest, and used seldom
        if profile.gone:
            profile.gone = set()


def advance(state: State, messages: Iterable[Message], rules: Rules) -> Step:
    """Take the profiles in `state` through the messages, and say what follows from it."""
    work = Work(state, rules)
    for message in messages:
        work.advance(message)
    for _ in work.close():
        pass
    return work.step
