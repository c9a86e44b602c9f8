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
PUBLIC = "\0"  # before an identifier or a session id, which hold none: as told with a public key


class Witness:
    """Of one partition number during one batch. `sessions_max`: remembered per weaker identifier."""

    def __init__(self, state: State, sessions_max: int) -> None:
        self._state = state
        self._sessions_max = sessions_max

    def evidence(self, profile: Profile, x: Interaction) -> Iterator[Evidence]:
        """What an event shows that has not been told. With a public key and without are told apart."""
        at = x.linked_at
        for weak in x.links:
            lately = PUBLIC + weak if x.public else weak
            known = profile.aliases.get(lately)
            if known is not None and known[0] <= at and known[1] == x.session_id:
                continue
            earliest, news = self._remember(profile, weak, at, x)
            if news:
                since = x.since if x.since < at else 0
                yield Evidence(x.identifier, weak, at, x.session_id, x.source, x.event_id, since, x.public)
            if len(profile.aliases) >= ALIASES_CACHED:
                profile.aliases.clear()
            profile.aliases[lately] = earliest, x.session_id

    def forget(self, profile: Profile, weak: str) -> None:
        """Tell everything about a weaker identifier again when it shows again."""
        start = profile.prefix + records.ALIAS + weak.encode()
        if self._state.get(start) is not None:
            self._state.put(start, None)
            for session, _ in list(self._state.scan(profile.prefix + records.SESSION + records.name(weak))):
                self._state.put(session, None)
        profile.aliases.pop(weak, None)
        profile.aliases.pop(PUBLIC + weak, None)

    def forget_all(self, profile: Profile, order: int) -> None:
        """Tell again, when it shows again, whatever was told before it was forgotten by that order."""
        profile.head.told = max(profile.head.told, order)
        profile.aliases.clear()

    def _remember(self, profile: Profile, weak: str, at: int, x: Interaction) -> tuple[int, bool]:
        """Note a weaker identifier's event: (its earliest time, whether it is earlier or the session is new)."""
        state, order = self._state, profile.head.told
        key = profile.prefix + records.ALIAS + weak.encode()
        data = state.get(key)
        alias = records.decode_alias(data) if data is not None else Alias(at, 0, told=order)
        trusted, public = (None, None) if data is None or alias.told != order else _told(alias)
        before = public if x.public else trusted
        news = before is None or at < before
        earliest = at if before is None else min(at, before)
        alias.trusted, alias.public = (trusted, earliest) if x.public else (earliest, public)
        alias.told, alias.earliest = order, min(alias.earliest, at)
        if x.session_id:
            sessions = profile.prefix + records.SESSION + records.name(weak)
            session = sessions + records.name(_session(x.session_id, x.public, order))
            if state.get(session) is None:
                state.put(session, encode(at))
                alias.sessions += 1
                news = True
                if alias.sessions > self._sessions_max * 5 // 4:
                    self._forget_sessions(sessions, alias)
        if news:
            state.put(key, encode(alias))
        return earliest, news

    def _forget_sessions(self, sessions: bytes, alias: Alias) -> None:
        """Keep the newest sessions of an alias."""
        by_time = sorted((records.decode_time(value), key) for key, value in self._state.scan(sessions))
        for _, key in by_time[: -self._sessions_max]:
            self._state.put(key, None)
        alias.sessions = min(len(by_time), self._sessions_max)


def _told(alias: Alias) -> tuple[int | None, int | None]:
    """The earliest times that were told: from trusted sources, and with public keys."""
    if alias.trusted is alias.public is None:
        return alias.earliest, None
    return alias.trusted, alias.public


def _session(session_id: str, public: bool, order: int) -> str:
    """What a session is remembered as; ids hold no NUL."""
    return f"{PUBLIC if public else ''}{session_id}{f'{PUBLIC}{order}' if order else ''}"
