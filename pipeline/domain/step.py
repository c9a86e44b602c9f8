"""What follows from messages to profiles, for whoever sends it on. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Evidence, Message
from pipeline.domain.rescoring import Again
from pipeline.domain.scores import ScoreRow
from pipeline.domain.scoring import Experience


@dataclass(slots=True)
class Step:
    """What leaves the partition because of the messages so far. Whoever sends it on may empty the lists."""

    messages: list[Message] = field(default_factory=list)  # to other profiles
    evidence: list[Evidence] = field(default_factory=list)  # to identify
    entries: list[tuple[Interaction, Experience | None, int]] = field(default_factory=list)  # stored, anew or a better
    #   copy; with the definition that judged it, or UNCOUNTED
    again: list[Again] = field(default_factory=list)  # stored long ago, and judged by the live definition now
    scores: list[ScoreRow] = field(default_factory=list)
    unscored: list[ScoreRow] = field(default_factory=list)  # rows of which nothing may remain, not even their key
    dropped: Counter[str] = field(default_factory=Counter)  # interactions not kept: 'erased' or 'blocked' → how many
    changed: set[str] = field(default_factory=set)  # profiles that show something else now
