"""The weekly digest, word by word, and that what people wrote stays text."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.blueprint import Change, Reading
from pipeline.domain.catalogue import Touchpoint
from pipeline.domain.digest import (
    CHANGES_MAX,
    BadWeek,
    Changed,
    Counts,
    Did,
    Digest,
    Driver,
    Drivers,
    Said,
    Section,
    Told,
    Week,
    digest,
    escaped,
    markdown,
    week,
)
from pipeline.domain.intervals import Interval
from pipeline.serve.digest import html
from tests.mapping import HOSTILE
from tests.serving import CATALOGUE

FRIDAY = date(2026, 11, 27)


def moved(
    name: str, value: float, by: float, better: bool, beyond: bool = True, dot: str = "green"
) -> tuple[Touchpoint, Reading]:
    known = CATALOGUE.touchpoints[name]
    measure = known.thresholds.measure if known.thresholds else "score"
    figure = Interval(value, value - 2, value + 2)
    return known, Reading(measure, figure, 1_234, 5_000, dot, Change(by, beyond, better), ())


def told(**changes: object) -> Told:
    values: dict[str, object] = {
        "week": Week(2026, 47),
        "until": None,
        "readings": (),
        "customers": (),
        "staff": (),
        "counts": Counts(12_345, 4, 3, 2, 1, 0),
        **changes,
    }
    return Told(**values)  # type: ignore[arg-type]


def test_a_quiet_week_says_so_in_words() -> None:
    assert markdown(digest(told())) == (
        "# How it went: week 47 of 2026\n"
        "\n"
        "16 November to 22 November 2026, against the week before. 12,345 interactions; 4 alerts opened and "
        "3 resolved; 2 complaints received and 1 closed.\n"
        "\n## What got better\n\n- Nothing better by more than chance.\n"
        "\n## What got worse\n\n- Nothing worse by more than chance.\n"
        "\n## What drives this\n\n"
        "- Nobody has analysed what drives experience: throughline analyse drivers does.\n"
        "\n## What needs somebody\n\n- Nothing is red, and no complaint is overdue.\n"
        "\n## What customers said\n\n- Nobody left a comment.\n"
        "\n## What staff on the front line said\n\n- Nobody left a note. /observe takes them.\n"
        "\n## What was changed, and what that did\n\n"
        "- Nothing is recorded of what was changed in this week, so nobody can say what it did. POST /v1/changes takes "
        "it.\n"
    )


def test_moves_are_told_with_what_they_rest_on_the_largest_first() -> None:
    readings = [
        moved("checkout", 82.25, 4.0, better=True),
        moved("chat", 90, 12.5, better=True),
        moved("call_queue", 40, -11, better=False, dot="red"),
        moved("shift_planning", 4.5, 2.5, better=False),
        moved("login", 50, 30, better=True, beyond=False),
    ]
    found = digest(told(readings=readings, counts=Counts(complaints_overdue=2))).sections
    assert found[0].sentences == [
        "Chat: score 90.0 after 77.5 (1,234 pieces of evidence, between 88.0 and 92.0 with 95 %). "
        "Owner: manager of the contact centre.",
        "Checkout: score 82.2 after 78.2 (1,234 pieces of evidence, between 80.2 and 84.2 with 95 %). "
        "Owner: lead of checkout.",
    ]
    assert [each.partition(":")[0] for each in found[1].sentences] == ["Planning of shifts", "Call queue"]
    assert "agents missing 4.5 after 2 " in found[1].sentences[0]
    assert found[3].sentences == [
        "Call queue is red in this week. Owner: manager of the contact centre.",
        "2 complaints are overdue now.",
    ]


def test_what_drives_this_is_the_newest_analysis_and_says_what_moved() -> None:
    share, doing = Interval(0.412, 0.35, 0.47), Interval(38.2, 36.0, 40.0)
    drivers = [
        Driver("call_queue", "Call queue", share, doing, 1_840, "improve first"),
        Driver("checkout", HOSTILE, Interval(0.3, None, None), doing, 900, "keep it up"),
        *(Driver(f"d{n}", f"d{n}", share, doing, 900, "unclear") for n in range(3)),
    ]
    readings = [moved("call_queue", 40, -11, better=False), moved("checkout", 50, 30, better=True, beyond=False)]
    days = Drivers(date(2026, 8, 1), date(2026, 11, 1), drivers)
    found = digest(told(readings=readings, drivers=days)).sections[2]
    assert found.title == "What drives this"
    assert len(found.sentences) == 4
    assert found.sentences[0] == (
        "Call queue carries 41 (35 to 47) % of it and scores 38 (36 to 40) (n 1,840): improve first. "
        "It got worse this week."
    )
    assert found.sentences[1].endswith("carries 30 % of it and scores 38 (36 to 40) (n 900): keep it up.")
    assert found.sentences[3] == "Of 1 August to 31 October; association, not cause. throughline report says more."
    assert "<script" not in markdown(digest(told(drivers=days)))
    refused = Drivers(date(2026, 8, 1), date(2026, 11, 1), refused="Too few people.")
    said = digest(told(drivers=refused)).sections[2].sentences
    assert said == ["What drives experience is not known of 1 August to 31 October: Too few people."]


def test_only_so_many_are_told_and_the_rest_counted() -> None:
    names = [each.id for each in CATALOGUE.touchpoints.values() if each.layer == "customer"]
    found = digest(told(readings=[moved(name, 80, 5, better=True) for name in names])).sections[0]
    assert len(names) == 14
    assert len(found.sentences) == 11
    assert found.sentences[-1] == "And 4 more; the map shows all."


def test_words_are_the_unhappiest_and_happiest_of_different_places() -> None:
    said = [Said("Chat", f"bad {n}", 0.1) for n in range(5)]
    said += [Said("Checkout", "worse", 0.0), Said("Doorstep", "fine", 1.0), Said("Doorstep", "x" * 900, None)]
    found = digest(told(customers=said)).sections[4]
    assert found.sentences == ["8 comments; these are 6 of them."]
    words = [text for text, _ in found.quotes]
    assert words[:2] == ["worse", "bad 0"]
    assert "fine" in words
    assert len(words) == 6
    assert max(map(len, words)) <= 500


def test_what_was_changed_is_told_by_touchpoint_and_day() -> None:
    changes = [
        Changed("Chat", date(2026, 11, 20), "Answers are  suggested."),
        Changed("Chat", date(2026, 11, 17), "Two more agents."),
        Changed("Call queue", date(2026, 11, 22), "x" * 900),
    ]
    (told_all,) = [each for each in digest(told(changes=changes)).sections if each.title.startswith("What was changed")]
    queue, *chat = told_all.sentences
    assert chat == ["Chat, since 17 November: Two more agents.", "Chat, since 20 November: Answers are suggested."]
    assert queue.startswith("Call queue, since 22 November: xxx")
    assert len(queue) < 600
    many = [Changed("Chat", FRIDAY, str(n)) for n in range(CHANGES_MAX + 3)]
    told_some = digest(told(changes=many)).sections[-1].sentences
    assert (len(told_some), told_some[-1]) == (CHANGES_MAX + 1, "And 3 more.")


def test_what_a_change_did_stands_with_it() -> None:
    points = Interval(7.25, 3.0, 11.5)
    changes = [
        Changed("Chat", date(2026, 11, 17), "Two more agents", Did("grey", reason="too early")),
        Changed("Login", date(2026, 10, 19), "One field less.", Did("better", points, True, 28, beware="It was low.")),
        Changed("Door", date(2026, 10, 20), "A bell", Did("no difference", Interval(1.0, -2.0, 4.0), False, 21)),
    ]
    assert digest(told(changes=changes)).sections[-1].sentences == [
        "Chat, since 17 November: Two more agents. What it did is not known: too early.",
        "Door, since 20 October: A bell. No difference beyond chance: +1.0 points, between -2.0 and +4.0 with 95 %, "
        "compared with nothing else, in 21 days.",
        "Login, since 19 October: One field less. Better: +7.2 points, between +3.0 and +11.5 with 95 %, against "
        "touchpoints that were not changed, in 28 days. It was low.",
    ]
    earlier = digest(told(changes=changes[1:])).sections[-1].sentences
    assert earlier[0].startswith("Nothing is recorded of what was changed in this week")
    assert len(earlier) == 3


def test_what_is_said_whole_is_counted_plainly() -> None:
    one = digest(told(staff=[Said("Chat", "ill")], customers=[Said("Chat", "a", 0.1), Said("Chat", "b", 0.9)]))
    assert (one.sections[4].sentences, one.sections[5].sentences) == (["2 comments."], ["1 note."])


def test_a_week_that_is_not_over_says_how_far_it_is() -> None:
    found = digest(told(week=Week(2026, 48), until=FRIDAY))
    assert found.about.startswith("23 November to 29 November 2026, up to 27 November so far, against the week before.")


@pytest.mark.parametrize(
    ("text", "found"), [("", Week(2026, 47)), ("2026-W48", Week(2026, 48)), ("2020-W53", Week(2020, 53))]
)
def test_weeks(text: str, found: Week) -> None:
    assert week(text, FRIDAY) == found


@pytest.mark.parametrize(
    "text", ["2026-W49", "2026-W54", "2026-48", "W48", "0000-W01", "2026-W00", "last", "2026-W48\n"]
)
def test_no_weeks(text: str) -> None:
    with pytest.raises(BadWeek, match=r"a week is written as 2026-W48|has not begun yet: it does so on 2026-11-30"):
        week(text, FRIDAY)


def hostile(text: str) -> Digest:
    return Digest(text, text, [Section(text, [text, text], [(text, text)])])


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "# not a heading",
        "[x](javascript:alert(1))",
        "![x](http://a.example/p.png)",
        "* a\n* b",
        "1. a",
        "---",
        "| a | b |",
    ],
)
def test_hostile_words_mean_nothing(text: str) -> None:
    page = html(hostile(text))
    assert "<script" not in page
    assert page.count("<h1>") == 1
    assert not re.search(r"(src|href)=", page)
    lines = [line for line in markdown(hostile(text)).splitlines() if line]
    assert [line[:2] for line in lines] == ["# ", lines[1][:2], "##", "- ", "- ", "> ", ">", "> "]


@given(st.text(alphabet="<>&[]()!#*_`-=+1.~|$\\ a@:htpsw/\n\t", max_size=60))
def test_every_sign_is_kept_and_none_begins_anything(text: str) -> None:
    found = escaped(text)
    assert "\n" not in found
    assert not re.search(r"(?<!\\)[`*_\[\]()#|~!$]|[<>]|(?<!\\)@", found)
    plain = re.sub(r"\\([\\`*_{}\[\]()#|~!$+\-=:.)@])", r"\1", found)
    assert plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == " ".join(text.split())
