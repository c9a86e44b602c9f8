"""A stitch worker's batch: every record ends in exactly one place, and bad ones never stop the good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from pipeline.domain import messages, tallies, view
from pipeline.domain.identifiers import Keyring
from pipeline.domain.messages import Assigned, Assignment, Erased, Evidence, Message, Misfiled, Slice
from pipeline.domain.recalled import Recalled
from pipeline.domain.records import Erasure, name
from pipeline.domain.rules import Rules
from pipeline.engine.batch import Batch
from pipeline.partition import partition_of
from pipeline.stitch.process import PAUSE, Stitch
from pipeline.topics import CUSTOMER_SCORES, EVIDENCE, INBOX, REJECTED, TALLIES, TIMELINES, TOUCHPOINT_SCORES
from pipeline.wire import Codec
from tests.fakes import FakeBatch, FakeRecord, Sent
from tests.interactions import NOON, SCORING, made
from tests.policies import POLICY

CODEC = Codec(Path(__file__).parents[3] / "schemas")
PARTITIONS = 4
RULES = Rules(scoring=SCORING)
KEYRING = Keyring({"k1": bytes(32)}, "k1", placeholders=POLICY.placeholders)
HOME = partition_of("customer:1", PARTITIONS)
ASSIGNED = Assignment(1, ("customer:1",))


def stitch(**given_: Any) -> Stitch:
    rules = given_.pop("rules", RULES)
    return Stitch(CODEC, KEYRING, rules, PARTITIONS, "US", **{"policy": POLICY} | given_)


def event(channel: str = "web", offset: int = 0, topic: str | None = None, **fields: Any) -> FakeRecord:
    """A record as a source writes it."""
    said = {
        "event_id": "e1",
        "source": "shop",
        "type": "searched",
        "touchpoint": "site_search",
        "occurred_at": NOON,
        "identifiers": {"customer": "1"},
        **fields,
    }
    return record(CODEC.encode(f"interaction_{channel}", said), topic or f"interactions.{channel}", offset)


def record(
    value: bytes | None, topic: str = "interactions.web", offset: int = 0, key: bytes | None = b"k"
) -> FakeRecord:
    return FakeRecord(topic, HOME, offset, NOON + 5, key, value)


def run(
    sources: Sequence[FakeRecord] = (), inbox: Sequence[Message] = (), before: FakeBatch | None = None, **given_: Any
) -> FakeBatch:
    """One batch of the home partition of customer:1."""
    received = [record(messages.encode(m), INBOX.name, n) for n, m in enumerate(inbox)]
    data, cache = (before.data, before.cache) if before else (None, None)
    batch = FakeBatch(HOME, received, sources, data, cache)
    for _ in stitch(**given_).process(batch):
        pass
    batch.commit()
    return batch


def published(batch: FakeBatch) -> list[Sent]:
    """All that a batch published but the tallies, which count whatever comes."""
    return [each for each in batch.sent if each.topic != TALLIES.name]


def held(batch: FakeBatch) -> list[bytes]:
    """The keys of a state but those of the tallies."""
    return [key for key in batch.data if key[:1] != tallies.PREFIX]


def sent(batch: FakeBatch, topic: str) -> list[dict[str, Any]]:
    """The Avro records that went to a topic."""
    found = []
    for each in batch.to(topic):
        assert each.value is not None
        found.append(CODEC.decode(each.value)[1])
    return found


def mail(batch: FakeBatch) -> list[Message]:
    """What went to other profiles."""
    return [messages.decode_message(each.value) for each in batch.to(INBOX.name) if each.value is not None]


def test_the_engine_gives_what_is_asked_for_here() -> None:
    batch: Batch = FakeBatch(0)
    assert batch.partition == 0


def test_an_event_is_stored_and_told_to_everyone() -> None:
    said: dict[str, Any] = {
        "properties": {"query": "blue shoes"},
        "answer": {"question": "effort", "value": 4.0, "min": 0.0, "max": 5.0},
        "items": [{"product": "p1", "quantity": 2.0, "price": None, "name": ""}],
        "identifiers": {"customer": "1", "phone": "+14155550142"},
        "session_id": "s1",
        "consent": {"service": True},
        "details": {"queue": "returns", "wait_s": 30.0, "transfers": 2},
        "measures": {"results": 3.0},
    }
    batch = run([event("phone", **said)])
    [entry] = sent(batch, TIMELINES.name)
    phone = entry["links"][0]
    assert phone.startswith("phone:k1.")
    assert {key: entry[key] for key in ("identifier", "channel", "properties", "answer", "items", "consent")} == {
        "identifier": "customer:1",
        "channel": "phone",
        "properties": said["properties"],
        "answer": said["answer"],
        "items": said["items"],
        "consent": said["consent"],
    }
    assert entry["details"] == {"queue": "returns", "wait_s": "30", "transfers": "2"}
    assert entry["masks"] == {phone: "+1 ••• ••42"}
    assert entry["received_at"] == NOON + 5
    assert entry["evidence"] == {"effectiveness": None, "ease": 80.0, "emotion": None}
    assert entry["evidence_kind"] == "asked"
    [kept] = batch.to(TIMELINES.name)
    assert (kept.key, kept.partition) == (b"customer:1", HOME)

    [witness] = batch.to(EVIDENCE.name)
    assert (witness.partition, witness.key) == (0, phone.encode())
    assert messages.decode_said(witness.value or b"") == Evidence("customer:1", phone, NOON, "s1", "shop", "e1")

    [row] = sent(batch, CUSTOMER_SCORES.name)
    assert (row["person"], row["definition"], row["ease"], row["ease_n"], row["ease_kind"]) == (
        "customer:1",
        1,
        80.0,
        1,
        "asked",
    )
    assert row["emotion"] is None
    [row_sent] = batch.to(CUSTOMER_SCORES.name)
    assert (row_sent.key, row_sent.partition) == (f"customer:1|{NOON // 86_400_000}|1".encode(), HOME)

    [cell] = sent(batch, TOUCHPOINT_SCORES.name)
    window = NOON - NOON % 900_000
    assert (cell["window_start"], cell["interactions"], cell["ease_asked_sum"]) == (window, 1, 80.0)
    [cell_sent] = batch.to(TOUCHPOINT_SCORES.name)
    assert cell_sent.key == f"{window}|site_search|phone|{HOME}|1".encode()


def test_the_values_of_traits_stay_here() -> None:
    batch = run([event(type="profile_updated", properties={"name": "Ada King"})])
    [entry] = sent(batch, TIMELINES.name)
    assert entry["properties"] == {"name": ""}
    assert view.context(batch, "customer:1", NOON, RULES)["profile"]["traits"] == {"name": "Ada King"}


def test_cells_and_rows_are_written_once_a_batch() -> None:
    batch = run([event(event_id=f"e{n}", type="goal_completed", offset=n) for n in range(200)])
    assert [c["interactions"] for c in sent(batch, TOUCHPOINT_SCORES.name)] == [200]
    assert [r["effectiveness_n"] for r in sent(batch, CUSTOMER_SCORES.name)] == [50]
    assert len(batch.to(TIMELINES.name)) == 200


def test_cells_go_on_in_the_next_batch() -> None:
    before = run([event(event_id="e1")])
    batch = run([event(event_id="e2", offset=1)], before=before)
    assert [c["interactions"] for c in sent(batch, TOUCHPOINT_SCORES.name)] == [2]


def test_repeats_in_one_batch_and_in_the_next_are_stored_once() -> None:
    before = run([event(), event(offset=1)])
    assert len(before.to(TIMELINES.name)) == 1
    batch = run([event(offset=2)], before=before)
    assert published(batch) == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"", "broken_avro"),
        (b"{}", "broken_avro"),
        (b"\xc3\x01" + bytes(8) + b"x", "unknown_schema"),
        (event().value[:-3], "broken_avro"),  # type: ignore[index]
        ((event().value or b"") + b"x", "broken_avro"),
        ((event().value or b"") + bytes(40_000), "oversize"),
        (event("phone").value, "unknown_schema"),
        (event(type="ad_viewed").value, "not_an_interaction"),
        (event(identifiers={}).value, "no_identifier"),
        (event(identifiers={"customer": "null"}).value, "placeholder_identifier"),
        (event(occurred_at=1).value, "absurd_time"),
        (event(source="").value, "missing_field"),
    ],
)
def test_bad_records_are_set_aside_with_their_bytes_and_the_good_go_on(value: bytes | None, reason: str) -> None:
    bad = record(value, offset=17, key=None if value is None else b"k")
    batch = run([event(event_id="e0"), bad, event(event_id="e2", offset=18)])
    assert [e["event_id"] for e in sent(batch, TIMELINES.name)] == ["e0", "e2"]
    [rejected] = sent(batch, REJECTED.name)
    assert rejected.pop("detail") is not None
    assert rejected == {
        "id": f"interactions.web/{HOME}/17",
        "topic": "interactions.web",
        "partition": HOME,
        "offset": 17,
        "timestamp": NOON + 5,
        "reason": reason,
        "key": bad.key,
        "value": value,
    }
    [aside] = batch.to(REJECTED.name)
    assert (aside.key, aside.partition) == (f"interactions.web/{HOME}/17".encode(), HOME)


def test_what_is_too_large_to_be_set_aside_whole_is_cut() -> None:
    batch = run([record(bytes(2_000_000), key=bytes(100_000))])
    [rejected] = sent(batch, REJECTED.name)
    assert "cut" in rejected["detail"]
    assert len(batch.to(REJECTED.name)[0].value or b"") <= 1024 * 1024


@given(st.binary(max_size=200), st.sampled_from(("interactions.web", INBOX.name)))
@example(b"\x00\x00\xcf\x80", INBOX.name)  # a time of more than 63 bits
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_whatever_bytes_come_end_in_one_place(data: bytes, topic: str) -> None:
    mangled = bytearray(event().value or b"") if topic != INBOX.name else bytearray(messages.encode(Misfiled(made())))
    mangled[len(mangled) // 2 : len(mangled) // 2 + len(data)] = data
    bad = record(bytes(mangled), topic)
    batch = FakeBatch(HOME, [bad] if topic == INBOX.name else [], [] if topic == INBOX.name else [bad])
    for _ in stitch().process(batch):
        pass
    stored, passed_on, refused = (len(batch.to(t)) for t in (TIMELINES.name, INBOX.name, REJECTED.name))
    assert stored + passed_on + refused == 1


def elsewhere(namespace: str = "customer") -> str:
    """A value whose identifier lives on another partition."""
    return next(f"c{n}" for n in range(99) if partition_of(f"{namespace}:c{n}", PARTITIONS) != HOME)


def test_what_was_written_to_the_wrong_partition_goes_home() -> None:
    stranger = elsewhere()
    batch = run([event(identifiers={"customer": stranger, "device": "d"})])
    assert held(batch) == []
    [passed_on] = batch.to(INBOX.name)
    assert (passed_on.partition, passed_on.key) == (
        partition_of(f"customer:{stranger}", PARTITIONS),
        f"customer:{stranger}".encode(),
    )
    [misfiled] = mail(batch)
    assert isinstance(misfiled, Misfiled)
    assert misfiled.interaction.identifier == f"customer:{stranger}"
    assert misfiled.interaction.received_at == NOON + 5
    assert batch.to(EVIDENCE.name) == []


def test_a_message_on_the_wrong_partition_is_passed_on_as_it_is() -> None:
    message = Assigned(f"customer:{elsewhere()}", ASSIGNED)
    batch = run(inbox=[message])
    assert mail(batch) == [message]
    assert batch.data == {}


def test_a_key_does_not_matter_where_the_partition_is_right() -> None:
    batch = run([replace(event(), key=b"customer:somebody-else")])
    assert [e["identifier"] for e in sent(batch, TIMELINES.name)] == ["customer:1"]


def test_the_inbox_comes_first() -> None:
    theirs = made("anonymous:7", "theirs")
    batch = run(
        [event(offset=1)],
        inbox=[Misfiled(made(event_id="e0")), Slice("customer:1", "anonymous:7", ASSIGNED, (theirs,))],
    )
    assert [e["event_id"] for e in sent(batch, TIMELINES.name)] == ["e0", "e1"]
    shown = view.timeline(batch, "customer:1", RULES, 9, None, None)["timeline"]
    assert {e["event_id"] for e in shown} == {"e0", "e1", "theirs"}


def test_every_record_is_tallied_where_it_ends() -> None:
    stranger = elsewhere()
    before = run([event(), event(offset=1), event(event_id="e2", channel="phone", topic="interactions.phone")])
    batch = run(
        [
            event(event_id="e3", offset=2),
            record(b"junk", offset=4),  # one offset held no record
            event(offset=5, identifiers={"customer": stranger}),
        ],
        [Misfiled(made(event_id="e4")), Misfiled(made(f"customer:{stranger}"))],
        before,
    )
    assert sent(batch, TALLIES.name) == [
        {
            "channel": "web",
            "partition": HOME,
            "partitions": PARTITIONS,
            "read_to": 6,
            "gaps": 1,
            "received": 5,
            "rekeyed_in": 2,
            "rekeyed_out": 2,
            "stored": 3,
            "duplicates": 1,
            "rejected": 1,
            "refused": 0,
        }
    ]
    assert [each.key for each in batch.to(TALLIES.name)] == [f"web|{HOME}".encode()]
    assert [each.key for each in before.to(TALLIES.name)] == [f"web|{HOME}".encode(), f"phone|{HOME}".encode()]


def test_broken_messages_are_set_aside_too() -> None:
    batch = FakeBatch(HOME, [record(b"junk", INBOX.name, 3), record(None, INBOX.name, 4)])
    for _ in stitch().process(batch):
        pass
    assert [(r["topic"], r["offset"], r["reason"]) for r in sent(batch, REJECTED.name)] == [
        (INBOX.name, 3, "broken_avro"),
        (INBOX.name, 4, "tombstone"),
    ]


def test_slices_go_to_the_partition_of_their_person() -> None:
    person = f"customer:{elsewhere()}"
    before = run([event()])
    batch = run(inbox=[Assigned("customer:1", Assignment(1, (person,)))], before=before)
    [m] = batch.to(INBOX.name)
    assert (m.partition, m.key) == (partition_of(person, PARTITIONS), person.encode())


def test_what_was_erased_is_dropped_and_counted_and_its_rows_leave_no_key() -> None:
    def dropped() -> float:
        return REGISTRY.get_sample_value("throughline_events_dropped_total", {"reason": "erased"}) or 0.0

    before = run([event(type="goal_completed")])
    erased = run(inbox=[Erased("customer:1", NOON + 10, False, 1)], before=before)
    [row] = erased.to(CUSTOMER_SCORES.name)
    assert (row.key, row.value) == (f"customer:1|{NOON // 86_400_000}|1".encode(), None)
    known = dropped()
    batch = run([event(type="goal_completed", identifiers={"customer": "1", "device": "d"})], before=erased)
    assert published(batch) == []
    assert dropped() == known + 1
    assert not [key for key in batch.data if b"customer:1" in key]


def test_profiles_are_known_by_the_seal_they_are_given() -> None:
    batch = run(inbox=[Erased("customer:1", NOON + 10, False, 1)], seal=lambda identifier: identifier[::-1].encode())
    assert list(batch.data) == [b"z1:remotsuc"]


def test_a_worker_without_a_state_remembers_who_was_erased() -> None:
    recalled = Recalled({name("customer:1"): Erasure(NOON + 10, False, 1)})
    assert published(run([event()], recalled=recalled)) == []


def test_watchers_hear_of_changes_after_the_commit() -> None:
    heard: list[set[str]] = []
    batch = FakeBatch(HOME, [], [event()])
    for _ in stitch(watch=heard.append).process(batch):
        pass
    assert heard == []
    batch.commit()
    assert heard == [{"customer:1"}]
    run([event()], before=batch, watch=heard.append)
    assert heard == [{"customer:1"}]


def test_the_loop_is_given_back_often() -> None:
    sources = [event(event_id=f"e{n}", offset=n) for n in range(10 * PAUSE)]
    batch = FakeBatch(HOME, [], sources)
    longest = 0
    before = 0
    for _ in stitch().process(batch):
        longest, before = max(longest, len(batch.to(TIMELINES.name)) - before), len(batch.to(TIMELINES.name))
    assert longest <= PAUSE


def test_batches_of_two_partitions_do_not_mix() -> None:
    worker = stitch()
    other = elsewhere()
    one = FakeBatch(HOME, [], [event(event_id=f"e{n}", offset=n) for n in range(2 * PAUSE)])
    two = FakeBatch(
        partition_of(f"customer:{other}", PARTITIONS),
        [],
        [event(event_id=f"e{n}", offset=n, identifiers={"customer": other}) for n in range(2 * PAUSE)],
    )
    both = [worker.process(one), worker.process(two)]
    while both:
        both = [each for each in both if next(each, "end") is None]
    assert len(one.to(TIMELINES.name)) == len(two.to(TIMELINES.name)) == 2 * PAUSE
    assert {each.key for each in one.to(TIMELINES.name)} == {b"customer:1"}


def test_what_nobody_foresaw_is_raised() -> None:
    with pytest.raises(KeyError):
        run([record(b"x", "interactions.smoke_signal")])
