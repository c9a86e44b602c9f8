"""Two workers, each with standby copies of the other's partitions: what was erased is in no copy, and in no file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.product import Product, eventually, running

pytestmark = pytest.mark.long

NAME = "zoe-to-be-erased"
NUMBERS = 24  # customers, on every partition


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running(tmp_path_factory.mktemp("copies"), PARTITIONS="4", WORKERS="2") as product:
        yield product


def event(event_id: str, customer: str, **fields: Any) -> dict[str, Any]:
    known = {"event_id": event_id, "source": "shop", "type": "searched", "touchpoint": "site", "channel": "web"}
    at = int(time.time() * 1000) - 60_000
    return {**known, "occurred_at": at, "identifiers": {"customer": customer}, **fields}


def holding(product: Product) -> list[str]:
    """The files of the workers' and of identify's state that hold the name, as it is or in hex."""
    forms = (NAME.encode(), NAME.encode().hex().encode(), NAME.encode().hex().upper().encode())
    found = []
    for path in (product.home / "state").rglob("*"):
        try:
            data = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:  # compacted meanwhile
            continue
        if any(each in data for each in forms):
            found.append(str(path.relative_to(product.home)))
    return found


def of_worker(paths: list[str], number: int) -> list[str]:
    return [each for each in paths if Path(each).parts[1] == f"stitch-{number}"]


def test_what_was_erased_is_in_no_copy_and_in_no_file(product: Product) -> None:
    others = [event(f"o{n}", f"other-{n}") for n in range(NUMBERS)]
    hers = [event(f"e{n}", NAME, properties={"query": f"{NAME} looks for shoes"}) for n in range(10)]
    linked = event("login", NAME, type="identified", session_id="s1")
    linked["identifiers"]["device"] = "tablet"
    shared = event("his", "other-1", session_id="s2")
    shared["identifiers"]["device"] = "tablet"
    assert product.send(*others, *hers, linked, shared)["rejected"] == []
    # The owner has it, and the copy of the other worker.
    eventually(lambda: all(of_worker(holding(product), number) for number in (0, 1)), 30)

    asked = product.ask("POST", "/v1/privacy/erase", {"id": f"customer:{NAME}", "reason": "asked"}, key="admin")
    assert asked.status == 202, asked

    def finished() -> Any:
        told = product.ask("GET", asked.json["status_url"], key="admin").json
        assert told["state"] == "finished", told["steps"]
        return told

    proof = eventually(finished, 60)["proof"]
    places = {each["place"]: each for each in proof["places"]}
    assert proof["remaining"] == []
    assert places["stitch's state, standby copies"]["looked"] == 4
    assert "stitch's state, workers that own nothing" not in {each["place"] for each in proof["ages_out"]}
    assert [each for each in holding(product) if "identify" not in each] == []
    eventually(lambda: not holding(product))  # identify forgets whom it concerned once it has kept the proof
    # The others are where they were.
    assert product.context("customer", "other-1")["match"] == "one"
