"""The demo shop without a server: its script, its journeys, its memory, its patience."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path
from threading import Event as Flag
from typing import Any

import httpx
import msgspec
import pytest

from pipeline.catalogue import load
from pipeline.collect.event import Events
from pipeline.domain import validate
from pipeline.domain.changes import change
from pipeline.domain.identifiers import Keyring
from pipeline.domain.observations import observation
from pipeline.domain.outcomes import Sent, outcome
from pipeline.local.shop import play
from pipeline.local.shop.backstage import HISTORY_MS as BACKSTAGE_MS
from pipeline.local.shop.backstage import observers, told
from pipeline.local.shop.books import books
from pipeline.local.shop.memory import BrokenMemory, Memory, recall, remember
from pipeline.local.shop.plan import Event, Start, plan
from pipeline.local.shop.schedule import HISTORY_MS, PAUSE_MS, Schedule
from pipeline.local.shop.script import FOLDER, BadScript, people, script
from pipeline.settings import Settings

NOW = 1_750_000_000_000
SCRIPT = script()
PEOPLE = people(1)
OBSERVERS = observers()
BOOKS = books()
EVERYONE = [*SCRIPT.journeys, SCRIPT.beginning]


def history(run: str = "r") -> list[Event]:
    schedule = Schedule(SCRIPT, PEOPLE, run, 1)
    schedule.begin_history(NOW)
    schedule.begin_all(NOW - 600_000, NOW)
    return [due.event for due in schedule.due(NOW, 100_000)]


def test_people_are_made_up_and_always_the_same() -> None:
    assert people(1) == PEOPLE
    assert people(2) != PEOPLE
    assert len({each.customer for each in PEOPLE}) == len(PEOPLE) == 300
    assert all(each.phone[5:9] == "5550" and each.phone[9] == "1" for each in PEOPLE)
    assert all(each.email.endswith("@example.com") for each in PEOPLE)
    assert len({each.device for each in PEOPLE}) == 260
    assert len({each.phone for each in PEOPLE}) == 294


def test_all_that_is_played_is_accepted_and_known_to_the_catalogue() -> None:
    read, catalogue = Events(Settings().schemas), load(Settings().catalogue_folder)
    policy = catalogue.policy
    keyring = Keyring({"k": b"k" * 32}, "k", placeholders=policy.placeholders)
    for n, journey in enumerate(EVERYONE * 5):
        for _, event in plan(SCRIPT, PEOPLE[n], Start(f"t-{n}", n, journey.name, NOW)):
            channel, avro = read.read(msgspec.Raw(json.dumps(event).encode()), NOW + HISTORY_MS)
            interaction = validate.interaction(avro, channel, NOW + HISTORY_MS, keyring, "US", policy)
            assert interaction.occurred_at == event["occurred_at"]
            assert interaction.touchpoint in catalogue.touchpoints
            assert policy.traits | policy.properties >= set(interaction.properties)
            assert not interaction.claims
            if interaction.answer:
                assert catalogue.scoring.experience(interaction)


def test_customers_answer_on_every_scale_about_what_happened_to_them() -> None:
    scoring = load(Settings().catalogue_folder).scoring
    questions: dict[str, set[tuple[float, float]]] = defaultdict(set)
    comments = 0
    for n in range(40):
        for journey in EVERYONE:
            events = [due.event for due in plan(SCRIPT, PEOPLE[n], Start(f"s-{n}", n, journey.name, NOW))]
            happened: set[str] = set()
            for event in events:
                if event["type"] == "survey_answered":
                    answer = event["answer"]
                    assert answer["min"] <= answer["value"] <= answer["max"]
                    assert event["about"] in happened
                    questions[answer["question"]].add((answer["min"], answer["max"]))
                    comments += "comment" in event["properties"]
                happened.add(event["event_id"])
    assert {name: scales for name, scales in questions.items() if name not in ("emotion", "effectiveness")} == {
        **{key: {(1, 5)} for key in ("needs_met", "ease", "enjoyment", "stars", "satisfaction")},
        "nps": {(0, 10)},
        "ces": {(1, 7)},
        "thumbs": {(0, 1)},
    }
    metrics = {scoring.questions[name].metric for name in questions}
    assert metrics >= {"nps", "ces", "csat", "needs_met", "question_ease", "enjoyment"}
    assert comments > 50


def test_staff_and_systems_observe_what_the_catalogue_measures() -> None:
    catalogue = load(Settings().catalogue_folder)
    watched = {each.at: each.measure for each in OBSERVERS}
    behind = {
        each.id: each.thresholds.measure
        for each in catalogue.touchpoints.values()
        if each.thresholds and not each.visible
    }
    assert watched == {name: measure for name, measure in behind.items() if name != "product_content"}
    day = told(OBSERVERS, NOW - BACKSTAGE_MS, NOW)
    assert 500 < len(day) < 2_000
    assert [each.at_ms for each in day] == sorted(each.at_ms for each in day)
    for at_ms, seen in day:
        kept = observation(seen | {"received_at": NOW}, NOW, "US")
        assert kept.observed_at == at_ms == seen["observed_at"]
        assert kept.note == seen["note"]
        assert catalogue.touchpoints[kept.touchpoint].thresholds
    assert {seen["kind"] for _, seen in day} == {"staff", "system"}
    counts = defaultdict(int)
    for _, seen in day:
        counts[seen["touchpoint"]] += 1
    assert all(counts[name] >= catalogue.touchpoints[name].n_min for name in watched)


def test_an_observation_is_a_function_of_its_place_in_time() -> None:
    whole = told(OBSERVERS, NOW, NOW + BACKSTAGE_MS)
    middle = NOW + BACKSTAGE_MS // 3
    assert told(OBSERVERS, NOW, middle) + told(OBSERVERS, middle, NOW + BACKSTAGE_MS) == whole
    assert len({seen["observation_id"] for _, seen in whole}) == len(whole)
    assert told(OBSERVERS, NOW, NOW) == told(OBSERVERS, NOW, NOW - 1) == []


def test_a_journey_is_a_function_of_its_start() -> None:
    start = Start("a-1", 3, SCRIPT.journeys[3].name, NOW)
    assert plan(SCRIPT, PEOPLE[3], start) == plan(SCRIPT, PEOPLE[3], start)
    ids = [due.event["event_id"] for due in plan(SCRIPT, PEOPLE[3], start)]
    other = [due.event["event_id"] for due in plan(SCRIPT, PEOPLE[3], start._replace(number="a-2"))]
    assert not set(ids) & set(other)
    assert plan(SCRIPT, PEOPLE[3], start._replace(journey="gone")) == []


def test_before_every_call_its_caller_searched() -> None:
    """The agent is to see what the caller just looked for."""
    searched: dict[str, int] = {}
    calls = 0
    for event in history():
        journey = event["event_id"].rpartition("-")[0]
        if event["type"] == "searched":
            searched[journey] = event["occurred_at"]
        if event["type"] == "call_ringing":
            calls += 1
            assert event["occurred_at"] - searched[journey] < 5 * 60_000
    assert calls > 50


def test_a_call_waits_as_long_as_it_rang() -> None:
    by_session: dict[str, dict[str, Event]] = defaultdict(dict)
    for event in history():
        if event["type"].startswith("call_"):
            by_session[event["session_id"]][event["type"]] = event
    whole = [each for each in by_session.values() if len(each) == 3]
    assert whole
    for call in whole:
        rang, answered, ended = (call[name]["occurred_at"] for name in ("call_ringing", "call_answered", "call_ended"))
        details = call["call_ended"]["details"]
        assert details["wait_s"] == call["call_answered"]["details"]["wait_s"] == (answered - rang) / 1000
        assert details["handle_s"] == (ended - answered) / 1000


def test_history_is_bounded_in_order_and_begins_with_everyone() -> None:
    events = history()
    assert 2_000 < len(events) < 6_000
    times = [event["occurred_at"] for event in events]
    assert times == sorted(times)
    assert times[0] >= NOW - HISTORY_MS
    assert times[-1] <= NOW
    assert {event["channel"] for event in events} == {
        "web",
        "mobile",
        "phone",
        "in_store",
        "chat",
        "message",
        "partner",
    }
    assert len({event["event_id"] for event in events}) == len(events)


def test_nobody_is_in_two_journeys_at_once() -> None:
    schedule = Schedule(SCRIPT, PEOPLE[:2], "r", 1)
    schedule.begin_all(NOW, NOW + 3_600_000)
    until = dict.fromkeys(range(2), 0)
    starts = sorted(schedule.open(), key=lambda start: start.at_ms)
    assert len(starts) > 10
    for start in starts:
        assert start.at_ms > until[start.person]
        times = [due.at_ms for due in plan(SCRIPT, PEOPLE[start.person], start)]
        until[start.person] = next((a for a, b in pairwise(times) if b - a > PAUSE_MS), times[-1])


def test_a_shop_goes_on_from_its_open_journeys() -> None:
    whole = Schedule(SCRIPT, PEOPLE, "r", 1)
    whole.begin_all(NOW, NOW + 60_000)
    told = whole.due(NOW + 45_000, 1_000)
    whole.done(len(told))
    again = Schedule(SCRIPT, PEOPLE, "s", 1)
    for start in whole.open():
        again.add(start, told[-1].at_ms + 1)
    far = NOW + 10 * HISTORY_MS
    ids = [due.event["event_id"] for due in whole.due(far, 10_000)]
    assert [due.event["event_id"] for due in again.due(far, 10_000)] == ids


def test_memory_survives(tmp_path: Path) -> None:
    path = tmp_path / "shop.json"
    assert recall(path) is None
    memory = Memory(NOW, (Start("a-1", 3, "some journey", NOW),), NOW - 5)
    remember(path, memory)
    assert recall(path) == memory
    path.write_text('{"told_ms": 5, "open": []}')
    assert recall(path) == Memory(5, ())  # of a shop that saw nothing behind the line yet
    path.write_text('{"told_ms": "never"}')
    with pytest.raises(BrokenMemory, match="delete it"):
        recall(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [("about: call,", "about: nothing,"), ("via: web", "via: fax"), ("do: searched", "done: searched")],
)
def test_a_mistake_in_the_script_is_found_before_the_play(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "journeys.yaml").write_text((FOLDER / "journeys.yaml").read_text().replace(old, new, 1))
    with pytest.raises(BadScript, match=r"journeys\.yaml"):
        script(tmp_path)


class Server:
    """Answers events as it is told, remembers what it took, and stops the shop when it has nothing more to say."""

    def __init__(self, stop: Flag, *answers: httpx.Response | Exception) -> None:
        self.stop = stop
        self.answers = list(answers)
        self.events: list[Event] = []
        self.observed: list[dict[str, Any]] = []
        self.accounted: list[dict[str, Any]] = []
        self.changed: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/observations":
            self.observed += json.loads(request.content)["observations"]
            return accepted(0)
        if request.url.path == "/v1/outcomes":
            self.accounted += json.loads(request.content)["outcomes"]
            return accepted(0)
        if request.url.path == "/v1/changes":
            assert request.headers["authorization"] == "Bearer admin"
            self.changed.append(json.loads(request.content))
            problem = {"reason": "unknown_touchpoint", "detail": "touchpoint: the catalogue knows none of that name"}
            return httpx.Response(200, json={}) if len(self.changed) > 1 else httpx.Response(400, json=problem)
        answer = self.answers.pop(0)
        if not self.answers:
            self.stop.set()
        if isinstance(answer, Exception):
            raise answer
        if answer.status_code == 202:
            self.events += json.loads(request.content)["events"]
        return answer


def accepted(count: int = play.BATCH_EVENTS, rejected: tuple[dict[str, Any], ...] = ()) -> httpx.Response:
    return httpx.Response(202, json={"accepted": count - len(rejected), "rejected": list(rejected)})


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    monkeypatch.setattr(play, "WAIT_S_FIRST", 0.001)

    def run(*answers: httpx.Response | Exception, now_ms: int = NOW) -> Server:
        stop = Flag()
        server = Server(stop, *answers)
        with httpx.Client(base_url="http://shop.example", transport=httpx.MockTransport(server)) as client:
            play.Shop(client, tmp_path / "shop.json", stop, now_ms, "admin").run()
        return server

    return run


def test_what_is_not_accepted_is_sent_again(shop: Callable[..., Server]) -> None:
    server = shop(
        httpx.ConnectError("not yet"),
        httpx.Response(503, headers={"Retry-After": "0"}),
        httpx.Response(429, headers={"Retry-After": "soon"}),
        accepted(),
        accepted(),
    )
    assert [each["event_id"] for each in server.events] == [each["event_id"] for each in history(f"{NOW:x}")][:500]


def test_a_second_run_goes_on_where_the_first_one_was(shop: Callable[..., Server]) -> None:
    first = shop(accepted(), accepted())
    second = shop(accepted(), now_ms=NOW + 1)
    last, ids = first.events[-1], {each["event_id"] for each in first.events}
    assert second.events[0]["occurred_at"] >= last["occurred_at"]
    assert len(ids & {each["event_id"] for each in second.events}) <= 1  # sent again, as the very same event


def test_observations_are_told_once_and_on_from_there(
    shop: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play, "_now_ms", lambda: NOW)
    first = shop(accepted(), accepted(), accepted(), accepted(), accepted(), accepted(), accepted(), accepted())
    expected = [seen for _, seen in told(OBSERVERS, NOW - BACKSTAGE_MS, NOW)]
    unique = {each["observation_id"]: each for each in first.observed}
    assert list(unique.values()) == expected[: len(unique)]
    assert len(unique) > play.BATCH_EVENTS
    assert len(first.observed) < 1.05 * len(unique)  # of those at one time some may come twice
    later = NOW + 3_600_000
    monkeypatch.setattr(play, "_now_ms", lambda: later)
    second = shop(*[accepted() for _ in range(8)], now_ms=later)
    known = unique | {each["observation_id"]: each for each in second.observed}
    assert known == {seen["observation_id"]: seen for _, seen in told(OBSERVERS, NOW - BACKSTAGE_MS, later)}


def test_what_customers_bring_and_cost_comes_with_their_events_and_changes_once(shop: Callable[..., Server]) -> None:
    first = shop(*[accepted() for _ in range(8)])
    assert first.accounted == [found for event in first.events for found in BOOKS.outcomes(event)]
    assert {each["kind"] for each in first.accounted} >= {"cost", "renewal", "refund"}
    assert first.changed == BOOKS.changed(NOW)
    assert not shop(accepted(), now_ms=NOW + 1).changed


def test_all_outcomes_and_changes_are_accepted_and_known_to_the_catalogue() -> None:
    catalogue = load(Settings().catalogue_folder)
    keyring = Keyring({"k": b"k" * 32}, "k", placeholders=catalogue.policy.placeholders)
    sent = [found for event in history() for found in BOOKS.outcomes(event)]
    assert len(sent) > 50
    assert len({(each["source"], each["outcome_id"]) for each in sent}) == len(sent)
    for each in sent:
        given = msgspec.json.decode(json.dumps(each), type=Sent).given(NOW)
        assert outcome(given, NOW, keyring, "US").occurred_at == each["occurred_at"]
    for each in BOOKS.changed(NOW):
        assert each["touchpoint"] in catalogue.touchpoints
        day = (date.fromisoformat(each["on"]) - date(1970, 1, 1)).days
        said = {**each, "changed_on": day, "recorded_at": NOW, "recorded_by": "staff:0123456789abcdef"}
        assert change(said, NOW, "US").what == each["what"]


def test_a_rejected_event_is_left(shop: Callable[..., Server]) -> None:
    bad = {"index": 0, "event_id": "x", "reason": "wrong_type", "detail": "type"}
    assert len(shop(accepted(rejected=(bad,)), accepted()).events) == 2 * play.BATCH_EVENTS


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_an_answer_that_will_not_change_ends_the_shop(shop: Callable[..., Server], status: int) -> None:
    with pytest.raises(play.ShopRefused, match=str(status)):
        shop(httpx.Response(status))
