"""By which definitions a worker judges: of each partition number, what its state says, else what is recorded.

The state heeds `Judging` in the transaction that handles it, so whatever is stored behind it is judged by what it
says: once it is committed as read, the switch of that partition number is over, whoever owns it next. The record in
the topic `definitions` is for state that was begun from nothing.

Decisions
- 2026-11-26 A definition that nobody knew when the worker started is looked for in the catalogue's files again when it
  is first named, so that none has to be started anew for a replay. One that is to be live and is not there ends the
  worker: nothing may be judged by another one in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from pipeline.definitions import MissingDefinition
from pipeline.domain import records
from pipeline.domain.messages import Judging
from pipeline.domain.rules import Rules
from pipeline.domain.scoring import Scoring
from pipeline.domain.state import Reading, State

Load = Callable[[], Mapping[int, Scoring]]


class Definitions:
    """Of all partition numbers of a worker."""

    def __init__(self, rules: Rules, load: Load | None = None) -> None:
        """`rules.scoring` is live where nothing else is recorded; `load` reads the catalogue again."""
        self._known = {rules.scoring.version: rules.scoring, **rules.scorings}
        self._base = replace(rules, scorings=self._known)  # shared by all rules made here: they know what it knows
        self._load: Load = (lambda: self._known) if load is None else load
        self._missed: set[int] = set()
        self._made: dict[Judging, Rules] = {}
        self.recorded = Judging(0, rules.scoring.version)

    def record(self, judging: Judging) -> None:
        """What the topic said at the start. Raises MissingDefinition."""
        self.recorded = judging
        self.rules_of(judging)

    def judging(self, state: Reading) -> Judging:
        """Which definitions judge what is stored in a partition's state now."""
        data = state.get(records.JUDGING)
        if data is None:
            return self.recorded
        return max(records.decode_judging(data), self.recorded, key=lambda each: each.number)

    def rules(self, state: Reading) -> Rules:
        """The rules of a partition's state. Raises MissingDefinition."""
        return self.rules_of(self.judging(state))

    def heed(self, state: State, message: Judging) -> bool:
        """Put a newer word into a partition's state. False: it is none."""
        now = self.judging(state)
        if message.number <= now.number:
            return False
        word = message.after(now)
        self.rules_of(word)
        state.put(records.JUDGING, records.encode(word))
        return True

    def rules_of(self, judging: Judging) -> Rules:
        """The rules where these definitions judge. Raises MissingDefinition."""
        made = self._made.get(judging)
        if made is None:
            live, beside = self._find(judging.live, again=True), None
            if live is None:
                raise MissingDefinition(judging.live, self._known)
            if judging.beside:
                beside = self._find(judging.beside, again=True)
            made = replace(
                self._base, scoring=live, beside=beside, switched=judging.switched, live_from=judging.live_from
            )
            self._made[judging] = made
        return made

    def look_for(self, version: int) -> None:
        """Read the catalogue again, once, for a definition that is not known."""
        self._find(version, again=version not in self._missed)

    def _find(self, version: int, *, again: bool) -> Scoring | None:
        if version not in self._known and again:
            self._known |= {each: found for each, found in self._load().items() if each not in self._known}
            if version not in self._known:
                self._missed.add(version)
        return self._known.get(version)
