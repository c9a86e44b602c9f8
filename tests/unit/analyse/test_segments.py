"""By what people may be told apart, and what is said of segments."""

from __future__ import annotations

import pytest

from pipeline import catalogue
from pipeline.analyse import comparing, segments
from pipeline.analyse.comparing import Group, Sums
from pipeline.analyse.source import CannotAnalyse
from pipeline.settings import Settings

SHOP = catalogue.load(Settings().catalogue_folder)


def test_without_a_wish_it_is_the_catalogues_segments() -> None:
    assert segments.traits(SHOP, []) == ("known", "channels", "store", "partner", "queue", "medium", "app")
    assert segments.traits(SHOP, ["method", "store", "method"]) == ("method", "store")


@pytest.mark.parametrize(
    ("by", "says"),
    [
        (["query"], "what people wrote"),
        (["comment"], "what people wrote"),
        (["agent"], "who works here"),
        ([f"trait_{n}" for n in range(21)], "20 at most"),
        (["channel"], "--by channels"),
        (["touchpoint"], "analyse drivers"),
        (["language"], "not stored for analysis"),
    ],
)
def test_words_of_people_who_works_here_and_too_many_are_refused(by: list[str], says: str) -> None:
    with pytest.raises(CannotAnalyse, match=says):
        segments.traits(SHOP, by)


def group(trait: str, segment: str, mean: float, n: int = 100) -> Group:
    return Group(trait, segment, Sums(n, n * mean, n * (mean**2 + 100)))


def test_rows_go_by_trait_and_the_worst_is_first() -> None:
    groups = [group("store", "a", 80), group("channels", "web", 70), group("store", "b", 40), group("store", "c", 60)]
    everybody = {"store": Sums(300, 18_000, 1_190_000), "channels": Sums(103, 7_200, 510_000)}
    found = comparing.compare(groups, everybody)
    made = segments.rows(found, ["channels", "store"])
    assert [row.label for row in made] == ["Channels: web", "store: b", "store: c", "store: a"]
    assert [row.notes["verdict"] for row in made] == [
        *(comparing.NOBODY_ELSE, comparing.WORSE, comparing.ALIKE, comparing.BETTER),
    ]
    said = " ".join(segments.caveats(found, segments.LeftOut({"store": 7, "channels": 0}, {"store": 2, "channels": 0})))
    assert "3 segments were compared" in said
    assert "fewer than 10 people: store 7." in said
    assert "1,000 are compared at most, those with most people: store 2." in said
    assert "it would tell of them" in said
