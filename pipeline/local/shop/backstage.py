"""What staff and systems of the shop see behind the line of visibility: ``backstage.yaml``, played.

Each observation is a function of its observer and its place in time alone, so a shop that was stopped needs to remember
no more than how far it told, and one that is told twice is the same observation.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from pipeline.local.shop.script import FOLDER, read_file

Seen = dict[str, Any]  # as POST /v1/observations takes it
DAY_MS = 86_400_000
HISTORY_MS = DAY_MS  # told at the first start: as far back as most dots look
NOTE_CHANCE = 0.15


class Observer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody or something that looks at a touchpoint every so often; backstage.yaml says what the fields mean."""

    at: str
    measure: str
    by: str
    kind: Literal["staff", "system"]
    every_s: Annotated[int, msgspec.Meta(ge=60)]
    around: float
    swing: float
    spread: float
    least: float
    most: float
    decimals: int
    notes: tuple[str, ...] = ()


class _Backstage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    observers: tuple[Observer, ...]


class Told(NamedTuple):
    """An observation and when it is made."""

    at_ms: int
    seen: Seen


def observers(folder: Path = FOLDER) -> tuple[Observer, ...]:
    """The observers. Raises BadScript."""
    read: _Backstage = read_file(folder / "backstage.yaml", _Backstage)
    return read.observers


def told(all_of_them: Sequence[Observer], since_ms: int, until_ms: int) -> list[Told]:
    """What all see from one time until before another, in the order of time."""
    found = [
        Told(place * each.every_s * 1000, _seen(each, place))
        for each in all_of_them
        for place in range(-(-since_ms // (each.every_s * 1000)), -(-until_ms // (each.every_s * 1000)))
    ]
    return sorted(found, key=lambda one: one.at_ms)


def _seen(observer: Observer, place: int) -> Seen:
    rng = random.Random(f"{observer.at} {observer.measure} {place}")  # noqa: S311  # a story, no secret
    at_ms = place * observer.every_s * 1000
    usual = observer.around + observer.swing * math.sin(2 * math.pi * at_ms / DAY_MS)
    value = min(max(rng.gauss(usual, observer.spread), observer.least), observer.most)
    noted = observer.notes and rng.random() < NOTE_CHANCE
    return {
        "observation_id": f"{observer.at}-{observer.measure}-{place}",
        "source": observer.by,
        "touchpoint": observer.at,
        "observed_at": at_ms,
        "kind": observer.kind,
        "measure": observer.measure,
        "value": round(value, observer.decimals),
        "note": rng.choice(observer.notes) if noted else "",
    }
