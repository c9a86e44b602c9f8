"""The report, word by word: of results that are made up, of none, and of hostile names."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import msgspec
import pytest

from pipeline.analyse import report, reporting
from pipeline.analyse.paths_found import UNSAID
from pipeline.analyse.reporting import Found, Part
from pipeline.analyse.result import Result, Row
from tests import reported
from tests.mapping import HOSTILE


def parts(found: Found) -> dict[str, Part]:
    return {part.id: part for part in reporting.report(found).parts}


EVERYTHING = parts(reported.everything())


def said(part: Part) -> str:
    return " ".join([*part.lead, *(f"{line.head}: {line.text}" for line in part.lines), part.missing, *part.beware])


def test_what_to_do_first_comes_first_with_whose_it_is() -> None:
    first = EVERYTHING["first"]
    assert next(iter(EVERYTHING)) == "first"
    assert [line.head for line in first.lines] == [
        "Improve Call queue",
        "Home delivery is red",
        "Answer Delivery at Help pages",
        "Look at “Makes up her mind” of “Buying”",
        "Look again at Checkout",
    ]
    assert first.lines[0].text.startswith(
        "It carries 41 % (35 to 47 %) of what can be explained of overall experience, and scores 38 (36 to 40) of 100. "
        "Owner: "
    )
    assert first.lines[1].text == "Score 44 from 212, red below 55. Owner: head of delivery. Call the carrier."
    assert "934 times, about Delivery; 85.5 hours of work (6 min each); 7,005 USD." in first.lines[2].text


def test_every_figure_has_its_n_and_its_interval() -> None:
    drivers = EVERYTHING["drivers"]
    assert drivers.bars[0].figure == "41 % (35 to 47 %)"
    assert drivers.bars[0].detail == "does 38 (36 to 40) of 100 · n 1,840 · improve first"
    assert "may be chance" in drivers.bars[3].detail
    assert (drivers.bars[0].value, drivers.bars[0].high) == (pytest.approx(0.41 / 0.47), 1)
    assert "44 % (41 to 47 %)" in drivers.lead[0]
    assert drivers.made.startswith("29 August 2026 up to 27 November 2026 (that day not counted), n = 2,310 people;")
    assert "+3.1 percentage points (+1.2 to +5.0 percentage points), where the mean is 42.0 %" in said(
        EVERYTHING["worth"]
    )
    assert "Left: Fewer than 10 left." in said(EVERYTHING["worth"])
    assert "at most a part of this is an effect" in said(EVERYTHING["worth"])
    assert "Worse than others: store: Main street: 51 (48 to 54) of 100, -9.2 points" in said(EVERYTHING["hurts"])
    assert "Harbour" not in said(EVERYTHING["hurts"])


def test_ways_are_told_with_who_keeps_to_the_design_and_what_calls_cost() -> None:
    told = said(EVERYTHING["ways"])
    assert (
        "Buying: Of 4,100 people 68 % (67 to 70 %) never left the design; 30 % (29 to 31 %) came to the end, half"
        in told
    )
    assert "190 began at “Orders and pays”, not at “Finds it”" in told
    assert (
        "Delivery, after Help pages: 812 people were at Help pages (web) and contacted us (phone) within the hour"
        in told
    )
    assert "Web → phone: 2,900 people changed so; half within 1.1 h." in told
    assert [each.name for each in EVERYTHING["ways"].pictures] == ["Buying", "Getting help"]


def test_what_nobody_noted_is_not_answered_but_found_out() -> None:
    known = reported.everything()
    rows = [
        replace(row, notes={**row.notes, "issue": UNSAID}) if row.notes["part"] == "contact" else row
        for row in known.results["paths"].rows
    ]
    found = replace(known, results={"paths": replace(known.results["paths"], rows=tuple(rows))})
    heads = [line.head for line in parts(found)["first"].lines]
    assert "Find out why people contact us after Help pages" in heads


def test_fixes_are_told_with_what_others_did_and_grey_is_grey() -> None:
    better, worse, grey = EVERYTHING["fixes"].lines
    assert (better.head, better.kind) == ("Help pages: better", "better")
    assert "Score 41 before, 54 after: +12.5 points (+8.9 to +16.1 points), n 420 and 389." in better.text
    assert "Beyond what 11 touchpoints that were not changed did: +10.8 points (+5.2 to +16.4 points)." in better.text
    assert worse.text.endswith("It stands alone.")
    assert (grey.head, grey.text) == ("Chat: nobody can say", "2026-11-18: A bot answers first. Too few days yet.")


def test_what_nobody_analysed_what_was_refused_and_what_is_of_another_time_is_said() -> None:
    known = reported.everything()
    refused = replace(reported.drivers(), rows=(), refused="only 7 people answered. Ask more of them.")
    found = Found(known.on, {"drivers": refused}, known.known, {"paths": reported.paths()}, dots=[])
    told = parts(found)
    assert told["drivers"].missing == "No figures: only 7 people answered. Ask more of them."
    assert told["drivers"].beware == refused.caveats
    assert told["worth"].missing == "Nobody has analysed this yet; `throughline analyse link` does."
    assert told["ways"].missing.startswith("The newest analysis is of another time (29 August 2026 up to 27 November")
    assert told["hurts"].lead[0].startswith("No touchpoint is red or yellow now.")
    assert told["first"].missing.startswith("Nothing stands out beyond chance")
    assert all(part.missing in report.html(reporting.report(found)) for part in told.values())


def test_a_period_leaves_out_what_is_of_another_time() -> None:
    of = reported.drivers()
    asked = report.Asked(report.Path("x"), date(2026, 11, 27), None)
    assert not report._within(of, asked)
    assert report._within(of, replace(asked, since=date(2026, 11, 26)))
    assert not report._within(of, replace(asked, since=None, until=date(2026, 8, 29)))
    assert report._within(of, replace(asked, since=None, until=date(2026, 8, 30)))


class Tags(HTMLParser):
    """What a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def hostile(result: Result) -> Result:
    """The same with a name in each place where somebody may write one."""
    keep = {"part", "journey", "step", "from", "to", "design", "verdict", "quadrant", "found", "unit", "outcome"}
    rows = [
        Row(row.item, HOSTILE, row.figures, {k: v if k in keep else HOSTILE for k, v in row.notes.items()})
        for row in result.rows
    ]
    return replace(result, rows=tuple(rows), caveats=(HOSTILE,))


def test_no_name_and_no_words_mean_anything_on_the_page() -> None:
    known = reported.everything()
    steps = {"step_number": "1"}
    results = {kind: hostile(each) for kind, each in known.results.items()}
    numbered = tuple(replace(row, notes={**row.notes, **steps}) for row in results["paths"].rows)
    results["paths"] = replace(results["paths"], rows=numbered)
    strategy = msgspec.structs.replace(known.known.business.strategy, sentence=HOSTILE)
    business = msgspec.structs.replace(known.known.business, strategy=strategy)
    dots = [replace(each, name=HOSTILE, reason=HOSTILE, owner=HOSTILE, when_red=HOSTILE) for each in known.dots or ()]
    changed = dict.fromkeys(known.changed, HOSTILE)
    catalogue = replace(known.known, business=business)
    page = report.html(reporting.report(Found(known.on, results, catalogue, dots=dots, changed=changed)))
    plain = report.html(reporting.report(known))
    seen, usual = Tags(page), Tags(plain)
    assert "script" not in seen.tags
    assert set(seen.tags) == set(usual.tags)
    assert {name for name, _ in seen.attributes} <= {name for name, _ in usual.attributes}
    assert any("<script>" in text for text in seen.texts)


def test_the_page_needs_nothing_else() -> None:
    page = report.html(reporting.report(reported.everything()))
    tags = Tags(page)
    assert not {"script", "link", "img", "iframe", "object"} & set(tags.tags)
    assert not re.search(r"url\(|@import|https?://", page)
    links = [value or "" for name, value in tags.attributes if name == "href"]
    ids = {value for name, value in tags.attributes if name == "id"}
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)


def test_of_a_journey_of_which_nothing_may_be_told_no_more_is_said() -> None:
    """Nearly all, or hardly any, kept to the design and came to the end: which of them, it does not say."""
    steps = [row for row in reported.paths().rows if row.notes["part"] == "step"]
    found = reported.everything()
    paths = replace(found.results["paths"], rows=tuple(steps))
    lines = parts(replace(found, results={**found.results, "paths": paths}))["ways"].lines
    assert lines
    assert all("people began it; to say more would tell of a few of them." in line.text for line in lines)


def test_where_no_journey_is_told_no_picture_is_explained() -> None:
    found = reported.everything()
    others = [row for row in reported.paths().rows if not row.notes.get("journey")]
    paths = replace(found.results["paths"], rows=tuple(others))
    ways = parts(replace(found, results={**found.results, "paths": paths}))["ways"]
    assert ways.pictures == []
    assert ways.lead == ["Of no journey enough people were followed for long enough to tell how they went."]
