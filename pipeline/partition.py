"""Which partition a key belongs to: murmur2, as every Kafka client's default partitioner does."""

from __future__ import annotations

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=65_536)
def partition_of(identifier: str, partitions: int) -> int:
    """The partition number, 0 to `partitions` − 1, of an identifier used as a message key in UTF-8."""
    return int(murmur2(identifier.encode()) & 0x7FFFFFFF) % partitions


def forget() -> int:
    """Remember no keys that were placed so far; returns how many those were."""
    held = partition_of.cache_info().currsize
    partition_of.cache_clear()
    return held
