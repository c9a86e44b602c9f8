"""What this process remembers of people, and forgets for an erasure.

Other processes' memory is bounded, and holds nothing that is read for an answer: caches of what a clear phone number
or e-mail address is keyed to, the last minutes' calls. Workers empty theirs when they are asked to; other processes
that serve HTTP do when they see that there was another order (`erasures`).
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline import partition
from pipeline.domain import texts
from pipeline.domain.identifiers import Keyring
from pipeline.privacy.proof import Place
from pipeline.privacy.scope import Scope
from pipeline.serve.calls import Call, Calls


class Memory:
    """This process's caches. They hold no times, so they are emptied whole."""

    def __init__(self, calls: Calls, keyrings: Sequence[Keyring]) -> None:
        self._calls = calls
        self._keyrings = keyrings

    def forget(self) -> int:
        """Empty the caches; how much there was in them."""
        return sum(each.forget() for each in self._keyrings) + texts.forget() + partition.forget()

    async def drop(self, scope: Scope) -> Place:
        """Forget what there is of somebody's from before."""
        concern = scope.concern

        def is_gone(call: Call) -> bool:
            whose = call.identifiers
            return call.rang_at < scope.before and any(
                concern.owned(each, call.session_id, call.rang_at) for each in whose
            )

        dropped = self._calls.forget(is_gone)
        found = {"call": dropped} if dropped else {}
        how = "the list of calls looked through; caches of identifiers emptied"
        return Place("memory of the process that answers", how, dropped + self.forget(), found, {})
