"""Looking through topics in parts: every partition once, and together what one look would have said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline import kafka
from pipeline.privacy.reading import COMPACTED, NAMED, tasks, together
from pipeline.privacy.remains import Looked
from pipeline.settings import Settings


@pytest.mark.parametrize("processes", [1, 2, 3, 16])
@pytest.mark.parametrize("partitions", [1, 3, 8])
def test_every_partition_of_every_topic_is_looked_through_once(processes: int, partitions: int) -> None:
    settings = replace(Settings(), partitions=partitions)
    parts = [(task.topic, number) for task in tasks(settings, COMPACTED, processes) for number in task.partitions]
    expected = [(name, n) for name in COMPACTED for n in range(kafka.partitions_of(NAMED[name], settings))]
    assert sorted(parts) == sorted(expected)


def test_only_the_topics_that_are_asked_for() -> None:
    assert {each.topic for each in tasks(Settings(), ["scores.customers"], 2)} == {"scores.customers"}


def test_parts_are_put_together() -> None:
    one = Looked("t", "how", 5, 1, {"score": 2}, [(1, b"b")])
    other = Looked("t", "how", 7, 0, {"name": 1, "score": 1}, [(0, b"c"), (2, b"a")])
    both = Looked("t", "how", 12, 1, {"name": 1, "score": 3}, [(0, b"c"), (1, b"b"), (2, b"a")])
    assert together([one, other]) == both
