"""One profile, one message further: storing, evidence of identity, assignments and slices.

``advance`` is the rule; `Work` applies it to all messages of one partition's batch, and writes what changed once.

Guarantees, for the bounds of `Rules`: the same set of messages, in any order and however often repeated, ends in the
same interactions, assignments, evidence, cells and score rows. Of two copies of an event the one with the smaller
precedence counts, also when the event has left the view long ago. What one message costs does not grow with what the
profile holds; looking for what can leave is paid for by the messages since the last look.

Deliberately not here: forgetting which events were seen (there is no expiry yet), and decoding or sending anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipeline.domain import records
from pipeline.domain.interaction import Interaction
from pipeline.domain.ledger import learn, retell
from pipeline.domain.messages import UNASSIGNED, Assigned, Assignment, Evidence, Message, Misfiled, Slice
from pipeline.domain.records import Alias, Head, Held, Kept, Ledger, Lent, Seen, Sender, encode
from pipeline.domain.rollup import Rollup
from pipeline.domain.rules import Rules
from pipeline.domain.scores import Experience, ScoreRow, piece, rows
from pipeline.domain.shelves import Shelves, arrange, event
from pipeline.domain.slices import concerning, narrowed, persons, slices
from pipeline.domain.state import State

PAUSE = 64  # profiles closed between two yields
ALIASES_CACHED = 64  # per profile


@dataclass(slots=True)
class Step:
    """What leaves the partition because of the messages so far. Whoever sends it on may empty the lists."""

    messages: list[Message] = field(default_factory=list)  # to other profiles
    evidence: list[Evidence] = field(default_factory=list)  # to identify
    entries: list[tuple[Interaction, Experience | None]] = field(default_factory=list)  # stored, anew or a better copy
    scores: list[ScoreRow] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)  # profiles that show something else now


class Profile:
    """One profile as decoded: its head, and of its other records what was needed lately."""

    __slots__ = ("aliases", "assignment", "dirty", "head", "identifier", "ledger", "prefix", "since", "stale")

    def __init__(self, identifier: str, prefix: bytes, head: Head, assignment: Assignment | None) -> None:
        self.identifier = identifier
        self.prefix = prefix
        self.head = head
        self.assignment = assignment  # None: a person of its own
        self.ledger: Ledger | None = None  # None: not read yet, in this batch
        self.aliases: dict[str, tuple[int, str]] = {}  # weaker identifier → its earliest time, its last session
        self.dirty = False  # in this batch
        self.stale = False  # the ledger must be made anew from the interactions
        self.since: int | None = None  # the first day whose row changes in this batch


class Work:
    """The profiles of one partition number during one batch.

    `cache` outlives the batch where the caller keeps it; nobody else may change its state meanwhile. Give messages to
    `advance`, then exhaust `close()`; what is to be sent is in `step`, and the changed cells in `rollup`.
    """

    def __init__(self, state: State, rules: Rules, cache: dict[str, object] | None = None) -> None:
        self.step = Step()
        self.rollup = Rollup(state)
        self._state = state
        self._rules = rules
        self._profiles: dict[str, Profile] = {} if cache is None else cache  # type: ignore[assignment]  # ours alone
        self._dirty: list[Profile] = []

    def knows(self, identifier: str) -> bool:
        """Whether this partition has that profile already (so it is the right one, without asking the hash)."""
        if identifier in self._profiles:
            return True
        prefix = records.prefix(identifier)
        data = self._state.get(prefix + records.HEAD)
        if data is None:
            return False
        self._read(identifier, prefix, data)
        return True

    def advance(self, message: Message) -> None:
        """Take the profile that the message is for one step further."""
        if isinstance(message, Misfiled):
            self.store(message.interaction)
        elif isinstance(message, Slice):
            self._receive(message)
        else:
            self._assign(message)

    def store(self, x: Interaction) -> None:
        """File an interaction under its own identifier."""
        profile = self._open(x.identifier)
        head = profile.head
        rules = self._rules
        if x.links:
            self._witness(profile, x)
        name = records.event_name(x.source, x.event_id)
        key = profile.prefix + records.KEPT + name
        told: tuple[str, ...] = ()
        if head.kept or head.seen:
            former = self._former(profile, key, name)
            if former is not None:
                if former.precedence <= x.precedence:
                    return
                self._take_back(profile, former, name)
                told = former.told
        owner = _owner(profile, x.session_id, x.occurred_at)
        if owner != x.identifier and owner not in told:
            told = (*told, owner)
        experience = rules.scoring.experience(x)
        self._state.put(key, encode(Kept(x, rules.scoring.version, experience, told)))
        head.kept += 1
        self.rollup.count(x.occurred_at, x.touchpoint, x.channel, rules.scoring.version, experience, 1)
        self.step.entries.append((x, experience))
        for person in told:  # its owner, and whoever has a worse copy
            self._lend(profile, person, x)
        if owner == x.identifier:
            self.step.changed.add(owner)
            if experience is not None:
                self._learn(profile, x, experience)

    def close(self) -> Iterator[None]:
        """Write heads, ledgers and cells, each once, and make the score rows. Yields now and then."""
        for n, profile in enumerate(self._dirty, 1):
            self._close(profile)
            if n % PAUSE == 0:
                yield
        self._dirty.clear()
        self.rollup.write()
        excess = len(self._profiles) - self._rules.cached_profiles
        if excess > 0:
            for identifier in list(self._profiles)[: excess + self._rules.cached_profiles // 4]:  # those first read
                del self._profiles[identifier]

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
        self.rollup.count(old.occurred_at, old.touchpoint, old.channel, former.definition, former.experience, -1)
        if isinstance(former, Kept):
            profile.head.kept -= 1
        else:
            self._state.put(profile.prefix + records.SEEN + name, None)
            profile.head.seen -= 1
        self.step.changed.add(profile.identifier)
        profile.stale = True

    def _witness(self, profile: Profile, x: Interaction) -> None:
        """Tell identify what an event shows about who belongs together, unless it has been told."""
        for weak in x.links:
            known = profile.aliases.get(weak)
            if known is not None and known[0] <= x.occurred_at and known[1] == x.session_id:
                continue
            earliest, news = self._remember(profile, weak, x)
            if news:
                self.step.evidence.append(
                    Evidence(x.identifier, weak, x.occurred_at, x.session_id, x.source, x.event_id)
                )
            if len(profile.aliases) >= ALIASES_CACHED:
                profile.aliases.clear()
            profile.aliases[weak] = earliest, x.session_id

    def _remember(self, profile: Profile, weak: str, x: Interaction) -> tuple[int, bool]:
        """Note a weaker identifier's event: (its earliest time, whether it is earlier or the session is new)."""
        state = self._state
        key = profile.prefix + records.ALIAS + weak.encode()
        data = state.get(key)
        alias = records.decode_alias(data) if data is not None else Alias(x.occurred_at, 0)
        news = data is None or x.occurred_at < alias.earliest
        alias.earliest = min(alias.earliest, x.occurred_at)
        if x.session_id:
            sessions = profile.prefix + records.SESSION + records.name(weak)
            session = sessions + records.name(x.session_id)
            if state.get(session) is None:
                state.put(session, encode(x.occurred_at))
                alias.sessions += 1
                news = True
                if alias.sessions > self._rules.alias_sessions * 5 // 4:
                    self._forget_sessions(sessions, alias)
        if news:
            state.put(key, encode(alias))
        return alias.earliest, news

    def _forget_sessions(self, sessions: bytes, alias: Alias) -> None:
        """Keep the newest sessions of an alias."""
        by_time = sorted((records.decode_time(value), key) for key, value in self._state.scan(sessions))
        for _, key in by_time[: -self._rules.alias_sessions]:
            self._state.put(key, None)
        alias.sessions = min(len(by_time), self._rules.alias_sessions)

    # Whose they are.

    def _assign(self, message: Assigned) -> None:
        """A newer word of identify: tell everyone whom it or the one before names what is theirs now."""
        profile = self._open(message.to)
        old, new = profile.assignment or UNASSIGNED, message.assignment
        if new.version <= old.version:
            return
        profile.assignment = new
        profile.head.version = new.version
        profile.stale = True
        self._state.put(profile.prefix + records.ASSIGNMENT, encode(new))
        self.step.changed.add(profile.identifier)
        given: dict[str, list[Interaction]] = {p: [] for p in sorted((persons(old) | persons(new)) - {message.to})}
        if given and profile.head.kept:
            for key, value in list(self._state.scan(profile.prefix + records.KEPT)):
                kept = records.decode_kept(value)
                x = kept.interaction
                owner = new.owner(message.to, x.session_id, x.occurred_at)
                if owner in given:
                    given[owner].append(x)
                    if owner not in kept.told:
                        told = (*kept.told, owner)
                        self._state.put(key, encode(Kept(x, kept.definition, kept.experience, told)))
        for person, interactions in given.items():
            concerns = concerning(new, person)
            self.step.messages += slices(person, message.to, concerns, interactions, self._rules.slice_bytes)

    def _lend(self, profile: Profile, person: str, x: Interaction) -> None:
        """Send another person one interaction, of theirs or of which they have a copy."""
        assignment = profile.assignment or UNASSIGNED
        part = narrowed(assignment, x.session_id)
        self.step.messages.append(Slice(person, profile.identifier, part, (x,), part is assignment))

    def _receive(self, message: Slice) -> None:
        """What another profile says is this one's."""
        profile = self._open(message.to)
        sender = profile.prefix + records.SENDER + records.name(message.sender)
        data = self._state.get(sender)
        known = records.decode_sender(data).assignment if data is not None else UNASSIGNED
        if message.whole and (data is None or message.assignment.version > known.version):
            known = message.assignment
            self._state.put(sender, encode(Sender(message.sender, known)))
            self.step.changed.add(profile.identifier)
            profile.stale = profile.stale or profile.head.lent > 0
        for x in message.interactions:
            self._borrow(profile, message, known, x)

    def _borrow(self, profile: Profile, message: Slice, known: Assignment, x: Interaction) -> None:
        """Keep one interaction of another profile, or a better copy of it; `known` is its sender's newest word."""
        key = profile.prefix + records.LENT + records.name(message.sender) + records.event_name(x.source, x.event_id)
        theirs = message.assignment.owner(message.sender, x.session_id, x.occurred_at) == profile.identifier
        lent = Lent(x, message.assignment.version if theirs else 0)
        data = self._state.get(key)
        if data is None:
            profile.head.lent += 1
        else:
            former = records.decode_lent(data)
            worse = former.interaction.precedence <= x.precedence
            if worse and lent.version <= max(former.version, known.version):
                return
            if worse:
                lent = Lent(former.interaction, lent.version)
            profile.stale = True
        self._state.put(key, encode(lent))
        if lent.belongs_to(profile.identifier, known):
            self.step.changed.add(profile.identifier)
            if (experience := self._rules.scoring.experience(x)) is not None:
                self._learn(profile, x, experience)

    # The person's evidence, and what can leave.

    def _learn(self, profile: Profile, x: Interaction, experience: Experience) -> None:
        """Add an interaction that is new to the person to their evidence."""
        if profile.stale:
            return
        ledger = self._ledger(profile)
        if ledger.definition != self._rules.scoring.version:
            profile.stale = True
            return
        new = piece(x, experience)
        if learn(ledger, new, self._rules):
            profile.since = new.day if profile.since is None else min(profile.since, new.day)

    def _ledger(self, profile: Profile) -> Ledger:
        if profile.ledger is None:
            data = self._state.get(profile.prefix + records.LEDGER)
            version = self._rules.scoring.version
            profile.ledger = records.decode_ledger(data) if data is not None else Ledger(version, [], [])
        return profile.ledger

    def _close(self, profile: Profile) -> None:
        """Write what of a profile has changed, and let go what no shelf holds."""
        head, rules = profile.head, self._rules
        full = head.kept + head.lent > max(head.limit, rules.view_size * 5 // 4 + rules.spare)
        # What is let go may come again (an assignment sends it anew), so it must leave the ledger as well.
        profile.stale = profile.stale or full
        ledger: Ledger | None = None
        if profile.stale:
            held = Held(self._state, profile.identifier)
            shelves = arrange(held.shown, rules.held)
            ledger, told = retell(self._ledger(profile), held, shelves, profile.since, rules)
            profile.ledger = ledger
            self.step.scores += told
            if full:
                self._let_go(profile, held, shelves)
        if profile.since is not None and not profile.stale:
            ledger = self._ledger(profile)
            self.step.scores += rows(profile.identifier, ledger.pieces, profile.since, rules.scoring)
        if ledger is not None:
            self._state.put(profile.prefix + records.LEDGER, encode(ledger))
        self._state.put(profile.prefix + records.HEAD, encode(head))
        profile.dirty = profile.stale = False
        profile.since = profile.ledger = None  # the ledger is read again: it is large beside the rest, and used seldom

    def _let_go(self, profile: Profile, held: Held, shelves: Shelves) -> None:
        """Remove what no shelves hold: the person's, or those of any one slice, the profile's own among them.

        Each slice by itself, because another one may leave: what it pushed out is shown again then.
        """
        head, rules = profile.head, self._rules
        wanted = shelves.events()
        for part in held.slices():
            wanted |= arrange(part, rules.held).events()
        for key, kept in held.kept.items():
            x = kept.interaction
            if event(x) in wanted:
                continue
            said = (kept.definition, kept.experience, kept.told)
            seen = Seen(x.precedence, x.occurred_at, x.touchpoint, x.channel, *said)
            name = records.event_name(x.source, x.event_id)
            self._state.put(profile.prefix + records.SEEN + name, encode(seen))
            self._state.put(key, None)
            head.kept -= 1
            head.seen += 1
        for key, lent in held.lent.items():
            if event(lent.interaction) not in wanted:
                self._state.put(key, None)
                head.lent -= 1
        head.limit = head.kept + head.lent + max(rules.view_size // 4, 1)

    # Reading profiles.

    def _open(self, identifier: str) -> Profile:
        """The profile, to be written at the end of the batch."""
        profile = self._profiles.get(identifier)
        if profile is None:
            prefix = records.prefix(identifier)
            profile = self._read(identifier, prefix, self._state.get(prefix + records.HEAD))
        if not profile.dirty:
            profile.dirty = True
            self._dirty.append(profile)
        return profile

    def _read(self, identifier: str, prefix: bytes, data: bytes | None) -> Profile:
        head = records.decode_head(data) if data is not None else Head()
        assignment: Assignment | None = None
        if head.version:
            stored = self._state.get(prefix + records.ASSIGNMENT)
            assignment = records.decode_assignment(stored) if stored is not None else None
        profile = self._profiles[identifier] = Profile(identifier, prefix, head, assignment)
        return profile


def _owner(profile: Profile, session_id: str, occurred_at: int) -> str:
    """Whose an interaction of the profile is."""
    if profile.assignment is None:
        return profile.identifier
    return profile.assignment.owner(profile.identifier, session_id, occurred_at)


def advance(state: State, messages: Iterable[Message], rules: Rules) -> Step:
    """Take the profiles in `state` through the messages, and say what follows from it."""
    work = Work(state, rules)
    for message in messages:
        work.advance(message)
    for _ in work.close():
        pass
    return work.step
