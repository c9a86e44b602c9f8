"""What a profile lets go because no shelf holds it: the person's shelves, or those of any one slice."""

from __future__ import annotations

from pipeline.domain import records
from pipeline.domain.opened import Profile
from pipeline.domain.records import Held, Seen, encode
from pipeline.domain.rules import Rules
from pipeline.domain.shelves import Shelves, arrange, event
from pipeline.domain.state import State


def let_go(state: State, profile: Profile, held: Held, shelves: Shelves, rules: Rules) -> None:
    """Remove what no shelves hold: the person's (`shelves`), or those of any one slice, the profile's own among them.

    Each slice by itself, because another one may leave: what it pushed out is shown again then.
    """
    head = profile.head
    wanted = shelves.events()
    for part in held.slices():
        wanted |= arrange(part, rules.held, held.person).events()
    for key, kept in held.kept.items():
        x = kept.interaction
        if event(x) in wanted:
            continue
        said = (kept.definition, kept.experience, kept.told)
        seen = Seen(x.precedence, x.occurred_at, x.touchpoint, x.channel, *said, x.session_id, kept.beside)
        name = records.event_name(x.source, x.event_id)
        state.put(profile.prefix + records.SEEN + name, encode(seen))
        state.put(key, None)
        head.kept -= 1
        head.seen += 1
    for key, lent in held.lent.items():
        if event(lent.interaction) not in wanted:
            state.put(key, None)
            head.lent -= 1
    head.limit = head.kept + head.lent + max(rules.view_size // 4, 1)
