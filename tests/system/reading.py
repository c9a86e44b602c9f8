"""What the product says in the end: ClickHouse's rows and the API's answers, over HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.comparison import Row, Seen
from tests.system.running import RunningStack

DIMENSIONS = ("effectiveness", "ease", "emotion")
ASKING = 8  # at a time
ENDED = ("stored", "duplicates", "rejected", "erased", "in_flight")  # in the ledger

INTERACTIONS = """
SELECT identifier, source, event_id, person, channel, type, touchpoint,
    toUnixTimestamp64Milli(occurred_at) AS occurred_at, toUnixTimestamp64Milli(occurred_at_sent) AS occurred_at_sent,
    toUnixTimestamp64Milli(received_at) AS received_at, session_id, goal, issue, about, links, masks, items,
    [toString(answer_question)] AS question, [answer_value, answer_min, answer_max] AS numbers,
    measures, properties, details, consent, effectiveness, ease, emotion, evidence_kind
FROM interactions_by_person WHERE occurred_day = {day}"""
IDENTITIES = """
SELECT identifier, person, toUnixTimestamp64Milli(until) AS until, earlier_person, ambiguous, owners, candidates,
    sessions
FROM identities_current"""
SCORES = """
SELECT * EXCEPT day, toInt32(day) AS day FROM customer_scores FINAL
WHERE effectiveness_n + ease_n + emotion_n > 0 AND definition = {definition}"""
CELLS = """
SELECT * EXCEPT window_start, toUnixTimestamp64Milli(window_start) AS window_start
FROM touchpoint_scores FINAL WHERE interactions != 0 AND definition = {definition}"""
REJECTED = "SELECT reason, count() AS n FROM rejected FINAL GROUP BY reason"


def wait_until_quiet(stack: RunningStack, seconds: float) -> float:
    """Wait until nothing is on its way; the seconds that it took. Raises AssertionError after so many.

    One message may cause another (evidence, assignments, slices, scores), so no lag alone says little. But if nothing
    was written while all that was there had been read, nothing will be written any more.
    """
    began = time.monotonic()
    while True:
        before = asyncio.run(ends(stack))
        status = json.loads(stack.run("status", "--json").stdout)
        lags = status["lags"]
        waiting = lags is None or any(count for stage in lags.values() for count in stage.values())
        took_s = time.monotonic() - began
        if not waiting and asyncio.run(ends(stack)) == before:
            return took_s
        assert took_s < seconds, f"still waiting after {took_s:.0f} s: {lags or status['troubles']}"


def ledger(stack: RunningStack) -> list[str]:
    """What `throughline ledger` finds wrong in a stack where nothing is on its way; nothing where it adds up."""
    answer = stack.run("ledger", "--json")
    told = json.loads(answer.stdout)
    wrong = [
        f"ledger: {each}" for each in (*told.get("troubles", ()), *told.get("findings", ()), *told.get("notes", ()))
    ]
    if answer.returncode != (0 if told["adds_up"] else 1):
        wrong.append(f"ledger: status {answer.returncode}")
    if told["adds_up"]:
        for line in (*told["channels"], *told["partitions"]):
            came = line["received"] + line["carried"] + line["rekeyed"]
            if came != sum(line[name] for name in ENDED) or line["in_flight"]:
                wrong.append(f"ledger: {line}")
    return wrong


async def ends(stack: RunningStack) -> dict[TopicPartition, int]:
    """Where each partition of the flow's topics ends."""
    consumer = AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{stack.port('kafka')}")
    await consumer.start()
    try:
        topics = [each for each in await consumer.topics() if not each.startswith("__") and each != "routes"]
        places = [TopicPartition(each, n) for each in topics for n in consumer.partitions_for_topic(each) or ()]
        found: dict[TopicPartition, int] = await consumer.end_offsets(places)
        return found
    finally:
        await consumer.stop()


def rows(stack: RunningStack, query: str) -> list[Row]:
    """A query's rows."""
    known = stack.keys["clickhouse"]
    settings = {
        "database": "throughline",
        "default_format": "JSONEachRow",
        "output_format_json_quote_64bit_integers": "0",
        "output_format_json_named_tuples_as_objects": "0",
    }
    answer = httpx.post(
        f"http://127.0.0.1:{stack.port('clickhouse')}/",
        params=settings,
        content=query.encode(),
        auth=(known["user"], known["password"]),
        timeout=120,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text[:1000]
    return [json.loads(line) for line in answer.text.split("\n") if line]


def seen(stack: RunningStack, definition: int = 1) -> Seen:
    """All that ClickHouse holds, with the scores by a definition."""
    days = rows(stack, "SELECT DISTINCT toInt32(occurred_day) AS day FROM interactions")
    interactions = [row for each in days for row in rows(stack, INTERACTIONS.format(day=f"toDate({each['day']})"))]
    return Seen(
        interactions={
            (row["identifier"], row["source"], row["event_id"]): row | {"answer": row["question"] + row["numbers"]}
            for row in interactions
        },
        identities={row["identifier"]: row for row in rows(stack, IDENTITIES)},
        scores={(row["person"], row["day"]): row for row in rows(stack, SCORES.format(definition=definition))},
        cells={_place(row): _sums(row) for row in rows(stack, CELLS.format(definition=definition))},
        rejected=Counter({row["reason"]: row["n"] for row in rows(stack, REJECTED)}),
    )


def _place(row: Row) -> tuple[Any, ...]:
    return row["window_start"], row["touchpoint"], row["channel"], row["partition"]


def _sums(row: Row) -> tuple[int, ...]:
    """In the order of the truth, sums in millionths."""
    names = [
        f"{d}_{kind}_{what}" for d in DIMENSIONS for kind in ("asked", "observed") for what in ("n", "sum", "sum2")
    ]
    return row["interactions"], *(row[name] if name.endswith("_n") else round(row[name] * 1e6) for name in names)


async def contexts(stack: RunningStack, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Row]:
    """The context answer for each (namespace, value). Raises AssertionError where one is refused."""
    result: dict[tuple[str, str], Row] = {}
    headers = {"Authorization": f"Bearer {stack.keys['read']}"}
    places = asyncio.Semaphore(ASKING)
    async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=30, trust_env=False) as client:

        async def ask(key: tuple[str, str]) -> None:
            question = {"keys": [{"namespace": key[0], "value": key[1]}], "purpose": "storm"}
            async with places:
                answer = await client.post("/v1/context", json=question)
            assert answer.status_code == 200, answer.text
            result[key] = answer.json()

        await asyncio.gather(*(ask(key) for key in keys))
    return result
