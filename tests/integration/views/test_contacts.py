"""Contacts and queues in ClickHouse: repeats, resolution, service levels, who waits now, answers about calls.

On the real engine, embedded in this process, against plain Python over the same events.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain.intervals import service_levels
from pipeline.domain.messages import Assignment
from pipeline.settings import Settings
from pipeline.store import migrations, rows
from tests.examples import examples

from ...unit.store.records import entry
from ..stored import asked, identity, put

HOUR, DAY = 3_600_000, 86_400_000
WITHIN = 7 * DAY
names = count()


def now_ms() -> int:
    return int(time.time() * 1000)


def happened(client: Client, *events: dict[str, Any]) -> None:
    """Interactions with an `ago` (ms) instead of their times."""
    now = now_ms()
    made = []
    for n, each in enumerate(events):
        at = now - each["ago"]
        given_ = {
            "event_id": f"e{n}",
            "session_id": "",
            **{name: value for name, value in each.items() if name != "ago"},
        }
        made.append(entry(links=[], occurred_at=at, occurred_at_sent=at, received_at=at, **given_))
    put(client, rows.INTERACTIONS, *made)


class Contact(NamedTuple):
    """What somebody does about an issue: `kind` contact or self_service."""

    who: str
    ago: int  # hours
    issue: str
    kind: str
    session: str
    channel: str
    resolved: bool | None


contacts = st.builds(
    Contact,
    st.sampled_from(["customer:a", "customer:b", "anonymous:x"]),
    st.integers(1, 30 * 24),
    st.sampled_from(["delivery", "invoice", ""]),
    st.sampled_from(["contact", "contact", "self_service"]),
    st.sampled_from(["", "", "s", "t"]),
    st.sampled_from(["phone", "chat"]),
    st.sampled_from([None, None, True, False]),
)


def expected(said: Sequence[Contact], owners: dict[str, str], now: int) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """(person, issue, first event) → followed a contact, followed a search, repeated, first-contact resolution."""
    sessions: dict[tuple[str, str, str, str], list[tuple[int, int, Contact]]] = defaultdict(list)
    for n, each in enumerate(said):
        person = owners.get(each.who, each.who)
        session = each.session or f"event {n}"
        sessions[person, each.issue, each.kind, session].append((now - each.ago * HOUR, n, each))
    found = {}
    for (person, issue, kind, session), of in sessions.items():
        if kind != "contact":
            continue
        of.sort(key=lambda each: (each[0], f"e{each[1]}"))
        began, ended = of[0][0], of[-1][0]
        claims = [each.resolved for _, _, each in of if each.resolved is not None]
        others = {
            key: (min(t for t, _, _ in x), max(t for t, _, _ in x), min((t, f"e{n}") for t, n, _ in x)[1])
            for key, x in sessions.items()
            if key[:2] == (person, issue) and key != (person, issue, kind, session)
        }
        mine = (began, f"e{of[0][1]}", "contact")
        before = {key: x for key, x in others.items() if (x[0], x[2], key[2]) < mine}
        after = {key: x for key, x in others.items() if (x[0], x[2], key[2]) > mine}
        known = issue != ""
        followed = known and any(key[2] == "contact" and x[1] >= began - WITHIN for key, x in before.items())
        looked = known and any(key[2] != "contact" and x[1] >= began - WITHIN for key, x in before.items())
        repeated = known and any(key[2] == "contact" and x[0] <= ended + WITHIN for key, x in after.items())
        claimed = claims[-1] if claims else None
        first: bool | None = None
        if known and not followed and not looked:
            if repeated or claimed is False:
                first = False
            elif ended + WITHIN < now:
                first = True
        found[person, issue, f"e{of[0][1]}"] = (followed, looked, repeated, first)
    return found


@settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(contacts, min_size=1, max_size=40), st.sampled_from([None, "customer:a", "customer:b"]), st.booleans())
def test_repeats_and_first_contact_resolution(
    client: Client, said: Sequence[Contact], owner: str | None, refuses: bool
) -> None:
    """Whoever the visitor turns out to be; whoever refuses analysis is not there."""
    world = next(names)
    now = now_ms() - HOUR // 2  # so that no limit is reached while this runs
    events = [
        entry(
            identifier=f"{each.who}.{world}",
            event_id=f"e{n}",
            type="call_ended",
            links=[],
            session_id=each.session,
            channel=each.channel,
            issue=each.issue,
            contact=each.kind,
            resolved=each.resolved if each.kind == "contact" else None,
            **dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), now - each.ago * HOUR),
        )
        for n, each in enumerate(said)
    ]
    put(client, rows.INTERACTIONS, *events)
    put(client, rows.INTERACTIONS, *events[::2])  # some of them again
    owned = () if owner is None else (f"{owner}.{world}",)
    put(client, rows.IDENTITIES, identity(f"anonymous:x.{world}", Assignment(1, owners=owned)))
    if refuses:
        word = {"type": "consent_changed", "consent": {"analysis": False}, "event_id": "no"}
        put(client, rows.INTERACTIONS, entry(identifier=f"customer:b.{world}", links=[], session_id="", **word))
    sql = """SELECT person, issue, event_id, followed_contact, followed_search, repeated, first_contact_resolved,
            repeat, resolved, claimed
        FROM contacts_resolved WHERE endsWith(person, {end:String})"""
    found = {}
    for person, issue, event, *rest in asked(client, sql, end=f".{world}"):
        followed, looked, repeated, first, repeat, resolved, claimed = rest
        found[person, issue, event] = (followed, looked, repeated, first)
        assert repeat == (followed or looked)
        assert resolved == (False if repeated else claimed)
    owners = {} if owner is None else {"anonymous:x": owner}
    truth = {
        (f"{person}.{world}", issue, event): what
        for (person, issue, event), what in expected(said, owners, now).items()
        if not (refuses and person == "customer:b")
    }
    assert found == truth


def test_a_search_followed_by_a_call_is_a_repeat_and_a_second_call_takes_back_what_the_first_claimed(
    client: Client,
) -> None:
    who, about = "customer:story", {"issue": "delivery", "contact": "contact"}
    happened(
        client,
        {"identifier": "anonymous:story", "ago": 20 * DAY, "issue": "delivery", "contact": "self_service"},
        {"identifier": who, "ago": 19 * DAY, "resolved": True, "channel": "phone", **about},
        {"identifier": who, "ago": 15 * DAY, "resolved": True, "channel": "chat", **about},
        {"identifier": who, "ago": 4 * DAY, "resolved": True, "channel": "phone", **about},
    )
    sql = """SELECT event_id, repeat, repeated, resolved, first_contact_resolved FROM contacts_resolved
        WHERE person = 'customer:story' ORDER BY occurred_at"""
    unlinked = [("e1", False, True, False, False), ("e2", True, False, True, None), ("e3", False, False, True, None)]
    assert asked(client, sql) == unlinked
    put(client, rows.IDENTITIES, identity("anonymous:story", Assignment(1, owners=(who,))))
    assert asked(client, sql)[0] == ("e1", True, True, False, None)
    put(client, rows.IDENTITIES, identity("anonymous:story", Assignment(2)))
    assert asked(client, sql) == unlinked


def test_what_another_definition_says_is_no_contact_is_none(client: Client) -> None:
    call = {"identifier": "customer:again", "type": "call_ended", "issue": "delivery", "ago": now_ms() % DAY}
    happened(client, {**call, "contact": "contact", "queue_outcome": "answered"})
    assert asked(client, "SELECT count(), sum(offered) FROM contacts_resolved, queue_intervals") == [(1, 1)]
    happened(client, {**call, "definition": 2})
    assert asked(client, "SELECT (SELECT count() FROM contacts_resolved), (SELECT count() FROM queue_intervals)") == [
        (0, 0)
    ]


class Offered(NamedTuple):
    at: int  # seconds
    queue: str
    outcome: str
    wait_s: float | None
    handle_s: float | None
    refuses: bool


offered = st.builds(
    Offered,
    st.integers(0, 7200),
    st.sampled_from(["PS", "NW"]),
    st.sampled_from(["answered", "answered", "abandoned", ""]),
    st.none() | st.sampled_from([0.0, 19.5, 20.0, 21.0, 300.0]),
    st.none() | st.sampled_from([0.0, 10.0, 600.0]),
    st.sampled_from([False, False, False, True]),
)


@settings(max_examples=examples(6), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(offered, min_size=1, max_size=30))
def test_queue_intervals_count_what_was_offered(client: Client, calls: Sequence[Offered]) -> None:
    client.command("TRUNCATE TABLE contacts")
    start = 1_750_000_500_000  # on a quarter of Kathmandu's clock
    put(
        client,
        rows.INTERACTIONS,
        *(
            entry(
                identifier=f"customer:q{n}",
                event_id=f"call {n}",
                type="call_ended",
                touchpoint="call_queue",
                channel="phone",
                contact="contact",
                links=[],
                queue_outcome=each.outcome,
                details={"queue": each.queue} | ({} if each.handle_s is None else {"handle_s": str(each.handle_s)}),
                measures={} if each.wait_s is None else {"wait_s": each.wait_s},
                consent={"analysis": False} if each.refuses else {},
                **dict.fromkeys(("occurred_at", "occurred_at_sent", "received_at"), start + each.at * 1000),
            )
            for n, each in enumerate(calls)
        ),
    )
    names_ = (
        *("offered", "answered", "abandoned", "answered_within", "abandoned_within", "answer_speed_s", "handle_time_s"),
        *(
            "service_level_offered",
            "service_level_net",
            "abandonment",
            "waits",
            "handles",
            "wait_sum_s",
            "handle_sum_s",
        ),
    )
    sql = f"SELECT toUnixTimestamp(interval_start), queue, {', '.join(names_)} FROM queue_intervals"
    found = {(at, queue): dict(zip(names_, rest, strict=True)) for at, queue, *rest in asked(client, sql)}
    groups: dict[tuple[int, str], list[Offered]] = defaultdict(list)
    for each in calls:
        if each.outcome and not each.refuses:
            groups[start // 1000 + each.at // 900 * 900, each.queue].append(each)
    assert set(found) == set(groups)
    for key, of in groups.items():
        answered = [x for x in of if x.outcome == "answered"]
        waits = [x.wait_s for x in answered if x.wait_s is not None]
        handles = [x.handle_s for x in answered if x.handle_s is not None]
        soon = sum(wait <= 20 for wait in waits)
        gone = sum(x.outcome == "abandoned" and (x.wait_s is None or x.wait_s <= 20) for x in of)
        levels = service_levels(soon, len(of), gone)
        assert found[key] == {
            "offered": len(of),
            "answered": len(answered),
            "abandoned": len(of) - len(answered),
            "answered_within": soon,
            "abandoned_within": gone,
            "answer_speed_s": sum(waits) / len(waits) if waits else None,
            "handle_time_s": sum(handles) / len(handles) if handles else None,
            "service_level_offered": levels[0],
            "service_level_net": levels[1],
            "abandonment": (len(of) - len(answered)) / len(of),
            "waits": len(waits),
            "handles": len(handles),
            "wait_sum_s": sum(waits),
            "handle_sum_s": sum(handles),
        }


def test_who_waits_now_and_for_how_long(client: Client) -> None:
    def step(who: str, kind: str, ago: int, session: str, **more: Any) -> dict[str, Any]:
        channel = "phone" if kind.startswith("call") else "chat"
        place = "call_queue" if channel == "phone" else "chat"
        given_ = {"identifier": f"customer:w{who}", "type": kind, "ago": ago, "session_id": f"waits {session}", **more}
        return {"event_id": f"{session} {kind}", "channel": channel, "touchpoint": place, "source": "acd", **given_}

    queue = {"details": {"queue": "orders"}}
    happened(
        client,
        step("1", "call_ringing", 90_000, "1", **queue),
        step("2", "call_ringing", 200_000, "2", **queue),
        step("3", "call_ringing", 400_000, "3", **queue),
        step("3", "call_answered", 100_000, "3", source="pbx"),  # from another system, in the same session
        step("4", "call_ringing", 400_000, "4", **queue),
        step("4", "call_ended", 100_000, "4"),
        step("5", "call_ringing", 9_000_000, "5", **queue),  # nobody has heard of its end in two hours
        step("6", "chat_started", 30_000, "6"),
        step("7", "call_ringing", 300_000, "7", consent={"analysis": False}, **queue),
    )
    sql = "SELECT touchpoint, channel, queue, waiting, longest_wait_s FROM queue_now ORDER BY touchpoint"
    (phone, chat) = asked(client, sql)
    assert phone[:4] == ("call_queue", "phone", "orders", 2)
    assert 200 <= phone[4] < 260
    assert chat[:4] == ("chat", "chat", "", 1)
    happened(client, step("2", "call_answered", 1_000, "2"))
    assert asked(client, sql)[0][3] == 1


def test_a_survey_about_a_call_keyed_by_another_identifier_finds_it(client: Client) -> None:
    survey = {"type": "survey_answered", "touchpoint": "survey", "channel": "message", "source": "surveys"}
    answer = {"answer": {"question": "csat", "value": 4.0, "min": 1.0, "max": 5.0}, "properties": {"comment": "fine"}}
    call = {"type": "call_ended", "touchpoint": "call_agent", "channel": "phone", "details": {"queue": "orders"}}
    happened(
        client,
        {"identifier": "customer:ans1", "event_id": "call 77", "source": "acd", "ago": HOUR, **call},
        {"identifier": "email:ans1", "event_id": "a1", "about": "call 77", "ago": 1000, **survey, **answer},
        # Two systems gave the same id: the one of the same person is meant.
        {"identifier": "customer:ans2", "event_id": "5", "source": "acd", "ago": HOUR, **call},
        {"identifier": "customer:ans3", "event_id": "5", "source": "tills", "ago": HOUR, "touchpoint": "store_counter"},
        {"identifier": "customer:ans2", "event_id": "a2", "about": "5", "ago": 1000, **survey, **answer},
        # It may be either, and nobody guesses.
        {"identifier": "email:ans4", "event_id": "a3", "about": "5", "ago": 1000, **survey, **answer},
        {"identifier": "customer:ans5", "event_id": "a4", "about": "nothing", "ago": 1000, **survey, **answer},
        {"identifier": "customer:ans6", "event_id": "a5", "ago": 1000, **survey, **answer},
    )
    sql = "SELECT event_id, person, found, touchpoint, channel, queue, value, comment FROM answers ORDER BY event_id"
    fine = (4.0, "fine")
    assert asked(client, sql) == [
        ("a1", "email:ans1", True, "call_agent", "phone", "orders", *fine),
        ("a2", "customer:ans2", True, "call_agent", "phone", "orders", *fine),
        ("a3", "email:ans4", False, "survey", "message", "", *fine),
        ("a4", "customer:ans5", False, "survey", "message", "", *fine),
        ("a5", "customer:ans6", False, "survey", "message", "", *fine),
    ]
    put(client, rows.IDENTITIES, identity("email:ans4", Assignment(1, owners=("customer:ans3",))))
    assert asked(client, sql)[2] == ("a3", "customer:ans3", True, "store_counter", "web", "", *fine)
    no = {"type": "consent_changed", "consent": {"analysis": False}}
    happened(client, {"identifier": "customer:ans3", "event_id": "no", "ago": 1000, **no})
    assert [row[0] for row in asked(client, sql)] == ["a1", "a2", "a4", "a5"]


def test_a_days_queues_read_the_contacts_of_that_day(client: Client) -> None:
    client.command(
        """INSERT INTO contacts (occurred_day, identifier, event_id, occurred_at, contact, queue_outcome, version)
        SELECT toDate(occurred_at), concat('customer:', toString(number % 1000)), toString(number),
            toDateTime64('2025-01-01 00:00:00', 3, 'UTC') + toIntervalMinute(intDiv(number, 2)) AS occurred_at,
            'contact', 'answered', 1
        FROM numbers(200000)"""
    )
    sql = """SELECT sum(offered) FROM queue_intervals
        WHERE interval_start >= '2025-02-01 00:00:00' AND interval_start < '2025-02-02 00:00:00'"""
    assert asked(client, sql) == [(2880,)]
    plan = [row[0] for row in asked(client, f"EXPLAIN indexes = 1 {sql}")]
    start = next(n for n, line in enumerate(plan) if "ReadFromMergeTree" in line and ".contacts)" in line)
    granules = [line.split("Granules:")[1].split("/") for line in plan[start:] if "Granules:" in line and "/" in line]
    assert int(granules[-1][0]) * 3 < int(granules[0][1])


def test_contacts_are_copied_from_interactions_anew_and_a_newer_copy_replaces(client: Client) -> None:
    """As `0017_reading.sql` does, which may be cut off and run again."""
    call = {"type": "call_ended", "channel": "phone", "contact": "contact", "links": [], "details": {"queue": "PS"}}
    at = dict.fromkeys(("occurred_at_sent", "received_at"), 1_750_000_000_000)
    for outcome, corrected in (("abandoned", 0), ("answered", 2 * HOUR)):  # judged again, at a corrected time
        calls = [
            entry(event_id=f"again {n}", queue_outcome=outcome, occurred_at=at["received_at"] + corrected, **at, **call)
            for n in range(20)
        ]
        put(client, rows.INTERACTIONS, *calls)
    put(client, rows.INTERACTIONS, entry(event_id="none", **at))
    counted = "SELECT toUnixTimestamp(interval_start), sum(offered), sum(answered) FROM queue_intervals GROUP BY 1"
    expected = [((1_750_000_000 + 7200) // 900 * 900, 20, 20)]
    assert asked(client, counted) == expected
    copies = "SELECT *, event_key FROM contacts FINAL ORDER BY event_key"
    before = asked(client, copies)
    (migration,) = (
        each for each in migrations.read_tables(Settings().schemas / "clickhouse") if each.name.endswith("_reading.sql")
    )
    for statement in migration.statements:
        client.command(statement)
    assert asked(client, copies) == before
    assert asked(client, counted) == expected
    put(client, rows.INTERACTIONS, entry(event_id="later", queue_outcome="answered", occurred_at=0, **at, **call))
    assert len(asked(client, copies)) == len(before) + 1
