"""How people really go, counted by the real engine, against plain Python over the same events; and worlds that are
planted, whose figures are known."""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import log2
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.analyse import keeping, paths, paths_found, paths_plan, paths_sql, source
from pipeline.analyse.paths_found import Count, Counts
from pipeline.analyse.paths_plan import How, Plan
from pipeline.analyse.paths_sql import Fact
from pipeline.analyse.result import Result, Row
from pipeline.analyse.source import Period
from pipeline.domain.catalogue import Journey
from pipeline.domain.messages import Assignment
from pipeline.settings import Settings
from pipeline.store import rows
from tests.examples import examples

from ...unit.store.records import entry
from ..stored import asked, identity, put
from .conftest import SHOP, empty

MINUTE, DAY = 60_000, 86_400_000
#: What the courier or the shop does, and nobody else.
DONE_TO_THEM = (
    *("delivery_promised", "delivered", "delivery_failed"),
    *("complaint_acknowledged", "complaint_assessed", "complaint_investigated", "complaint_responded"),
    "complaint_closed",
)
SMALL = How(
    pause_ms=300 * MINUTE, within_ms=400 * MINUTE, stay_ms=10 * MINUTE, window_ms=60 * MINUTE, soon_ms=10 * MINUTE
)


class Did(NamedTuple):
    """What somebody did, minutes after the start."""

    who: str
    at: int
    touchpoint: str
    channel: str = "web"
    contact: bool = False
    issue: str = ""
    handle_s: float | None = None
    kind: str = "searched"
    outbound: bool = False


class Event(NamedTuple):
    """The same as the statement numbers it."""

    at: int
    place: int
    channel: int
    contact: bool
    issue: int
    handle_s: float
    own: bool  # theirs, and not what was done to them


def store(client: Client, did: Sequence[Did], start: int) -> None:
    put(
        client,
        rows.INTERACTIONS,
        *(
            entry(
                identifier=each.who,
                event_id=f"e{n}",
                links=[],
                session_id="",
                type=each.kind,
                touchpoint=each.touchpoint,
                channel=each.channel,
                contact="contact" if each.contact else "",
                issue=each.issue,
                measures={"handle_s": each.handle_s} if each.handle_s is not None and n % 2 else {},
                details={
                    **({"handle_s": str(each.handle_s)} if each.handle_s is not None and not n % 2 else {}),
                    **({"direction": "outbound"} if each.outbound else {"direction": "inbound"} if n % 3 else {}),
                },
                **dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), start + each.at * MINUTE),
            )
            for n, each in enumerate(did)
        ),
    )


def counted(client: Client, plan: Plan, few: int = 10) -> Counts:
    found = client.query(paths_sql.SQL, {**plan.parameters, "few": few}, settings=dict(paths_sql.LIMITS))
    return paths_found.counts(found.result_rows)


def expected(people: Mapping[str, Sequence[Did]], start: int, plan: Plan) -> Counts:
    """The same, in plain Python."""
    bound = plan.parameters
    who: dict[tuple[int, ...], set[str]] = defaultdict(set)
    told: dict[tuple[int, ...], list[float]] = defaultdict(list)
    for name, did in people.items():
        events = sorted(event(each, start, bound) for each in did)
        events = [each for each in events if bound["since"] - bound["pause"] <= each.at < bound["until"]]
        for key, seconds in [*channels(events, bound), *on_journeys(events, plan)]:
            who[key].add(name)
            told[key].append(seconds)
    return {
        key: Count(len(who[key]), len(of), sum(x >= 0 for x in of), sum(x for x in of if x >= 0))
        for key, of in told.items()
    }


def event(did: Did, start: int, bound: Mapping[str, Sequence[str]]) -> Event:
    place = [*bound["touchpoints"], did.touchpoint].index(did.touchpoint) + 1
    return Event(
        start + did.at * MINUTE,
        place if place <= len(bound["touchpoints"]) else 0,
        bound["channels"].index(did.channel) + 1,
        did.contact,
        [*bound["issues"], did.issue].index(did.issue),
        did.handle_s if did.contact and did.handle_s is not None else -1.0,
        not did.outbound and did.kind not in DONE_TO_THEM,
    )


def pieces(events: Sequence[Event], pause: int) -> list[list[Event]]:
    found: list[list[Event]] = []
    for each in events:
        if found and each.at - found[-1][-1].at <= pause:
            found[-1].append(each)
        else:
            found.append([each])
    return found


def compact(of: Sequence[int]) -> list[int]:
    return [each for n, each in enumerate(of) if n == 0 or of[n - 1] != each]


def cut(of: Sequence[int], most: int) -> tuple[int, ...]:
    return (*of[:most], *([paths_sql.GOES_ON] if len(of) > most else []))


def bucket(ms: int) -> int:
    return round(8 * log2(1 + ms / 1000))


def channels(events: Sequence[Event], bound: Mapping[str, int]) -> Iterator[tuple[tuple[int, ...], float]]:
    events = [each for each in events if each.at >= bound["since"]]
    if events:
        yield (Fact.PEOPLE,), -1
    for piece in pieces([each for each in events if each.place], bound["window"]):
        way = compact([each.place for each in piece])
        if len(way) > 1:
            yield (Fact.WINDOW, *cut(way, paths_sql.WINDOW_STEPS_MAX)), -1
    events = [each for each in events if each.own]
    for n, (before, after) in enumerate(pairwise(events), 1):
        gap = after.at - before.at
        if before.channel == after.channel or gap > bound["window"]:
            continue
        pair = (before.channel, after.channel)
        yield (Fact.SWITCH, *pair), -1
        yield (Fact.SWITCH_TIME, *pair, bucket(gap)), -1
        if gap > bound["soon"]:
            continue
        yield (Fact.SOON, *pair), -1
        for m, each in enumerate(events[n:], n):
            if each.channel != after.channel or (m > n and each.at - events[m - 1].at > bound["window"]):
                break
            if each.contact:
                if each.at - before.at <= bound["soon"]:
                    yield (Fact.CONTACT, before.place, *pair, each.issue), each.handle_s
                break


def on_journeys(events: Sequence[Event], plan: Plan) -> Iterator[tuple[tuple[int, ...], float]]:
    bound = plan.parameters
    for number, journey in enumerate(plan.journeys, 1):
        of = {n + 1: places(journey, each) for n, each in enumerate(bound["touchpoints"])}
        runs = pieces([each for each in events if of.get(each.place)], bound["pause"])
        run = next((each for each in runs if each[0].at >= bound["since"]), None)
        if run is None:
            continue
        if run[0].at + bound["within"] > bound["until"]:
            yield (Fact.LATE, number), -1
            continue
        run = [each for each in run if each.at < run[0].at + bound["within"]]
        taken = steps(journey, run, of, bound["stay"])
        ids = [step.id for step in journey.steps]
        way = compact([ids.index(each) + 1 for each in taken])
        completed = not any(start == taken[-1] for start, _ in journey.edges)
        begins = {
            step.id for n, step in enumerate(journey.steps) if not n or all(to != step.id for _, to in journey.edges)
        }
        named = [ids[each - 1] for each in way]
        kept = named[0] in begins and all(pair in journey.edges for pair in pairwise(named))
        yield (Fact.PATH, number, *cut(way, paths_sql.PATH_STEPS_MAX)), -1
        yield (Fact.ENDED, number, way[-1]), -1
        yield (Fact.FITS, number, int(kept), int(completed)), -1
        if completed:
            yield (Fact.TIME, number, bucket(run[-1].at - run[0].at)), -1
        for each in set(way):
            yield (Fact.AT, number, each), -1
            if taken.count(ids[each - 1]) > 1:
                yield (Fact.AGAIN, number, each), -1
        for pair in zip([0, *way], way, strict=False):
            yield (Fact.MOVE, number, *pair), -1


def places(journey: Journey, touchpoint: str) -> list[str]:
    return [step.id for step in journey.steps if touchpoint in step.touchpoints]


def steps(journey: Journey, run: Sequence[Event], of: Mapping[int, list[str]], stay: int) -> list[str]:
    """A touchpoint's step is the one that fits the design best, and leads on to its others that may follow."""
    found: list[str] = []
    at = ""
    for before, each in zip([None, *run], run, strict=False):
        away = before is not None and each.at - before.at > stay
        if before is not None and before.place == each.place and not away:
            continue
        mine = of[each.place]
        if away or at not in mine:
            at = next((to for to in mine if (at, to) in journey.edges), mine[0])
            found.append(at)
        for to in mine[mine.index(at) + 1 :]:
            if (at, to) in journey.edges:
                at = to
                found.append(at)
    return found


persons = st.sampled_from(["customer:a", "customer:b", "anonymous:x"])
places_met = st.sampled_from(
    [*("site_search", "product_page", "cart", "dispatch", "doorstep", "email", "email", "chat", "call_queue"), "kiosk"]
)
deeds = st.builds(
    Did,
    persons,
    st.one_of(
        st.integers(0, 1_500),
        st.integers(400, 520),
        st.sampled_from([400, 410, 411, 460, 461, 700, 701, 799, 800, 801]),
    ),
    places_met,
    st.sampled_from(["web", "phone", "chat"]),
    st.booleans(),
    st.sampled_from(["", "delivery", "else"]),
    st.sampled_from([None, 0.0, 30.0]),
    st.sampled_from(["searched", "searched", "searched", "delivered", "complaint_closed"]),
    st.sampled_from([False, False, False, True]),
)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(deeds, min_size=1, max_size=40),
    st.booleans(),
    st.booleans(),
    st.sampled_from([(1, 1), (1, 2), (5, 10)]),
)
def test_how_people_go_is_what_plain_python_says(
    client: Client, did: Sequence[Did], known: bool, refuses: bool, crowd: tuple[int, int]
) -> None:
    """Each goes as often as the crowd has people; what `few` of them did stays where it is, the real bound too."""
    empty(client)
    copies, few = crowd
    did = [each._replace(who=f"{each.who}{n}") for n in range(copies) for each in did]
    start = int(time.time() * 1000) // MINUTE * MINUTE - 1_600 * MINUTE
    store(client, did, start)
    owners = {f"anonymous:x{n}": f"customer:a{n}" for n in range(copies)} if known else {}
    put(client, rows.IDENTITIES, *(identity(x, Assignment(1, owners=(owner,))) for x, owner in owners.items()))
    if refuses:
        word = {"type": "consent_changed", "consent": {"analysis": False}, "event_id": "no", "session_id": ""}
        put(client, rows.INTERACTIONS, entry(identifier="customer:b0", links=[], **word))
    people: dict[str, list[Did]] = defaultdict(list)
    for each in did:
        people[owners.get(each.who, each.who)].append(each)
    if refuses:
        people.pop("customer:b0", None)
    plan = paths_plan.plan(SHOP, start + 400 * MINUTE, start + 1_200 * MINUTE, SMALL)
    added_up = (Fact.FITS, Fact.TIME, Fact.SWITCH_TIME, Fact.SOON)  # whose small numbers are told of nobody alone
    told = {
        key: count for key, count in expected(people, start, plan).items() if count.people >= few or key[0] in added_up
    }
    assert counted(client, plan, few) == told


FROM, UNTIL = date(2026, 9, 1), date(2026, 10, 1)
PERIOD = Period(FROM, UNTIL, ZoneInfo("UTC"))
BEGAN = int(datetime(2026, 9, 2, 9, tzinfo=UTC).timestamp() * 1000)
BUYS = (("site_search", 0), ("product_page", 5), ("cart", 9), ("parcel_tracking", 1_440), ("doorstep", 2_880))


def planted() -> list[Did]:
    """40 buy as designed; 15 skip the choosing and never get it; 12 search and call; 9 go a way that nobody may see."""
    did = [Did(f"customer:{n}", at, place) for n in range(40) for place, at in BUYS]
    did += [Did(f"customer:{n}", at, place) for n in range(40, 55) for place, at in (("site_home", 0), ("cart", 60))]
    for n in range(55, 67):
        did += [
            Did(f"customer:{n}", 0, "help_page"),
            Did(f"customer:{n}", 20, "call_agent", "phone", True, "delivery", 300.0),
        ]
    return did + [
        Did(f"customer:{n}", at, place) for n in range(67, 76) for place, at in (("doorstep", 0), ("cart", 9))
    ]


def analysed(client: Client) -> Result:
    plan = paths_plan.plan(SHOP, *PERIOD.bounds_ms, How())
    return paths.result(counted(client, plan), plan, How(), (PERIOD, 1), SHOP.business.contact_costs)


def test_a_planted_world_is_found_and_few_people_are_in_no_line(client: Client) -> None:
    store(client, planted(), BEGAN)
    found = analysed(client)
    of = {row.item: row for row in found.rows}
    assert (found.n, found.refused) == (76, "")
    assert of["kept:buy:"].figures["people"] == 40
    assert of["kept:buy:"].figures["of"] == 64  # 40 as designed, 15 without choosing, 9 whose way nobody may see
    assert of["completed:buy:"].figures["median_s"] == pytest.approx(2 * 86_400, rel=0.05)
    assert of["path:buy:find>choose>pay>wait>receive"].figures["people"] == 40
    assert of["dropped:buy:pay"].figures["people"] == 24
    skipped = of["move:buy:find>pay"]
    assert (skipped.figures["people"], skipped.notes["design"]) == (15, "no")
    assert skipped.notes["what"] == "goes from “Finds it” to “Orders and pays” without “Makes up her mind”"
    (contact,) = [row for row in found.rows if row.notes["part"] == "contact"]
    assert contact.label == "Help pages (web) → phone, about Delivery"
    assert (contact.figures["times"], contact.figures["handle_s"], contact.figures["cost"]) == (12, 3600, 12 * 7.5)
    switch = of["switch:web>phone"]
    assert (switch.figures["people"], switch.figures["switched"], switch.figures["share"]) == (12, 12, 1)
    assert switch.figures["median_s"] == pytest.approx(20 * 60, rel=0.05)
    assert "path:buy:receive>pay" not in of
    assert of["path:buy:*"].figures["people"] == 24  # were the 15 told apart, the 9 would be too
    assert all(each == 0 or each >= 10 for row in found.rows for each in told_of(row))


def told_of(row: Row) -> list[float]:
    """The people that a line tells of: who did it, and who of all these did not."""
    people, of = row.figures.get("people"), row.figures.get("of")
    return [] if people is None else [people] if of is None else [people, of - people]


def test_what_is_kept_is_what_the_view_shows(client: Client) -> None:
    store(client, planted(), BEGAN)
    found = analysed(client)
    keeping.keep(client, found, BEGAN)
    assert keeping.newest(client, "paths") == found
    sql = "SELECT n, of_n, share, cost, currency, issue, after FROM paths WHERE part = 'contact'"
    assert asked(client, sql) == [(12, 12, 1.0, 90.0, "USD", "Delivery", "Help pages")]


def test_few_people_are_refused_with_what_would_help(client: Client) -> None:
    store(client, [Did(f"customer:{n}", 0, "cart") for n in range(9)], BEGAN)
    assert "fewer than 10 did anything. Choose a longer period." in analysed(client).refused
    late = round((datetime(2026, 9, 30, tzinfo=UTC).timestamp() * 1000 - BEGAN) / MINUTE)
    store(client, [Did(f"customer:late-{n}", late, "cart") for n in range(30)], BEGAN)
    refused = analysed(client).refused
    assert "30 on “Buying”" in refused
    assert "a shorter --within-days" in refused


def test_it_runs_as_a_command_does(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The period in days of the business, the options in the statement, n and the definition in the result."""
    store(client, planted(), BEGAN)
    parser = argparse.ArgumentParser()
    paths.add_arguments(parser)
    options = parser.parse_args(["--pause-hours", "24", "--within-days", "3", "--soon-minutes", "10"])
    options.since, options.until = FROM, UNTIL - timedelta(days=1)

    class Engine:
        def __enter__(self) -> Client:
            return client

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(source, "connected", lambda *_, **__: Engine())
    found = paths.run(Settings(time_zone="UTC"), options)
    made_with = {"pause_h": "24", "within_d": "3", "soon_min": "10"}
    assert (found.n, found.period_to, dict(found.parameters)) == (76, options.until, made_with)
    of = {row.item: row for row in found.rows}
    assert not any(each.startswith("contact:") for each in of)  # 20 minutes are not within 10
    assert of["switch:web>phone"].figures["share"] == 0
