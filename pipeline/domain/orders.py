"""What people order about identity, in the one log that evidence is in too: so orders cannot contradict each other.

An order is recorded once; `identify` accepts or refuses it, and says why. What an order did is taken back by
withdrawing it, never by a second order that says the opposite.
"""

from __future__ import annotations

import msgspec


class Join(msgspec.Struct, frozen=True, array_like=True, tag="j"):
    """From now on `into` is the only owner of `from_id`."""

    order_id: str
    from_id: str
    into_id: str
    reason: str
    by: str  # who ordered it: the name of a key or a desk session
    at: int  # ms


class Part(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """No evidence counts any more between the identifier and whatever resolves to that person, also later evidence."""

    order_id: str
    identifier: str
    person: str
    reason: str
    by: str
    at: int


class Free(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """An identifier that stands alone because of a cap gets a wider one."""

    order_id: str
    identifier: str
    reason: str
    by: str
    at: int


class Withdraw(msgspec.Struct, frozen=True, array_like=True, tag="w"):
    """An order that was accepted no longer holds."""

    order_id: str
    withdrawn: str  # its order_id
    reason: str
    by: str
    at: int


class Erase(msgspec.Struct, frozen=True, array_like=True, tag="x"):
    """All about a person that occurred or arrived before `at` goes; what comes later starts afresh, unless blocked."""

    order_id: str
    person: str
    block: bool
    reason: str
    by: str
    at: int


class Unblock(msgspec.Struct, frozen=True, array_like=True, tag="u"):
    """What happens from `at` on to an identifier that was blocked when it was erased is stored again."""

    order_id: str
    identifier: str
    reason: str
    by: str
    at: int


class Finish(msgspec.Struct, frozen=True, array_like=True, tag="n"):
    """The proof of an erasure: with it `identify` forgets whom it concerned. Not an order of people."""

    order_id: str  # of the Erase
    proof: bytes  # JSON
    at: int


Order = Join | Part | Free | Withdraw | Erase | Unblock | Finish
