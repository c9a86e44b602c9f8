"""What is not in the state is not in its files either, once it was tidied up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.engine import Engine, Spec, Store, store
from pipeline.engine.store import Standing

SECRET = b"customer:secret-anna"


def holding(folder: Path) -> list[str]:
    """The files that hold the secret, as it is or in hex."""
    forms = (SECRET, SECRET.hex().encode(), SECRET.hex().upper().encode())
    return [
        path.name for path in folder.rglob("*") if path.is_file() and any(each in path.read_bytes() for each in forms)
    ]


def stores(folder: Path) -> list[str]:
    """The names of the stores there."""
    return sorted(path.name for path in folder.iterdir())


def lived(kept: Store, apart: bool = True) -> None:
    """Somebody was there, and was deleted, in another file or not; others stay."""
    others = [(b"pcustomer:%d\0i" % n, b"x" * 50) for n in range(2_000)]
    kept.write([*others, (b"p" + SECRET + b"\0i", SECRET)], Standing(7, 1, 1))
    if apart:
        kept.settle()
    kept.write([(b"p" + SECRET + b"\0i", None)], Standing(8, 1, 1))


@pytest.mark.parametrize("apart", [True, False])
def test_what_was_deleted_goes_from_the_files(tmp_path: Path, apart: bool) -> None:
    kept = Store(tmp_path / "stitch-0")
    lived(kept, apart)
    assert holding(tmp_path)
    assert kept.compact()
    kept.settle()
    assert holding(tmp_path) == []
    assert kept.standing == Standing(8, 1, 1)
    assert len(list(kept.everything())) == 2_000
    kept.close()


def test_what_would_take_too_long_is_left_to_age_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Store(tmp_path / "stitch-0")
    lived(kept)
    monkeypatch.setattr(store, "COMPACT_BYTES_MAX", 0)
    assert not kept.compact()
    assert holding(tmp_path)
    kept.close()


def engine(folder: Path) -> Engine:
    """One that owns number 0, and has had 1 and 2, the last in an earlier life."""
    found = Engine(Spec("stitch", ("a",), "c", 3, "nowhere:1", folder, "0"))
    for number in range(3):
        kept = Store(folder / f"stitch-{number}")
        lived(kept)
        kept.close()
    return found


def owning(ready: bool) -> dict[int, Any]:
    told: list[str] = []
    return {0: SimpleNamespace(ready=ready, forget_decoded=lambda: told.append("forgot"), told=told)}


async def test_an_engine_keeps_no_state_of_numbers_that_others_have(tmp_path: Path) -> None:
    worker = engine(tmp_path)
    worker.owned = owning(ready=True)
    assert (await worker.tidy()) == (2, 1, 0)
    assert stores(tmp_path) == ["stitch-0"]
    assert holding(tmp_path) == []
    assert worker.owned[0].told == ["forgot"]  # type: ignore[attr-defined]  # a stand-in
    assert (await worker.tidy()) == (0, 1, 0)


async def test_while_the_group_decides_no_state_is_thrown_away(tmp_path: Path) -> None:
    worker = engine(tmp_path)
    for worker.owned in ({}, owning(ready=False)):
        assert (await worker.tidy()).dropped == 0
    assert len(stores(tmp_path)) == 3
