"""Names of those who work here: whoever does not sit at the desk sees pseudonyms, the same ones everywhere.

Which details name somebody is the policy's list. What is a pseudonym already (as all is that comes from ClickHouse)
stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

STAFF = "staff"  # what a pseudonym begins with
_PSEUDONYM = re.compile(rf"{STAFF}:[0-9a-f]{{16}}")


class Staff:
    """Puts pseudonyms in the place of names."""

    def __init__(self, pseudonym: Callable[[str, str], str], details: Collection[str] = ()) -> None:
        """`pseudonym` is the keyring's; `details` are the names of those that name somebody who works here."""
        self._pseudonym = pseudonym
        self._details = frozenset(details)

    def name(self, said: str | int | float | bool) -> str:
        """The pseudonym of what a detail says."""
        text = str(said)
        return text if self.is_pseudonym(text) else self._pseudonym(STAFF, text)

    @staticmethod
    def is_pseudonym(text: str) -> bool:
        """Whether that is no name."""
        return _PSEUDONYM.fullmatch(text) is not None

    def names(self, detail: str) -> bool:
        """Whether a detail names somebody who works here."""
        return detail in self._details

    def hidden(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A timeline's entry, an interaction or an event, as names and values: with pseudonyms in its details."""
        details = given.get("details")
        if not details or self._details.isdisjoint(details):
            return dict(given)
        clean = {
            name: self.name(said) if name in self._details and said is not None else said
            for name, said in details.items()
        }
        return {**given, "details": clean}
