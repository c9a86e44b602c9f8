"""A person's evidence, and the score rows that follow from it: when a ledger goes on, and when it is made anew."""

from __future__ import annotations

from pipeline.domain import records
from pipeline.domain.interaction import Interaction
from pipeline.domain.ledger import learn, retell, turn, wiped
from pipeline.domain.messages import Rescored
from pipeline.domain.opened import Profile
from pipeline.domain.records import UNJUDGED, Held, Ledger, encode
from pipeline.domain.rescoring import rescored
from pipeline.domain.rules import Rules
from pipeline.domain.scores import ScoreRow, is_retraction, piece, rows
from pipeline.domain.scoring import Experience
from pipeline.domain.shelves import Shelves
from pipeline.domain.state import State


class Telling:
    """Of the profiles of one partition number during one batch."""

    def __init__(self, state: State, rules: Rules, scores: list[ScoreRow], unscored: list[ScoreRow]) -> None:
        """`scores` gets rows, `unscored` those of which nothing may remain, not even their key."""
        self._state = state
        self._rules = rules
        self._scores = scores
        self._unscored = unscored

    def learn(self, profile: Profile, x: Interaction, experience: Experience) -> None:
        """Add an interaction that is new to the person, and stored by now, to their evidence."""
        if profile.stale:
            return
        ledger = self.ledger(profile, learning=True)
        new = piece(x, experience)
        if new is None or x.identifier in ledger.silent:
            return
        profile.turned = ledger.definition != self._rules.scoring.version
        if profile.turned or learn(ledger, new, self._rules):
            profile.since = new.day if profile.since is None else min(profile.since, new.day)

    def ledger(self, profile: Profile, *, learning: bool = False) -> Ledger:
        """The person's ledger. Where there is none, what is held may be evidence by a definition that is live since.

        Of one that was made when its definition was live before, only the days with rows are left: what came since may
        have been no evidence by another definition, so it knows less than a replay does.
        """
        if profile.ledger is None:
            data = self._state.get(profile.prefix + records.LEDGER)
            if data is not None:
                profile.ledger = self._known(records.decode_ledger(data))
            else:
                head = profile.head
                older = head.kept + head.lent + head.seen > learning
                version = UNJUDGED if self._rules.switched and older else self._rules.scoring.version
                profile.ledger = Ledger(version, [], [], number=self._rules.live_from)
        return profile.ledger

    def _known(self, ledger: Ledger) -> Ledger:
        if ledger.number >= self._rules.live_from or ledger.definition == UNJUDGED:
            return ledger
        days = sorted({p.day for p in ledger.pieces}.union(ledger.past))
        beside = {**ledger.beside, ledger.definition: days}
        return Ledger(UNJUDGED, [], [], ledger.silent, beside=beside)

    def remake(self, profile: Profile, held: Held, shelves: Shelves) -> Ledger | None:
        """The ledger made anew from what is held, and its rows told; None where the one that there is stays."""
        rules = self._rules
        before = self.ledger(profile)
        if profile.wiped:
            before, retracted = wiped(before, profile.identifier, rules)
            self._publish(profile, retracted)
        if before.definition == rules.scoring.version:
            ledger, told = retell(before, held, shelves, profile.since, rules, profile.gone)
        elif profile.stale or profile.turned:
            since = None if profile.stale else profile.since
            ledger, told = turn(before, held, shelves, since, rules, whole=not profile.head.limit)
        else:
            return None
        ledger.number = rules.live_from
        profile.ledger = ledger
        self._publish(profile, told)
        return ledger

    def go_on(self, profile: Profile, since: int) -> Ledger:
        """Tell the rows from a day on; the ledger has all new pieces."""
        ledger = self.ledger(profile)
        ledger.since = min(ledger.since, since)
        self._scores += rows(profile.identifier, ledger.pieces, since, self._rules.scoring)
        return ledger

    def rescore(self, profile: Profile, message: Rescored) -> None:
        """Pass on a replay's rows."""
        ledger = self.ledger(profile)
        if told := rescored(profile, ledger, message):
            self._state.put(profile.prefix + records.LEDGER, encode(ledger))
            self._publish(profile, told)

    def _publish(self, profile: Profile, told: list[ScoreRow]) -> None:
        """Score rows; of somebody who was erased nothing is left to say that a row was taken back."""
        for row in told:
            erased = profile.erasure is not None and is_retraction(row)
            (self._unscored if erased else self._scores).append(row)
