"""What events show about who belongs together: told to identify once, and remembered so that it is not told again.

What is remembered is a cache only, and bounded: evidence that is sent again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.domain import records
from pipeline.domain.interaction import Interaction
from pipeline.domain.messages import Evidence
from pipeline.domain.opened import Profile
from pipeline.domain.records import Alias, encode
from pipeline.domain.state import State

ALIASES_CACHED = 64  # per profile


class Witness:
    """Of one partition number during one batch. `sessions_max`: remembered per weaker identifier."""

    def __init__(self, state: State, sessions_max: int) -> None:
        self._state = state
        self._sessions_max = sessions_max

    def evidence(self, profile: Profile, x: Interaction) -> Iterator[Evidence]:
        """What an event shows that has not been told."""
        at = x.linked_at
        for weak in x.links:
            known = profile.aliases.get(weak)
            if known is not None and known[0] <= at and known[1] == x.session_id:
                continue
            earliest, news = self._remember(profile, weak, at, x.session_id)
            if news:
                since = x.since
                yield Evidence(
                    *(x.identifier, weak, at, x.session_id, x.source, x.event_id), since if since < at else 0
                )
            if len(profile.aliases) >= ALIASES_CACHED:
                profile.aliases.clear()
            profile.aliases[weak] = earliest, x.session_id

    def forget(self, profile: Profile, weak: str) -> None:
        """Tell everything about a weaker identifier again when it shows again."""
        start = profile.prefix + records.ALIAS + weak.encode()
        if self._state.get(start) is not None:
            self._state.put(start, None)
            for session, _ in list(self._state.scan(profile.prefix + records.SESSION + records.name(weak))):
                self._state.put(session, None)
        profile.aliases.pop(weak, None)

    def _remember(self, profile: Profile, weak: str, at: int, session_id: str) -> tuple[int, bool]:
        """Note a weaker identifier's event: (its earliest time, whether it is earlier or the session is new)."""
        state = self._state
        key = profile.prefix + records.ALIAS + weak.encode()
        data = state.get(key)
        alias = records.decode_alias(data) if data is not None else Alias(at, 0)
        news = data is None or at < alias.earliest
        alias.earliest = min(alias.earliest, at)
        if session_id:
            sessions = profile.prefix + records.SESSION + records.name(weak)
            session = sessions + records.name(session_id)
            if state.get(session) is None:
                state.put(session, encode(at))
                alias.sessions += 1
                news = True
                if alias.sessions > self._sessions_max * 5 // 4:
                    self._forget_sessions(sessions, alias)
        if news:
            state.put(key, encode(alias))
        return alias.earliest, news

    def _forget_sessions(self, sessions: bytes, alias: Alias) -> None:
        """Keep the newest sessions of an alias."""
        by_time = sorted((records.decode_time(value), key) for key, value in self._state.scan(sessions))
        for _, key in by_time[: -self._sessions_max]:
            self._state.put(key, None)
        alias.sessions = min(len(by_time), self._sessions_max)
