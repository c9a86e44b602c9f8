"""What the shop remembers between two runs (`$THROUGHLINE_HOME/shop.json`): how far it told, and what is under way."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from pipeline.local.shop.plan import Start


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All events due before `told_ms` have been sent, those of `open` from then on have not; and all observations
    before `seen_ms`."""

    told_ms: int
    open: tuple[Start, ...]
    seen_ms: int = 0


class BrokenMemory(ValueError):
    """The file cannot be used."""


def recall(path: Path) -> Memory | None:
    """What is remembered; None at the very first start. Raises BrokenMemory."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Memory)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as problem:
        raise BrokenMemory(
            f"{path} is not usable ({problem}): delete it, and the shop begins anew beside the data it made"
        ) from problem


def remember(path: Path, memory: Memory) -> None:
    """Put the whole file there, never a part of it."""
    draft = path.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(msgspec.json.encode(memory))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
