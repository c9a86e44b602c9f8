"""Touchpoint rollups: how many interactions a touchpoint and channel had in 15 minutes, and what they say.

A cell holds only what the events themselves say, and is absolute. It is counted where an interaction is stored, and
exactly so: sums are integers in millionths, so that what is added and taken back again leaves nothing behind.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pipeline.domain.scoring import DIMENSIONS, MARK_SCALES, MARKS, Experience
from pipeline.domain.state import State

WINDOW_MS = 15 * 60_000
SCALE = 1_000_000
KINDS = ("asked", "observed")
PREFIX = b"c"


class Cell(msgspec.Struct, array_like=True, gc=False):
    """n, sum and sum of squares per dimension and kind (in the order of DIMENSIONS × KINDS), sums in millionths.

    `marks` has of MARKS those that are not 0, by index.
    """

    interactions: int = 0
    sums: list[int] = msgspec.field(default_factory=lambda: [0] * (3 * len(DIMENSIONS) * len(KINDS)))
    marks: dict[int, int] = {}

    def count(self, experience: Experience, sign: int) -> None:
        """Add (1) or take back (−1) one interaction that says something."""
        self.interactions += sign
        at = 0 if experience.asked else 3
        for value in experience.values:
            if value is not None:
                self.sums[at] += sign
                self.sums[at + 1] += sign * round(value * SCALE)
                self.sums[at + 2] += sign * round(value * value * SCALE)
            at += 6
        if said := experience.marks:
            marks = self.marks
            for index, amount in zip(said[::2], said[1::2], strict=True):
                total = marks.get(index, 0) + sign * amount
                if total:
                    marks[index] = total
                else:
                    marks.pop(index, None)


class CellKey(NamedTuple):
    """Which cell, within one partition."""

    window_start: int  # ms
    touchpoint: str
    channel: str
    definition: int  # version of the scoring that judged what it holds


class Rollup:
    """The cells that a batch changes."""

    def __init__(self, state: State) -> None:
        self.cells: dict[CellKey, Cell] = {}
        self._state = state

    def count(
        self, occurred_at: int, touchpoint: str, channel: str, definition: int, experience: Experience | None, sign: int
    ) -> None:
        """Add or take back an interaction."""
        # A plain tuple finds a CellKey, and is made in a fifth of the time.
        cell = self.cells.get((occurred_at - occurred_at % WINDOW_MS, touchpoint, channel, definition))  # type: ignore[call-overload]
        if cell is None:
            key = CellKey(occurred_at - occurred_at % WINDOW_MS, touchpoint, channel, definition)
            data = self._state.get(_state_key(key))
            cell = self.cells[key] = decode(data) if data else Cell()
        if experience is None:
            cell.interactions += sign
        else:
            cell.count(experience, sign)

    def write(self) -> None:
        """Put every changed cell."""
        for key, cell in self.cells.items():
            self._state.put(_state_key(key), _encoder.encode(cell))


def fields(key: CellKey, partition: int, cell: Cell) -> dict[str, str | int | float]:
    """A cell as a record of the schema touchpoint_score."""
    record: dict[str, str | int | float] = {
        "window_start": key.window_start,
        "touchpoint": key.touchpoint,
        "channel": key.channel,
        "partition": partition,
        "definition": key.definition,
        "interactions": cell.interactions,
    }
    sums = iter(cell.sums)
    for name in _NAMES:
        record[f"{name}_n"] = next(sums)
        record[f"{name}_sum"] = next(sums) / SCALE
        record[f"{name}_sum2"] = next(sums) / SCALE
    marks = cell.marks
    for index, name in enumerate(MARKS):
        amount, scale = marks.get(index, 0), MARK_SCALES[index]
        record[name] = amount if scale == 1 else amount / scale
    return record


_NAMES = tuple(f"{dimension}_{kind}" for dimension in DIMENSIONS for kind in KINDS)
_encoder = msgspec.msgpack.Encoder()
decode = msgspec.msgpack.Decoder(Cell).decode


def _state_key(key: CellKey) -> bytes:
    return PREFIX + f"{key.window_start}|{key.channel}|{key.definition}|{key.touchpoint}".encode()
