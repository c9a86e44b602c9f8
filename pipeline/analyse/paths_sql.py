"""The question whose answer is how people really go: one statement, `paths.sql`, and what its numbers mean.

It comes to facts: keys of numbers, each with how many people and how often. The first number of a key is its kind
(`Fact`), the others say what of, numbered by `paths_plan`.

Decisions
- One statement: to find out whose ten million interactions are takes as long as all that is done with them then.
- Times go into buckets of a logarithmic histogram, whose memory does not grow with what is counted and whose median is
  off by at most 5 % (as in DDSketch: Masson, Rim and Lee 2019).
- What fewer than 10 people did does not leave ClickHouse, but for kinds that are put together, or that are told only
  beside what they are part of (`PUT_TOGETHER`): without them nobody and a few would be the same.
- ClickHouse may use MEMORY_BYTES_MAX for it, and writes to disk from SPILL_BYTES on.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from string import Template

PATH_STEPS_MAX = 8  # of a path that is told apart; beyond it goes on, and that is all that is said
WINDOW_STEPS_MAX = 5  # the same of touchpoints
GOES_ON = 65_535
BUCKETS_A_DOUBLING = 8

SPILL_BYTES, MEMORY_BYTES_MAX = 1 << 30, 4 << 30
ANSWER_S_MAX = 300
LIMITS = {
    "max_bytes_before_external_group_by": SPILL_BYTES,
    "max_memory_usage": MEMORY_BYTES_MAX,
    "max_execution_time": ANSWER_S_MAX,
    "max_block_size": 8_192,  # rows are people with all that they did
}


class Fact(IntEnum):
    """The first number of a key, and what follows it."""

    LATE = 1  # journey: began it too late to be followed
    PATH = 2  # journey, steps in their order
    AT = 3  # journey, step
    AGAIN = 4  # journey, step: came there again
    ENDED = 5  # journey, step: it was the last
    MOVE = 6  # journey, from (0: began), to; as often as they went so
    FITS = 7  # journey, kept to the design, completed
    TIME = 8  # journey, bucket: how long it took who completed it
    PEOPLE = 9  # anybody who did anything
    WINDOW = 10  # touchpoints in their order
    SWITCH = 11  # channel before, channel
    SWITCH_TIME = 12  # the same, bucket
    SOON = 13  # channel before, channel: within the time that counts as soon
    CONTACT = 14  # touchpoint before, channel before, channel, issue: soon, and a contact


PUT_TOGETHER = (Fact.FITS, Fact.TIME, Fact.SWITCH_TIME, Fact.SOON)

SQL = Template((Path(__file__).parent / "paths.sql").read_text(encoding="utf-8")).substitute(
    {
        **{each.name: int(each) for each in Fact},
        "PATH_STEPS_MAX": PATH_STEPS_MAX,
        "WINDOW_STEPS_MAX": WINDOW_STEPS_MAX,
        "GOES_ON": GOES_ON,
        "BUCKETS_A_DOUBLING": BUCKETS_A_DOUBLING,
    }
)
