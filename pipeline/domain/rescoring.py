"""What a profile does with the verdicts of another definition: that of a replay, and the one judging beside the live.

Guarantees: a cell of a definition holds the interactions whose records name that definition, each by its copy that
counts; so it is exact at every moment, whatever comes between a replay and its verdicts. A better copy is judged by
all definitions that have judged the one before. A replay changes nothing when it is repeated, and knows nothing that
was erased: what is not stored is not counted.

A person's rows by a definition that is not live come from replays alone. When it becomes live, the stream writes rows
from the first change on (`Ledger.since`), and a replay may still tell those of the days before.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable

from msgspec import structs

from pipeline.domain import records
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Judged, Rescored, Verdict
from pipeline.domain.opened import Profile
from pipeline.domain.records import UNCOUNTED, Besides, Kept, Ledger, Seen, encode
from pipeline.domain.rollup import Rollup
from pipeline.domain.rules import Rules
from pipeline.domain.scores import ScoreRow, is_retraction
from pipeline.domain.scoring import Experience
from pipeline.domain.state import State

DAYS_MAX = 400  # remembered days that have a row by a definition that is not live
#: How much later than a replay has read an erasure may say it was: clocks differ. Rows from before are not kept.
CLOCKS_MS = 5 * 60_000

Again = tuple[Interaction, Experience | None, int]  # what is published anew, with its verdict and the definition


class Rescoring:
    """Of the profiles of one partition number during one batch."""

    def __init__(self, state: State, rules: Rules, rollup: Rollup) -> None:
        self._state = state
        self._rules = rules
        self._rollup = rollup

    def verdicts(self, x: Interaction, former: Iterable[int] = ()) -> Besides:
        """What definitions beside the live one say of an interaction; it is counted in their cells.

        `former`: those that have judged a worse copy of it.
        """
        rules = self._rules
        judging = {version: rules.scorings[version] for version in former if version in rules.scorings}
        if rules.beside is not None:
            judging[rules.beside.version] = rules.beside
        judging.pop(rules.scoring.version, None)
        found = tuple((version, judging[version].experience(x)) for version in sorted(judging))
        self.count(x.occurred_at, x.touchpoint, x.channel, found, 1)
        return found

    def count(self, at: int, touchpoint: str, channel: str, found: Besides, sign: int) -> None:
        """Add an interaction to the cells of these definitions, or take it back."""
        for version, experience in found:
            self._rollup.count(at, touchpoint, channel, version, experience, sign)

    def judge(self, profile: Profile, message: Judged) -> list[Again]:
        """Take in a replay's verdicts on what is stored here; what is to be published anew, by the live definition.

        What is still here in full is judged here. Verdicts on copies that are not here (any more) are not heeded: a
        better one was judged when it came.
        """
        again = []
        for verdict in message.verdicts:
            key = profile.prefix + records.KEPT + verdict.event
            if (data := self._state.get(key)) is not None:
                kept = records.decode_kept(data)
                changed = self._kept(kept, message.definition, verdict)
                if changed.definition != kept.definition:
                    again.append((changed.interaction, changed.experience, changed.definition))
                if changed is not kept:
                    self._state.put(key, encode(changed))
                continue
            key = profile.prefix + records.SEEN + verdict.event
            if (data := self._state.get(key)) is not None:
                seen = records.decode_seen(data)
                after = self._seen(seen, message.definition, verdict)
                if after is not seen:
                    self._state.put(key, encode(after))
        return again

    def _kept(self, kept: Kept, version: int, verdict: Verdict) -> Kept:
        """With the verdict, as the record's own where that definition is live. Itself, where that changes nothing."""
        x = kept.interaction
        if kept.definition in (UNCOUNTED, version):
            return kept
        scoring = self._rules.scorings.get(version)
        if scoring is not None:
            experience = scoring.experience(x)
        elif x.precedence[0] == verdict.precedence:
            experience = verdict.experience
        else:
            return kept
        beside = self._beside(x.occurred_at, x.touchpoint, x.channel, kept.beside, version, experience)
        if version == self._rules.scoring.version:
            former = (*(each for each in beside if each[0] != version), (kept.definition, kept.experience))
            beside = tuple(sorted(former, key=_version))
            return structs.replace(kept, definition=version, experience=experience, beside=beside)
        return kept if beside == kept.beside else structs.replace(kept, beside=beside)

    def _seen(self, seen: Seen, version: int, verdict: Verdict) -> Seen:
        if seen.definition in (UNCOUNTED, version) or seen.precedence[0] != verdict.precedence:
            return seen
        place = seen.occurred_at, seen.touchpoint, seen.channel
        beside = self._beside(*place, seen.beside, version, verdict.experience)
        return seen if beside == seen.beside else structs.replace(seen, beside=beside)

    def _beside(
        self, at: int, touchpoint: str, channel: str, known: Besides, version: int, experience: Experience | None
    ) -> Besides:
        """With what a definition says, counted in its cell in the place of what it said before."""
        said = (version, experience)
        if said in known:
            return known
        self.count(at, touchpoint, channel, tuple(each for each in known if each[0] == version), -1)
        self.count(at, touchpoint, channel, (said,), 1)
        return tuple(sorted((*(each for each in known if each[0] != version), said), key=_version))


def rescored(profile: Profile, ledger: Ledger, message: Rescored) -> list[ScoreRow]:
    """The rows of a replay that are to be published, noted in the ledger."""
    erasure, assignment = profile.erasure, profile.assignment
    if erasure is not None and erasure.before > message.read_at - CLOCKS_MS:
        return []
    theirs = assignment is None or len(assignment.owners) != 1 or assignment.owners[0] == profile.identifier
    told: list[ScoreRow] = []
    for row in message.rows:
        if not theirs and not is_retraction(row):
            continue  # all is somebody else's by now
        if row.definition == ledger.definition:
            if row.day >= ledger.since:
                continue  # the stream tells that itself
            days = ledger.past
        else:
            days = ledger.beside.setdefault(row.definition, [])
        if is_retraction(row):
            if row.day in days:
                days.remove(row.day)
        elif row.day not in days:
            insort(days, row.day)
        told.append(row)
    for days in ledger.beside.values():
        del days[:-DAYS_MAX]
    return told


def _version(said: tuple[int, Experience | None]) -> int:
    return said[0]
