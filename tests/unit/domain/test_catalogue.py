"""The catalogue: what ships can be read, and every mistake is said with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.catalogue import load
from pipeline.domain.catalogue import BadCatalogue, scoring, touchpoints
from pipeline.domain.scores import Experience
from tests.interactions import made

SCHEMAS = Path(__file__).parents[3] / "schemas"
GOOD: dict[str, Any] = {"version": 1, "half_life_days": 30}
SPOT: dict[str, Any] = {"id": "cart", "name": "Cart", "channels": ["web"], "owner": "shop", "layer": "front"}
CURVE: dict[str, Any] = {
    "measure": "wait_s",
    "types": ["call_ended"],
    "dimension": "ease",
    "points": [[0, 100], [9, 0]],
}


def test_the_catalogue_that_ships_can_be_used() -> None:
    catalogue = load(SCHEMAS)
    assert catalogue.scoring.version >= 1
    assert {"site_search", "call_queue", "store_counter", "doorstep", "chat"} <= set(catalogue.touchpoints)
    long_wait = made(type="call_ended", channel="phone", measures={"wait_s": 1200.0})
    assert catalogue.scoring.experience(long_wait) == Experience(False, None, 0.0, None)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "the file: must be a mapping"),
        ({**GOOD, "version": 0}, "version"),
        ({**GOOD, "version": True}, "version"),
        ({**GOOD, "half_life_days": 0}, "half_life_days"),
        ({**GOOD, "half_life_days": float("nan")}, "half_life_days"),
        ({**GOOD, "curve": []}, "curve is none of"),
        ({**GOOD, "questions": {"nps": "joy"}}, "question nps: dimension must be one of"),
        ({**GOOD, "constants": {"x": {"ease": 101}}}, "constants of x: a score must be between 0 and 100"),
        ({**GOOD, "curves": [{**CURVE, "points": [[1, 5], [1, 6]]}]}, "curve 1: the points' measures must rise"),
        ({**GOOD, "curves": [{**CURVE, "points": [[1]]}]}, r"curve 1: a point must be \[measure, score\]"),
        ({**GOOD, "curves": [{**CURVE, "points": []}]}, "curve 1: needs at least"),
        ({**GOOD, "curves": [{**CURVE, "measure": 3}]}, "curve 1: measure must be a text"),
    ],
)
def test_a_mistake_in_the_scores_says_where_it_is(data: Any, said: str) -> None:
    with pytest.raises(BadCatalogue, match=said):
        scoring(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "touchpoints must be a list"),
        ({"touchpoints": [{**SPOT, "channels": ["fax"]}]}, "touchpoint 1: a channel must be one of"),
        ({"touchpoints": [{**SPOT, "layer": "middle"}]}, "touchpoint 1: layer must be one of"),
        ({"touchpoints": [{**SPOT, "owner": ""}]}, "touchpoint 1: owner must be a text"),
        ({"touchpoints": [SPOT, SPOT]}, "touchpoint 2: cart stands there twice"),
    ],
)
def test_a_mistake_in_the_touchpoints_says_where_it_is(data: Any, said: str) -> None:
    with pytest.raises(BadCatalogue, match=said):
        touchpoints(data)


def test_broken_yaml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "touchpoints.yaml").write_text("touchpoints: [")
    with pytest.raises(BadCatalogue, match=r"touchpoints\.yaml"):
        load(tmp_path)
