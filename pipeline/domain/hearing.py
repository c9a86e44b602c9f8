"""What a profile has heard about whose interactions are whose: the newest word of identify, and of each sender.

A word that gives the profile nothing is kept as its version under seals, without names (2026-11-24).
"""

from __future__ import annotations

from pipeline.domain import records
from pipeline.domain.messages import Assignment
from pipeline.domain.opened import Profile
from pipeline.domain.recalled import Seal
from pipeline.domain.records import encode
from pipeline.domain.state import State


class Hearing:
    """Of the profiles of one partition number during one batch."""

    def __init__(self, state: State, seal: Seal) -> None:
        self._state = state
        self._seal = seal

    def own(self, profile: Profile) -> Assignment:
        """The newest that identify has said to a profile."""
        if profile.assignment is None:
            profile.assignment = self.quiet(profile, profile.identifier)
        return profile.assignment

    def quiet(self, profile: Profile, sender: str) -> Assignment:
        """The newest word that said nothing."""
        return Assignment(records.heard(self._state, self._seal(profile.identifier), self._seal(sender)))

    def hush(self, profile: Profile, sender: str, version: int, key: bytes) -> None:
        """Note the version of a word that says nothing, in the place of the record under `key`, which did."""
        heard = records.heard_key(self._seal(profile.identifier), self._seal(sender))
        self._state.put(heard, encode(version))
        if self._state.get(key) is not None:
            self._state.put(key, None)
