"""A person asks what is kept, and to be forgotten: on the real stack, with everything that could bring them back."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from tests.system.feeding import Writer
from tests.system.product import Product, eventually, running

MINUTE = 60_000
HER_PHONE = "+14155550123"
CHANNELS = ("web", "mobile", "phone")
HERS = {"search", "login", "call", "app", "said"}  # and "hers", on the device that she shares
SILENT = ("in_store", "chat", "message", "partner")

pytestmark = pytest.mark.sized  # one story: `make test-long` goes through all of it


class Story:
    """What has happened so far, for tests that go on with it in their order."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.began = int(time.time() * 1000)
        self.sent: list[dict[str, Any]] = []

    def event(self, event_id: str, minutes_ago: float, identifiers: dict[str, str], **fields: Any) -> dict[str, Any]:
        """Something that happened before the story began (or, with a negative time, just now)."""
        at = self.began - int(minutes_ago * MINUTE) if minutes_ago >= 0 else int(time.time() * 1000)
        known = {"event_id": event_id, "source": "shop", "type": "page_viewed", "touchpoint": "site", "channel": "web"}
        return {**known, "occurred_at": at, "identifiers": identifiers, **fields}

    def tell(self, *events: dict[str, Any]) -> None:
        told = self.product.send(*events)
        assert told["rejected"] == []
        self.sent += events

    def account(self, outcome_id: str, identifiers: dict[str, str], minutes_ago: float) -> None:
        """A refund, some minutes before the story began (or, with a negative time, just now)."""
        at = self.began - int(minutes_ago * MINUTE) if minutes_ago >= 0 else int(time.time() * 1000)
        said = {"outcome_id": outcome_id, "source": "billing", "kind": "refund", "occurred_at": at}
        said |= {"identifiers": identifiers, "amount": -20, "currency": "USD"}
        answer = self.product.ask("POST", "/v1/outcomes", {"outcomes": [said]}, key="ingest")
        assert answer.json == {"accepted": 1, "rejected": []}, answer

    def refunds(self) -> dict[str, set[str]]:
        """Person → their refunds, once the sink has stored all that was sent."""
        mark = f"mark-{time.time_ns()}"
        for n in range(32):  # on every partition
            self.account(f"{mark}-{n}", {"anonymous": mark}, -1)

        def stored() -> dict[str, set[str]]:
            found: dict[str, set[str]] = {}
            for row in self.product.sql("SELECT person, outcome_id FROM business_results WHERE kind = 'refund'"):
                found.setdefault(row["person"], set()).add(row["outcome_id"])
            assert len(found.pop(f"anonymous:{mark}", set())) == 32
            return {person: ids for person, ids in found.items() if not person.startswith("anonymous:mark-")}

        return dict(eventually(stored))

    def timeline(self, namespace: str, value: str) -> list[str]:
        """The ids of the events in somebody's context."""
        return [each["event_id"] for each in self.product.context(namespace, value)["timeline"]]

    def stored(self, where: str) -> set[str]:
        """The ids of the events that ClickHouse has, as views show them."""
        query = f"SELECT event_id FROM interactions_by_person WHERE {where}"
        return {row["event_id"] for row in self.product.sql(query)}

    def export(self, identifier: Any) -> list[dict[str, Any]]:
        answer = self.product.ask("POST", "/v1/privacy/export", {"id": identifier, "reason": "asked"}, key="admin")
        assert answer.status == 200, answer
        return [json.loads(line) for line in answer.text.splitlines()]

    def erase(self, identifier: Any, **more: Any) -> dict[str, Any]:
        """Erase somebody, and wait for the proof."""
        body = {"id": identifier, "reason": "asked", **more}
        answer = self.product.ask("POST", "/v1/privacy/erase", body, key="admin")
        assert answer.status == 202, answer

        def finished() -> Any:
            told = self.product.ask("GET", answer.json["status_url"], key="admin").json
            assert told["state"] == "finished", told["steps"]
            return told

        return dict(eventually(finished, 60))

    @property
    def kafka(self) -> str:
        return f"127.0.0.1:{self.product.kafka_port}"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """One stack for the whole story: the tests below run in their order."""
    with running(tmp_path_factory.mktemp("privacy"), PARTITIONS="4") as product:
        yield Story(product)


async def dead_letters(story: Story) -> None:
    """Events that cannot be used, one with her phone in it, straight into Kafka."""
    producer = AIOKafkaProducer(bootstrap_servers=story.kafka)
    await producer.start()
    try:
        for identifiers in ({"phone": HER_PHONE}, {"phone": "+14155550199"}):
            broken = story.event("late", 50, identifiers, occurred_at=5, channel="phone")  # in 1970
            del broken["channel"]
            await producer.send_and_wait("interactions.phone", Writer("phone").write(broken), b"somebody")
    finally:
        await producer.stop()


def test_an_export_names_everything_and_where_it_is_kept(story: Story) -> None:
    event = story.event
    story.tell(
        event("search", 60, {"anonymous": "c1"}, type="searched", properties={"query": "blue shoes"}),
        event("login", 50, {"customer": "anna", "anonymous": "c1"}, session_id="w1"),
        event(
            "call", 40, {"customer": "anna", "phone": HER_PHONE}, channel="phone", type="call_ended", session_id="k1"
        ),
        event("app", 30, {"customer": "anna", "device": "tablet"}, channel="mobile", session_id="t1"),
        event("hers", 29, {"device": "tablet"}, channel="mobile", session_id="t1"),
        event("said", 25, {"customer": "anna"}, type="survey_answered", properties={"comment": "call me"}),
        event("ben", 20, {"customer": "ben", "device": "tablet"}, channel="mobile", session_id="t2"),
        event("his", 19, {"device": "tablet"}, channel="mobile", session_id="t2"),
        event("carol", 18, {"customer": "carol", "device": "phone"}, type="complaint_opened", session_id="x1"),
    )
    asyncio.run(dead_letters(story))
    story.account("goodwill", {"phone": HER_PHONE}, 20)
    story.account("credit", {"customer": "anna", "phone": HER_PHONE}, 10)
    story.account("ben's", {"customer": "ben"}, 10)
    hers = {*HERS, "hers"}
    eventually(lambda: story.stored("person = 'customer:anna'") == hers)
    assert story.refunds() == {"customer:anna": {"goodwill", "credit"}, "customer:ben": {"ben's"}}
    eventually(lambda: story.product.sql("SELECT count() AS n FROM rejected")[0]["n"] in (2, "2"))

    lines = story.export({"namespace": "phone", "value": "(415) 555-0123"})
    assert lines[0]["kind"] == "header"
    assert lines[0]["value"]["person"] == "customer:anna"
    assert len(lines[0]["value"]["identifiers"]) == 3
    assert lines[-1]["kind"] == "summary"
    assert lines[-1]["value"]["items"] == len(lines) - 2
    for place in ("stitch's state", "ClickHouse table interactions"):
        told = json.dumps([line for line in lines if line["where"].startswith(place)])
        assert all(f'"{each}"' in told for each in hers)
    assert "ben" not in json.dumps(lines)
    assert '"his"' not in json.dumps(lines)
    told_results = [line for line in lines if line["kind"] == "business result"]
    assert {line["where"] for line in told_results} == {"ClickHouse table outcomes"}
    assert {line["value"]["outcome_id"] for line in told_results} == {"goodwill", "credit"}
    letters = [line["value"]["event"]["identifiers"] for line in lines if line["kind"] == "dead letter"]
    assert letters == [{"phone": HER_PHONE}]


def test_an_erasure_ends_with_a_proof_that_nothing_remains(story: Story) -> None:
    told = story.erase({"namespace": "anonymous", "value": "c1"})
    proof = told["proof"]
    assert proof["remaining"] == []
    assert proof["identifiers"] == {"erased": 3, "shared": 1}
    places = {each["place"]: each for each in proof["places"]}
    assert sum(each["looked"] for name, each in places.items() if name.startswith("stitch's state")) > 0
    assert places["Kafka topic stitch.changelog"]["looked"] > 0
    assert places["Kafka topic identify.changelog"]["looked"] > 0
    assert places["Kafka topic interactions.rejected"]["found"] == {"dead letter": 1}
    assert places["ClickHouse table interactions"]["found"] == {"row": 6}
    assert places["ClickHouse table outcomes"]["found"]["row"] >= 2
    assert places["Kafka topic outcomes"]["found"]["record"] >= 3  # everybody's: ClickHouse has them
    assert story.refunds() == {"customer:ben": {"ben's"}}
    ages_out = {each["place"]: each["until"] for each in proof["ages_out"]}
    assert "Kafka topic outcomes" in ages_out
    assert ages_out.keys() >= {f"Kafka topic interactions.{name}" for name in CHANNELS}
    # Within minutes, the day of the compaction lag, and the days of retention.
    assert proof["finished"] < ages_out["ClickHouse, inactive parts"] < ages_out["Kafka topic stitch.changelog"]
    assert ages_out["Kafka topic stitch.changelog"] < ages_out["Kafka topic interactions.web"] < "9999"
    assert "anna" not in json.dumps(told)
    assert all(each["state"] == "done" for each in told["steps"] if each["name"] != "kept")
    gone(story)


def quoted(names: set[str]) -> str:
    """For a query."""
    return ", ".join(f"'{each}'" for each in sorted(names))


def gone(story: Story) -> None:
    """Nothing from before is anywhere; the others have what is theirs, and no more."""
    for identifier in ("customer:anna", "anonymous:c1"):
        lines = story.export(identifier)
        assert not {*HERS, "hers"} & events(lines), lines
    assert story.stored("1") & {*HERS, "hers"} == set()
    assert set(story.timeline("customer", "ben")) == {"ben", "his"}
    assert story.stored("person = 'customer:ben'") == {"ben", "his"}
    assert "hers" not in story.timeline("device", "tablet")


def events(lines: list[dict[str, Any]]) -> set[str]:
    """The events that an export holds."""
    values = [line["value"] for line in lines if line["kind"] not in ("header", "summary")]
    return {each.get("interaction", each).get("event_id", "") for each in values}


def ledger(story: Story) -> dict[str, Any]:
    """What `throughline ledger` says; it adds up, and nothing is on its way."""
    answer = story.product.command("ledger", "--json")
    told = json.loads(answer.stdout)
    assert (answer.returncode, told["adds_up"]) == (0, True), told
    for line in told["channels"]:
        came = line["received"] + line["carried"]
        assert came == sum(line[name] for name in ("stored", "duplicates", "rejected", "erased")), line
        assert line["in_flight"] == 0, line
    return {name: sum(line[name] for line in told["channels"]) for name in ("stored", "erased", "carried", "rejected")}


def test_the_ledger_counts_what_was_erased(story: Story) -> None:
    assert ledger(story) == {"stored": 3, "erased": 6, "carried": 0, "rejected": 2}


async def replayed(story: Story) -> int:
    """Produce every record of the channels' topics again, as it is."""
    reader = AIOKafkaConsumer(bootstrap_servers=story.kafka)
    producer = AIOKafkaProducer(bootstrap_servers=story.kafka)
    await reader.start()
    await producer.start()
    try:
        parts = [TopicPartition(f"interactions.{each}", n) for each in CHANNELS for n in range(4)]
        reader.assign(parts)
        await reader.seek_to_beginning()
        ends = await reader.end_offsets(parts)
        waiting, records = sum(ends.values()), []
        while len(records) < waiting:
            records += [each for some in (await reader.getmany(timeout_ms=500)).values() for each in some]
        for each in records:
            await producer.send_and_wait(each.topic, each.value, each.key, each.partition)
        return len(records)
    finally:
        await reader.stop()
        await producer.stop()


def mark(story: Story, name: str) -> None:
    """Wait until everything that was sent so far has been worked through."""
    numbered = [f"mark-{name}-{n}" for n in range(32)]  # on every partition
    story.product.send(*(story.event(each, -1, {"anonymous": each}) for each in numbered))
    eventually(lambda: set(numbered) <= story.stored(f"startsWith(identifier, 'anonymous:mark-{name}')"), 60)


def test_what_is_late_repeated_or_replayed_does_not_come_back(story: Story) -> None:
    assert asyncio.run(replayed(story)) >= 11
    story.product.send(*story.sent)  # again, as their source would
    story.product.send(
        story.event("later", 45, {"customer": "anna", "anonymous": "c1"}, session_id="w1"),
        story.event("later still", 44, {"anonymous": "c1"}),
    )
    story.account("goodwill", {"phone": HER_PHONE}, 20)
    story.account("late", {"customer": "anna"}, 1)
    assert story.refunds() == {"customer:ben": {"ben's"}}
    mark(story, "late")
    assert story.timeline("customer", "anna") == []
    assert story.stored("event_id LIKE 'later%'") == set()
    gone(story)


def test_what_happens_afterwards_starts_afresh(story: Story) -> None:
    story.tell(
        story.event("back", -1, {"customer": "anna", "anonymous": "c1"}, session_id="w9"),
        story.event("looks", -1, {"anonymous": "c1"}, type="searched", properties={"query": "red shoes"}),
    )
    story.account("new", {"customer": "anna"}, -1)
    assert story.refunds() == {"customer:ben": {"ben's"}, "customer:anna": {"new"}}
    eventually(lambda: set(story.timeline("customer", "anna")) == {"back", "looks"})
    eventually(lambda: story.stored("person = 'customer:anna'") == {"back", "looks"})
    gone(story)


def test_who_is_blocked_stays_empty_until_unblocked(story: Story) -> None:
    assert story.erase("customer:carol", block=True)["proof"]["blocked"]
    story.tell(story.event("again", -1, {"customer": "carol"}))
    story.account("carol's", {"customer": "carol"}, -1)
    assert story.refunds().keys() == {"customer:ben", "customer:anna"}
    mark(story, "blocked")
    assert story.timeline("customer", "carol") == []
    assert story.stored("event_id IN ('carol', 'again')") == set()


def test_the_ledger_counts_what_was_refused_too(story: Story) -> None:
    """Hers and carol's rows; both of hers that were replayed and told again, two late ones, and carol's last."""
    rows = int(story.product.sql("SELECT count() AS n FROM interactions FINAL")[0]["n"])
    told = ledger(story)
    assert told["stored"] == rows
    assert told["erased"] == 6 + 1 + 2 * 6 + 2 + 1


def pid_of(product: Product, name: str) -> int:
    rows = json.loads((product.home / "run" / "processes.json").read_text())["processes"]
    return next(int(row["pid"]) for row in rows if row["name"] == name)


def killed(product: Product, name: str) -> int:
    """Kill one process, and return its number when it is gone."""
    pid = pid_of(product, name)
    os.kill(pid, signal.SIGKILL)
    stat = f"/proc/{pid}/stat"

    def ended() -> bool:
        try:
            with open(stat) as file:
                return file.read().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    eventually(ended)
    return pid


def test_a_worker_that_restores_its_state_from_the_changelog_has_nothing_from_before(story: Story) -> None:
    product = story.product
    old = killed(product, "stitch-0")
    shutil.rmtree(product.home / "state" / "stitch-0")
    eventually(lambda: pid_of(product, "stitch-0") != old)
    eventually(lambda: set(story.timeline("customer", "anna")) == {"back", "looks"}, 30)
    gone(story)


class StandIn(RangePartitionAssignor):  # type: ignore[misc]  # aiokafka is untyped
    """Has the name of the workers' own, as everybody in their group must."""

    name = "throughline-numbers"


#: Who keeps state, with the topics that they read and the partitions of their changelog.
APPS = {
    "stitch-0": ("stitch", [f"interactions.{each}" for each in (*CHANNELS, *SILENT)] + ["profiles.inbox"], 4),
    "identify": ("identify", ["identity.evidence"], 1),
}


async def forgotten(story: Story, app: str, reads: list[str], partitions: int) -> None:
    """Make an app's changelog anew, and let its group have read nothing. None of its processes may run."""
    changelog = f"{app}.changelog"
    client = AIOKafkaAdminClient(bootstrap_servers=story.kafka)
    await client.start()
    try:
        await client.delete_topics([changelog])
        anew = NewTopic(changelog, partitions, 1, topic_configs={"cleanup.policy": "compact"})
        async with asyncio.timeout(20):
            while (await client.create_topics([anew])).topic_errors[0][1]:  # noqa: ASYNC110  # the old one is going
                await asyncio.sleep(0.2)
    finally:
        await client.close()
    # In the place of the process that was killed: nobody else may commit for the group while that is missed.
    consumer = AIOKafkaConsumer(
        *reads,
        bootstrap_servers=story.kafka,
        group_id=app,
        group_instance_id=f"{app}-0",
        partition_assignment_strategy=(StandIn,),
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            while not consumer.assignment():  # noqa: ASYNC110  # the group has to be joined
                await asyncio.sleep(0.1)
        await consumer.commit(await consumer.beginning_offsets(list(consumer.assignment())))
    finally:
        await consumer.stop()


def test_a_rebuild_from_the_events_brings_nothing_from_before(story: Story) -> None:
    product = story.product
    product.process.send_signal(signal.SIGSTOP)  # or it would start them again at once
    try:
        old = [killed(product, name) for name in APPS]
        for name, given in APPS.items():
            asyncio.run(forgotten(story, *given))
            shutil.rmtree(product.home / "state" / name)
    finally:
        product.process.send_signal(signal.SIGCONT)
    eventually(lambda: not {pid_of(product, name) for name in APPS} & set(old))
    eventually(lambda: set(story.timeline("customer", "anna")) == {"back", "looks"}, 30)
    eventually(lambda: {"ben", "his"} <= set(story.timeline("customer", "ben")), 30)
    mark(story, "rebuilt")
    assert set(story.timeline("customer", "anna")) == {"back", "looks"}
    assert story.timeline("customer", "carol") == []
    assert story.stored(f"event_id IN ('carol', 'again', {quoted(HERS)}) OR event_id LIKE 'later%'") == set()


@pytest.mark.long
def test_the_ledger_does_not_add_up_after_a_rebuild_until_somebody_says_what_was_there_before(story: Story) -> None:
    answer = story.product.command("ledger")
    assert answer.returncode == 1
    assert "are in ClickHouse that stitch has not counted" in answer.stdout
    assert "throughline ledger --carry" in answer.stdout
    answer = story.product.command("ledger", "--carry")
    assert answer.returncode == 0, answer.stdout
    assert ledger(story)["carried"] == 7  # the rows that erasures had deleted: stitch refuses now what it stored then


def test_nor_does_the_other_owner_of_a_device_inherit_by_a_rebuild(story: Story) -> None:
    gone(story)


def test_who_is_unblocked_is_like_anybody_else(story: Story) -> None:
    body = {"id": "customer:carol", "reason": "she is back"}
    answer = story.product.ask("POST", "/v1/privacy/unblock", body, key="admin")
    assert (answer.status, answer.json["effect"]) == (200, "complete")
    story.tell(story.event("welcome", -1, {"customer": "carol"}))
    eventually(lambda: story.timeline("customer", "carol") == ["welcome"])
    story.account("welcome", {"customer": "carol"}, -1)
    assert story.refunds()["customer:carol"] == {"welcome"}
    mark(story, "unblocked")
    assert story.stored("event_id IN ('carol', 'again', 'welcome')") == {"welcome"}


@pytest.mark.long
def test_the_ledger_adds_up_in_the_end(story: Story) -> None:
    assert ledger(story)["carried"] == 7
