"""Who owns which partition number. All topics of a number go to one worker, always.

Kafka's own assignors look at topics one by one; here the number is the unit, so that a batch, its state and its
transaction are in one place. Owners keep what they have (restoring costs); the rest goes to whoever has least.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata


class Claim(msgspec.Struct, frozen=True):
    """What a member says when it joins."""

    worker: str
    owned: list[int]


def share(partitions: int, claims: Mapping[str, Claim]) -> dict[str, list[int]]:
    """Member → partition numbers; pure. Every number once, sizes differing by at most one, owners preferred."""
    members = sorted(claims, key=lambda member: (claims[member].worker, member))
    shares: dict[str, list[int]] = {member: [] for member in members}
    free = set(range(partitions))
    floor, extra = divmod(partitions, len(members))
    for member in members:
        for number in sorted(claims[member].owned):
            full = floor + (1 if extra else 0)
            if number in free and len(shares[member]) < full:
                shares[member].append(number)
                free.discard(number)
                if len(shares[member]) > floor:
                    extra -= 1
    for number in sorted(free):
        member = min(members, key=lambda each: len(shares[each]))
        shares[member].append(number)
    return {member: sorted(numbers) for member, numbers in shares.items()}


def stand_by(shares: Mapping[str, list[int]], claims: Mapping[str, Claim]) -> dict[str, list[int]]:
    """Member → numbers whose state it keeps a copy of; pure. One copy of each, never with the owner, spread evenly."""
    members = sorted(claims, key=lambda member: (claims[member].worker, member))
    copies: dict[str, list[int]] = {member: [] for member in members}
    if len(members) > 1:
        for place, member in enumerate(members):
            others = members[place + 1 :] + members[:place]
            for turn, number in enumerate(shares[member]):
                copies[others[turn % len(others)]].append(number)
    return {member: sorted(numbers) for member, numbers in copies.items()}


def make_assignor(
    topics: Iterable[str],
    partitions: int,
    worker: str,
    owned: Callable[[], list[int]],
    copies: Callable[[list[int]], None],
) -> type[AbstractPartitionAssignor]:
    """An assignor class for one worker (aiokafka wants a class, and asks it without an instance).

    `owned` says what the worker had; `copies` hears of which numbers it shall keep a standby copy.
    """
    every_topic = sorted(topics)

    class NumberAssignor(AbstractPartitionAssignor):  # type: ignore[misc]  # aiokafka is untyped
        name = "throughline-numbers"
        version = 0

        @classmethod
        def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
            claim = msgspec.json.encode(Claim(worker, owned()))
            return ConsumerProtocolMemberMetadata(cls.version, sorted(topics), claim)

        @classmethod
        def assign(
            cls, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
        ) -> dict[str, ConsumerProtocolMemberAssignment]:
            claims = {member: msgspec.json.decode(told.user_data, type=Claim) for member, told in members.items()}
            shares = share(partitions, claims)
            standing_by = stand_by(shares, claims)
            return {
                member: ConsumerProtocolMemberAssignment(
                    cls.version,
                    [(each, numbers) for each in every_topic],
                    msgspec.json.encode(standing_by[member]),
                )
                for member, numbers in shares.items()
            }

        @classmethod
        def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
            copies(msgspec.json.decode(assignment.user_data, type=list[int]))

    return NumberAssignor
