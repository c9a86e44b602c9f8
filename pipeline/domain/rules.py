"""How much a profile holds, and by which definitions it is scored: policy as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipeline.domain.scoring import DAY_MS, NO_SCORING, Scoring


@dataclass(frozen=True, slots=True)
class Rules:
    """The bounds of a profile. Sizes count interactions unless the name says otherwise."""

    scoring: Scoring = NO_SCORING  # the one that is live
    view_size: int = 200  # the newest, of all kinds
    spare: int = 10  # kept beyond the view: a better copy may be of another time, and leave a place in it
    age_ms: int = 400 * DAY_MS  # nothing older than this before the newest
    evidence: int = 50  # pieces of score evidence
    orders: int = 5
    order_changes: int = 20  # returns, cancellations and deliveries, one for each order
    complaints: int = 20  # open ones; the last word on as many others is kept, so that a late opening is not believed
    goals: int = 20  # the same
    traits: int = 64
    preferences: int = 64
    alias_sessions: int = 100  # remembered per weaker identifier, so that the same evidence is not sent again
    slice_bytes: int = 256 * 1024  # of one message to another profile
    cached_profiles: int = 16_384  # decoded heads per partition number, half a kB each
    now_ms: int = 30 * 60_000  # how far back `now` looks
    now_size: int = 10  # of each kind
    beside: Scoring | None = None  # one more that judges what is stored, in cells of its own
    scorings: Mapping[int, Scoring] = field(default_factory=dict)  # all that are known, by version
    switched: bool = False  # another one may have been live before
    live_from: int = 0  # the number by which the live one became so (`Judging`)

    @property
    def held(self) -> Rules:
        """The same for what is kept, which is a little more than what is shown."""
        return replace(self, view_size=self.view_size + self.spare)
